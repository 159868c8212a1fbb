"""
One client in one namespace.

A connection is ``OPENING`` while the app decides whether to let it in: it may already
be in rooms, and what is sent to it is held back until the client was told that it is
connected.  It is ``OPEN`` until one side or the transport ends it.

Events are handled one after another in the order in which they came, also when a
handler is async; ``on_close`` comes after the last of them.  Only acknowledgements, which
a handler may be waiting for, go past the queue.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import partial
from typing import Any, ClassVar, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import run
from mojo.engineio.packet import Packet as EnginePacket
from mojo.engineio.session import EngineSession
from mojo.errors import ConnectionRefused, EventArgumentsError, UnsendableError
from mojo.socketio.acks import Answered, PendingAcks
from mojo.socketio.adapter import Adapter
from mojo.socketio.event import UNHANDLED, EventTable
from mojo.socketio.message import Message
from mojo.socketio.operator import BroadcastOperator
from mojo.socketio.options import SocketOptions
from mojo.socketio.parser import Parser
from mojo.socketio.reasons import DisconnectReason
from mojo.socketio.request import SocketRequest
from mojo.socketio.rooms import Room
from mojo.socketio.threads import run_in_reactor
from mojo.socketio.turns import Turn, Turns

_log = Logger()


class ConnectionState(Enum):
    """Where a connection is in its life."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


class Carrier(Protocol):
    """What carries a connection's packets: its client."""

    session: EngineSession
    user_id: str | None

    def send(self, packets: Iterable[EnginePacket]) -> None:
        """Send Engine.IO packets."""

    def joined(self) -> None:
        """Note that a connection of the client is open."""

    def remove(self, connection: Connection) -> None:
        """Drop a connection that ended."""

    def pause(self, connection: Connection) -> None:
        """Read no more from the client: the connection cannot keep up."""

    def resume(self, connection: Connection) -> None:
        """Read again."""


class Home(Protocol):
    """Where a connection is: its namespace."""

    name: str
    app: str
    owner: Any
    clock: IReactorTime
    options: SocketOptions
    adapter: Adapter
    operator: BroadcastOperator
    parser: Parser

    def make_handler(self, connection: Connection) -> AppObject:
        """Make the app's object for a connection."""

    def opened(self, connection: Connection) -> None:
        """Count in a connection that was let in."""

    def logged_out(self, connection: Connection, user_id: str) -> None:
        """Note that a connection lost its login."""

    def remove(self, connection: Connection) -> None:
        """Drop a connection."""


class AppObject(Protocol):
    """What an app makes of a connection; see `mojo.socketio.handler`."""

    event_table: ClassVar[EventTable]
    sees_every_event: ClassVar[bool]

    def on_open(self, request: SocketRequest) -> Any:
        """Let the client in, or not."""

    def on_event(self, name: str, *args: Any) -> Any:
        """Handle any event."""

    def on_close(self, reason: str) -> Any:
        """Learn that the connection is gone."""

    def on_logout(self, reason: str) -> Any:
        """Learn that the login is gone."""

    def on_error(self, error: BaseException, event: str) -> Any:
        """Learn that one of these raised."""


class Connection:
    """
    One client in one namespace.

    Attributes:
        id: the id that the client knows; other clients may know it too.
        namespace: where it is connected.
        client: what carries it, with the client's other namespaces.
        wire_name: the namespace's name on the wire: an app is ``"/"`` on its own path.
        request: the handshake's facts and the client's ``auth``.
        user_id: the login now; it may go while the connection stays.
        state: see `ConnectionState`.
        handler: the app's object, from `open` on.
    """

    __slots__ = (
        "_acks",
        "_held",
        "_turns",
        "client",
        "handler",
        "id",
        "namespace",
        "request",
        "state",
        "user_id",
        "wire_name",
    )

    def __init__(
        self, namespace: Home, client: Carrier, wire_name: str, cid: str, request: SocketRequest
    ) -> None:
        self.id = cid
        self.namespace = namespace
        self.client = client
        self.wire_name = wire_name
        self.request = request
        self.user_id = request.user_id
        self.state = ConnectionState.OPENING
        self._acks = PendingAcks(namespace.clock, self._ack_callback_failed)
        self._held: list[Message] = []
        self._turns = Turns(
            namespace.options.max_queued_events,
            partial(client.pause, self),
            partial(client.resume, self),
        )
        self.handler: AppObject

    def __repr__(self) -> str:
        return f"<Connection {self.id} in {self.namespace.name}, {self.state.value}>"

    @property
    def session_id(self) -> str | None:
        """The visitor whose connection this is."""
        return self.request.session_id

    # -- opening ------------------------------------------------------------

    def open(self) -> None:
        """Ask the app whether to let the client in, and answer the client."""
        run(self._ask, self._decided, self._decided_by_failure)

    def _ask(self) -> Any:
        self.handler = self.namespace.make_handler(self)
        return self.handler.on_open(self.request)

    def _decided(self, result: object) -> None:
        if self.state is not ConnectionState.OPENING:
            return  # the client left while the app was thinking
        if result is False:
            self._refuse(ConnectionRefused())
            return
        self.state = ConnectionState.OPEN
        self.client.joined()
        self._write(self.namespace.parser.connect({"sid": self.id}))
        held, self._held = self._held, []
        for message in held:
            self._write(message)
        self.namespace.opened(self)

    def _decided_by_failure(self, failure: Failure) -> None:
        if isinstance(failure.value, ConnectionRefused):
            self._refuse(failure.value)
        else:
            self._report(failure, "on_open")
            self._refuse(ConnectionRefused("Internal server error"))

    def _refuse(self, refusal: ConnectionRefused) -> None:
        if self.state is not ConnectionState.OPENING:
            return
        try:
            answer = self.namespace.parser.connect_error(refusal.message, refusal.data)
        except UnsendableError:
            self._report(Failure(), "on_open")
            answer = self.namespace.parser.connect_error(refusal.message)
        self.state = ConnectionState.CLOSED
        self._forget(DisconnectReason.SERVER_NAMESPACE)
        self._write(answer)

    # -- for the app, from any thread -------------------------------------------

    def emit(self, name: str, args: tuple[Any, ...], answered: Answered | None = None) -> None:
        """
        Send an event, and perhaps wait for its acknowledgement.

        Raises:
            UnsendableError: see `mojo.socketio.parser.Parser.event`.
        """
        ack_id = None if answered is None else self._acks.new_id()
        message = self.namespace.parser.event(name, args, ack_id)
        if self.state is not ConnectionState.CLOSED:
            if answered is not None and ack_id is not None:
                self._acks.expect(ack_id, answered)
            run_in_reactor(self.namespace.clock, self.send, message)

    def call(self, name: str, args: tuple[Any, ...], timeout: float | None) -> Deferred[list[Any]]:
        """
        Send an event, and give a Deferred of its acknowledgement's arguments.

        Raises:
            UnsendableError: see `mojo.socketio.parser.Parser.event`.
        """
        ack_id = self._acks.new_id()
        message = self.namespace.parser.event(name, args, ack_id)
        answer = self._acks.expect_within(ack_id, timeout)
        if self.state is ConnectionState.CLOSED:
            self._acks.fail_all("not connected")
        self.send(message)
        return answer

    def join(self, room: Room) -> None:
        """Enter a room."""
        run_in_reactor(self.namespace.clock, self.namespace.adapter.join, self, room)

    def leave(self, room: Room) -> None:
        """Leave a room."""
        run_in_reactor(self.namespace.clock, self.namespace.adapter.leave, self, room)

    def disconnect(self) -> None:
        """End the connection; the client's other namespaces go on."""
        run_in_reactor(self.namespace.clock, self._disconnect)

    def _disconnect(self) -> None:
        if self.state is ConnectionState.OPEN:
            self._write(self.namespace.parser.disconnect())
            self.ended(DisconnectReason.SERVER_NAMESPACE)
        else:
            self._refuse(ConnectionRefused())

    # -- in the reactor's thread ------------------------------------------------

    def send(self, message: Message) -> None:
        """Send a message; while opening it is held back, after the end dropped."""
        if self.state is ConnectionState.OPEN:
            self._write(message)
        elif self.state is ConnectionState.OPENING:
            self._held.append(message)

    def log_out(self, reason: str) -> None:
        """Take the login away, and tell the app."""
        user_id, self.user_id = self.user_id, None
        if user_id is not None:
            self.namespace.logged_out(self, user_id)
            on_logout = partial(self.handler.on_logout, reason)
            run(on_logout, _ignore, partial(self._report, where="on_logout"))

    def event_received(self, data: list[Any], ack_id: int | None) -> None:
        """Handle an event when those before it are over."""
        name, args = _event_name(data[0]), data[1:]
        handler = self.handler
        entry = handler.event_table.get(name)
        if handler.sees_every_event:
            call = partial(handler.on_event, name, *args)
        else:
            call = partial(self.call_event, name, args)
        self._turns.take(
            Turn(
                call,
                partial(self._acknowledge, ack_id),
                partial(self._event_failed, name, ack_id),
                concurrent=entry is not None and entry.concurrent,
            )
        )

    def ack_received(self, ack_id: int, args: list[Any]) -> None:
        """Take an acknowledgement."""
        if not self._acks.received(ack_id, args):
            _log.debug("{app}: {cid} acknowledged nothing", app=self.namespace.name, cid=self.id)

    def ended(self, reason: str) -> None:
        """Note that the connection is gone; the app is told after its last event."""
        was_open = self.state is ConnectionState.OPEN
        self.state = ConnectionState.CLOSED
        self._forget(reason)
        if was_open:
            on_close = partial(self.handler.on_close, str(reason))
            self._turns.take(Turn(on_close, _ignore, partial(self._report, where="on_close")))

    def call_event(self, name: str, args: Iterable[Any]) -> Any:
        """
        Call the method that handles an event; `UNHANDLED`, if the app has none.

        Raises:
            EventArgumentsError: the method takes another number of arguments.
        """
        entry = self.handler.event_table.get(name)
        if entry is None:
            _log.debug("{app}: nothing handles {event!r}", app=self.namespace.name, event=name)
            return UNHANDLED
        args = tuple(args)
        if not entry.accepts(len(args)):
            raise EventArgumentsError(
                f"event {name!r} takes {entry.describe()} arguments, the client sent {len(args)}"
            )
        return entry.method(self.handler, *args)

    # -- within -------------------------------------------------------------

    def _write(self, message: Message) -> None:
        self.client.send(message.packets(self.wire_name))

    def _forget(self, reason: str) -> None:
        self._held.clear()
        self.client.remove(self)
        self.namespace.remove(self)
        self._acks.fail_all(str(reason))

    def _acknowledge(self, ack_id: int | None, result: Any) -> None:
        if ack_id is None or result is UNHANDLED:
            return
        if result is None:
            args: tuple[Any, ...] = ()
        elif isinstance(result, tuple):
            args = result
        else:
            args = (result,)
        try:
            self.send(self.namespace.parser.ack(ack_id, args))
        except UnsendableError:
            self._report(Failure(), "acknowledgement")

    def _event_failed(self, name: str, ack_id: int | None, failure: Failure) -> None:
        answer = self._report(failure, name)
        if answer is not None:
            self._acknowledge(ack_id, answer)

    def _ack_callback_failed(self) -> None:
        self._report(Failure(), "acknowledgement")

    def _report(self, failure: Failure, where: str) -> Any:
        """Log what the app's code raised, and hand it to the app's ``on_error``."""
        error = failure.value
        assert error is not None
        app, cid = self.namespace.name, self.id
        if isinstance(error, EventArgumentsError):
            _log.warn("{app}: {cid}: {error}", app=app, cid=cid, error=str(error))
        else:
            _log.failure("{app}: {where} of {cid} failed", failure, app=app, where=where, cid=cid)
        handler: AppObject | None = getattr(self, "handler", None)
        if handler is None:
            return None  # it could not be made
        try:
            return handler.on_error(error, where)
        except Exception:
            _log.failure("{app}: on_error of {cid} failed", app=app, cid=cid)
            return None


def _event_name(name: str | float) -> str:
    """Give an event's name as JavaScript would: the number 1 is ``"1"``."""
    if isinstance(name, str):
        return name
    return str(int(name)) if name == int(name) else repr(name)


def _ignore(result: object) -> None:
    """The result of a hook that is asked for none."""
