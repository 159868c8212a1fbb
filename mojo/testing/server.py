"""
A whole service in memory: real Site, real frames and payloads, a clock in place of time.

Nothing in it is a stand-in but the transport below the Site and the clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.server import Site

from mojo.draining import GOODBYE_SECONDS
from mojo.project.app import App
from mojo.project.loader import load_project
from mojo.service import SAVE_SECONDS, MojoService
from mojo.sessions.cookies import LOGGED_IN, SESSION_ID
from mojo.settings import read_settings
from mojo.socketio.connection import Connection
from mojo.socketio.handler import MojoSocketHandler
from mojo.socketio.parser import Parser
from mojo.testing.browser import Browser
from mojo.testing.client import Link, TestClient
from mojo.testing.engine import CLIENTS
from mojo.testing.noticed import Noticed
from mojo.testing.wire import ADDRESS
from mojo.users import user_key

#: The seconds since the epoch at which a server's clock begins: 14 November 2023.
EPOCH = 1_700_000_000.0

_SECRET = "a secret for tests alone: 0123456789"  # noqa: S105
_STEP = 0.02


class TestServer:
    """
    A service that runs in a test.

    Args:
        parts: what it serves: a handler class, which has the root namespace; or `App`
            objects; or the folder of a project; or a `MojoService` that was made on a
            ``Clock`` and listens nowhere.
        settings: settings in place of the project's, by their names in ``settings.py``;
            ``"SOCKET_IO.ping_interval"`` is one key.
        transport: ``"websocket"`` or ``"polling"``, for clients that are not told
            otherwise.
        site: the Site that is connected to, where the service's mounts were put into
            another; by default the service's own.

    Raises:
        ProjectError: the project or the apps are wrong.
        SettingsError: the settings are.

    Attributes:
        service: the service, as the app's code knows it.
        clock: its time.  Clients answer pings when they are looked at, and during
            `advance`: while the clock alone is advanced they are silent.
        transport: see above.
        noticed: what the log has said.
    """

    # It is no test, whatever pytest makes of its name.
    __test__ = False

    def __init__(
        self,
        *parts: type[MojoSocketHandler] | App | MojoService | str | Path,
        settings: Mapping[str, Any] | None = None,
        transport: str = "websocket",
        site: Site | None = None,
    ) -> None:
        self.service = _service_of(parts, settings or {})
        clock = self.service.reactor
        if not isinstance(clock, Clock):
            raise TypeError(f"the service must be made on a Clock, not on {clock!r}")
        self.clock = clock
        self.transport = transport
        self.noticed = Noticed()
        self._sockets = self.service._sockets
        self._site = site or self.service.site
        self._links: list[Link] = []
        self._is_closed = False
        self.noticed.begin()
        try:
            if not self.service.running:
                self.service.startService()
        except BaseException:
            self.noticed.end()
            raise

    def __enter__(self) -> TestServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except AssertionError:
            # What went wrong first is what its author wants to read.
            if error is None:
                raise

    @property
    def site(self) -> Site:
        """The Site that is connected to."""
        return self._site

    @property
    def parser(self) -> Parser:
        """The service's parser."""
        return self._sockets.parser

    @property
    def errors(self) -> list[BaseException]:
        """
        The exceptions that were logged, in order, such as those of handlers and pages.

        Under ``twisted.trial`` a test fails with them unless it calls ``flushLoggedErrors``.
        """
        return self.noticed.errors

    # -- clients ------------------------------------------------------------

    def connect(
        self,
        namespace: str | None = None,
        *,
        user_id: str | int | None = None,
        session_id: str | None = None,
        browser: Browser | None = None,
        auth: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        path: str | None = None,
        transport: str | None = None,
        address: str = ADDRESS,
        secure: bool = False,
    ) -> TestClient:
        """
        Connect a client.

        Whether it was let in is then to be asked: `TestClient.connected`, `TestClient.refused`.

        Args:
            namespace: such as ``"/ChatSocket"``; by default the one there is.
            user_id: the login; see `browser`.
            session_id: the visitor; see `browser`.
            browser: in place of these, whose cookies the client has, and the address.
            auth: what the handler gets as ``request.auth``.
            query: more of the URL's query.
            headers: more request headers.
            path: an app's own path, ``"/ChatSocket/"``, where its namespace is ``"/"``;
                by default the shared one.
            transport: in place of the server's.
            address: the client's address.
            secure: whether by TLS.
        Raises:
            LookupError: there are several namespaces, and none was named.
            TypeError: a browser and a login were given.
        """
        if browser is not None and (user_id is not None or session_id is not None):
            raise TypeError("a browser has its cookies already")
        if browser is None:
            browser = self.browser(user_id, session_id, address=address, secure=secure)
        if namespace is None:
            namespace = "/" if path is not None else self._only_namespace()
        cookie = {"Cookie": browser.cookie_header} if browser.jar else {}
        engine = CLIENTS[transport or self.transport](
            self,
            path or self.service.settings.socket_io.path,
            f"&{urlencode(query)}" if query else "",
            {**cookie, **(headers or {})},
            address=browser.address,
            secure=browser.secure,
        )
        link = Link(self, engine)
        self._links.append(link)
        return TestClient(link, namespace, auth)

    def browser(
        self,
        user_id: str | int | None = None,
        session_id: str | None = None,
        *,
        address: str = ADDRESS,
        secure: bool = False,
    ) -> Browser:
        """
        Give someone a browser, whose cookies are sealed as pages would seal them.

        Args:
            user_id: the login in its ``logged_in`` cookie; ``None`` for no login.
            session_id: the visitor in its ``session_id`` cookie.  A login belongs to a
                session: without one, ``"ada"`` has ``"session-of-ada"``.
            address: the visitor's address.
            secure: whether by https.
        """
        jar = {}
        if user_id is not None:
            key = user_key(user_id)
            jar[LOGGED_IN] = self.service.cookies.seal(LOGGED_IN, key)
            session_id = session_id or f"session-of-{key}"
        if session_id is not None:
            jar[SESSION_ID] = self.service.cookies.seal(SESSION_ID, session_id)
        return Browser(self, jar, address=address, secure=secure)

    def handler_of(self, connection_id: str) -> MojoSocketHandler | None:
        """Give the handler of a connection, if it is here."""
        for connection in self._connections():
            if connection.id == connection_id:
                assert isinstance(connection.handler, MojoSocketHandler)
                return connection.handler
        return None

    # -- time ---------------------------------------------------------------

    def turn(self) -> None:
        """End the reactor's turn: what was sent leaves."""
        self.clock.advance(0)

    def advance(self, seconds: float) -> None:
        """
        Let time pass, in which clients read and answer pings as real ones do.

        It stops at every moment at which something is due, whatever the step.
        """
        end = self.clock.seconds() + seconds
        while True:
            self._read()
            due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=inf)
            if due > end and self.clock.seconds() >= end:
                return
            # Set and not added to: 0.3 and 0.6 more are past the 0.9 at which something is due.
            self.clock.rightNow = max(min(due, end), self.clock.seconds())
            self.turn()

    def close(self) -> None:
        """
        Stop the service, and check that nothing of it is left.

        Raises:
            AssertionError: it did not stop, or left a call on the clock or a connection.
        """
        if self._is_closed:
            return
        self._is_closed = True
        stopped: list[object] = []
        self.service.stopService().addBoth(stopped.append)
        try:
            longest = self.service.settings.drain_seconds + 2 * GOODBYE_SECONDS + SAVE_SECONDS + 1
            for _ in range(int(longest / _STEP)):
                self.advance(_STEP)
                if stopped:
                    break
        finally:
            self.noticed.end()
        for channel in tuple(self.service.site.channels):
            channel.transport.settle()
        if stopped and isinstance(stopped[0], Failure):
            stopped[0].raiseException()
        left = [*self._connections(), *map(_describe, self.clock.getDelayedCalls())]
        if left or not stopped:
            raise AssertionError(f"left when the service had stopped: {left}")

    def _read(self) -> None:
        for link in self._links:
            link.read()
        self._links = [link for link in self._links if not link.engine.ended]

    def _connections(self) -> Iterator[Connection]:
        for place in self._sockets.places():
            yield from place.connections.values()

    def _only_namespace(self) -> str:
        apps = self.service._apps.values()
        names = [app.namespace for app in apps if app.handler is not None]
        if len(names) == 1:
            return names[0]
        raise LookupError(f"which namespace? there are {', '.join(names) or 'none'}")


def _service_of(parts: tuple[Any, ...], settings: Mapping[str, Any]) -> MojoService:
    if len(parts) == 1 and isinstance(parts[0], MojoService):
        if settings:
            raise TypeError("a service has its settings already")
        return parts[0]
    clock = Clock()

    def now() -> float:
        return EPOCH + clock.seconds()

    if len(parts) == 1 and isinstance(parts[0], str | Path):
        project = load_project(parts[0], settings.items())
        return MojoService(
            clock,
            project.settings,
            project.apps,
            project_name=project.name,
            path=project.path,
            now=now,
        )
    apps = [part if isinstance(part, App) else App(name="", handler=part) for part in parts]
    values = {"COOKIE_SECRET": _SECRET, "PROJECT_NAME": "a test's apps"}
    return MojoService(clock, read_settings(values, settings.items()), apps, now=now)


def _describe(call: IDelayedCall) -> str:
    function = getattr(call, "func", None)
    name = getattr(function, "__qualname__", None) or repr(function)
    return f"{name} at {call.getTime():g} s"
