"""``CURRENT_SESSIONS`` and ``LOGGED_IN_SESSIONS``: whose they are."""

from __future__ import annotations

from twisted.internet.task import Clock

import mojo
from mojo import CURRENT_SESSIONS, LOGGED_IN_SESSIONS, App, MojoService, socket_handlers
from mojo.errors import AmbiguousServiceError
from mojo.project.loader import load_project
from mojo.sessions import current
from mojo.testing import TestServer
from tests.project.disk import DiskTestCase, unique
from tests.socketio.world import remembering
from tests.web.server import make_service, stop_service

READER = """
from mojo import CURRENT_SESSIONS, LOGGED_IN_SESSIONS, MojoSocketHandler

def read():
    return sorted(CURRENT_SESSIONS), sorted(LOGGED_IN_SESSIONS)

class SocketConnectionHandler(MojoSocketHandler):
    def on_message(self, msg):
        self.emit("read", read())
"""


class CurrentTests(DiskTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.assertEqual(current._running, [])
        self.patch(current, "_projects", set())

    def start(self, service) -> MojoService:
        service.startService()
        self.addCleanup(current.unbind, service)
        return service

    def connect(self, service, namespace: str, session: str, user: str):
        server = TestServer(service)
        self.addCleanup(server.close)
        return server.connect(namespace, session_id=session, user_id=user)

    def test_unbound(self) -> None:
        """Without a service they are empty, and read-only all the same."""
        for view in (CURRENT_SESSIONS, LOGGED_IN_SESSIONS):
            self.assertEqual((len(view), list(view), list(view.values())), (0, [], []))
            self.assertEqual(list(view.items()), [])
            self.assertNotIn("x", view)
            self.assertIsNone(view.get("x"))
            with self.assertRaises(TypeError):
                view["a"] = 1
        self.assertIs(mojo.CURRENT_SESSIONS, socket_handlers.CURRENT_SESSIONS)

    def test_one_service(self) -> None:
        """They show it to all code, until it stops."""
        service = self.start(make_service(App(name="Chat", handler=remembering())))
        self.connect(service, "/ChatSocket", "s1", "7")
        self.assertEqual((list(CURRENT_SESSIONS), list(LOGGED_IN_SESSIONS)), (["s1"], ["7"]))
        self.assertEqual(CURRENT_SESSIONS["s1"], service.current_sessions["s1"])
        self.assertEqual(LOGGED_IN_SESSIONS[7], service.logged_in_sessions["7"])
        self.assertEqual(CURRENT_SESSIONS.items(), service.current_sessions.items())
        self.assertNotIn("s1", repr(CURRENT_SESSIONS))
        stop_service(service)
        self.assertEqual(len(CURRENT_SESSIONS), 0)

    def test_two_services_without_projects(self) -> None:
        """Nobody can tell which is meant: an error that names both, not a guess."""
        first = self.start(make_service(project_name="one"))
        self.start(make_service(project_name="two"))
        for ask in (
            lambda: len(CURRENT_SESSIONS),
            lambda: list(LOGGED_IN_SESSIONS),
            CURRENT_SESSIONS.values,
            lambda: "x" in CURRENT_SESSIONS,
        ):
            with self.assertRaises(AmbiguousServiceError) as caught:
                ask()
            self.assertIn("(one, two)", str(caught.exception))
        current.unbind(first)
        self.assertEqual(len(CURRENT_SESSIONS), 0)

    def test_two_projects(self) -> None:
        """Each project's code sees its own service, also through code of others."""
        services = []
        for number in (1, 2):
            name = unique("App")
            path = self.project({f"Apps/{name}/socket_handlers.py": READER}, f"project{number}")
            project = load_project(path)
            service = MojoService.from_project(Clock(), project, endpoints=())
            services.append((self.start(service), f"/{name}Socket", project.apps[0].handler))
        clients = [
            self.connect(service, namespace, f"s{number}", f"u{number}")
            for number, (service, namespace, _) in enumerate(services)
        ]
        for number, ((_service, _namespace, handler), client) in enumerate(
            zip(services, clients, strict=True)
        ):
            client.send("x")
            read = [[f"s{number}"], [f"u{number}"]]
            self.assertEqual(client.received(), [("read", [read])])
            read = handler.on_message.__globals__["read"]
            self.assertEqual(read(), ([f"s{number}"], [f"u{number}"]))
        self.assertRaises(AmbiguousServiceError, len, CURRENT_SESSIONS)

    def test_two_services_of_a_project(self) -> None:
        """Its code cannot tell which is meant."""
        project = load_project(self.project({f"Apps/{unique('App')}/socket_handlers.py": READER}))
        for _ in range(2):
            self.start(MojoService.from_project(Clock(), project, endpoints=()))
        read = project.apps[0].handler.on_message.__globals__["read"]
        self.assertRaises(AmbiguousServiceError, read)

    def test_nested_projects(self) -> None:
        """Code of the inner project is not code of the outer."""
        readers = []
        for name in ("outer", "outer/inner"):
            path = self.project({f"Apps/{unique('App')}/socket_handlers.py": READER}, name)
            project = load_project(path)
            service = self.start(MojoService.from_project(Clock(), project, endpoints=()))
            self.connect(service, project.apps[0].namespace, f"visitor of {name}", "u")
            readers.append(project.apps[0].handler.on_message.__globals__["read"])
        self.assertEqual(
            [read()[0] for read in readers], [["visitor of outer"], ["visitor of outer/inner"]]
        )

    def test_project_whose_service_does_not_run(self) -> None:
        """It sees nobody, and not the visitors of another."""
        project = load_project(self.project({f"Apps/{unique('App')}/socket_handlers.py": READER}))
        MojoService.from_project(Clock(), project, endpoints=())
        other = self.start(make_service(App(name="Chat", handler=remembering())))
        self.connect(other, "/ChatSocket", "s1", "7")
        read = project.apps[0].handler.on_message.__globals__["read"]
        self.assertEqual(read(), ([], []))
        self.assertEqual(list(CURRENT_SESSIONS), ["s1"])

    def test_libraries_in_a_project(self) -> None:
        """An environment in a project's folder makes its packages no part of the project."""
        services = []
        for name in ("first", "second"):
            project = load_project(
                self.project({f"Apps/{unique('App')}/socket_handlers.py": READER}, name)
            )
            services.append(self.start(MojoService.from_project(Clock(), project, endpoints=())))
        prefix = services[0].project_prefix
        library = compile("run = lambda read: read()", f"{prefix}v/site-packages/l.py", "exec")
        names: dict = {}
        exec(library, names)
        read = project.apps[0].handler.on_message.__globals__["read"]
        self.connect(services[1], project.apps[0].namespace, "s2", "u")
        self.assertEqual(names["run"](read)[0], ["s2"])
        with self.assertRaises(AmbiguousServiceError):
            names["run"](lambda: len(CURRENT_SESSIONS))
