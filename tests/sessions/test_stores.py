"""The stores of sessions: one contract, and what each has beside it."""

from __future__ import annotations

import os
import re
from secrets import token_bytes
from signal import SIGCONT, SIGSTOP

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mojo.calls import settled
from mojo.errors import SessionMoved, SessionUnavailable, SettingsError
from mojo.redis.address import RedisAddress
from mojo.sessions.cookie_store import CookieStore
from mojo.sessions.cookies import CookieAges, VisitorCookies
from mojo.sessions.memory_store import MemoryStore
from mojo.sessions.redis_store import RedisStore
from mojo.sessions.signer import Signer
from mojo.sessions.stores import MOVED_SECONDS, Sender, SessionStore, Stored
from mojo.workers.store import ParentStore, serve_sessions
from tests.redis_server import NO_REDIS, RedisServer
from tests.workers.machine import Machine

MAX_AGE = 1000.0
ONE, TWO, THREE = (Stored(f'{{"a":{n}}}', f"v{n}") for n in (1, 2, 3))


class Jar:
    """A `Carrier` with the cookies that it was given."""

    answers = True
    sender = Sender("198.51.100.7", ())

    def __init__(self) -> None:
        self.cookies: dict[str, tuple[str, ...]] = {}

    def set_session_cookie(self, name: str, token: str, max_age: float) -> None:
        self.cookies[name] = (token,)


class Contract:
    """
    What every store does.

    Attributes:
        store: the store.
        jar: what brings the sessions.
    """

    store: SessionStore

    async def pass_time(self, seconds: float) -> None:
        raise NotImplementedError

    async def load(self, session_id="s1"):
        return await settled(self.store.load(session_id, self.jar))

    async def save(self, stored, expected, session_id="s1"):
        return await settled(self.store.save(session_id, stored, expected, self.jar))

    async def move(self, stored, expected, session_id="s1", other="s2"):
        return await settled(self.store.move(session_id, other, stored, expected, self.jar))

    def test_is_a_store(self) -> None:
        self.assertIsInstance(self.store, SessionStore)

    async def test_nothing(self) -> None:
        self.assertIsNone(await self.load())

    async def test_save(self) -> None:
        self.assertTrue(await self.save(ONE, None))
        self.assertEqual(await self.load(), ONE)
        self.assertTrue(await self.save(TWO, "v1"))
        self.assertEqual(await self.load(), TWO)

    async def test_other_version(self) -> None:
        """Nothing is saved over what the writer has not seen."""
        self.assertFalse(await self.save(ONE, "v0"))
        self.assertIsNone(await self.load())
        self.assertTrue(await self.save(ONE, None))
        self.assertFalse(await self.save(TWO, None))
        self.assertFalse(await self.save(TWO, "v0"))
        self.assertEqual(await self.load(), ONE)

    async def test_any_text(self) -> None:
        """Numbers stay text, and nothing in the data is more than data."""
        for number, data in enumerate(("42", "007", '{"a":"\\u00e9\\n\\"\\u0000"}', "{}")):
            stored = Stored(data, f"{number}")
            session_id = f"s{number}\n* é"
            self.assertTrue(await self.save(stored, None, session_id))
            self.assertEqual(await self.load(session_id), stored)

    async def test_sessions_are_apart(self) -> None:
        await self.save(ONE, None)
        self.assertIsNone(await self.load("s2"))

    async def test_expiry(self) -> None:
        """It is gone when it was not asked for in ``max_age`` seconds."""
        await self.save(ONE, None)
        await self.pass_time(MAX_AGE - 1)
        self.assertEqual(await self.load(), ONE)
        await self.pass_time(MAX_AGE + 2)
        self.assertIsNone(await self.load())
        self.assertFalse(await self.save(TWO, "v1"))
        self.assertTrue(await self.save(TWO, None))

    async def test_move(self) -> None:
        await self.save(ONE, None)
        self.assertTrue(await self.move(TWO, "v1"))
        self.assertEqual(await self.load("s2"), TWO)

    async def test_move_of_another_version(self) -> None:
        await self.save(ONE, None)
        self.assertFalse(await self.move(TWO, "v0"))
        self.assertFalse(await self.move(TWO, None))
        self.assertEqual(await self.load(), ONE)
        self.assertIsNone(await self.load("s2"))

    async def test_move_of_nothing(self) -> None:
        self.assertTrue(await self.move(None, None))
        self.assertIsNone(await self.load("s2"))

    async def test_closing(self) -> None:
        """A store that was closed can be used again."""
        await self.save(ONE, None)
        await settled(self.store.close())
        self.assertEqual(await self.load(), ONE)

    async def test_nothing_secret_is_shown(self) -> None:
        await self.save(ONE, None, "secret-id")
        shown = repr(self.store) + repr(await self.load("secret-id"))
        self.assertNotIn("secret-id", shown)
        self.assertNotIn(ONE.data, shown)


class SharedContract(Contract):
    """What the stores on the server do beside it."""

    async def test_expiry_slides(self) -> None:
        """Whoever asks for it keeps it."""
        await self.save(ONE, None)
        for _ in range(3):
            await self.pass_time(MAX_AGE - 1)
            self.assertEqual(await self.load(), ONE)

    async def test_given_up(self) -> None:
        """Nothing is loaded or saved under an id that was given up, for a day."""
        await self.save(ONE, None)
        await self.move(ONE, "v1")
        await self.pass_time(5)
        for ask in (
            self.load(),
            self.save(TWO, "v1"),
            self.save(TWO, None),
            self.move(TWO, None, other="s3"),
        ):
            with self.assertRaises(SessionMoved) as caught:
                await ask
            self.assertTrue(4.9 < caught.exception.ago < 6, caught.exception.ago)
        self.assertIsNone(await self.load("s3"))
        await self.pass_time(MOVED_SECONDS)
        self.assertIsNone(await self.load())

    async def test_given_up_without_data(self) -> None:
        await self.move(None, None)
        with self.assertRaises(SessionMoved):
            await self.load()

    async def test_two_at_once(self) -> None:
        """Of two who save over the same version one has to look again."""
        await self.save(ONE, None)
        results = await gatherResults(
            [Deferred.fromCoroutine(self.save(stored, "v1")) for stored in (TWO, THREE)]
        )
        self.assertEqual(sorted(results), [False, True])


class MemoryStoreTests(SharedContract, TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.jar = Jar()
        self.store = MemoryStore(self.clock, max_age=MAX_AGE, max_size=1000, max_bytes=10_000)

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def test_full(self) -> None:
        """Those go that were not asked for the longest, and the operator is told once."""
        size = 600 + 400
        for number in range(10):
            await self.save(Stored("x" * 400, "v"), None, f"s{number}")
        self.assertEqual(self.store._bytes, 10 * size)
        await self.load("s0")
        for number in (10, 11):
            await self.save(Stored("x" * 400, "v"), None, f"s{number}")
        kept = [n for n in range(12) if await self.load(f"s{n}") is not None]
        self.assertEqual(kept, [0, 3, 4, 5, 6, 7, 8, 9, 10, 11])
        self.assertEqual((self.store.evicted, self.store._bytes), (2, 10 * size))

    async def test_full_of_moved(self) -> None:
        """Ids that were given up go before sessions do."""
        await self.save(ONE, None)
        for number in range(100):
            await self.move(None, None, f"old{number}")
        self.assertLessEqual(self.store._bytes, 10_000)
        await self.save(TWO, "v1")
        self.assertEqual(await self.load(), TWO)
        self.assertEqual(self.store.evicted, 0)
        self.assertLessEqual(self.store._bytes, 10_000)

    async def test_no_timer(self) -> None:
        await self.save(ONE, None)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ParentStoreTests(SharedContract, TestCase):
    """A worker's, which asks its parent."""

    def setUp(self) -> None:
        self.machine = Machine()
        self.clock = self.machine.clock
        self.jar = Jar()
        store = MemoryStore(self.clock, max_age=MAX_AGE, max_size=1000, max_bytes=10_000)
        serve_sessions(self.machine.hub, store)
        self.store = ParentStore(self.machine.join().link, 1000)

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def load(self, session_id="s1"):
        return await self.turn(self.store.load(session_id, self.jar))

    async def save(self, stored, expected, session_id="s1"):
        return await self.turn(self.store.save(session_id, stored, expected, self.jar))

    async def move(self, stored, expected, session_id="s1", other="s2"):
        return await self.turn(self.store.move(session_id, other, stored, expected, self.jar))

    def turn(self, asked):
        self.machine.turn()
        return asked

    async def test_other_worker(self) -> None:
        """What one has saved another one loads."""
        await self.save(ONE, None)
        other = ParentStore(self.machine.join().link, 1000)
        self.assertEqual(await self.turn(other.load("s1", self.jar)), ONE)

    async def test_no_answer(self) -> None:
        """A parent that does not answer is a store that does not."""
        loading = self.store.load("s1", self.jar)
        self.clock.advance(5)
        self.failureResultOf(loading, SessionUnavailable)
        self.machine.members[0].link.connectionLost()
        self.failureResultOf(self.store.load("s1", self.jar), SessionUnavailable)

    async def test_no_timer(self) -> None:
        await self.save(ONE, None)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class CookieStoreTests(Contract, TestCase):
    def setUp(self) -> None:
        self.now = 1_700_000_000.0
        self.jar = Jar()
        signer = Signer("correct horse battery staple 0123456789", token_bytes=token_bytes)
        self.cookies = VisitorCookies(signer, lambda: self.now, CookieAges(session=MAX_AGE))
        self.store = CookieStore(self.cookies)

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds

    async def test_expiry(self) -> None:
        """A cookie past half its age is sealed anew for whoever comes."""
        await self.save(ONE, None)
        await self.pass_time(MAX_AGE - 1)
        self.assertEqual(await self.load(), ONE)
        await self.pass_time(MAX_AGE - 1)
        self.assertEqual(await self.load(), ONE)
        await self.pass_time(MAX_AGE + 2)
        self.assertIsNone(await self.load())

    async def test_connection(self) -> None:
        """A connection has no answer to seal anything into."""
        await self.save(ONE, None)
        self.jar.answers = False
        token = self.jar.cookies["session_data"]
        await self.pass_time(MAX_AGE - 1)
        self.assertEqual(await self.load(), ONE)
        self.assertEqual(self.jar.cookies["session_data"], token)

    async def test_encrypted(self) -> None:
        await self.save(Stored('{"a":"plain words"}', "v"), None)
        self.assertNotIn("plain", self.jar.cookies["session_data"][0])

    async def test_forged(self) -> None:
        """Changed, of another cookie, or planted twice: no session, and no error."""
        await self.save(ONE, None)
        (token,) = self.jar.cookies["session_data"]
        other = self.cookies.seal("session_data", "v\n{}\ns1")
        swapped = self.cookies.seal("session_id", "v\n{}\ns1")
        for tokens in ((token[:-2],), (swapped,), (token, other), ("",), ("é",)):
            self.jar.cookies["session_data"] = tokens
            self.assertIsNone(await self.load(), tokens)

    async def test_largest(self) -> None:
        """The most that is taken fits into what browsers keep, name included."""
        largest = Stored('"' + "x" * (self.store.max_size - 2) + '"', "0" * 16)
        await self.save(largest, None, "s" * 32)
        self.assertLess(len("session_data=" + self.jar.cookies["session_data"][0]), 4096)
        self.assertEqual(await self.load("s" * 32), largest)


class RedisStoreTests(SharedContract, TestCase):
    skip = NO_REDIS

    async def setUp(self) -> None:
        self.jar = Jar()
        self.redis = RedisServer()
        await self.redis.start()
        self.store = self.make_store()

    def make_store(self, url=None) -> RedisStore:
        return RedisStore.at(url or self.redis.url, reactor, max_age=MAX_AGE, max_size=1000)

    async def tearDown(self) -> None:
        await self.store.close()
        await self.redis.clean()

    async def pass_time(self, seconds: float) -> None:
        """Take some time from every key."""
        script = (
            "for _, key in ipairs(redis.call('KEYS', '*')) do "
            "redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[1]) end"
        )
        await self.redis.ask("EVAL", script, "0", str(int(seconds * 1000)))

    async def test_keys(self) -> None:
        """The id is in no key: whoever sees those has nobody's session."""
        await self.save(ONE, None, "secret-id")
        keys = await self.redis.ask("KEYS", "*")
        self.assertTrue(re.search(rb"mojo:session:[0-9a-f]{64}\r\n", keys), keys)
        self.assertNotIn(b"secret-id", keys)

    async def test_everything_expires(self) -> None:
        await self.save(ONE, None)
        await self.move(ONE, "v1")
        script = (
            "local n = 0 for _, key in ipairs(redis.call('KEYS', '*')) do "
            "if redis.call('PTTL', key) < 0 then n = n + 1 end end return n"
        )
        self.assertEqual(await self.redis.ask("EVAL", script, "0"), b":0\r\n")

    async def test_two_processes(self) -> None:
        """Two connections see the same."""
        other = self.make_store()
        await self.save(ONE, None)
        self.assertEqual(await other.load("s1", self.jar), ONE)
        await other.close()

    async def test_down(self) -> None:
        """It says so at once, and is back by itself when Redis is."""
        await self.save(ONE, None)
        self.assertIsNone(self.store.trouble())
        await self.redis.stop()
        for ask in (self.load, lambda: self.save(TWO, "v1"), lambda: self.move(TWO, "v1")):
            with self.assertRaises(SessionUnavailable) as caught:
                await ask()
            self.assertIn("unix://", str(caught.exception))
        # Nobody waits for what is known to be away.
        asked = Deferred.fromCoroutine(self.load())
        self.failureResultOf(asked, SessionUnavailable)
        self.assertEqual(self.store.trouble(), "away")
        await self.redis.start()
        await self.until_it_answers()
        self.assertIsNone(self.store.trouble())
        self.assertIsNone(await self.load())
        self.assertTrue(await self.save(ONE, None))

    async def test_never_there(self) -> None:
        await self.redis.stop()
        with self.assertRaises(SessionUnavailable):
            await self.make_store_and_close()
        self.assertEqual(self.store.trouble(), "away")

    async def make_store_and_close(self) -> None:
        self.store = self.make_store()
        await self.load()

    async def test_not_done_later(self) -> None:
        """What was refused while Redis was down is not done when it is back."""
        await self.load()
        await self.redis.stop()
        with self.assertRaises(SessionUnavailable):
            await self.save(ONE, None)
        await self.redis.start()
        await self.until_it_answers()
        self.assertIsNone(await self.load())

    async def test_held_up(self) -> None:
        """An answer that does not come has its time too."""
        await self.load()
        self.redis.signal(SIGSTOP)
        with self.assertRaises(SessionUnavailable):
            await self.load()
        self.redis.signal(SIGCONT)
        await self.until_it_answers()

    async def test_refusals(self) -> None:
        """What Redis refuses to do is not done: here it may only be read."""
        await self.load()
        await self.redis.ask("CONFIG", "SET", "min-replicas-to-write", "1")
        with self.assertRaises(SessionUnavailable):
            await self.save(ONE, None)

    async def test_connection_is_killed(self) -> None:
        await self.save(ONE, None)
        await self.redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await self.until_it_answers()
        self.assertEqual(await self.load(), ONE)

    async def test_lost_scripts(self) -> None:
        """A Redis that forgot the scripts is given them again."""
        await self.save(ONE, None)
        await self.load()
        await self.redis.ask("SCRIPT", "FLUSH")
        self.assertEqual(await self.load(), ONE)

    async def until_it_answers(self) -> None:
        await answers(self.store)


async def answers(store: SessionStore) -> None:
    """Wait until a store does."""
    for _ in range(2000):
        try:
            await settled(store.load("nobody", Jar()))
        except SessionUnavailable:
            await deferLater(reactor, 0.05)
        else:
            return
    raise AssertionError("it did not come back")


class RedisLoginTests(TestCase):
    skip = NO_REDIS

    async def start(self, *options: str, tls: bool = False) -> RedisServer:
        redis = RedisServer(*options)
        if tls:
            redis.with_tls()
        self.addCleanup(redis.clean)
        await redis.start()
        return redis

    def store(self, url: str) -> RedisStore:
        store = RedisStore.at(url, reactor, max_age=9, max_size=9)
        self.addCleanup(store.close)
        return store

    def said(self) -> list[str]:
        """Give what the operator is told from here on."""
        lines: list[str] = []

        def observe(event) -> None:
            if event.get("log_namespace") == "mojo.redis.link":
                lines.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return lines

    async def test_user(self) -> None:
        """A user of its own needs no more than what the scripts do with its own keys."""
        redis = await self.start(
            "--user", "default", "on", "nopass", "~*", "+@all",
            "--user", "mojo", "on", ">s3:cret/", "~mojo:*", "resetchannels",
            "+ping", "+eval", "+select", "+hget", "+hset", "+pexpire", "+pttl", "+del",
        )  # fmt: skip
        store = self.store(f"unix://mojo:s3%3Acret%2F@{redis.socket}?db=1")
        self.assertTrue(await store.save("s1", ONE, None, Jar()))
        self.assertTrue(await store.move("s1", "s2", ONE, "v1", Jar()))
        self.assertEqual(await store.load("s2", Jar()), ONE)
        await redis.ask("ACL", "SETUSER", "mojo", "-eval")
        with self.assertRaises(SessionUnavailable):
            await store.load("s2", Jar())

    async def test_wrong_user(self) -> None:
        """The operator is told once, whoever comes, and without the password."""
        lines = self.said()
        redis = await self.start()
        store = self.store(f"unix://mojo:hunter2@{redis.socket}")
        for _ in range(20):
            with self.assertRaises(SessionUnavailable) as caught:
                await store.load("s1", Jar())
            self.assertNotIn("hunter2", str(caught.exception))
        (line,) = lines
        self.assertIn("could not auth: WRONGPASS", line)
        self.assertNotIn("hunter2", line)

    async def test_tls(self) -> None:
        """With a certificate that is known; any other one is no Redis, and the log says why."""
        redis = await self.start("--requirepass", "s3cret", tls=True)
        # What OpenSSL trusts beside the machine's own list; it looks at each connection.
        self.addCleanup(os.environ.update, {**os.environ})
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE", None)
        os.environ["SSL_CERT_FILE"] = str(redis.certificate)
        store = self.store(f"rediss://:s3cret@localhost:{redis.port}/2")
        await answers(store)
        self.assertTrue(await store.save("s1", ONE, None, Jar()))
        self.assertEqual(await store.load("s1", Jar()), ONE)
        del os.environ["SSL_CERT_FILE"]
        lines = self.said()
        store = self.store(f"rediss://:s3cret@localhost:{redis.port}/2")
        with self.assertRaises(SessionUnavailable):
            await store.load("s1", Jar())
        (line,) = lines
        self.assertIn("certificate verify failed", line)
        self.assertNotIn("s3cret", line)

    async def test_tls_without_tls(self) -> None:
        """A Redis that speaks TLS and one that does not do not understand each other."""
        redis = await self.start(tls=True)
        for url in (f"redis://localhost:{redis.port}", f"rediss://localhost:{redis.plain_port}"):
            with self.assertRaises(SessionUnavailable):
                await self.store(url).load("s1", Jar())

    async def test_password(self) -> None:
        """It is sent, is in no message, and a wrong one is not the end."""
        redis = RedisServer("--requirepass", "pass word")
        self.addCleanup(redis.clean)
        await redis.start()
        jar = Jar()
        for password, good in (("wrong", False), ("pass%20word", True)):
            store = RedisStore.at(
                f"unix://:{password}@{redis.socket}?db=3", reactor, max_age=9, max_size=9
            )
            self.addCleanup(store.close)
            self.assertNotIn(password, repr(store))
            if good:
                self.assertIsNone(await store.load("s1", jar))
                await store.save("s1", ONE, None, jar)
            else:
                for _ in range(2):
                    with self.assertRaises(SessionUnavailable) as caught:
                        await store.load("s1", jar)
                    self.assertNotIn(password, str(caught.exception))

    async def test_password_that_comes_to_be_right(self) -> None:
        """Whoever mends the login need not start the service again."""
        redis = RedisServer()
        self.addCleanup(redis.clean)
        await redis.start()
        store = RedisStore.at(f"unix://:later@{redis.socket}", reactor, max_age=9, max_size=9)
        self.addCleanup(store.close)
        with self.assertRaises(SessionUnavailable):
            await store.load("s1", Jar())
        await redis.ask("CONFIG", "SET", "requirepass", "later")
        await answers(store)


class RedisAddressTests(SynchronousTestCase):
    def test_forms(self) -> None:
        for url, shown in (
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://u:secret@h:1/2", "redis://h:1/2"),
            ("rediss://[::1]:7/3", "rediss://::1:7/3"),
            ("unix:///run/redis.sock", "unix:///run/redis.sock?db=0"),
            ("unix://:secret@/x?db=4", "unix:///x?db=4"),
            ("redis+sentinel://h/shop", "redis+sentinel://h:26379/shop/0"),
            (
                "redis+sentinel://u:secret@h:1,[::1]:2,i/shop/3",
                "redis+sentinel://h:1,::1:2,i:26379/shop/3",
            ),
            ("rediss+sentinel://h/3/shop", "rediss+sentinel://h:26379/shop/3"),
            (
                "redis+sentinel://h/shop?sentinel_username=s&sentinel_password=secret",
                "redis+sentinel://h:26379/shop/0",
            ),
        ):
            self.assertEqual(str(RedisAddress(url, "X")), shown)
        address = RedisAddress("redis://us%40er:se%2Fcret@h", "X")
        self.assertEqual((address.username, address.password), ("us@er", "se/cret"))

    def test_sentinels(self) -> None:
        """Each has the password of sentinels, and the master that of servers."""
        url = "rediss+sentinel://us%40er:a@h:1,i/m%2F/2?sentinel_username=s&sentinel_password=b"
        address = RedisAddress(url, "X")
        found = address.at("master", 7)
        self.assertEqual(
            (str(found), found.username, found.password), ("rediss://master:7/2", "us@er", "a")
        )
        self.assertEqual(address.master, "m/")
        for sentinel, shown in zip(address.sentinels, ("h:1", "i:26379"), strict=True):
            self.assertEqual(str(sentinel), f"rediss://{shown}/0")
            self.assertEqual((sentinel.username, sentinel.password), ("s", "b"))

    def test_mistakes(self) -> None:
        for url in (
            "redis://", "http://secret@h", "redis://secret@h/x", "redis://secret@h:x", "unix://",
            "redis+sentinel://secret@h", "redis+sentinel://h,,i/secret",
            "redis+sentinel://h/secret/x", "redis+sentinel://h/a/0/secret", "unix+sentinel:///secret",
            "redis://:secret@h?sentinel_password=secret",
            "redis://:secret@h?db=3", "unix:///secret?db=1&timeout=5", "redis://h#secret",
        ):  # fmt: skip
            with self.assertRaises(SettingsError) as caught:
                RedisAddress(url, "SESSION_STORE")
            self.assertIn("SESSION_STORE is no URL of a Redis", str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))
