"""What somebody does with the client `aetcd` (by Andrey Martyanov); prints what it is told."""

import asyncio
import json
import sys

import aetcd


async def main(host, port):
    told = []
    async with aetcd.Client(host=host, port=int(port), timeout=30) as client:
        watch = await client.watch_prefix(b"app/")
        await client.put(b"app/a", b"1")
        await client.put(b"app/b", b"2")
        told.append([kv.value.decode() for kv in await client.get_prefix(b"app/")])
        kv = await client.get(b"app/a")
        told.append([kv.value.decode(), kv.create_revision, kv.mod_revision, kv.version])
        done, _ = await client.transaction(
            compare=[client.transactions.value(b"app/a") == b"1"],
            success=[client.transactions.put(b"app/a", b"3")],
            failure=[client.transactions.delete(b"app/a")],
        )
        told.append([done, await client.replace(b"app/a", b"3", b"4"), await client.replace(b"app/a", b"3", b"5")])
        told.append((await client.delete(b"app/b")) is not None)
        count = 0
        async for event in watch:
            told.append([str(event.kind), event.kv.key.decode(), event.kv.value.decode(), event.kv.mod_revision])
            count += 1
            if count == 5:
                break
        await watch.cancel()

        lease = await client.lease(30)
        await client.put(b"leased", b"x", lease=lease)
        told.append([await lease.remaining_ttl() > 0, [key.decode() for key in await lease.keys()]])
        await lease.refresh()
        await lease.revoke()
        told.append(await client.get(b"leased") is None)

        mine, other = client.lock(b"door", ttl=20), client.lock(b"door", ttl=20)
        told.append([await mine.acquire(), await mine.is_acquired(), await other.acquire(timeout=0.2)])
        told.append([await mine.release(), await other.acquire(timeout=20), await other.release()])

        told.append(len([member async for member in client.members()]) > 0)
        told.append((await client.status()).leader is not None)
    json.dump(told, sys.stdout)


asyncio.run(main(*sys.argv[1:]))
