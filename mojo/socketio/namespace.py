"""
One namespace: the connections to an app, and who carries its broadcasts.

A namespace has one name, under which it is reached on the shared path; on its app's own
path the same namespace is the root.  See `mojo.socketio.server`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mojo.engineio.ports import CloseReason
from mojo.guards import Guard
from mojo.socketio.adapter import Answer, LocalAdapter, MakeAdapter, Target
from mojo.socketio.connection import Connection
from mojo.socketio.dialect import Query
from mojo.socketio.logins import LiveLogins
from mojo.socketio.message import Message
from mojo.socketio.namespace_operator import NamespaceOperator
from mojo.socketio.once import HandledEvents
from mojo.socketio.options import SocketOptions
from mojo.socketio.parser import Parser
from mojo.socketio.places import Identity
from mojo.socketio.ports import Carrier, Middleware, SessionSource
from mojo.socketio.presence import PresenceBoard
from mojo.socketio.reasons import RECOVERABLE
from mojo.socketio.recovery import (
    Comeback,
    RecoveringAdapter,
    RecoveryOptions,
    Restored,
)
from mojo.socketio.recovery_port import MakeRecovery, Recovery
from mojo.socketio.request import SocketRequest
from mojo.socketio.rooms import Room
from mojo.socketio.server_events import ServerListeners
from mojo.socketio.stats import SocketStats
from mojo.socketio.turns import Unfinished
from mojo.users import Users


class Observer(Protocol):
    """Who wants to know who is here."""

    def connection_opened(self, connection: Connection) -> None:
        """A connection was let in."""

    def connection_logged_out(self, connection: Connection, user_id: str) -> None:
        """A connection lost its login."""

    def connection_moved(self, connection: Connection, former: str) -> None:
        """A connection's visitor has another id."""

    def connection_closed(self, connection: Connection, *, may_return: bool) -> None:
        """A connection that was let in is gone; perhaps without having said so."""

    def identities_forgotten(self, of: Callable[[Identity], bool]) -> None:
        """Some visitors have logged out, also those who are away."""


class Host(Protocol):
    """What a namespace needs of its server."""

    clock: IReactorTime
    options: SocketOptions
    parser: Parser
    observer: Observer
    owner: Any
    new_id: Callable[[], str]
    new_ack_id: Callable[[], int]
    stats: SocketStats
    unfinished: Unfinished
    logins: LiveLogins
    presence: PresenceBoard
    users: Users
    sessions: SessionSource | None
    make_adapter: MakeAdapter
    make_recovery: MakeRecovery | None

    def namespace_empty(self, namespace: Namespace) -> None:
        """A namespace lost its last connection."""


class HandlerClass(Protocol):
    """A subclass of ``MojoSocketHandler``."""

    middleware: Sequence[Middleware]
    guards: Sequence[Guard]

    def __call__(self, connection: Connection) -> Any:
        """Make the app's object for a connection."""


def session_room(session_id: str) -> Room:
    """The room of a visitor's connections."""
    return ("session", session_id)


def user_room(user_id: str) -> Room:
    """The room of a login's connections."""
    return ("user", user_id)


class Namespace:
    """
    One namespace of a server.

    Args:
        host: the server.
        name: such as ``"/ChatSocket"``.
        handler_class: makes the app's object for each connection.
        app: the name of the app that it belongs to; ``""`` for the project's own.
        params: what a pattern found in the name; ``None`` for a namespace that is
            always there.

    Attributes:
        adapter: keeps the rooms and carries the broadcasts.
        guards: what lets in some users only.
        handled: remembers the events that are handled once.
        middleware: what is asked before a handler's ``on_open``.
        operator: everyone here.
        recovery: the adapter of this process, where clients may come back.
        server_listeners: who hears what other servers emit here.
        parser: makes what is sent.
        presence: the lists of who is here, with those of other namespaces.
        users: makes users of their ids.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        handler_class: HandlerClass,
        app: str,
        params: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.app = app
        self.clock = host.clock
        self.options = host.options
        self.parser = host.parser
        self.presence = host.presence
        self.owner = host.owner
        self.params: Mapping[str, str] = MappingProxyType(dict(params or {}))
        self.on_demand = params is not None
        self.handled = HandledEvents(
            host.clock, host.options.idempotency_window, host.options.max_idempotent_events
        )
        kept = self._make_recovery(host)
        self.recovery: Recovery | None = kept
        self.server_listeners = ServerListeners(name)
        local = LocalAdapter(host.presence.left_room) if kept is None else kept
        self.adapter = host.make_adapter(self, local)
        self.operator = NamespaceOperator(self)
        self.guards = tuple(handler_class.guards)
        self.middleware: list[Middleware] = [*_admission(handler_class), *handler_class.middleware]
        self.users = host.users
        self.make_handler = handler_class
        self.new_ack_id = host.new_ack_id
        self.stats = host.stats
        self.unfinished = host.unfinished
        self._host = host
        self._connections: dict[str, Connection] = {}
        self._by_pid: dict[str, Connection] = {}
        self._present = 0
        self._was_used = False

    def _make_recovery(self, host: Host) -> Any:
        if host.options.recovery is None:
            return None
        options = RecoveryOptions(**host.options.recovery)  # type: ignore[arg-type]
        if host.make_recovery is not None:
            shared = host.make_recovery(self.name, host.parser, options, host.presence.left_room)
            if shared is not None:
                return shared
        return RecoveringAdapter(
            host.clock, options, host.new_id(), self._go_if_idle, host.presence.left_room
        )

    def __repr__(self) -> str:
        return f"<Namespace {self.name} of {len(self._connections)}>"

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The open connections by their ids."""
        return MappingProxyType(self._connections)

    @property
    def sessions(self) -> SessionSource | None:
        """Where the sessions of visitors come from."""
        return self._host.sessions

    @property
    def is_needed(self) -> bool:
        """Whether it was made for good, or may not go when it is empty."""
        keep = self._was_used and not self.options.cleanup_empty_namespaces
        waits = self.recovery is not None and self.recovery.waits
        return not self.on_demand or keep or waits or self._present > 0

    def places(self) -> Collection[Namespace]:
        """Give itself: it is an `Audience` of one."""
        return (self,)

    def recall(self, client: Carrier, auth: dict[str, Any]) -> Deferred[Restored | None] | None:
        """Ask for the place of a client that may have been at another server, if it can be."""
        if self.recovery is None or not self.recovery.is_shared or not client.dialect.recovers:
            return None
        credential = self._host.logins.from_auth(auth)
        user_id = client.user_id if credential is None else credential.user_id
        identity = Identity(client.session.handshake.session_id, user_id)
        pid = auth.get("pid")
        if isinstance(pid, str):
            self._end_former(client, pid, identity)
        return self.recovery.recall(pid, auth.get("offset"), identity)

    def connect(
        self,
        client: Carrier,
        wire_name: str,
        auth: dict[str, Any],
        query: Query,
        restored: Restored | None = None,
    ) -> Connection:
        """
        Make a connection; its ``open`` must follow at once.

        Args:
            client: whose it is.
            wire_name: the namespace's name as the client knows it.
            auth: see `SocketRequest`.
            query: see `SocketRequest`.
            restored: what `recall` has given.
        """
        session = client.session
        credential = self._host.logins.from_auth(auth)
        user_id = client.user_id if credential is None else credential.user_id
        comeback = None
        if self.recovery is not None and client.dialect.recovers:
            auth = dict(auth)
            pid, offset = auth.pop("pid", None), auth.pop("offset", None)
            if isinstance(pid, str) and restored is None:
                identity = Identity(session.handshake.session_id, user_id)
                restored = self._restore(self.recovery, client, identity, pid, offset)
            if restored is not None and isinstance(pid, str):
                comeback = Comeback(pid, restored.place.since, restored.missed)
            else:
                comeback = Comeback(self._host.new_id(), self.recovery.position, [])
        request = SocketRequest(session.handshake, auth, user_id, query)
        if restored is not None:
            cid = restored.place.id
        else:
            cid = client.dialect.make_id(session.eid, wire_name, self._host.new_id)
        connection = Connection(self, client, wire_name, cid, request)
        connection.comeback = comeback
        if credential is not None:
            self._host.logins.hold(connection, credential)
        # Before the app is asked, so that what it sends to everyone in on_open reaches
        # the newcomer too; nothing leaves before the client was told it is connected.
        self._present += 1
        self.adapter.add(connection)
        self.adapter.join(connection, connection.id)
        if connection.session_id is not None:
            self.adapter.join(connection, session_room(connection.session_id))
        if connection.user_id is not None:
            self.adapter.join(connection, user_room(connection.user_id))
        if self.recovery is not None and restored is not None:
            request.recovered = True
            connection.data = restored.place.data
            self.recovery.take_place(connection, restored.place)
            self.presence.resume(connection, restored.place.lists)
        return connection

    def _restore(
        self,
        recovery: Recovery,
        client: Carrier,
        identity: Identity,
        pid: str,
        offset: object,
    ) -> Restored | None:
        self._end_former(client, pid, identity)
        return recovery.restore(pid, offset, identity)

    def _end_former(self, client: Carrier, pid: str, identity: Identity) -> None:
        former = self._by_pid.get(pid)
        if former is not None and former.client is not client and _identity_of(former) == identity:
            # It was not noticed yet that the client had gone.
            former.client.session.lose(CloseReason.TRANSPORT_CLOSE)

    def send_to(self, connection: Connection, message: Message) -> None:
        """Send a message to one connection, now or when its client comes back."""
        if self.recovery is None or message.event is None:
            connection.send(message)
        else:
            target = Target(rooms=frozenset((connection.id,)))
            # What another server may have to send again must be known to all.
            carrier = self.adapter if self.recovery.is_shared else self.recovery
            carrier.broadcast(message, target)

    def server_event(self, name: str, args: Sequence[Any], answer: Answer | None) -> None:
        """Hear what another server emitted here; see `ServerListeners`."""
        self.server_listeners.hear(name, args, answer)

    def forget_login(
        self, is_out: Callable[[Identity], bool], session_id: str | None, user_id: str | None
    ) -> None:
        """Wait no longer for clients of a session or a user who have logged out."""
        if self.recovery is not None:
            self.recovery.forget_identities(is_out, session_id, user_id)

    def stop(self) -> None:
        """Wait for no client and no other server, and leave no timer."""
        self.adapter.give_up()
        if self.recovery is not None:
            self.recovery.clear()

    def opened(self, connection: Connection) -> None:
        """Count in a connection that was let in."""
        self._was_used = True
        if connection.comeback is not None:
            self._by_pid[connection.comeback.pid] = connection
        self._connections[connection.id] = connection
        self.stats.connection_opened()
        self._host.observer.connection_opened(connection)
        self.presence.opened(connection)

    def logged_out(self, connection: Connection, user_id: str) -> None:
        """Note that a connection lost its login."""
        self._host.logins.drop(connection)
        self.adapter.leave(connection, user_room(user_id))
        self.presence.logged_out(connection)
        if connection.id in self._connections:
            self._host.observer.connection_logged_out(connection, user_id)

    def moved(self, connection: Connection, former: str | None, session_id: str) -> None:
        """Note that a connection's visitor has another id."""
        if former is not None:
            self.adapter.swap(connection, session_room(former), session_room(session_id))
            if connection.id in self._connections:
                self._host.observer.connection_moved(connection, former)

    def visitor_moved(self, former: str, session_id: str) -> None:
        """Keep for a visitor with another id what is kept here of the former one."""
        self.handled.rename(former, session_id)
        if self.recovery is not None:
            rooms = session_room(former), session_room(session_id)
            self.recovery.rename_visitor(former, session_id, *rooms)

    def remove(self, connection: Connection, reason: str) -> None:
        """Drop a connection, whether it was let in or not."""
        self._host.logins.drop(connection)
        was_open = self._connections.pop(connection.id, None) is not None
        may_return = was_open and reason in RECOVERABLE
        lists = None
        if was_open:
            lists = self.presence.closed(connection, may_return=may_return)
        else:
            self.presence.refused(connection)
        comeback = connection.comeback
        if self.recovery is not None and comeback is not None:
            self._by_pid.pop(comeback.pid, None)
            if may_return:
                self.recovery.save(
                    comeback.pid,
                    connection,
                    identity=_identity_of(connection),
                    data=connection.data,
                    since=comeback.since,
                    lists=lists,
                )
        self.adapter.remove(connection)
        if was_open:
            self.stats.connection_closed()
            self._host.observer.connection_closed(connection, may_return=may_return)
        else:
            self.stats.refused_connections += 1
        self._present -= 1
        self._go_if_idle()

    def _go_if_idle(self) -> None:
        if not self.is_needed:
            self._host.namespace_empty(self)


def _admission(handler_class: HandlerClass) -> Sequence[Middleware]:
    """Give the middleware that asks the guards of a class, before any other."""
    return (lambda handler: handler.ask_guards(),) if handler_class.guards else ()


def _identity_of(connection: Connection) -> Identity:
    return Identity(connection.session_id, connection.user_id)
