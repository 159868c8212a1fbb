"""`mojo.cluster.redis_bus` with a real Redis, whose connections break."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGCONT, SIGSTOP

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from twisted.python.monkey import MonkeyPatcher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mojo.cluster import outbox, redis_bus, settling
from mojo.cluster.redis_bus import RedisBus
from mojo.cluster.stats import ClusterStats
from mojo.redis import connection
from mojo.redis.address import RedisAddress
from mojo.redis.patterns import literal
from mojo.redis.resp import command
from tests.cluster.ear import Ear
from tests.redis_server import NO_REDIS, RedisServer


class RedisTestCase(TestCase):
    skip = NO_REDIS
    timeout = 120
    options: tuple[str, ...] = ()
    url = ""
    stream: str | None = None

    async def setUp(self) -> None:
        self.redis = RedisServer(*self.options)
        await self.redis.start()
        self.addCleanup(self.redis.clean)
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)
        self.buses: list[RedisBus] = []
        self.addCleanup(lambda: gatherResults([bus.stop() for bus in self.buses]))

    def log(self, event) -> None:
        if event["log_namespace"] == "mojo.cluster.redis_bus":
            self.lines.append(event["log_format"].format(**event))

    async def until(self, condition, what="it") -> None:
        for _ in range(10_000):
            if condition():
                return
            await deferLater(reactor, 0.01)
        self.fail(f"{what} did not come: {self.lines}")

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """
        Have silence noticed at once, and not in some seconds.

        Only while there is to be some: whoever is just slow is taken for silent too.
        """
        hurry = MonkeyPatcher((connection, "PING_SECONDS", 0.1), (connection, "TIMEOUT", 0.2))
        hurry.patch()
        for bus in self.buses:
            readers = () if bus._reader is None else (bus._reader._connection,)
            for one in (bus._ear, bus._mouth, *readers):
                one._timer.reset(0)
        try:
            yield
        finally:
            hurry.restore()

    async def hears(self, bus) -> None:
        """Wait until a bus listens to everything that it is to listen to."""
        wanted = len(bus._by_channel) + len(bus._by_pattern)
        await self.until(lambda: len(bus._heard) == wanted, "a subscription")

    def bus(self, url="", max_message=1000) -> RedisBus:
        bus = RedisBus(
            RedisAddress(url or self.redis.url, "REDIS"),
            reactor,
            ClusterStats(),
            max_message=max_message,
            random=lambda: 0.0,
            stream=self.stream,
        )
        self.buses.append(bus)
        return bus

    async def up(self, *args, **kwargs) -> tuple[RedisBus, Ear]:
        bus, ear = self.bus(*args, **kwargs), Ear(b"x")
        bus.listen(ear)
        bus.start()
        await self.until(lambda: bus.is_up)
        return bus, ear


class CarryingTests(RedisTestCase):
    async def test_messages(self) -> None:
        """Whoever listens gets them, in order, and nobody else; who has sent them too."""
        (one, first), (two, second) = await self.up(), await self.up()
        other = Ear(b"y")
        two.listen(other)
        self.assertTrue(two.is_up)
        await self.hears(two)
        sent = [(b"x#", b"1"), (b"x#room \xff*", b"\x00\r\n"), (b"x-request", b"2"), (b"x#", b"3")]
        for channel, data in sent:
            one.publish(channel, data)
        one.publish(b"x-own-not", b"no")
        one.publish(b"y#", b"yes")
        await self.until(lambda: other.got and len(first.got) == 4)
        self.assertEqual((first.got, second.got), (sent, sent))
        self.assertEqual(other.got, [(b"y#", b"yes")])

    async def test_count(self) -> None:
        (one, _), (_, _) = await self.up(), await self.up()
        self.assertEqual(await one.count(b"x-request"), 2)
        self.assertEqual(await one.count(b"nobody's"), 0)

    async def test_unlisten(self) -> None:
        bus, ear = await self.up()
        bus.unlisten(ear)
        self.assertTrue(bus.is_up)
        other = Ear(b"y")
        bus.listen(other)
        await self.hears(bus)
        bus.publish(b"x#", b"1")
        bus.publish(b"x-request", b"1")
        bus.publish(b"y#", b"2")
        await self.until(lambda: other.got)
        self.assertEqual(ear.got, [])
        self.assertEqual(await bus.count(b"x-request"), 0)

    async def test_patterns(self) -> None:
        """A prefix is itself, whatever is in it."""
        bus, _ = await self.up()
        ears = [Ear(name) for name in (b"a*", b"a?", b"[a]", b"a\\", b"ab", b"a^-\xc3\xbc")]
        for ear in ears:
            bus.listen(ear)
        await self.hears(bus)
        for ear in ears:
            bus.publish(ear.prefix + b"room", ear.prefix)
        await self.until(lambda: ears[-1].got)
        self.assertEqual(
            [ear.got for ear in ears], [[(e.prefix + b"room", e.prefix)] for e in ears]
        )

    async def test_too_long(self) -> None:
        """It is not sent; from others it is passed over, counted, and logged once."""
        bus, ear = await self.up(max_message=10)
        bus.publish(b"x#", b"x" * 11)
        for _ in range(3):
            await self.redis.ask("PUBLISH", "x#", "x" * 200_000)
        bus.publish(b"x#", b"short")
        await self.until(lambda: ear.got)
        self.assertEqual(ear.got, [(b"x#", b"short")])
        self.assertEqual((bus._stats.unsent, bus._stats.refused), (1, 3))
        self.assertEqual(len([line for line in self.lines if "longer than 10" in line]), 1)


class BreakingTests(RedisTestCase):
    """What happens when Redis, or a connection to it, does not."""

    async def works(self, bus, ear, data=b"works") -> None:
        """Prove that what is sent arrives."""
        await self.until(lambda: bus.is_up, "the bus")
        ear.got.clear()
        bus.publish(b"x#room#", data)
        bus.publish(b"x-own", data)
        await self.until(lambda: len(ear.got) == 2, data)
        self.assertEqual(await bus.count(b"x-own"), 1)

    def told(self) -> tuple[int, int]:
        """How often the log said that it was away, and that it was back."""
        return (
            len([line for line in self.lines if "is away" in line]),
            len([line for line in self.lines if "is back" in line]),
        )

    async def test_each_connection_killed(self) -> None:
        """Each in turn, and both: the next message arrives, and the log has two lines each."""
        bus, ear = await self.up()
        for number, names in enumerate((("mojo-sub",), ("mojo-pub",), ("mojo-sub", "mojo-pub")), 1):
            clients = (await self.redis.ask("CLIENT", "LIST")).decode()
            for name in names:
                (cid,) = re.findall(rf"id=(\d+) .*name={name} ", clients)
                self.assertEqual(await self.redis.ask("CLIENT", "KILL", "ID", cid), b":1\r\n")
            await self.until(lambda: not bus.is_up)
            await self.works(bus, ear)
            self.assertEqual(self.told(), (number, number))

    async def test_restart(self) -> None:
        """What was sent meanwhile waits for it, but for what is volatile."""
        bus, ear = await self.up()
        await self.redis.stop()
        await self.until(lambda: not bus.is_up)
        bus.publish(b"x#", b"waits")
        bus.publish(b"x#", b"does not", waits=False)
        bus.publish(b"x#", b"waits too")
        self.assertIsNone(await bus.count(b"x-own"))
        # Some tries fail, and are not logged.
        await self.until(lambda: bus._stats.reconnects > 4)
        await self.redis.start()
        await self.until(lambda: len(ear.got) == 2)
        self.assertEqual(ear.got, [(b"x#", b"waits"), (b"x#", b"waits too")])
        await self.works(bus, ear)
        self.assertEqual(bus._stats.unsent, 1)
        self.assertEqual(self.told(), (1, 1))

    async def test_others_come_back_later(self) -> None:
        """What waits is not sent before as many servers listen as did."""
        self.patch(redis_bus, "CHECK_SECONDS", 0.02)
        (one, _), (two, ear) = await self.up(), await self.up()
        await self.until(lambda: one._settling._servers == 2)
        await self.redis.stop()
        await self.until(lambda: not one.is_up and not two.is_up)
        await gatherResults([two._ear.stop(), two._mouth.stop()])
        one.publish(b"x#", b"waits")
        await self.redis.start()
        await self.until(lambda: one.is_up)
        one.publish(b"x#", b"after it")
        one.publish(b"x#", b"does not wait", waits=False)
        two._ear.start()
        two._mouth.start()
        await self.until(lambda: len(ear.got) == 2)
        self.assertEqual([data for _, data in ear.got], [b"waits", b"after it"])

    async def test_others_do_not_come_back(self) -> None:
        """They are not waited for for ever."""
        self.patch(redis_bus, "CHECK_SECONDS", 0.02)
        self.patch(settling, "MAX_SETTLING", 0.3)
        (one, ear), (two, _) = await self.up(), await self.up()
        await self.until(lambda: one._settling._servers == 2)
        await self.redis.stop()
        await self.until(lambda: not one.is_up)
        one.publish(b"x#", b"waits")
        await two.stop()
        await self.redis.start()
        await self.until(lambda: ear.got)

    async def test_not_there_at_first(self) -> None:
        await self.redis.stop()
        bus, ear = self.bus(), Ear(b"x")
        bus.listen(ear)
        bus.start()
        await self.until(lambda: self.lines)
        self.assertIn("is away (cannot connect", self.lines[0])
        await self.redis.start()
        await self.works(bus, ear)

    async def test_paused(self) -> None:
        """A Redis that says nothing is left, and found again."""
        bus, ear = await self.up()
        self.redis.signal(SIGSTOP)
        with self.hurried():
            await self.until(lambda: not bus.is_up)
        self.redis.signal(SIGCONT)
        await self.works(bus, ear)

    async def test_deaf(self) -> None:
        """Subscriptions that Redis does not know of any longer are noticed, and made again."""
        self.patch(redis_bus, "CHECK_SECONDS", 0.05)
        bus, ear = await self.up()
        bus._ear.push("UNSUBSCRIBE")
        await self.until(lambda: not bus.is_up)
        await self.works(bus, ear)

    async def test_what_lasts(self) -> None:
        """It waits however long it takes, and comes before what came to wait before it."""
        bus, ear = await self.up()
        await self.redis.stop()
        await self.until(lambda: not bus.is_up)
        self.patch(outbox, "MAX_WAIT", -1.0)
        bus.publish(b"x#", b"too late")
        bus.publish(b"x-own", b"lasts", lasts=True)
        await self.redis.start()
        await self.until(lambda: ear.got)
        await self.works(bus, ear)
        self.assertEqual(bus._stats.unsent, 1)


class LoginTests(RedisTestCase):
    """Who must say who it is."""

    options = ("--requirepass", "the secret")

    async def test_password(self) -> None:
        bus, _ = await self.up(f"unix://:the%20secret@{self.redis.socket}")
        self.assertTrue(bus.is_up)

    async def test_wrong_password(self) -> None:
        """It is logged once, without the password, and tried again: it may become right."""
        for url in (f"unix://:wrong@{self.redis.socket}", self.redis.url):
            self.lines.clear()
            bus = self.bus(url)
            bus.start()
            await self.until(lambda bus=bus: bus._stats.reconnects > 2)
            self.assertFalse(bus.is_up)
            self.assertEqual(len(self.lines), 1)
            self.assertRegex(self.lines[0], "WRONGPASS|NOAUTH")
            self.assertNotIn("wrong@", self.lines[0])

    async def test_acl_user(self) -> None:
        """One that may do nothing but what this takes."""
        rules = (
            "on >word resetchannels &x#* &x-* -@all +publish +subscribe +psubscribe +unsubscribe "
        )
        rules += "+punsubscribe +pubsub|numsub +ping"
        setting = command("AUTH", "the secret") + command("ACL", "SETUSER", "node", *rules.split())
        await self.redis.send(setting)
        bus, ear = await self.up(f"unix://node:word@{self.redis.socket}")
        bus.publish(b"x#", b"1")
        await self.until(lambda: ear.got)
        bus.publish(b"forbidden", b"1")
        bus.publish(b"forbidden", b"1")
        await self.until(lambda: bus._stats.unsent == 2)
        self.assertTrue(bus.is_up)
        self.assertEqual(len([line for line in self.lines if "refuses" in line]), 1)


class LiteralTests(SynchronousTestCase):
    def test_specials(self) -> None:
        self.assertEqual(literal(b"a*b?c[d]e\\"), b"a\\*b\\?c\\[d]e\\\\")
