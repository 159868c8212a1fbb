"""
The namespaces of one server, and the mounts at which clients reach them.

An app is reached in two ways, which may be used at once: as a namespace of the shared
path, ``io("/ChatSocket")``, and as the root of a path of its own,
``io({path: "/ChatSocket/"})``.  Both lead to the same `Namespace`: the same handler class,
rooms and broadcasts.  A mount is therefore a table from names on the wire to namespaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.interfaces import IReactorTime

from mojo.engineio.deadlines import Deadlines
from mojo.engineio.handshake import Identify, identify_nobody
from mojo.engineio.options import EngineOptions
from mojo.engineio.server import EngineServer, new_id
from mojo.engineio.session import CloseReason, EngineSession
from mojo.errors import EventTableError
from mojo.socketio.client import Client
from mojo.socketio.connection import Connection
from mojo.socketio.handler import MojoSocketHandler
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.namespace import Namespace, Observer, session_room, user_room
from mojo.socketio.options import SocketOptions
from mojo.socketio.packet import ROOT
from mojo.socketio.parser import Parser
from mojo.socketio.rooms import Room

# What ends a namespace's name on the wire, or could not be told from a path.
_NAME = re.compile(r"/[^\x00-\x20,?#\x7f]*")


class _Nobody:
    """The observer of a server that keeps no registry."""

    def connection_opened(self, connection: Connection) -> None:
        """Nobody wants to know."""

    def connection_logged_out(self, connection: Connection, user_id: str) -> None:
        """Nobody wants to know."""

    def connection_closed(self, connection: Connection) -> None:
        """Nobody wants to know."""


class SocketServer:
    """
    A Socket.IO server.

    Args:
        clock: tells the time and wakes us; the reactor, or a test's ``Clock``.
        options: see `SocketOptions`.
        observer: is told who comes and goes.
        new_id: makes the ids of connections.
        owner: whatever handlers should find as ``self.mojo``.
        parser: the format of the packets; its clients must have the same.
    """

    def __init__(
        self,
        clock: IReactorTime,
        options: SocketOptions | None = None,
        *,
        observer: Observer | None = None,
        new_id: Callable[[], str] = new_id,
        owner: Any = None,
        parser: Parser | None = None,
    ) -> None:
        self.clock = clock
        self.options = options or SocketOptions()
        self.observer: Observer = observer or _Nobody()
        self.new_id = new_id
        self.owner = owner
        self.parser: Parser = parser or JsonParser()
        self._attachments: Deadlines[Client] = Deadlines(
            clock, self.options.attachment_timeout, _attachment_late
        )
        self._unjoined: Deadlines[Client] = Deadlines(
            clock, self.options.connect_timeout, _joined_nothing
        )
        # Clients with a login, by their visitor, or by the login if they have none.
        self._logged_in: dict[Room, dict[Client, None]] = {}
        self._namespaces: dict[str, Namespace] = {}
        self._engines: list[EngineServer] = []

    @property
    def namespaces(self) -> Mapping[str, Namespace]:
        """The namespaces by name."""
        return MappingProxyType(self._namespaces)

    def add_namespace(
        self, name: str, handler_class: type[MojoSocketHandler], app: str = ""
    ) -> Namespace:
        """
        Add a namespace, and those of the handler's ``__endpoints__`` below it.

        Raises:
            EventTableError: the name is no namespace's name, or is taken.
        """
        if not _NAME.fullmatch(name) or (name.endswith("/") and name != ROOT):
            raise EventTableError(
                f"{handler_class.__qualname__}: {name!r} cannot be a namespace's name"
            )
        if name in self._namespaces:
            raise EventTableError(f"{handler_class.__qualname__}: {name!r} is a namespace already")
        namespace = self._namespaces[name] = Namespace(self, name, handler_class, app)
        for endpoint, endpoint_class in handler_class.__endpoints__.items():
            where = f"{handler_class.__qualname__}.__endpoints__[{endpoint!r}]"
            if not isinstance(endpoint, str) or not endpoint.startswith("/"):
                raise EventTableError(f"{where}: a name begins with a slash, as '/admin'")
            if not (
                isinstance(endpoint_class, type) and issubclass(endpoint_class, MojoSocketHandler)
            ):
                raise EventTableError(f"{where}: {endpoint_class!r} is no MojoSocketHandler")
            self.add_namespace(name.rstrip("/") + endpoint, endpoint_class, app)
        return namespace

    def routes_below(self, name: str) -> dict[str, Namespace]:
        """Give the routes of a mount whose root is a namespace."""
        prefix = name.rstrip("/")
        return {
            full[len(prefix) :] or ROOT: namespace
            for full, namespace in self._namespaces.items()
            if full == name or full.startswith(prefix + "/")
        }

    def add_mount(
        self,
        routes: Mapping[str, Namespace],
        options: EngineOptions,
        identify: Identify = identify_nobody,
    ) -> EngineServer:
        """
        Add an Engine.IO endpoint through which clients reach some namespaces.

        Args:
            routes: the namespaces by their names on the wire.
            options: the endpoint's options.
            identify: tells from cookies who the visitor is.
        """

        def receiver(session: EngineSession) -> Client:
            return Client(self, routes, session)

        engine = EngineServer(receiver, self.clock, options, identify=identify)
        self._engines.append(engine)
        return engine

    def stop(self) -> None:
        """
        Close every session: its connections end with ``"server shutting down"``.

        What is left after a while ends with the mounts' `EngineServer.abort`.
        """
        for engine in self._engines:
            engine.stop()
        self._attachments.clear()
        self._unjoined.clear()

    def reopen(self) -> None:
        """Take clients again."""
        for engine in self._engines:
            engine.reopen()

    def log_out(
        self,
        session_id: str | None,
        user_id: str | None,
        reason: str,
        *,
        keep: str | None = None,
    ) -> None:
        """
        Take their logins from the clients of one visitor.

        A client without any connection counts too: what it connects to later, on the
        same session, it connects to without the login.

        Args:
            session_id: the visitor, whatever logins there are; ``None`` for none.
            user_id: a login: of clients that came without a visitor's cookie, which are
                known by nothing else; ``None`` for none.
            reason: what the handlers' ``on_logout`` is told.
            keep: a login that stays.
        """
        homes = []
        if session_id is not None:
            homes.append(session_room(session_id))
        if user_id is not None:
            homes.append(user_room(user_id))
        for client in [client for home in homes for client in self._logged_in.get(home, ())]:
            if client.user_id != keep:
                self._forget_login(client)
                client.log_out(reason)

    # -- from the clients -----------------------------------------------------

    def client_arrived(self, client: Client) -> None:
        """
        Give a client some time to join a namespace.

        Whoever connects and never joins costs memory and proves nothing.  Beyond a
        number of them the one that has waited longest goes: a flood then pushes out
        its own, while a client that joins, which takes it milliseconds, is not held up.
        """
        if client.user_id is not None:
            self._logged_in.setdefault(_home(client), {})[client] = None
        self._unjoined.start(client)
        if len(self._unjoined) > self.options.max_unjoined:
            oldest = self._unjoined.oldest()
            assert oldest is not None
            self._unjoined.stop(oldest)
            _joined_nothing(oldest)

    def client_joined(self, client: Client) -> None:
        """Note that a client has joined a namespace."""
        self._unjoined.stop(client)

    def client_gone(self, client: Client) -> None:
        """Forget a client."""
        self._forget_login(client)
        self._unjoined.stop(client)
        self._attachments.stop(client)

    def _forget_login(self, client: Client) -> None:
        home = _home(client)
        clients = self._logged_in.get(home, {})
        clients.pop(client, None)
        if not clients:
            self._logged_in.pop(home, None)

    def attachment_awaited(self, client: Client) -> None:
        """Give a client some time for the next attachment of a packet."""
        self._attachments.start(client)

    def attachments_complete(self, client: Client) -> None:
        """Note that a client's packet is complete."""
        self._attachments.stop(client)


def _home(client: Client) -> Room:
    handshake = client.session.handshake
    if handshake.session_id is not None:
        return session_room(handshake.session_id)
    return user_room(handshake.user_id or "")


def _joined_nothing(client: Client) -> None:
    client.session.close(CloseReason.FORCED_SERVER_CLOSE)


def _attachment_late(client: Client) -> None:
    client.session.fail(CloseReason.PARSE_ERROR, "an attachment did not come")
