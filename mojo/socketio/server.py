"""
The namespaces of one server, and the mounts at which clients reach them.

An app is reached in two ways, which may be used at once: as a namespace of the shared
path, ``io("/ChatSocket")``, and as the root of a path of its own,
``io({path: "/ChatSocket/"})``.  Both lead to the same `Namespace`: the same handler class,
rooms and broadcasts.  A mount is therefore a way from names on the wire to namespaces.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.interfaces import IReactorTime

from mojo.credential import Credential
from mojo.engineio.deadlines import Deadlines
from mojo.engineio.handshake import Handshake, Identify, identify_nobody
from mojo.engineio.options import EngineOptions
from mojo.engineio.ports import CloseReason
from mojo.engineio.server import EngineServer, new_id
from mojo.engineio.session import EngineSession
from mojo.engineio.stats import EngineStats
from mojo.errors import EventTableError
from mojo.socketio.adapter import MakeAdapter, MakeRemote, alone
from mojo.socketio.client import Client
from mojo.socketio.connection import Connection
from mojo.socketio.handler import MojoSocketHandler
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.logins import LiveLogins
from mojo.socketio.namespace import Namespace, Observer
from mojo.socketio.operator import BroadcastOperator
from mojo.socketio.options import SocketOptions
from mojo.socketio.packet import ROOT
from mojo.socketio.parents import Names, OnDemand, ParentNamespace, is_name, is_plain
from mojo.socketio.parser import Parser
from mojo.socketio.places import Identity
from mojo.socketio.ports import SessionSource
from mojo.socketio.presence import GRACE_SECONDS, PresenceBoard
from mojo.socketio.recovery_port import MakeRecovery
from mojo.socketio.stats import SocketStats
from mojo.socketio.turns import Unfinished
from mojo.socketio.visitors import VisitorClients
from mojo.users import Users


class _Nobody:
    """The observer of a server that keeps no registry."""

    def connection_opened(self, connection: Connection) -> None:
        """Nobody wants to know."""

    def connection_logged_out(self, connection: Connection, user_id: str) -> None:
        """Nobody wants to know."""

    def connection_moved(self, connection: Connection, former: str) -> None:
        """Nobody wants to know."""

    def connection_closed(self, connection: Connection, *, may_return: bool) -> None:
        """Nobody wants to know."""

    def identities_forgotten(self, of: Callable[[Identity], bool]) -> None:
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
        now: gives the seconds since the epoch, for logins; by default the clock's.
        presence_grace: seconds for which somebody whose connection broke is not gone.

    Attributes:
        logins: what its clients' logins rest on.
        presence: the lists of who is here.
        users: makes users of their ids.
        make_adapter: makes the adapters of its namespaces; to be set before there are any.
        make_remote: makes those to namespaces that only other servers have, if there are others.
        make_recovery: makes what keeps places where other servers find them, if any.
        sessions: where the sessions of visitors come from, if it keeps any.
        unfinished: what apps are still at work on of connections that are gone.
        stats: what it counts.
        engine_stats: what its mounts count, together.
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
        now: Callable[[], float] | None = None,
        presence_grace: float = GRACE_SECONDS,
    ) -> None:
        self.clock = clock
        self.options = options or SocketOptions()
        self.observer: Observer = observer or _Nobody()
        self.logins = LiveLogins(clock, now or clock.seconds)
        self._visitors = VisitorClients(self, self.logins)
        self.users = Users()
        self.sessions: SessionSource | None = None
        self.make_adapter: MakeAdapter = alone
        self.make_remote: MakeRemote | None = None
        self.make_recovery: MakeRecovery | None = None
        self.new_id = new_id
        # count() is atomic: ids may be made in any thread.
        self.new_ack_id: Callable[[], int] = itertools.count().__next__
        self.owner = owner
        self.parser: Parser = parser or JsonParser()
        self.presence = PresenceBoard(clock, self.parser, presence_grace)
        self.unfinished = Unfinished()
        self.stats = SocketStats()
        self.engine_stats = EngineStats()
        self._attachments: Deadlines[Client] = Deadlines(
            clock, self.options.attachment_timeout, _attachment_late
        )
        self._unjoined: Deadlines[Client] = Deadlines(
            clock, self.options.connect_timeout, _joined_nothing
        )
        self._namespaces: dict[str, Namespace] = {}
        self._parents: dict[str, ParentNamespace] = {}
        self._engines: list[EngineServer] = []

    @property
    def namespaces(self) -> Mapping[str, Namespace]:
        """The namespaces by name."""
        return MappingProxyType(self._namespaces)

    def add_namespace(
        self, name: Names, handler_class: type[MojoSocketHandler], app: str = "", below: str = ""
    ) -> None:
        """
        Add a namespace, and those of the handler's ``__endpoints__`` below it.

        Args:
            name: its name, or what is made on demand is called; see `ParentNamespace`.
            handler_class: makes the app's object for each connection.
            app: the name of the app.
            below: what comes before the name.
        Raises:
            EventTableError: the name is no namespace's name, or is taken.
        """
        who = handler_class.__qualname__
        if isinstance(name, str) and is_plain(name):
            full = below + name
            if not is_name(full):
                raise EventTableError(f"{who}: {full!r} cannot be a namespace's name")
            if full in self._namespaces:
                raise EventTableError(f"{who}: {full!r} is a namespace already")
            self._namespaces[full] = Namespace(self, full, handler_class, app)
        else:
            try:
                parent = ParentNamespace(self, below, name, handler_class, app)
            except EventTableError as exc:
                raise EventTableError(f"{who}: {exc}") from exc
            if parent.name in self._parents:
                raise EventTableError(f"{who}: there are two declarations of {parent.name!r}")
            self._parents[parent.name] = parent
            full = parent.name
        for endpoint, endpoint_class in handler_class.__endpoints__.items():
            where = f"{who}.__endpoints__[{endpoint!r}]"
            if isinstance(endpoint, str) and not endpoint.startswith("/"):
                raise EventTableError(f"{where}: a name begins with a slash, as '/admin'")
            if not isinstance(name, str):
                raise EventTableError(f"{where}: only a name can have others below it")
            if not (
                isinstance(endpoint_class, type) and issubclass(endpoint_class, MojoSocketHandler)
            ):
                raise EventTableError(f"{where}: {endpoint_class!r} is no MojoSocketHandler")
            if not isinstance(endpoint, str) and not is_plain(name):
                raise EventTableError(f"{where}: below a name with parameters only names can be")
            if isinstance(endpoint, str):
                self.add_namespace(full.rstrip("/") + endpoint, endpoint_class, app)
            else:
                self.add_namespace(endpoint, endpoint_class, app, below=full.rstrip("/"))

    def resolve(self, name: str, auth: dict[str, Any]) -> Namespace | None:
        """
        Give the namespace of a name; one that is made on demand may be made now.

        Args:
            name: its name.
            auth: what the client that asks for it gave.
        """
        namespace = self._namespaces.get(name)
        if namespace is not None:
            return namespace if self._is_open_to(namespace, auth) else None
        for parent in self._parents.values():
            params = parent.match(name, auth)
            if params is not None:
                namespace = Namespace(self, name, parent.handler_class, parent.app, params)
                self._namespaces[name] = parent.children[name] = namespace
                return namespace
        return None

    def _is_open_to(self, namespace: Namespace, auth: dict[str, Any]) -> bool:
        """Ask the predicate that a namespace was made by, which let in whoever came first."""
        if not namespace.on_demand:
            return True
        makers = (p for p in self._parents.values() if p.children.get(namespace.name) is namespace)
        return all(parent.match(namespace.name, auth) is not None for parent in makers)

    def of(self, name: str) -> BroadcastOperator:
        """
        Give everyone in a namespace, or in all that are made of one declaration.

        Args:
            name: as it is known or as it was declared: ``"/DocsSocket/doc/<id>"``.  What
                is made on demand need not be there: nobody hears what is sent then.
        Raises:
            LookupError: there is none, and none can be made.
        """
        found = self._namespaces.get(name) or self._parents.get(name)
        if found is not None and not (isinstance(found, Namespace) and found.on_demand):
            return found.operator
        if found is None and not any(parent.may_make(name) for parent in self._parents.values()):
            raise LookupError(f"there is no namespace {name!r}")
        return BroadcastOperator(OnDemand(self, name))

    def places(self) -> Collection[Namespace]:
        """Give all namespaces there are now; see `Audience`."""
        return tuple(self._namespaces.values())

    def namespace_empty(self, namespace: Namespace) -> None:
        """Drop a namespace that was made on demand, and is not needed."""
        if self._namespaces.get(namespace.name) is namespace:
            del self._namespaces[namespace.name]
            namespace.adapter.close()
        for parent in self._parents.values():
            if parent.children.get(namespace.name) is namespace:
                del parent.children[namespace.name]

    def add_mount(
        self,
        options: EngineOptions,
        identify: Identify = identify_nobody,
        *,
        below: str = ROOT,
    ) -> EngineServer:
        """
        Add an Engine.IO endpoint through which clients reach some namespaces.

        Args:
            options: the endpoint's options.
            identify: tells from cookies who the visitor is.
            below: the namespace that is ``"/"`` there; what is below it is below ``"/"``.
        """
        prefix = below.rstrip("/")

        def route(name: str, auth: dict[str, Any]) -> Namespace | None:
            return self.resolve(prefix if name == ROOT and prefix else prefix + name, auth)

        def receiver(session: EngineSession) -> Client:
            client = Client(self, route, session)
            if client.dialect.joins_root:
                # Not before the session has it: what the app does then may end both.
                self.clock.callLater(0, client.join_root)
            return client

        turns = self._engines[0].flushes if self._engines else None
        engine = EngineServer(
            receiver, self.clock, options, identify=identify, stats=self.engine_stats, flushes=turns
        )
        self._engines.append(engine)
        return engine

    def refuse_new(self) -> None:
        """Take no new clients; those that are here stay until `stop`."""
        for engine in self._engines:
            engine.refuse_new()

    def stop(self) -> None:
        """
        Close every session: its connections end with ``"server shutting down"``.

        What is left after a while ends with the mounts' `EngineServer.abort`.
        """
        for engine in self._engines:
            engine.stop()
        self._attachments.clear()
        self._unjoined.clear()
        self.logins.stop()
        for namespace in self.places():
            namespace.stop()
        self.presence.stop()

    def reopen(self) -> None:
        """Take clients again."""
        for engine in self._engines:
            engine.reopen()

    def log_out(
        self, session_id: str | None, user_id: str | None, reason: str, *, keep: str | None = None
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
        self._visitors.log_out(session_id, user_id, reason, keep)

    def adopt_login(self, session_id: str, credential: Credential) -> None:
        """Let a visitor's clients with that user's login live by another one of the user's."""
        self._visitors.adopt(session_id, credential)

    def user_changed(self, user_id: str) -> None:
        """Let handlers load a user anew, and guards ask again."""
        self._visitors.user_changed(user_id)

    def end_user(self, user_id: str, reason: str) -> None:
        """Take all logins of a user from whoever has one, by a cookie or by a token."""
        self._visitors.end_user(user_id, reason)

    def end_session(self, session_id: str, reason: str) -> None:
        """Take a visitor's logins, and end the clients."""
        self._visitors.end_session(session_id, reason)

    def move_visitor(
        self, former: str, session_id: str, is_theirs: Callable[[Handshake], bool]
    ) -> None:
        """
        Give a visitor another id, with all clients, connections, and places of those who are away.

        Args:
            former: the id that the visitor had.
            session_id: the new one.
            is_theirs: tells from a client's handshake whether it is the visitor's without
                any doubt.  Another one has to come back: its session is closed, so that
                the client connects again, with whatever cookie it has now.
        """
        self._visitors.move(former, session_id, is_theirs)

    # -- from the clients -----------------------------------------------------

    def client_arrived(self, client: Client) -> None:
        """
        Give a client some time to join a namespace.

        Whoever connects and never joins costs memory and proves nothing.  Beyond a
        number of them the one that has waited longest goes: a flood then pushes out
        its own, while a client that joins, which takes it milliseconds, is not held up.
        """
        self._visitors.arrived(client)
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
        self._visitors.gone(client)
        self._unjoined.stop(client)
        self._attachments.stop(client)

    def attachment_awaited(self, client: Client) -> None:
        """Give a client some time for the next attachment of a packet."""
        self._attachments.start(client)

    def attachments_complete(self, client: Client) -> None:
        """Note that a client's packet is complete."""
        self._attachments.stop(client)


def _joined_nothing(client: Client) -> None:
    client.session.close(CloseReason.FORCED_SERVER_CLOSE)


def _attachment_late(client: Client) -> None:
    client.session.fail(CloseReason.PARSE_ERROR, "an attachment did not come")
