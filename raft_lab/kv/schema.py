"""The messages and methods of etcd's v3 API that are spoken here: names, numbers and types, as the protocol has them.

One message a line: its name, then `field:type=number`; `*` is a list, `@` names a choice of which one may be set. An
enum is a number. Nothing here was ever renumbered: 3.4 and the latest version agree in all of it.
"""

MESSAGES = """
package mvccpb
KeyValue key:bytes=1 create_revision:int64=2 mod_revision:int64=3 version:int64=4 value:bytes=5 lease:int64=6
Event type:int32=1 kv:KeyValue=2 prev_kv:KeyValue=3
package etcdserverpb
ResponseHeader cluster_id:uint64=1 member_id:uint64=2 revision:int64=3 raft_term:uint64=4
RangeRequest key:bytes=1 range_end:bytes=2 limit:int64=3 revision:int64=4 sort_order:int32=5 sort_target:int32=6
    serializable:bool=7 keys_only:bool=8 count_only:bool=9 min_mod_revision:int64=10 max_mod_revision:int64=11
    min_create_revision:int64=12 max_create_revision:int64=13
RangeResponse header:ResponseHeader=1 kvs:*mvccpb.KeyValue=2 more:bool=3 count:int64=4
PutRequest key:bytes=1 value:bytes=2 lease:int64=3 prev_kv:bool=4 ignore_value:bool=5 ignore_lease:bool=6
PutResponse header:ResponseHeader=1 prev_kv:mvccpb.KeyValue=2
DeleteRangeRequest key:bytes=1 range_end:bytes=2 prev_kv:bool=3
DeleteRangeResponse header:ResponseHeader=1 deleted:int64=2 prev_kvs:*mvccpb.KeyValue=3
RequestOp request_range:RangeRequest=1@request request_put:PutRequest=2@request
    request_delete_range:DeleteRangeRequest=3@request request_txn:TxnRequest=4@request
ResponseOp response_range:RangeResponse=1@response response_put:PutResponse=2@response
    response_delete_range:DeleteRangeResponse=3@response response_txn:TxnResponse=4@response
Compare result:int32=1 target:int32=2 key:bytes=3 version:int64=4@target_union create_revision:int64=5@target_union
    mod_revision:int64=6@target_union value:bytes=7@target_union lease:int64=8@target_union range_end:bytes=64
TxnRequest compare:*Compare=1 success:*RequestOp=2 failure:*RequestOp=3
TxnResponse header:ResponseHeader=1 succeeded:bool=2 responses:*ResponseOp=3
CompactionRequest revision:int64=1 physical:bool=2
CompactionResponse header:ResponseHeader=1
WatchRequest create_request:WatchCreateRequest=1@request_union cancel_request:WatchCancelRequest=2@request_union
    progress_request:WatchProgressRequest=3@request_union
WatchCreateRequest key:bytes=1 range_end:bytes=2 start_revision:int64=3 progress_notify:bool=4 filters:*int32=5
    prev_kv:bool=6 watch_id:int64=7 fragment:bool=8
WatchCancelRequest watch_id:int64=1
WatchProgressRequest
WatchResponse header:ResponseHeader=1 watch_id:int64=2 created:bool=3 canceled:bool=4 compact_revision:int64=5
    cancel_reason:string=6 fragment:bool=7 events:*mvccpb.Event=11
LeaseGrantRequest TTL:int64=1 ID:int64=2
LeaseGrantResponse header:ResponseHeader=1 ID:int64=2 TTL:int64=3 error:string=4
LeaseRevokeRequest ID:int64=1
LeaseRevokeResponse header:ResponseHeader=1
LeaseKeepAliveRequest ID:int64=1
LeaseKeepAliveResponse header:ResponseHeader=1 ID:int64=2 TTL:int64=3
LeaseTimeToLiveRequest ID:int64=1 keys:bool=2
LeaseTimeToLiveResponse header:ResponseHeader=1 ID:int64=2 TTL:int64=3 grantedTTL:int64=4 keys:*bytes=5
LeaseLeasesRequest
LeaseStatus ID:int64=1
LeaseLeasesResponse header:ResponseHeader=1 leases:*LeaseStatus=2
HashRequest
HashKVRequest revision:int64=1
HashKVResponse header:ResponseHeader=1 hash:uint32=2 compact_revision:int64=3 hash_revision:int64=4
HashResponse header:ResponseHeader=1 hash:uint32=2
Member ID:uint64=1 name:string=2 peerURLs:*string=3 clientURLs:*string=4 isLearner:bool=5
MemberAddRequest peerURLs:*string=1 isLearner:bool=2
MemberAddResponse header:ResponseHeader=1 member:Member=2 members:*Member=3
MemberRemoveRequest ID:uint64=1
MemberRemoveResponse header:ResponseHeader=1 members:*Member=2
MemberUpdateRequest ID:uint64=1 peerURLs:*string=2
MemberUpdateResponse header:ResponseHeader=1 members:*Member=2
MemberListRequest linearizable:bool=1
MemberListResponse header:ResponseHeader=1 members:*Member=2
MemberPromoteRequest ID:uint64=1
MemberPromoteResponse header:ResponseHeader=1 members:*Member=2
DefragmentRequest
DefragmentResponse header:ResponseHeader=1
MoveLeaderRequest targetID:uint64=1
MoveLeaderResponse header:ResponseHeader=1
AlarmRequest action:int32=1 memberID:uint64=2 alarm:int32=3
AlarmMember memberID:uint64=1 alarm:int32=2
AlarmResponse header:ResponseHeader=1 alarms:*AlarmMember=2
StatusRequest
StatusResponse header:ResponseHeader=1 version:string=2 dbSize:int64=3 leader:uint64=4 raftIndex:uint64=5
    raftTerm:uint64=6 raftAppliedIndex:uint64=7 errors:*string=8 dbSizeInUse:int64=9 isLearner:bool=10
    storageVersion:string=11 dbSizeQuota:int64=12 downgradeInfo:DowngradeInfo=13
DowngradeInfo enabled:bool=1 targetVersion:string=2
SnapshotRequest
SnapshotResponse header:ResponseHeader=1 remaining_bytes:uint64=2 blob:bytes=3 version:string=4
AuthEnableRequest
AuthEnableResponse header:ResponseHeader=1
AuthDisableRequest
AuthDisableResponse header:ResponseHeader=1
AuthStatusRequest
AuthStatusResponse header:ResponseHeader=1 enabled:bool=2 authRevision:uint64=3
AuthenticateRequest name:string=1 password:string=2
AuthenticateResponse header:ResponseHeader=1 token:string=2
AuthUserAddRequest name:string=1 password:string=2
AuthUserAddResponse header:ResponseHeader=1
AuthUserGetRequest name:string=1
AuthUserGetResponse header:ResponseHeader=1 roles:*string=2
AuthUserListRequest
AuthUserListResponse header:ResponseHeader=1 users:*string=2
AuthUserDeleteRequest name:string=1
AuthUserDeleteResponse header:ResponseHeader=1
AuthUserChangePasswordRequest name:string=1 password:string=2
AuthUserChangePasswordResponse header:ResponseHeader=1
AuthUserGrantRoleRequest user:string=1 role:string=2
AuthUserGrantRoleResponse header:ResponseHeader=1
AuthUserRevokeRoleRequest name:string=1 role:string=2
AuthUserRevokeRoleResponse header:ResponseHeader=1
AuthRoleAddRequest name:string=1
AuthRoleAddResponse header:ResponseHeader=1
AuthRoleGetRequest role:string=1
AuthRoleGetResponse header:ResponseHeader=1
AuthRoleListRequest
AuthRoleListResponse header:ResponseHeader=1 roles:*string=2
AuthRoleDeleteRequest role:string=1
AuthRoleDeleteResponse header:ResponseHeader=1
AuthRoleGrantPermissionRequest name:string=1
AuthRoleGrantPermissionResponse header:ResponseHeader=1
AuthRoleRevokePermissionRequest role:string=1 key:bytes=2 range_end:bytes=3
AuthRoleRevokePermissionResponse header:ResponseHeader=1
package v3electionpb
CampaignRequest name:bytes=1 lease:int64=2 value:bytes=3
CampaignResponse header:etcdserverpb.ResponseHeader=1 leader:LeaderKey=2
LeaderKey name:bytes=1 key:bytes=2 rev:int64=3 lease:int64=4
LeaderRequest name:bytes=1
LeaderResponse header:etcdserverpb.ResponseHeader=1 kv:mvccpb.KeyValue=2
ResignRequest leader:LeaderKey=1
ResignResponse header:etcdserverpb.ResponseHeader=1
ProclaimRequest leader:LeaderKey=1 value:bytes=2
ProclaimResponse header:etcdserverpb.ResponseHeader=1
package v3lockpb
LockRequest name:bytes=1 lease:int64=2
LockResponse header:etcdserverpb.ResponseHeader=1 key:bytes=2
UnlockRequest key:bytes=1
UnlockResponse header:etcdserverpb.ResponseHeader=1
"""

METHODS = """
etcdserverpb.KV Range RangeRequest RangeResponse
etcdserverpb.KV Put PutRequest PutResponse
etcdserverpb.KV DeleteRange DeleteRangeRequest DeleteRangeResponse
etcdserverpb.KV Txn TxnRequest TxnResponse
etcdserverpb.KV Compact CompactionRequest CompactionResponse
etcdserverpb.Watch Watch *WatchRequest *WatchResponse
etcdserverpb.Lease LeaseGrant LeaseGrantRequest LeaseGrantResponse
etcdserverpb.Lease LeaseRevoke LeaseRevokeRequest LeaseRevokeResponse
etcdserverpb.Lease LeaseKeepAlive *LeaseKeepAliveRequest *LeaseKeepAliveResponse
etcdserverpb.Lease LeaseTimeToLive LeaseTimeToLiveRequest LeaseTimeToLiveResponse
etcdserverpb.Lease LeaseLeases LeaseLeasesRequest LeaseLeasesResponse
etcdserverpb.Cluster MemberAdd MemberAddRequest MemberAddResponse
etcdserverpb.Cluster MemberRemove MemberRemoveRequest MemberRemoveResponse
etcdserverpb.Cluster MemberUpdate MemberUpdateRequest MemberUpdateResponse
etcdserverpb.Cluster MemberList MemberListRequest MemberListResponse
etcdserverpb.Cluster MemberPromote MemberPromoteRequest MemberPromoteResponse
etcdserverpb.Maintenance Alarm AlarmRequest AlarmResponse
etcdserverpb.Maintenance Status StatusRequest StatusResponse
etcdserverpb.Maintenance Defragment DefragmentRequest DefragmentResponse
etcdserverpb.Maintenance Hash HashRequest HashResponse
etcdserverpb.Maintenance HashKV HashKVRequest HashKVResponse
etcdserverpb.Maintenance MoveLeader MoveLeaderRequest MoveLeaderResponse
etcdserverpb.Maintenance Snapshot SnapshotRequest *SnapshotResponse
etcdserverpb.Auth AuthEnable AuthEnableRequest AuthEnableResponse
etcdserverpb.Auth AuthDisable AuthDisableRequest AuthDisableResponse
etcdserverpb.Auth AuthStatus AuthStatusRequest AuthStatusResponse
etcdserverpb.Auth Authenticate AuthenticateRequest AuthenticateResponse
etcdserverpb.Auth UserAdd AuthUserAddRequest AuthUserAddResponse
etcdserverpb.Auth UserGet AuthUserGetRequest AuthUserGetResponse
etcdserverpb.Auth UserList AuthUserListRequest AuthUserListResponse
etcdserverpb.Auth UserDelete AuthUserDeleteRequest AuthUserDeleteResponse
etcdserverpb.Auth UserChangePassword AuthUserChangePasswordRequest AuthUserChangePasswordResponse
etcdserverpb.Auth UserGrantRole AuthUserGrantRoleRequest AuthUserGrantRoleResponse
etcdserverpb.Auth UserRevokeRole AuthUserRevokeRoleRequest AuthUserRevokeRoleResponse
etcdserverpb.Auth RoleAdd AuthRoleAddRequest AuthRoleAddResponse
etcdserverpb.Auth RoleGet AuthRoleGetRequest AuthRoleGetResponse
etcdserverpb.Auth RoleList AuthRoleListRequest AuthRoleListResponse
etcdserverpb.Auth RoleDelete AuthRoleDeleteRequest AuthRoleDeleteResponse
etcdserverpb.Auth RoleGrantPermission AuthRoleGrantPermissionRequest AuthRoleGrantPermissionResponse
etcdserverpb.Auth RoleRevokePermission AuthRoleRevokePermissionRequest AuthRoleRevokePermissionResponse
v3electionpb.Election Campaign CampaignRequest CampaignResponse
v3electionpb.Election Proclaim ProclaimRequest ProclaimResponse
v3electionpb.Election Leader LeaderRequest LeaderResponse
v3electionpb.Election Observe LeaderRequest *LeaderResponse
v3electionpb.Election Resign ResignRequest ResignResponse
v3lockpb.Lock Lock LockRequest LockResponse
v3lockpb.Lock Unlock UnlockRequest UnlockResponse
"""
"""Service, method, request, response; `*` is a stream of them."""
