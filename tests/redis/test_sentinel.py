"""`mojo.redis.sentinel` with a real master, a replica, and sentinels."""

from __future__ import annotations

from signal import SIGCONT, SIGSTOP

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher

from mojo.emitter import Emitter, RedisUnavailable, TwistedEmitter
from mojo.redis import connection
from mojo.sessions.redis_store import RedisStore
from mojo.sessions.stores import Stored
from tests.cluster.failing import FailureTestCase
from tests.ports import free_port
from tests.redis_server import RedisServer, SentinelServer
from tests.sessions.test_stores import Jar, answers


class SentinelTestCase(FailureTestCase):
    """A master, a replica that follows it, and a sentinel that knows both."""

    timeout = 120
    lines_of_sentinel: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.master, self.replica = (
            RedisServer(*self.options).with_port(),
            RedisServer(*self.options).with_port(),
        )
        for server in (self.master, self.replica):
            self.addCleanup(server.clean)
            await server.start()
        await self.follow(self.replica, self.master)
        self.sentinel = SentinelServer(self.master, *self.lines_of_sentinel)
        self.addCleanup(self.sentinel.clean)
        await self.sentinel.start()
        # The first of the sentinels is not there.
        self.url = self.sentinel_url(free_port(self.addCleanup), self.sentinel.port)

    def sentinel_url(self, *ports: int, login="", more="") -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"redis+sentinel://{login}{hosts}/shop{more}"

    async def follow(self, replica: RedisServer, master: RedisServer) -> None:
        await replica.ask("REPLICAOF", "127.0.0.1", str(master.port))
        await self.answers(replica, b"master_link_status:up", "INFO", "replication")

    async def answers(self, server: RedisServer, wanted: bytes, *command: str) -> None:
        """Ask until the answer has something in it."""
        for _ in range(5000):
            if wanted in await server.ask(*command):
                return
            await deferLater(reactor, 0.02)
        self.fail(f"{command} did not give {wanted}")

    async def fail_over(self) -> None:
        """Have the sentinel make the replica the master, as soon as it knows it."""
        await self.answers(self.sentinel, b"+OK", "SENTINEL", "FAILOVER", "shop")
        await self.is_master(self.replica)

    async def is_master(self, server: RedisServer) -> None:
        wanted = str(server.port).encode()
        await self.answers(self.sentinel, wanted, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "shop")
        await self.answers(server, b"role:master", "INFO", "replication")

    async def know_replica(self) -> None:
        """Wait until the sentinel does: else it could not make it the master."""
        wanted = f"127.0.0.1:{self.replica.port}".encode()
        await self.answers(self.sentinel, wanted, "SENTINEL", "REPLICAS", "shop")

    async def listened_to(self, server: RedisServer) -> None:
        """Prove that it is this server that both are at."""
        channel = self.one.adapter._line.shared.decode()
        self.assertIn(b":2\r\n", await server.ask("PUBSUB", "NUMSUB", channel))


class FailoverTests(SentinelTestCase):
    async def test_by_hand(self) -> None:
        """Both servers are where the master is then, and nothing that is sent is lost."""
        one, two = await self.nodes(self.url)
        await self.listened_to(self.master)
        await self.fail_over()
        await self.until(lambda: self.told()[0] == 2)
        one.say("1", "2")
        await self.arrive(two, "1", "2")
        await self.carries()
        await self.listened_to(self.replica)
        self.assertEqual(self.told(), (2, 2))

    async def test_master_crashes(self) -> None:
        one, two = await self.nodes(self.url)
        await self.know_replica()
        await self.master.kill()
        await self.gone(one, two)
        one.say("1", "2")
        await self.is_master(self.replica)
        await self.arrive(two, "1", "2")
        await self.carries()
        await self.listened_to(self.replica)
        self.assertEqual(self.told(), (2, 2))

    async def test_master_hangs(self) -> None:
        """Who does not answer is left for the new master as soon as there is one."""
        one, two = await self.nodes(self.url)
        await self.know_replica()
        self.master.signal(SIGSTOP)
        await self.until(lambda: self.told()[0] == 2)
        self.assertIn(f"it is at 127.0.0.1:{self.replica.port} now", "".join(self.lines))
        one.say("1", "2")
        await self.arrive(two, "1", "2")
        await self.carries()
        self.master.signal(SIGCONT)

    async def test_other_master(self) -> None:
        """Who was told of another master goes there, though the former one would do."""
        await self.nodes(self.url)
        other = RedisServer().with_port()
        self.addCleanup(other.clean)
        await other.start()
        await self.sentinel.ask("SENTINEL", "REMOVE", "shop")
        await self.sentinel.ask("SENTINEL", "MONITOR", "shop", "127.0.0.1", str(other.port), "1")
        await self.until(lambda: self.told()[0] == 2)
        await self.carries()
        await self.listened_to(other)
        self.assertEqual(self.told(), (2, 2))

    async def test_sentinel_that_is_wrong(self) -> None:
        """Whom it names is asked whether it is a master, and is none until it says so."""
        await self.sentinel.ask("SENTINEL", "REMOVE", "shop")
        port = str(self.replica.port)
        await self.sentinel.ask("SENTINEL", "MONITOR", "shop", "127.0.0.1", port, "1")
        bus = self.bus(self.url)
        bus.start()
        await self.until(lambda: self.lines)
        self.assertIn("it is a replica", self.lines[0])
        await self.replica.ask("REPLICAOF", "NO", "ONE")
        await self.until(lambda: bus.is_up)

    async def test_sentinels_gone(self) -> None:
        """While the master lives, nobody notices; who comes then is let in when one is back."""
        await self.nodes(self.url)
        await self.sentinel.stop()
        helpless = [0]

        def count(event) -> None:
            if (
                "no sentinel helps" in event["log_format"]
                and "mojo.redis" in event["log_namespace"]
            ):
                helpless[0] += 1

        globalLogPublisher.addObserver(count)
        self.addCleanup(globalLogPublisher.removeObserver, count)
        newcomer = self.bus(self.url)
        newcomer.start()
        await self.until(lambda: self.told() == (1, 0))
        self.assertIn("no sentinel helps", self.lines[-1])
        await self.until(lambda: helpless[0] == 3)  # each of them says it, once
        await self.carries()
        self.assertEqual(self.one.stats.reconnects, 0)
        await self.sentinel.start()
        await self.until(lambda: newcomer.is_up)
        self.assertEqual(self.told(), (1, 1))

    async def test_sentinel_hangs(self) -> None:
        """The next one is asked."""
        other = SentinelServer(self.master)
        self.addCleanup(other.clean)
        await other.start()
        self.sentinel.signal(SIGSTOP)
        self.patch(connection, "TIMEOUT", 0.2)
        one = await self.node(self.sentinel_url(self.sentinel.port, other.port))
        await self.carries(one)

    async def test_unknown_master(self) -> None:
        """It is said which."""
        bus = self.bus(self.url.replace("/shop", "/shoe"))
        bus.start()
        await self.until(lambda: self.lines)
        self.assertIn("master 'shoe': not known", self.lines[0])


class StreamFailoverTests(FailoverTests):
    stream = "events"


class OtherUserTests(SentinelTestCase):
    """Emitters, and sessions."""

    async def test_emitters(self) -> None:
        """They find the master, leave one that is none any longer, and find the next one."""
        one = await self.node(self.url)
        now = [0.0]
        emitter = Emitter(self.url)
        self.addCleanup(emitter.close)
        emitter._connection._now = lambda: now[0]
        deferred = TwistedEmitter(self.url, reactor, timeout=20)
        self.addCleanup(deferred.close)
        await deferToThread(emitter.of(one.name).emit, "1")
        await deferred.of(one.name).emit("2")
        await self.arrive(one, "1", "2")
        await self.fail_over()
        await self.until(lambda: self.told() == (1, 1))
        await self.carries(one)
        now[0] = 10.0
        self.assertEqual(await deferToThread(emitter.of(one.name).emit, "3"), 1)
        await self.listens_there()
        self.assertEqual(await deferred.of(one.name).emit("4"), 1)
        await self.arrive(one, "1", "2", "3", "4")

    async def listens_there(self) -> None:
        """Wait until the Twisted emitter is at the new master."""
        await self.answers(self.replica, b"name=mojo-emitter", "CLIENT", "LIST")

    async def test_demoted(self) -> None:
        """An emitter is told by the server itself that it is a master no longer."""
        url = f"redis://127.0.0.1:{self.master.port}"
        emitter = Emitter(url)
        self.addCleanup(emitter.close)
        now = [0.0]
        emitter._connection._now = lambda: now[0]
        await deferToThread(emitter.emit, "1")
        await self.master.ask("REPLICAOF", "127.0.0.1", str(self.replica.port))
        now[0] = 4.9
        await deferToThread(emitter.emit, "2")
        now[0] = 5.0
        error = await self.assertFailure(deferToThread(emitter.emit, "3"), RedisUnavailable)
        self.assertIn("it is a replica", str(error))

    async def test_no_sentinel(self) -> None:
        """An emitter that has found the master needs none; a new one says so."""
        emitter = Emitter(self.url)
        self.addCleanup(emitter.close)
        now = [0.0]
        emitter._connection._now = lambda: now[0]
        await deferToThread(emitter.emit, "1")
        await self.sentinel.stop()
        now[0] = 10.0
        await deferToThread(emitter.emit, "2")
        other = Emitter(self.url)
        error = await self.assertFailure(deferToThread(other.emit, "3"), RedisUnavailable)
        self.assertIn("no sentinel helps", str(error))

    async def test_sessions(self) -> None:
        store = RedisStore.at(self.url, reactor, max_age=60, max_size=1000)
        self.addCleanup(store.close)
        stored = Stored("{}", "v1")
        self.assertTrue(await store.save("s1", stored, None, Jar()))
        await self.fail_over()
        await answers(store)
        self.assertEqual(await store.load("s1", Jar()), stored)


class LoginTests(SentinelTestCase):
    """Sentinels and servers have passwords of their own."""

    lines_of_sentinel = (
        "requirepass watch",
        "sentinel auth-pass shop word",
    )
    options = ("--requirepass", "word", "--masterauth", "word")

    async def follow(self, replica: RedisServer, master: RedisServer) -> None:
        await replica.ask_as("word", "REPLICAOF", "127.0.0.1", str(master.port))

    async def test_passwords(self) -> None:
        url = self.sentinel_url(
            self.sentinel.port, login=":word@", more="/3?sentinel_password=watch"
        )
        await self.nodes(url)
        emitter = Emitter(url)
        self.addCleanup(emitter.close)
        await deferToThread(emitter.emit, "1")
        self.assertNotIn("watch", "".join(self.lines))
        self.assertNotIn("word", "".join(self.lines))

    async def test_wrong(self) -> None:
        """What is refused is told, without the password."""
        for login, password, why in (
            (":word@", "wrong", "no sentinel helps: .*WRONGPASS"),
            (":wrong@", "watch", "WRONGPASS"),
        ):
            self.lines.clear()
            url = self.sentinel_url(
                self.sentinel.port, login=login, more=f"?sentinel_password={password}"
            )
            bus = self.bus(url)
            bus.start()
            await self.until(lambda: self.lines)
            self.assertRegex(self.lines[0], why)
            emitter = Emitter(url)
            error = await self.assertFailure(deferToThread(emitter.emit, "1"), RedisUnavailable)
            self.assertIn("WRONGPASS", str(error))
            self.assertNotIn("watch", str(error) + self.lines[0])
            self.assertNotIn("wrong", (str(error) + self.lines[0]).replace("WRONGPASS", ""))
            await bus.stop()
