"""What somebody does with the client `etcd3` (by Louis Taylor); prints what it is told."""

import json
import sys

import etcd3


def main(host, port):
    told = []
    client = etcd3.client(host=host, port=int(port), timeout=30)
    events, cancel = client.watch_prefix("app/")
    client.put("app/a", "1")
    client.put("app/b", "2", prev_kv=True)
    told.append([value.decode() for value, _ in client.get_prefix("app/", sort_order="descend")])
    value, about = client.get("app/a")
    told.append([value.decode(), about.create_revision, about.mod_revision, about.version])
    done, _ = client.transaction(
        compare=[client.transactions.value("app/a") == "1", client.transactions.version("app/b") > 0],
        success=[client.transactions.put("app/a", "3"), client.transactions.get("app/a")],
        failure=[client.transactions.delete("app/a")],
    )
    told.append([done, client.replace("app/a", "3", "4"), client.replace("app/a", "3", "5")])
    told.append([client.put_if_not_exists("app/c", "1"), client.put_if_not_exists("app/c", "2")])
    told.append(client.delete("app/b"))
    for _ in range(6):
        event = next(events)
        told.append([type(event).__name__, event.key.decode(), event.value.decode(), event.mod_revision])
    cancel()

    lease = client.lease(30)
    client.put("leased", "x", lease=lease)
    told.append([lease.ttl, lease.granted_ttl == 30, [key.decode() for key in lease.keys]])
    told.append([reply.TTL for reply in lease.refresh()])
    lease.revoke()
    told.append(client.get("leased")[0])

    mine, other = client.lock("door", ttl=20), client.lock("door", ttl=20)
    told.append([mine.acquire(), mine.is_acquired(), other.is_acquired()])
    told.append([mine.release(), other.acquire(), other.release()])

    told.append(len(list(client.members)) > 0)
    told.append(client.status().leader is not None)
    client.compact(3)
    try:
        next(client.watch_response("app/a", start_revision=2)[0])
    except etcd3.exceptions.RevisionCompactedError as error:
        told.append(error.compacted_revision)
    client.close()
    json.dump(told, sys.stdout)


main(*sys.argv[1:])
