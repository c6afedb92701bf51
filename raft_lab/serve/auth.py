"""etcd's service Auth, as an etcd answers on which nobody has set up users; and none can be set up here."""

from __future__ import annotations

from typing import Any

from raft_lab.kv import wire
from raft_lab.kv.errors import EtcdError
from raft_lab.serve.member import Service


def _error(text: str) -> EtcdError:
    return EtcdError("FAILED_PRECONDITION", f"etcdserver: {text}")


NOT_ENABLED = _error("authentication is not enabled")
NO_ROOT = _error("root user does not exist")
NO_USER = _error("user name not found")
NO_ROLE = _error("role name not found")
NO_USERS_HERE = EtcdError(
    "UNIMPLEMENTED", "raft_lab: there are no users and roles here; whoever reaches the endpoint may do everything"
)


class Auth(Service):
    """The service Auth."""

    name = "Auth"

    def __getattr__(self, name: str) -> Any:
        """A method that is refused: which error it gives is all there is to know of it."""
        if name not in _REFUSED:
            raise AttributeError(name)

        async def refuse(_: Any) -> Any:
            raise _REFUSED[name]

        return refuse

    async def AuthDisable(self, _: Any) -> Any:  # noqa: N802 - its name on the wire, here and below
        """It is not enabled."""
        return self._answer("AuthDisableResponse")

    async def AuthStatus(self, _: Any) -> Any:  # noqa: N802
        """It is not enabled."""
        return self._answer("AuthStatusResponse", authRevision=1)

    async def UserList(self, _: Any) -> Any:  # noqa: N802
        """None."""
        return self._answer("AuthUserListResponse")

    async def RoleList(self, _: Any) -> Any:  # noqa: N802
        """None."""
        return self._answer("AuthRoleListResponse")

    def _answer(self, kind: str, **content: Any) -> Any:
        header = self.member.header(self.member.store.revision)
        return wire.message_class(kind)(header=header, **content)


_REFUSED = {
    "AuthEnable": NO_ROOT,
    "Authenticate": NOT_ENABLED,
    "UserAdd": NO_USERS_HERE,
    "RoleAdd": NO_USERS_HERE,
    **dict.fromkeys(("UserGet", "UserDelete", "UserChangePassword", "UserGrantRole", "UserRevokeRole"), NO_USER),
    **dict.fromkeys(("RoleGet", "RoleDelete", "RoleGrantPermission", "RoleRevokePermission"), NO_ROLE),
}
