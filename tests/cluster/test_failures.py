"""
Everything that may befall a Redis, for both formats: clients go on, and all comes back by itself.

Each test breaks something real, has both servers send meanwhile, mends it, and proves that what
either sends both get, with Redis itself asked whether it knows who listens.
"""

from __future__ import annotations

import re
from signal import SIGCONT, SIGSTOP

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mojo.cluster import outbox, redis_stream, refusal
from mojo.redis.resp import command
from tests.cluster.failing import FailureTestCase
from tests.gate import Gate
from tests.redis_server import RedisServer

RIGHTS = "+publish +subscribe +psubscribe +unsubscribe +punsubscribe +pubsub|numsub +ping +hello"
STREAM_RIGHTS = "+xadd +xread +xrange +xrevrange +set +getdel"


class Failures:
    """What is so with either format; see `FailureTestCase`."""

    async def config(self, name: str, value: str) -> None:
        self.assertEqual(await self.redis.ask("CONFIG", "SET", name, value), b"+OK\r\n")

    async def test_connections_killed(self) -> None:
        """Each in turn: the next broadcasts arrive, and there are two lines each."""
        one, two = await self.nodes()
        clients = (await self.redis.ask("CLIENT", "LIST")).decode()
        ours = re.findall(r"id=(\d+) .*name=mojo-(?:sub|pub|stream) ", clients)
        self.assertEqual(len(ours), 6 if self.stream else 4)
        for number, cid in enumerate(ours, 1):
            self.assertEqual(await self.redis.ask("CLIENT", "KILL", "ID", cid), b":1\r\n")
            await self.until(lambda number=number: self.told()[0] == number)
            self.serves_its_own(*[node for node in (one, two) if not node.bus.is_up])
            await self.carries()
            self.assertEqual(self.told(), (number, number))
            self.assertEqual(one.stats.reconnects + two.stats.reconnects, number)

    async def test_killed(self) -> None:
        """Redis crashes and starts with nothing; what was sent meanwhile arrives."""
        one, two = await self.nodes()
        await self.redis.kill()
        await self.gone(one, two)
        one.say("1", "2")
        one.say("volatile", volatile=True)
        two.say("3")
        await self.redis.start()
        await self.arrive(two, "1", "2")
        await self.arrive(one, "3")
        await self.carries()
        self.assertNotIn("volatile", two.got)
        self.assertIn("volatile", one.got)
        self.assertEqual(self.told(), (2, 2))
        self.assertEqual(one.stats.unsent, 1)

    async def test_killed_and_remembers(self) -> None:
        """Redis crashes and has all its data when it is back: nothing comes twice."""
        await self.redis.stop()
        kept = ("--appendonly", "yes", "--appendfsync", "always")
        await self.redis.start(*kept)
        one, two = await self.nodes()
        one.say("0")
        await self.arrive(two, "0")
        await self.redis.kill()
        await self.gone(one, two)
        one.say("1", "2")
        await self.redis.start(*kept)
        await self.carries()
        await self.arrive(two, "0", "1", "2")
        self.assertEqual(self.told(), (2, 2))

    async def test_held_up(self) -> None:
        """Redis hangs, as in swap: it is given up, and found again."""
        one, two = await self.nodes()
        self.redis.signal(SIGSTOP)
        with self.hurried():
            await self.gone(one, two)
        one.say("1", "2")
        self.redis.signal(SIGCONT)
        await self.arrive(two, "1", "2")
        await self.carries()
        self.assertEqual(self.told(), (2, 2))

    async def test_paused_for_a_moment(self) -> None:
        """Nobody is told of a pause that is shorter than the signs of life; nothing is lost."""
        one, two = await self.nodes()
        await self.redis.pause(300)
        one.say("1", "2")
        two.say("3")
        await self.arrive(two, "1", "2")
        await self.arrive(one, "3")
        await self.carries()
        self.assertEqual((self.told(), one.stats.unsent), ((0, 0), 0))

    async def test_paused(self) -> None:
        """A longer one is as if it were away."""
        one, two = await self.nodes()
        await self.redis.pause(3000)
        with self.hurried():
            await self.gone(one, two)
        one.say("1")
        await self.arrive(two, "1")
        await self.carries()
        self.assertEqual(self.told(), (2, 2))

    async def test_asleep(self) -> None:
        """So is a command that takes all of its time."""
        await self.redis.stop()
        await self.redis.start("--enable-debug-command", "yes")
        one, two = await self.nodes()
        sleeping = Deferred.fromCoroutine(self.redis.ask("DEBUG", "SLEEP", "3"))
        with self.hurried():
            await self.gone(one, two)
        one.say("1")
        await self.arrive(two, "1")
        await self.carries()
        await sleeping
        self.assertEqual(self.told(), (2, 2))

    async def test_output_buffer(self) -> None:
        """Who is sent more than Redis may keep for it is cut off, and listens again."""
        one, two = await self.nodes()
        await self.config("client-output-buffer-limit", "pubsub 100kb 0 0")
        (channel, *_) = [name.decode() for name in one.bus._by_channel]
        flood = "for i = 1, 1000 do redis.call('PUBLISH', ARGV[1], string.rep('x', 1000)) end"
        await self.redis.ask("EVAL", flood, "0", channel)
        await self.gone(one)
        await self.carries()
        listening = [node for node in (one, two) if channel.encode() in node.bus._by_channel]
        self.assertEqual(self.told(), (len(listening),) * 2)

    async def test_replica(self) -> None:
        """Who becomes a replica is left: what is sent there reaches nobody else."""
        master = RedisServer().with_port()
        self.addCleanup(master.clean)
        await master.start()
        one, two = await self.nodes()
        await self.redis.ask("REPLICAOF", "127.0.0.1", str(master.port))
        with self.hurried():
            await self.gone(one, two)
        one.say("1", "2")
        stranger = self.bus()
        stranger.start()
        await self.until(lambda: stranger._stats.reconnects > 2)
        self.assertFalse(stranger.is_up)
        self.assertIn("it is a replica", "".join(self.lines))
        await stranger.stop()
        await self.redis.ask("REPLICAOF", "NO", "ONE")
        await self.arrive(two, "1", "2")
        await self.carries()
        self.assertEqual(self.told(), (3, 2))

    async def refuses(self, begin, end, why: str) -> None:
        """Prove what is so where Redis answers, and does not do what writes."""
        self.patch(refusal, "RETRY_SECONDS", 0.05)
        one, two = await self.nodes()
        await begin()
        if not self.stream:
            # It carries messages all the same.
            await self.carries()
            self.assertEqual(self.told(), (0, 0))
            return
        one.say("1")
        # Where the stream decides when it is had, it is had as soon as that is known.
        self.assertIn("1", one.got) if not self.recovers else None
        await self.gone(one)
        one.say("2", "3")
        one.say("volatile", volatile=True)
        self.assertEqual(one.got[-3:], ["2", "3", "volatile"])
        self.assertIn(why, self.lines[-1])
        await end()
        await self.arrive(two, "1", "2", "3")
        await self.carries()
        self.assertEqual(self.told(), (1, 1))
        self.assertEqual((one.got.count("1"), one.stats.unsent), (1, 1))

    async def test_no_memory(self) -> None:
        await self.refuses(
            lambda: self.config("maxmemory", "1"), lambda: self.config("maxmemory", "0"), "OOM"
        )

    async def test_too_few_replicas(self) -> None:
        await self.refuses(
            lambda: self.config("min-replicas-to-write", "1"),
            lambda: self.config("min-replicas-to-write", "0"),
            "NOREPLICAS",
        )

    async def test_cannot_save(self) -> None:
        """It says so to a PING too, which is a sign of life all the same."""
        await self.redis.stop()
        await self.redis.start("--save", "3600 1000000", "--dbfilename", "taken")
        taken = self.redis.folder / "taken"
        # Else it would not end.
        self.addCleanup(self.config, "save", "")

        async def begin() -> None:
            taken.mkdir()
            await self.saved("err")
            self.assertIn(b"MISCONF", await self.redis.ask("PING"))

        async def end() -> None:
            taken.rmdir()
            await self.saved("ok")

        await self.refuses(begin, end, "MISCONF")
        if not taken.exists():
            await begin()
        newcomer = await self.node()
        self.assertTrue(newcomer.bus.is_up)

    async def saved(self, how: str) -> None:
        """Have it save its data, and wait for how that goes."""
        await self.redis.ask("BGSAVE")
        wanted = f"rdb_last_bgsave_status:{how}".encode()
        for _ in range(5000):
            if wanted in await self.redis.ask("INFO", "persistence"):
                return
            await deferLater(reactor, 0.02)
        self.fail("it did not save")

    async def test_loading(self) -> None:
        """A Redis that is still reading its data is waited for."""
        fill = "for i = 1, 2000 do redis.call('SET', i, i) end"
        await self.redis.ask("EVAL", fill, "0")
        await self.redis.ask("SAVE")
        await self.redis.stop()
        slowly = ("--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024")
        await self.redis.start(*slowly, ready="Server initialized")
        await self.until(self.redis.socket.exists)
        one = await self.node()
        self.assertIn("LOADING", self.lines[0])
        self.assertEqual(self.told(), (1, 1))
        await self.carries(one)

    # -- who may do what ------------------------------------------------------------

    async def user(self, *rules: str) -> None:
        await self.redis.send(command("ACL", "SETUSER", "node", *rules))

    async def with_user(self) -> None:
        rights = f"{RIGHTS} {STREAM_RIGHTS}" if self.stream else RIGHTS
        await self.user("on", ">word", "~*", "&*", "-@all", *rights.split())
        await self.nodes(f"unix://node:word@{self.redis.socket}")

    async def test_password_changed(self) -> None:
        """Who is there stays; who comes back is refused until the password is right again."""
        await self.with_user()
        await self.user("resetpass", ">other")
        await self.carries()
        await self.redis.ask("CLIENT", "KILL", "USER", "node")
        await self.gone(self.one, self.two)
        self.one.say("1")
        await self.until(lambda: self.one.stats.reconnects > 6)
        await self.user("resetpass", ">word")
        await self.arrive(self.two, "1")
        await self.carries()
        self.assertEqual(self.told(), (2, 2))
        self.assertNotIn("word@", "".join(self.lines))

    async def test_user_deleted(self) -> None:
        await self.with_user()
        await self.redis.ask("ACL", "DELUSER", "node")
        await self.gone(self.one, self.two)
        self.one.say("1")
        rights = f"{RIGHTS} {STREAM_RIGHTS}" if self.stream else RIGHTS
        await self.user("on", ">word", "~*", "&*", "-@all", *rights.split())
        await self.arrive(self.two, "1")
        await self.carries()
        self.assertEqual(self.told(), (2, 2))

    async def test_may_not_send(self) -> None:
        """The right to send is taken, and given back."""
        self.patch(refusal, "RETRY_SECONDS", 0.05)
        await self.with_user()
        right = "xadd" if self.stream else "publish"
        await self.user(f"-{right}")
        self.one.say("1", "2")
        await self.gone(self.one)
        self.assertIn("NOPERM", self.lines[-1])
        await self.user(f"+{right}")
        await self.arrive(self.two, "1", "2")
        await self.carries()
        self.assertEqual(self.told(), (1, 1))

    async def test_may_not_listen(self) -> None:
        """The channels are taken, and given back."""
        await self.with_user()
        await self.user("resetchannels")
        await self.gone(self.one, self.two)
        self.one.say("1")
        await self.user("&*")
        # Who may not send to a channel sends nothing there; a stream is none.
        await self.arrive(self.two, *(["1"] if self.stream else []))
        await self.carries()
        self.assertEqual(self.told(), (2, 2))

    # -- on the way -----------------------------------------------------------------

    async def gate(self) -> Gate:
        gate = Gate(self.redis.socket)
        await gate.start()
        self.addCleanup(gate.stop)
        self.one = await self.node()
        self.two = await self.node(f"unix://{gate.socket}")
        await self.carries()
        return gate

    async def test_slow(self) -> None:
        """Everything is late, and in order, and nobody calls that an outage."""
        gate = await self.gate()
        gate.delay = 0.2
        names = [f"{number}" for number in range(20)]
        self.two.say(*names)
        await self.arrive(self.one, *names)
        self.one.say(*[f"back {name}" for name in names])
        await self.arrive(self.two, *[f"back {name}" for name in names])
        await self.carries()
        self.assertEqual((self.told(), self.two.stats.unsent), ((0, 0), 0))

    async def test_slower_than_what_is_sent(self) -> None:
        """What cannot leave waits within bounds, the newest of it, and then leaves in order."""
        self.patch(outbox, "MAX_WAITING", 10)
        gate = await self.gate()
        gate.hold(True)
        names: list[str] = []
        while self.two.stats.unsent < 100:
            # The kernel takes what it can before there is more.
            more = [f"{len(names) + number} {'x' * 900}" for number in range(20)]
            self.two.say(*more)
            names += more
            await deferLater(reactor, 0)
        await self.arrive(self.two, *names)
        self.assertEqual(len(self.two.bus._outbox), 10)
        unsent = self.two.stats.unsent
        gate.hold(False)
        await self.arrive(self.one, *names[: -unsent - 10], *names[-10:])
        await self.carries()
        self.assertEqual((self.told(), self.two.stats.unsent), ((0, 0), unsent))

    async def test_away_from_one(self) -> None:
        """What others send while one server cannot hear them: by a stream it is had afterwards."""
        gate = await self.gate()
        gate.cut()
        await self.gone(self.two)
        names = [f"{number}" for number in range(250)]
        self.one.say(*names)
        self.two.say("from there")
        self.assertTrue(self.one.bus.is_up)
        gate.open()
        await self.arrive(self.one, "from there")
        await self.carries()
        await self.arrive(self.two, *(names if self.stream else ()))
        self.assertEqual(set(names) & set(self.two.got), set(names) if self.stream else set())
        self.assertEqual(self.told(), (1, 1))


class PubSubTests(Failures, FailureTestCase):
    pass


class StreamTests(Failures, FailureTestCase):
    stream = "events"

    async def test_answer_too_long(self) -> None:
        """Who reads more at once than Redis may keep for it reads less, and gets it all."""
        gate = await self.gate()
        await self.config("client-output-buffer-limit", "normal 40kb 0 0")
        gate.cut()
        await self.gone(self.two)
        names = [f"{number} {'x' * 5000}" for number in range(60)]
        self.one.bus._max_message = 10_000
        self.two.bus._reader._connection.max_message = 10_000
        self.one.say(*names)
        gate.open()
        await self.arrive(self.two, *names)
        self.assertEqual(redis_stream.READ_COUNT, 100)


class RecoveringStreamTests(Failures, FailureTestCase):
    """Where clients get what was sent when it comes back."""

    stream = "events"
    recovers = True
