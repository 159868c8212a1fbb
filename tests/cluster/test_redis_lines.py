"""Both formats with a real Redis: any names, what a broadcast costs, and who reads it."""

from __future__ import annotations

import re

from mojo.cluster import streams_wire, wire
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.streams import StreamsLine
from mojo.socketio.adapter import EVERYONE, Target
from tests.cluster.memory_bus import Server, Someone
from tests.cluster.test_redis_bus import RedisTestCase

#: What means something to Redis, or to us, each beside what it would match as a pattern.
NAMES = (
    "*", "a*", "ab", "a?", "[ab]", "a", "b", "[^a]", "[a-b]", "a\\", "a\\*", "\\a", "a#", "a#b",
    "#", "##", "a b", " ", "%s", "{a}", "ключ \U0001f511", "n" * 1000, "n" * 999 + "*", "mojo",
)  # fmt: skip


class PubSubLineTests(RedisTestCase):
    make_line = PubSubLine
    #: The command that carries a broadcast, what reads one, and where that is.
    carrier, reader = "publish", (wire, "read_broadcast")

    async def start(self, servers: int, *names: str) -> list[dict[str, Server]]:
        """Start servers with these namespaces; each has somebody, who is in a room "room"."""
        started = []
        for _ in range(servers):
            bus = self.bus(max_message=100_000)
            made = {
                name: Server(None, name=name, bus=bus, make_line=self.make_line) for name in names
            }
            for server in made.values():
                server.someone = Someone("id")
                server.adapter.add(server.someone)
                server.adapter.join(server.someone, "room")
            bus.start()
            started.append(made)
        for bus in self.buses:
            await self.hears(bus)
            await self.until(lambda bus=bus: bus.is_up)
        return started

    def say(self, server: Server, text: str, target: Target = EVERYONE) -> None:
        server.adapter.broadcast(server.parser.event("said", [text]), target)

    async def test_namespaces(self) -> None:
        """Whatever it is called, it hears what is its own, and nothing else's."""
        names = [f"/{name}" for name in ("", *NAMES)]
        one, two = await self.start(2, *names)
        found = []
        for name, server in one.items():
            self.say(server, name)
            self.say(server, f"{name} room", Target(frozenset({"room"})))
            server.adapter.server_side_emit("told", [name])
            server.adapter.fetch_sockets(EVERYONE).addCallback(found.append)

        def all_came() -> bool:
            heard = [len(server.someone.got) == 2 for server in two.values()]
            told = [len(server.server_events) == 1 for server in two.values()]
            return all(heard) and all(told) and len(found) == len(names)

        await self.until(all_came, "what was sent in each namespace")
        for name, server in two.items():
            self.assertEqual(server.someone.got, [("said", name), ("said", f"{name} room")])
            self.assertEqual(server.server_events, [("told", [name])])
            self.assertEqual(server.refused, [])
        self.assertEqual({(len(sockets), sockets.missing) for sockets in found}, {(2, 0)})
        for server in one.values():
            self.assertEqual((len(server.someone.got), server.server_events), (2, []))

    async def test_rooms(self) -> None:
        """Whatever it is called, its members get what is for it, and nobody else does."""
        (one,), (two,) = ([made["/x"]] for made in await self.start(2, "/x"))
        members = {name: Someone(f"id{number}") for number, name in enumerate(NAMES)}
        for name, member in members.items():
            two.adapter.add(member)
            two.adapter.join(member, name)
        for name in NAMES:
            self.say(one, name, Target(frozenset({name})))
            self.say(one, "both", Target(frozenset({name, "nobody's"})))
        self.say(one, "last")
        await self.until(lambda: two.someone.got)
        for name, member in members.items():
            self.assertEqual(member.got, [("said", name), ("said", "both"), ("said", "last")])
        self.assertEqual(two.someone.got, [("said", "last")])

    async def test_one_command(self) -> None:
        """A broadcast is one command to Redis, however many servers and clients there are."""
        started = await self.start(4, "/x")
        await self.redis.ask("CONFIG", "RESETSTAT")
        for number in range(10):
            self.say(started[0]["/x"], "everyone")
            self.say(started[0]["/x"], f"{number}", Target(frozenset({"room"})))
        await self.until(lambda: all(len(made["/x"].someone.got) == 20 for made in started))
        stats = (await self.redis.ask("INFO", "commandstats")).decode()
        carried = dict(re.findall(r"cmdstat_(publish|xadd):calls=(\d+)", stats))
        self.assertEqual(carried, {self.carrier: "20"})

    async def test_who_reads(self) -> None:
        """Who has nobody in a room does not read what is for it, nor does who has sent it."""
        module, name = self.reader
        read = getattr(module, name)
        reads = []

        def counted(*args):
            reads.append(args)
            return read(*args)

        self.patch(module, name, counted)
        one, two, three = (made["/x"] for made in await self.start(3, "/x"))
        for server in (one, three):
            server.adapter.leave(server.someone, "room")
        for _ in range(10):
            self.say(one, "to a room", Target(frozenset({"room"})))
        self.say(three, "last")
        await self.until(lambda: one.someone.got and len(two.someone.got) == 11)
        # Two has read the ten, and the last was read by two servers.
        self.assertEqual(len(reads), 12)


class StreamsLineTests(PubSubLineTests):
    make_line = StreamsLine
    stream = "socket.io"
    carrier, reader = "xadd", (streams_wire, "read_entry")
