"""Loading, saving and moving sessions: `mojo.sessions.keeper`."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mojo.errors import SessionMoved, SessionTooLargeError, SessionUnavailable
from mojo.sessions.keeper import SessionKeeper
from mojo.sessions.redis_store import RedisStore
from mojo.sessions.stores import Stored
from tests.redis_server import NO_REDIS, RedisServer
from tests.sessions.breakable import BreakableStore, Visitor


class KeeperTestCase(SynchronousTestCase):
    """Two keepers of one store are two processes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = BreakableStore(self.clock)
        self.here = SessionKeeper(self.store, self.clock)
        self.there = SessionKeeper(self.store, self.clock)

    def run_now(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def fails(self, coroutine, kind) -> None:
        self.failureResultOf(Deferred.fromCoroutine(coroutine), kind)

    def load(self, keeper=None, session_id="s1", visitor=None):
        return self.run_now((keeper or self.here).load(session_id, visitor or Visitor()))

    def save(self, session, keeper=None) -> None:
        self.run_now((keeper or self.here).save(session))

    def move(self, session, other="s2", is_theirs=lambda sender: True) -> None:
        self.run_now(self.here.move(session, other, is_theirs))

    def stored(self, session_id="s1") -> dict:
        return dict(self.load(SessionKeeper(self.store, self.clock), session_id))


class SavingTests(KeeperTestCase):
    def test_save(self) -> None:
        session = self.load()
        session["a"] = 1
        self.assertEqual(self.stored(), {})
        self.save(session)
        self.assertEqual(self.stored(), {"a": 1})
        self.assertEqual(dict(session.changes), {})

    def test_nothing_changed(self) -> None:
        """Then nothing is asked of the store."""
        self.save(self.load())
        self.assertEqual(self.store.asked, ["load"])

    def test_shared(self) -> None:
        """Who uses a session in this process sees at once what another one saved."""
        first, second = self.load(), self.load()
        first["a"] = 1
        self.save(first)
        self.assertEqual(second["a"], 1)

    def test_other_process(self) -> None:
        """What another process saved is seen when it is loaded anew."""
        first, second = self.load(), self.load(self.there)
        first["a"] = 1
        self.save(first)
        self.assertNotIn("a", second)
        self.run_now(self.there.reload(second))
        self.assertEqual(second["a"], 1)

    def test_two_tabs(self) -> None:
        """Neither loses what the other one wrote, and of one key the later write stays."""
        first, second = self.load(), self.load(self.there)
        first.update(a=1, both="first", gone=1)
        self.save(first)
        second.update(b=2, both="second")
        self.save(second, self.there)
        self.run_now(self.here.reload(first))
        del first["gone"]
        self.save(first)
        self.assertEqual(self.stored(), {"a": 1, "b": 2, "both": "second"})

    def test_deleted_and_changed(self) -> None:
        first = self.load()
        first.update(a=1, b=1)
        self.save(first)
        second = self.load(self.there)
        del first["a"]
        second["b"] = 2
        self.save(second, self.there)
        self.save(first)
        self.assertEqual(self.stored(), {"b": 2})

    def test_at_once_in_one_process(self) -> None:
        """They wait for each other, and no save is tried in vain."""
        sessions = [self.load() for _ in range(5)]
        self.store.hold = []
        for number, session in enumerate(sessions):
            session[f"k{number}"] = number
        saving = [Deferred.fromCoroutine(self.here.save(session)) for session in sessions]
        self.assertEqual(len(self.store.hold), 1)
        self.store.go_on()
        for deferred in saving:
            self.successResultOf(deferred)
        self.assertEqual(len(self.stored()), 5)
        self.assertEqual(self.store.asked.count("save"), 5)

    def test_down(self) -> None:
        """It is told, and the change is still there for another try."""
        session = self.load()
        session["a"] = 1
        self.store.down = True
        self.fails(self.here.save(session), SessionUnavailable)
        self.store.down = False
        self.save(session)
        self.assertEqual(self.stored(), {"a": 1})

    def test_too_large_together(self) -> None:
        """Two that are small enough may be too much together."""
        first, second = self.load(), self.load(self.there)
        first["a"], second["b"] = "x" * 1500, "y" * 1500
        self.save(first)
        self.fails(self.there.save(second), SessionTooLargeError)
        self.assertEqual(list(self.stored()), ["a"])

    def test_always_too_late(self) -> None:
        """A session that others never stop changing is given up at some time."""

        class Busy(BreakableStore):
            async def save(self, *args):
                return False

        keeper = SessionKeeper(Busy(self.clock), self.clock)
        session = self.load(keeper)
        session["a"] = 1
        self.fails(keeper.save(session), SessionUnavailable)

    def test_broken_store(self) -> None:
        """A store of the project's that raises is a store that is down."""

        class Broken(BreakableStore):
            async def load(self, *args):
                raise ZeroDivisionError

        self.fails(
            SessionKeeper(Broken(self.clock), self.clock).load("s1", Visitor()), SessionUnavailable
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_broken_data(self) -> None:
        """What cannot be read is not taken for nothing, and not written over."""
        self.run_now(self.store.save("s1", Stored("{broken", "v"), None, Visitor()))
        self.fails(self.here.load("s1", Visitor()), SessionUnavailable)

    def test_nothing_is_left(self) -> None:
        session = self.load()
        session["a"] = 1
        self.save(session)
        del session
        self.assertEqual(len(self.here._records), 0)


class MovingTests(KeeperTestCase):
    def test_move(self) -> None:
        """What was saved and what was changed goes along; the former id is given up."""
        session = self.load()
        session["a"] = 1
        self.save(session)
        session["b"] = 2
        self.move(session)
        self.assertEqual(self.stored("s2"), {"a": 1, "b": 2})
        self.fails(self.there.load("s1", Visitor()), SessionMoved)

    def test_others_who_use_it(self) -> None:
        """They go along, and so does what they have not saved."""
        session, other = self.load(), self.load()
        other["late"] = 1
        self.move(session)
        self.save(other)
        self.assertEqual(self.stored("s2"), {"late": 1})
        self.assertEqual(session["late"], 1)

    def test_whoever_is_in_doubt(self) -> None:
        """Somebody else's request, which is under way, sees and saves nothing afterwards."""
        mine = Visitor()
        session = self.load(visitor=mine)
        other = self.load(visitor=Visitor("203.0.113.9"))
        self.move(session, is_theirs=mine.sender.__eq__)
        session["secret"] = 1
        self.save(session)
        self.assertNotIn("secret", other)
        other["planted"] = 1
        self.fails(self.here.save(other), SessionMoved)
        self.assertEqual(self.stored("s2"), {"secret": 1})

    def test_changed_meanwhile(self) -> None:
        """What another process saves while it is moved is not lost."""
        session, elsewhere = self.load(), self.load(self.there)
        elsewhere["there"] = 1
        self.save(elsewhere, self.there)
        session["here"] = 1
        self.move(session)
        self.assertEqual(self.stored("s2"), {"here": 1, "there": 1})

    def test_other_process_afterwards(self) -> None:
        """It cannot save under the former id: that would be lost without a word."""
        session, elsewhere = self.load(), self.load(self.there)
        self.move(session)
        elsewhere["late"] = 1
        self.fails(self.there.save(elsewhere), SessionMoved)

    def test_retired(self) -> None:
        """For half a minute the former id is known for what it is, wherever it was asked for."""
        self.move(self.load())
        self.assertTrue(self.here.is_retired("s1"))
        self.assertFalse(self.here.is_retired("s2"))
        self.assertFalse(self.here.is_retired(None))
        self.assertFalse(self.there.is_retired("s1"))
        self.clock.advance(10)
        self.fails(self.there.load("s1", Visitor()), SessionMoved)
        self.assertTrue(self.there.is_retired("s1"))
        self.clock.advance(20)
        self.assertFalse(self.here.is_retired("s1"))
        self.assertFalse(self.there.is_retired("s1"))
        self.move(self.load(session_id="s3"), "s4")
        self.assertEqual(list(self.here._retired), ["s3"])

    def test_down(self) -> None:
        """Nothing is moved, and it can be done later."""
        session = self.load()
        session["a"] = 1
        self.store.down = True
        self.fails(self.here.move(session, "s2", lambda sender: True), SessionUnavailable)
        self.store.down = False
        self.assertFalse(self.here.is_retired("s1"))
        self.save(session)
        self.assertEqual(self.stored(), {"a": 1})

    def test_twice_at_once(self) -> None:
        """Of two logins one moves the session; the other one is told."""
        first, second = self.load(), self.load(self.there)
        self.move(first)
        self.fails(self.there.move(second, "s3", lambda sender: True), SessionMoved)


class RedisTests(TestCase):
    """Two processes at a real Redis."""

    skip = NO_REDIS

    async def setUp(self) -> None:
        self.redis = RedisServer()
        await self.redis.start()
        self.stores = [
            RedisStore.at(self.redis.url, reactor, max_age=1000, max_size=60_000) for _ in range(2)
        ]
        self.keepers = [SessionKeeper(store, reactor) for store in self.stores]

    async def tearDown(self) -> None:
        for store in self.stores:
            await store.close()
        await self.redis.clean()

    async def test_many_writers(self) -> None:
        """Forty writes from two processes at the same moment: each is there."""

        async def write(number: int) -> None:
            keeper = self.keepers[number % 2]
            session = await keeper.load("s1", Visitor())
            session[f"k{number}"] = number
            await keeper.save(session)

        await gatherResults([Deferred.fromCoroutine(write(number)) for number in range(40)])
        session = await self.keepers[0].load("s1", Visitor())
        self.assertEqual(dict(session), {f"k{number}": number for number in range(40)})

    async def test_writing_while_it_is_moved(self) -> None:
        """A write in the moment of a login is there afterwards, or its writer knows."""
        here, there = self.keepers
        kept = []
        sessions = [await there.load("s1", Visitor()) for _ in range(1)]

        async def write() -> None:
            sessions[0]["there"] = 1
            try:
                await there.save(sessions[0])
            except SessionMoved:
                return
            kept.append("there")

        mine = await here.load("s1", Visitor())
        mine["here"] = 1
        await gatherResults(
            [
                Deferred.fromCoroutine(write()),
                Deferred.fromCoroutine(here.move(mine, "s2", lambda sender: True)),
            ]
        )
        session = await there.load("s2", Visitor())
        self.assertEqual(set(session), {"here", *kept})
