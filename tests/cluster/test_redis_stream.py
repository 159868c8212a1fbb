"""`mojo.cluster.redis_stream` with a real Redis, whose connections break."""

from __future__ import annotations

import re

from mojo.cluster import streams_wire
from mojo.cluster.redis_bus import RedisBus
from tests.cluster.test_redis_bus import RedisTestCase


def entry(data: bytes, namespace: bytes = b"/chat") -> dict[str, bytes]:
    return {"uid": b"u", "nsp": namespace, "type": b"3", "data": data}


class StreamTestCase(RedisTestCase):
    stream = "events"

    async def up(self, **kwargs) -> tuple[RedisBus, list[bytes]]:
        bus, got = self.bus(**kwargs), []
        bus.follow("/chat", lambda offset, entry: got.append(entry["data"]), lambda: None)
        bus.start()
        await self.until(lambda: bus.is_up)
        return bus, got

    async def add(self, *data: str, at: str = "*", namespace: str = "/chat") -> None:
        """Add entries as another server does."""
        for one in data:
            fields = ("uid", "u", "nsp", namespace, "type", "3", "data", one)
            reply = await self.redis.ask("XADD", "events", at, *fields)
            self.assertEqual(reply[:1], b"$", reply)

    async def kill(self, name: str) -> None:
        clients = (await self.redis.ask("CLIENT", "LIST")).decode()
        (cid,) = re.findall(rf"id=(\d+) .*name={name} ", clients)
        self.assertEqual(await self.redis.ask("CLIENT", "KILL", "ID", cid), b":1\r\n")


class ReadingTests(StreamTestCase):
    async def test_entries(self) -> None:
        """All who are there get them, in one order; what was before is past."""
        await self.add("before")
        (one, first), (two, second) = await self.up(), await self.up()
        one.append(entry(b"1"))
        one.append(entry(b"elsewhere", b"/other"))
        await self.until(lambda: second == [b"1"])
        two.append(entry(b"2"))
        await self.add("3")
        await self.until(lambda: len(first) == len(second) == 3)
        self.assertEqual((first, second), ([b"1", b"2", b"3"], first))

    async def test_one_connection(self) -> None:
        """One reads for all namespaces."""
        bus, got = await self.up()
        other: list[bytes] = []
        bus.follow("/ключ", lambda offset, entry: other.append(entry["data"]), lambda: None)
        await self.add("1")
        await self.add("2", namespace="/ключ")
        await self.until(lambda: other)
        self.assertEqual((got, other), ([b"1"], [b"2"]))
        clients = (await self.redis.ask("CLIENT", "LIST")).decode()
        self.assertEqual(clients.count("name=mojo-stream "), 1)
        bus.unfollow("/chat")
        await self.add("3")
        await self.add("4", namespace="/ключ")
        await self.until(lambda: len(other) == 2)
        self.assertEqual(got, [b"1"])

    async def test_strange_entries(self) -> None:
        """What no adapter writes, and what is too long, is passed over."""
        bus, got = await self.up(max_message=100)
        await self.redis.ask("XADD", "events", "*", "nsp", "/chat" * 10_000)
        await self.add("x" * 101, "y" * 1000)
        await self.redis.ask("XADD", "events", "*", "a", "b")
        await self.redis.ask("XADD", "events", "*", "nsp", "/elsewhere")
        await self.add("good")
        await self.until(lambda: got)
        self.assertEqual(got, [b"good"])
        self.assertEqual(bus._stats.refused, 3)

    async def test_length(self) -> None:
        """A stream is kept short."""
        bus, got = await self.up()
        self.patch(streams_wire, "MAX_LENGTH", 100)
        for number in range(1000):
            bus.append(entry(b"%d" % number))
            if number % 50 == 49:
                await self.until(lambda number=number: len(got) == number + 1)
        self.assertEqual(got, [b"%d" % number for number in range(1000)])
        length = await self.redis.ask("XLEN", "events")
        self.assertLess(int(length[1:]), 300)


class OutageTests(StreamTestCase):
    async def test_killed(self) -> None:
        """Each connection in turn: what others add meanwhile comes, once and in order."""
        bus, got = await self.up()
        sent: list[bytes] = []

        async def all_came() -> None:
            await self.until(lambda: len(got) == len(sent) and bus.is_up)

        for name in ("mojo-stream", "mojo-pub", "mojo-sub"):
            await self.kill(name)
            names = [f"{name} {number}" for number in range(250)]
            await self.add(*names)
            sent += [one.encode() for one in names]
            await all_came()
            bus.append(entry(b"ours"))
            sent.append(b"ours")
            await all_came()
        self.assertEqual(got, sent)

    async def test_restart_that_keeps(self) -> None:
        """What was written is there still, and is not had twice; nor is anything missed."""
        bus, got = await self.up()
        await self.add("1")
        await self.until(lambda: got)
        await self.redis.ask("SAVE")
        await self.redis.stop()
        await self.until(lambda: not bus.is_up)
        bus.append(entry(b"2"))
        await self.redis.start()
        await self.add("by another")
        await self.until(lambda: len(got) == 3)
        self.assertEqual(sorted(got), [b"1", b"2", b"by another"])

    async def test_restart_without(self) -> None:
        """A stream that begins again is read from where it is, also where its ids are lower."""
        bus, got = await self.up()
        await self.add("1")
        await self.until(lambda: got)
        await self.redis.stop()
        await self.until(lambda: not bus.is_up)
        await self.redis.start()
        await self.add("old", at="5-1")
        await self.until(lambda: bus.is_up)
        await self.add("low", at="5-2")
        await self.until(lambda: b"low" in got)
        await self.add("new")
        await self.until(lambda: b"new" in got)
        self.assertEqual(got[0], b"1")
        self.assertEqual(got[-2:], [b"low", b"new"])

    async def test_not_a_stream(self) -> None:
        """It is said, and tried again."""
        await self.redis.ask("SET", "events", "1")
        bus, got = self.bus(), []
        bus.follow("/chat", lambda offset, entry: got.append(entry["data"]), lambda: None)
        bus.start()
        await self.until(lambda: bus._stats.reconnects > 1)
        self.assertFalse(bus.is_up)
        self.assertIn("WRONGTYPE", self.lines[0])
        await self.redis.ask("DEL", "events")
        await self.until(lambda: bus.is_up)
        await self.add("1")
        await self.until(lambda: got)
