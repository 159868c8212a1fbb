"""What a service is made of by its settings: `mojo.parts`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import SettingsError
from mojo.sessions.cookie_store import CookieStore
from mojo.sessions.memory_store import MemoryStore
from tests.sessions.breakable import BreakableStore
from tests.web.server import make_service

STORE = BreakableStore(Clock())


class StoreTests(SynchronousTestCase):
    def store(self, **settings):
        return make_service(**settings).session_keeper._store

    def test_names(self) -> None:
        self.assertIsInstance(self.store(), MemoryStore)
        self.assertIsInstance(self.store(session_store="cookie"), CookieStore)
        self.assertIs(self.store(session_store=STORE), STORE)
        self.assertIs(self.store(session_store=f"{__name__}.STORE"), STORE)
        store = self.store(session_store="redis://:secret@localhost/1")
        self.assertEqual(repr(store), "<RedisStore at redis://localhost:6379/1>")

    def test_sizes(self) -> None:
        """The settings reach the stores; no cookie is larger than browsers keep."""
        self.assertEqual(self.store(session_max_size=77).max_size, 77)
        self.assertEqual(self.store(session_max_size=77, session_store="cookie").max_size, 77)
        self.assertEqual(self.store(session_store="cookie").max_size, 2700)
        store = self.store(session_memory=5, session_max_age=9)
        self.assertEqual((store._max_bytes, store._max_age), (5, 9))

    def test_mistakes(self) -> None:
        for store, problem in (
            ("nowhere.STORE", "SESSION_STORE = 'nowhere.STORE' cannot be imported"),
            (object(), "SessionStore, not object"),
            (MemoryStore, "SessionStore, not type"),
            ("redis://:secret@host/x", "SESSION_STORE is no URL of a Redis"),
        ):
            with self.assertRaises(SettingsError) as caught:
                self.store(session_store=store)
            self.assertIn(problem, str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))


class ClusterTests(SynchronousTestCase):
    def test_alone(self) -> None:
        service = make_service()
        self.assertIsNone(service.cluster)
        self.assertNotIn("cluster_up", service.stats.dump())

    def test_one_of_many(self) -> None:
        """Nobody is connected to before the service starts."""
        service = make_service(redis="redis://:secret@localhost/1?prefix=shop&adapter=pubsub")
        self.assertEqual(repr(service.cluster.bus), "<RedisBus at redis://localhost:6379/1>")
        self.assertEqual(service.cluster.prefix, "shop")
        self.assertIs(service.stats.dump()["cluster_up"], False)

    def test_mistakes(self) -> None:
        for url, problem in (
            ("redis://:secret@host/x", "REDIS is no URL of a Redis"),
            ("redis://:secret@host?prefx=a", "REDIS has 'prefx' in its query; known are: adapter,"),
            (
                "redis://:secret@host?adapter=smoke",
                "REDIS has adapter='smoke'; known are 'pubsub' and 'streams'",
            ),
            ("redis://:secret@host?python_socketio=", "REDIS has python_socketio=''; it is the"),
            (
                "redis://:secret@host?prefix=a&python_socketio=a-mojo%23",
                "REDIS has python_socketio='a-mojo#'; it is the channel's name",
            ),
        ):
            with self.assertRaises(SettingsError) as caught:
                make_service(redis=url)
            self.assertIn(problem, str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))
