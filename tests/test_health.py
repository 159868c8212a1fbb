"""`mojo.health`: what those who watch over a service are told."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoRequestHandler, MojoService, Settings
from mojo.errors import ProjectError
from mojo.sessions.memory_store import MemoryStore
from mojo.testing import Browser
from tests.web.server import app_of, make_service, stop_service

PATHS = {"health_path": "/healthz", "ready_path": "/probes/ready"}


class HealthTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.service = make_service(**PATHS)
        self.browser = Browser(self.service)

    def test_live(self) -> None:
        """Whoever is answered knows that the reactor turns."""
        answer = self.browser.get("/healthz")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.text, '{"live": true}\n')
        self.assertEqual(answer.headers["content-type"], ["application/json"])
        self.assertEqual(answer.headers["cache-control"], ["no-store"])

    def test_ready(self) -> None:
        """Not before the start, and not after it begins to stop; alive it is all the time."""
        states = []

        def look() -> None:
            answer = self.browser.get("/probes/ready")
            states.append((answer.status, answer.json))
            self.assertEqual(self.browser.get("/healthz").status, 200)

        look()
        self.service.startService()
        look()
        stop_service(self.service)
        look()
        self.assertEqual(
            states,
            [
                (503, {"ready": False, "why": {"service": "starting"}}),
                (200, {"ready": True}),
                (503, {"ready": False, "why": {"service": "stopping"}}),
            ],
        )

    def test_ready_again(self) -> None:
        for _ in range(2):
            self.service.startService()
            self.assertEqual(self.browser.get("/probes/ready").status, 200)
            stop_service(self.service)

    def test_parts(self) -> None:
        """Each part has a say, and one that fails is not taken for well."""
        self.service.startService()
        self.addCleanup(stop_service, self.service)
        trouble: list[str | None] = [None]
        self.service.health.add("redis", lambda: trouble[0])
        self.assertEqual(self.browser.get("/probes/ready").status, 200)
        trouble[0] = "not connected"
        answer = self.browser.get("/probes/ready")
        self.assertEqual((answer.status, answer.json["why"]), (503, {"redis": "not connected"}))
        self.assertEqual(self.service.health.troubles, {"redis": "not connected"})
        trouble.clear()
        self.assertEqual(self.browser.get("/probes/ready").json["why"], {"redis": "unknown"})
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)

    def test_notes(self) -> None:
        """What can be done without is told, and the service is ready all the same."""
        self.service.startService()
        self.addCleanup(stop_service, self.service)
        trouble: list[str | None] = ["away"]
        self.service.health.add("search", lambda: trouble[0], is_needed=False)
        answer = self.browser.get("/probes/ready")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json, {"ready": True, "notes": {"search": "away"}})
        trouble[0] = None
        self.assertEqual(self.browser.get("/probes/ready").json, {"ready": True})

    def test_cluster(self) -> None:
        """All servers lose Redis together: that is told, and stops the site only if asked for."""
        for ready, found in (
            (True, ({"service": "starting"}, {"cluster": "away"})),
            (False, ({"service": "starting", "cluster": "away"}, {})),
        ):
            service = make_service(redis="redis://localhost", ready_without_cluster=ready)
            self.assertEqual((service.health.troubles, service.health.notes), found)
            service.cluster.stats.up = True
            self.assertEqual(service.health.troubles, {"service": "starting"})
            self.assertEqual(service.health.notes, {})

    def test_sessions(self) -> None:
        """A store that knows that it is away is a note: all servers have the same one."""

        class Store(MemoryStore):
            def trouble(self) -> str | None:
                return "away" if self.is_away else None

        store = Store(Clock(), max_age=9, max_size=9, max_bytes=9)
        store.is_away = True
        health = make_service(session_store=store).health
        self.assertEqual(health.notes, {"sessions": "away"})
        store.is_away = False
        self.assertEqual((health.troubles, health.notes), ({"service": "starting"}, {}))

    def test_sessions_in_redis(self) -> None:
        """Nothing is known of a Redis that was not asked for."""
        health = make_service(session_store="redis://localhost").health
        self.assertEqual((health.troubles, health.notes), ({"service": "starting"}, {}))

    def test_ports(self) -> None:
        """A service is not ready before the last of its ports is open."""
        reactor = MemoryReactorClock()
        settings = Settings(debug=True, **PATHS)
        service = MojoService(reactor, settings, endpoints=["tcp:80", "tcp:81"])
        service.startService()
        self.assertEqual(service.health.troubles, {})
        service._listening._ports.pop()  # as if its endpoint still waited
        self.assertEqual(service.health.troubles, {"service": "starting"})
        service.stopService()
        reactor.pump([0] * 4)

    def test_requests(self) -> None:
        """HEAD too, with or without a slash; nothing is below, and nothing takes a POST."""
        for path in ("/healthz", "/healthz/"):
            self.assertEqual(self.browser.get(path).status, 200)
        head = self.browser.request("HEAD", "/healthz")
        self.assertEqual((head.status, head.text), (200, ""))
        self.assertEqual(self.browser.get("/healthz/x").status, 404)
        self.assertEqual(self.browser.post("/healthz").status, 405)

    def test_off(self) -> None:
        """Nothing is told to anybody unless the settings say so."""
        browser = Browser(make_service())
        for path in ("/healthz", "/readyz", "/health", "/ready"):
            self.assertEqual(browser.get(path).status, 404)

    def test_log(self) -> None:
        """Who asks each second does not fill the log."""
        lines: list[str] = []
        observer = lambda event: lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for path in ("/healthz", "/healthz/", "/probes/ready"):
            self.browser.get(path)
        self.assertEqual(lines, [])
        self.browser.get("/other")
        self.assertEqual(len(lines), 1)

    def test_conflicts(self) -> None:
        """A path has one owner."""
        page = app_of({"/healthz": lambda self: None})
        with self.assertRaises(ProjectError) as caught:
            make_service(page, **PATHS)
        self.assertEqual(str(caught.exception), "app 'Test': '/healthz' is taken by HEALTH_PATH")
        with self.assertRaises(ProjectError) as caught:
            make_service(health_path="/socket.io", ready_path="/ready")
        self.assertIn("HEALTH_PATH: '/socket.io' is taken by Socket.IO", str(caught.exception))
        with self.assertRaises(ProjectError) as caught:
            make_service(health_path="/same", ready_path="/same/")
        self.assertIn("READY_PATH: '/same' is taken by HEALTH_PATH", str(caught.exception))

    def test_beside_pages(self) -> None:
        page = type("Page", (MojoRequestHandler,), {"get": lambda s: s.write("page")})
        app = App(name="All", urlpatterns=[("/.*", page)])
        browser = Browser(make_service(app, **PATHS))
        self.assertEqual(browser.get("/healthz").text, '{"live": true}\n')
        self.assertEqual(browser.get("/other").text, "page")
