"""An Engine.IO endpoint in memory, and an application that remembers."""

from __future__ import annotations

import itertools
import json

from twisted.internet.task import Clock
from twisted.web.resource import Resource

from mojo.engineio import EngineOptions, EngineResource, EngineServer, EngineSession, EngineSite
from mojo.testing.frames import WebSocketWire
from mojo.testing.http import Response
from mojo.testing.wire import Wire

POLLING = "/engine.io/?EIO=4&transport=polling"
WEBSOCKET = "/engine.io/?EIO=4&transport=websocket"


class Application:
    """Remembers what each session brought."""

    def __init__(self, session: EngineSession, log: list) -> None:
        self.session = session
        self.log = log

    def message_received(self, data: str | bytes) -> None:
        if data == "raise":
            raise ValueError("as asked")
        self.log.append(data)

    def session_closed(self, reason: str) -> None:
        self.log.append(("closed", str(reason)))


class Endpoint:
    """
    A Site with one mount at ``/engine.io/`` and a clock.

    Attributes:
        log: the messages that came, and ``("closed", reason)``.
        clock: the sessions' time.
        http_clock: the time of the HTTP connections' own deadlines.
    """

    def __init__(self, *, identify=None, **options: object) -> None:
        self.clock = Clock()
        self.http_clock = Clock()
        self.log: list = []
        self.applications: list[Application] = []
        ids = itertools.count(1)
        kwargs = {} if identify is None else {"identify": identify}
        self.engine = EngineServer(
            self._receiver,
            self.clock,
            EngineOptions(**options),
            new_id=lambda: f"eid{next(ids)}",
            **kwargs,
        )
        resource = EngineResource(self.engine)
        root = Resource()
        root.putChild(b"engine.io", resource)
        self.site = EngineSite(root, {b"/engine.io": resource}, self.http_clock)

    def _receiver(self, session: EngineSession) -> Application:
        application = Application(session, self.log)
        self.applications.append(application)
        return application

    @property
    def session(self) -> EngineSession:
        """The session that was opened last."""
        return self.applications[-1].session

    def turn(self) -> None:
        """End the reactor's turn: what was sent leaves."""
        self.clock.advance(0)

    def wire(self, **options: object) -> Wire:
        return Wire(self.site, **options)

    def get(self, uri: str = POLLING, **headers: str) -> Response | None:
        """Send a GET on a connection of its own."""
        return self.wire().get(uri, **headers)

    def post(self, uri: str, body: bytes, **headers: str) -> Response | None:
        return self.wire().post(uri, body, **headers)

    def open_polling(self, **headers: str) -> str:
        """Open a session by long-polling; give the URI of its requests."""
        response = self.get(POLLING, **headers)
        assert response is not None and response.status == 200, response
        return f"{POLLING}&sid={json.loads(response.text[1:])['sid']}"

    def open_websocket(self, uri: str = WEBSOCKET, **options: object) -> WebSocketWire:
        """Open a WebSocket; the open packet of a new session is taken."""
        socket = WebSocketWire(self.site, uri, **options)
        assert socket.status == 101, socket.head
        if "EIO=3" in uri:
            assert socket.messages() == []
            self.clock.advance(0.01)
        if "sid=" not in uri:
            (opened,) = socket.messages()
            assert opened[0] == "0", opened
        return socket
