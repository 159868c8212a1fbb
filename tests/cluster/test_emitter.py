"""`mojo.emitter`: what it publishes, and both of its ways to Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from signal import SIGKILL, SIGSTOP
from threading import Thread

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.streams import StreamsLine
from mojo.emitter import Emitter, EmitterOperator, RedisUnavailable, TwistedEmitter, UnsendableError
from mojo.emitter.formats import format_of
from mojo.errors import SettingsError
from mojo.redis.resp import command
from tests.cluster.failing import FailureTestCase
from tests.cluster.memory_bus import Exchange, Server, Someone
from tests.cluster.test_redis_bus import RedisTestCase


class OperatorTests(SynchronousTestCase):
    """What servers of ours make of it."""

    format = "pubsub"
    make_line = PubSubLine

    def setUp(self) -> None:
        self.exchange = Exchange()
        self.servers = [
            Server(self.exchange, name="/ChatSocket", make_line=self.make_line) for _ in range(2)
        ]
        self.people = [Someone(f"id{number}") for number in (1, 2, 3)]
        for number, person in enumerate(self.people):
            adapter = self.servers[number % 2].adapter
            adapter.add(person)
            adapter.join(person, person.id)
        self.join(0, "room")
        self.join(1, "room")
        self.join(1, ("user", "7"))
        self.join(2, ("session", "s"))
        self.emitter = EmitterOperator(
            self.exchange.run, format_of(self.format, "socket.io", None)
        ).app("Chat")

    def join(self, number, room) -> None:
        self.servers[number % 2].adapter.join(self.people[number], room)

    def settle(self) -> None:
        self.exchange.turn()
        self.assertEqual([server.refused for server in self.servers], [[], []])

    def heard(self, operator) -> list[int]:
        operator.emit("x", 1, b"\x00")
        self.settle()
        got = [person.take() for person in self.people]
        for events in got:
            self.assertIn(events, ([], [("x", 1, b"\x00")]))
        return [number for number, events in enumerate(got, 1) if events]

    def test_whom(self) -> None:
        emitter = self.emitter
        for operator, expected in (
            (emitter, [1, 2, 3]),
            (emitter.to("room"), [1, 2]),
            (emitter.in_("room", "id3"), [1, 2, 3]),
            (emitter.to("room").to("id3").except_("id1"), [2, 3]),
            (emitter.except_("room"), [3]),
            (emitter.user(7), [2]),
            (emitter.user("7").to("room"), [2]),
            (emitter.user("7").to("another"), []),
            (emitter.user("7").except_("room"), []),
            (emitter.session("s"), [3]),
            (emitter.volatile.compress(False), [1, 2, 3]),
            (emitter.of("ChatSocket"), [1, 2, 3]),
            (emitter.of("/OtherSocket"), []),
        ):
            self.assertEqual(self.heard(operator), expected, repr(operator))

    def test_how(self) -> None:
        self.heard(self.emitter.volatile.compress(False))
        (message,) = self.people[0].messages
        self.assertEqual((message.volatile, message.compress), (True, False))

    def test_send(self) -> None:
        self.emitter.to("id1").send("hi")
        self.settle()
        self.assertEqual(self.people[0].got, [("message", "hi")])

    def test_sockets(self) -> None:
        self.emitter.to("id1", "id3").sockets_join("a", "mojo:b")
        self.settle()
        self.assertEqual(self.heard(self.emitter.to("a")), [1, 3])
        self.assertEqual(self.heard(self.emitter.to("mojo:b")), [1, 3])
        self.emitter.to("id3").sockets_leave("a")
        self.settle()
        self.assertEqual(self.heard(self.emitter.to("a")), [1])
        self.emitter.user(7).disconnect_sockets()
        self.emitter.session("s").disconnect_sockets(close=True)
        self.settle()
        self.assertEqual([person.ended for person in self.people], [None, False, True])

    def test_servers(self) -> None:
        self.emitter.server_side_emit("reload", {"what": "prices"})
        self.settle()
        for server in self.servers:
            self.assertEqual(server.server_events, [("reload", [{"what": "prices"}])])

    def test_bytes(self) -> None:
        """As ``@socket.io/redis-emitter`` writes them."""
        self.emitter.to("room").emit("x", 1)
        self.emitter.disconnect_sockets()
        (room, broadcast), (requests, request) = self.exchange.published
        self.assertEqual(room, b"socket.io#/ChatSocket#room#")
        self.assertEqual(
            broadcast,
            b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x92\xa1x\x01\xa3nsp\xab/ChatSocket"
            b"\x82\xa5rooms\x91\xa4room\xa6except\x90",
        )
        self.assertEqual(requests, b"socket.io-request#/ChatSocket#")
        expected = {"type": 4, "opts": {"rooms": [], "except": []}, "close": False}
        self.assertEqual(json.loads(request), expected)

    def test_mistakes(self) -> None:
        self.assertRaises(TypeError, self.emitter.to)
        self.assertRaises(TypeError, self.emitter.user, None)
        self.assertRaises(UnsendableError, self.emitter.emit, "connect")
        self.assertRaises(UnsendableError, self.emitter.emit, 5)
        self.assertRaises(UnsendableError, self.emitter.emit, "x", object())
        if self.format == "pubsub":
            self.assertRaises(UnsendableError, self.emitter.server_side_emit, "x", b"bytes")
        self.assertRaises(SettingsError, Emitter, "http://:secret@host")
        self.assertEqual(self.exchange.published, [])

    def test_no_reactor(self) -> None:
        """Who has none gets none: the first to import it would choose its kind for all."""
        code = "import sys, mojo.emitter; print('twisted.internet.reactor' in sys.modules)"
        output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        self.assertEqual(output.stdout, b"False\n")


class StreamOperatorTests(OperatorTests):
    """The same by a stream."""

    format = "streams"
    make_line = StreamsLine

    def test_bytes(self) -> None:
        """As ``@socket.io/redis-streams-emitter`` writes them."""
        self.emitter.to("room").emit("x", 1)
        self.emitter.disconnect_sockets()
        self.emitter.server_side_emit("x", 1)
        head = {"uid": b"emitter", "nsp": b"/ChatSocket"}
        self.assertEqual(
            [entry for _, entry in self.exchange.entries],
            [
                {
                    **head,
                    "type": b"3",
                    "data": b'{"packet":{"type":2,"data":["x",1],"nsp":"/ChatSocket"},'
                    b'"opts":{"flags":{},"rooms":["room"],"except":[]}}',
                },
                {
                    **head,
                    "type": b"6",
                    "data": b'{"opts":{"flags":{},"rooms":[],"except":[]},"close":false}',
                },
                {**head, "type": b"9", "data": b'{"packet":["x",1]}'},
            ],
        )


class BlockingTests(RedisTestCase):
    """In a thread, as the reactor's is needed for Redis's other end."""

    async def test_arrives(self) -> None:
        bus, ear = await self.up()
        del bus
        with Emitter(f"{self.redis.url}?prefix=x") as emitter:
            count = await deferToThread(emitter.of("/a").server_side_emit, "hello")
            self.assertEqual(count, 0)
            count = await deferToThread(emitter.of("").emit, "hello")
        self.assertEqual(count, 1)
        await self.until(lambda: ear.got)
        self.assertEqual(ear.got[0][0], b"x#/#")

    async def test_closed_while_idle(self) -> None:
        """It is noticed before anything is sent."""
        emitter = Emitter(self.redis.url)
        self.addCleanup(emitter.close)
        await deferToThread(emitter.emit, "x")
        await self.redis.ask("CLIENT", "KILL", "TYPE", "normal")
        self.assertEqual(await deferToThread(emitter.emit, "x"), 0)
        await self.redis.stop()
        await self.assertFailure(deferToThread(emitter.emit, "x"), RedisUnavailable)
        await self.redis.start()
        self.assertEqual(await deferToThread(emitter.emit, "x"), 0)

    async def test_threads(self) -> None:
        """They take turns."""
        emitter = Emitter(self.redis.url)
        self.addCleanup(emitter.close)
        counts = []

        def work() -> None:
            for _ in range(50):
                counts.append(emitter.emit("x" * 5000))  # noqa: PERF401

        def all_of_them() -> None:
            threads = [Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        await deferToThread(all_of_them)
        self.assertEqual(counts, [0] * 200)

    async def test_forked(self) -> None:
        """A process has a connection of its own."""
        emitter = Emitter(self.redis.url)
        self.addCleanup(emitter.close)
        await deferToThread(emitter.emit, "x")
        before = emitter._connection._wire
        self.patch(os, "getpid", lambda: 1)
        await deferToThread(emitter.emit, "x")
        self.assertIsNot(emitter._connection._wire, before)

    async def test_silent(self) -> None:
        emitter = Emitter(self.redis.url, timeout=0.1)
        self.addCleanup(emitter.close)
        await deferToThread(emitter.emit, "x")
        self.redis.signal(SIGSTOP)
        await self.assertFailure(deferToThread(emitter.emit, "x"), RedisUnavailable)


class LoginTests(RedisTestCase):
    options = ("--requirepass", "the secret")

    async def test_password(self) -> None:
        good = Emitter(f"unix://:the%20secret@{self.redis.socket}")
        self.addCleanup(good.close)
        self.assertEqual(await deferToThread(good.emit, "x"), 0)
        for url in (f"unix://:wrong@{self.redis.socket}", self.redis.url):
            bad = Emitter(url)
            error = await self.assertFailure(deferToThread(bad.emit, "x"), RedisUnavailable)
            self.assertRegex(str(error), "WRONGPASS|NOAUTH")
            self.assertNotIn("wrong@", str(error))
            bad.close()

    async def test_acl_user(self) -> None:
        rules = "on >word resetchannels &socket.io#/#* -@all +publish"
        await self.redis.send(
            command("AUTH", "the secret") + command("ACL", "SETUSER", "cron", *rules.split())
        )
        emitter = Emitter(f"unix://cron:word@{self.redis.socket}")
        self.addCleanup(emitter.close)
        self.assertEqual(await deferToThread(emitter.to("room").emit, "x"), 0)
        await self.assertFailure(deferToThread(emitter.server_side_emit, "x"), RedisUnavailable)
        self.assertEqual(await deferToThread(emitter.emit, "x"), 0)


class StreamTests(FailureTestCase):
    """Both by a stream."""

    stream = "shop"

    async def test_arrives(self) -> None:
        """How many read it is not known; who is away reads it later."""
        one = await self.node()
        url = f"{self.redis.url}?adapter=streams&prefix=shop"
        with Emitter(url) as emitter:
            chat = emitter.of(one.name)
            self.assertIsNone(await deferToThread(chat.emit, "1", b"\x00"))
            self.assertIsNone(await deferToThread(chat.server_side_emit, "hello", b"\x01"))
        deferred = TwistedEmitter(url, reactor)
        self.addCleanup(deferred.close)
        self.assertIsNone(await deferred.of(one.name).emit("2"))
        await self.arrive(one, "1", "2")
        self.assertEqual(one.server_events, [("hello", [b"\x01"])])

    async def test_refused(self) -> None:
        await self.redis.ask("CONFIG", "SET", "maxmemory", "1")
        emitter = Emitter(f"{self.redis.url}?adapter=streams")
        self.addCleanup(emitter.close)
        error = await self.assertFailure(deferToThread(emitter.emit, "1"), RedisUnavailable)
        self.assertIn("OOM", str(error))


class DeferredTests(RedisTestCase):
    def emitter(self, **options) -> TwistedEmitter:
        emitter = TwistedEmitter(f"{self.redis.url}?prefix=x", reactor, **options)
        self.addCleanup(emitter.close)
        return emitter

    async def test_arrives(self) -> None:
        _, ear = await self.up()
        emitter = self.emitter()
        counts = [emitter.emit("x", number) for number in range(3)]
        self.assertEqual([await count for count in counts], [1, 1, 1])
        await self.until(lambda: len(ear.got) == 3)

    async def test_redis_goes(self) -> None:
        """What was under way fails; what is sent then waits for it to come back."""
        emitter = self.emitter(timeout=10)
        await emitter.emit("x")
        self.redis.signal(SIGSTOP)
        sent = emitter.emit("x")
        self.redis.signal(SIGKILL)
        error = await self.assertFailure(sent, RedisUnavailable)
        self.assertIn("connection lost", str(error))
        waiting = emitter.emit("x")
        await self.redis.stop()
        await self.redis.start()
        self.assertEqual(await waiting, 0)

    async def test_not_there(self) -> None:
        await self.redis.stop()
        emitter = self.emitter(timeout=0.2)
        error = await self.assertFailure(emitter.emit("x"), RedisUnavailable)
        self.assertIn("cannot connect", str(error))

    async def test_closed(self) -> None:
        emitter = self.emitter()
        sending = emitter.emit("x")
        closing = emitter.close()
        await self.assertFailure(sending, RedisUnavailable)
        await closing
        self.assertEqual(await emitter.emit("x"), 0)
