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

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import ignore, run
from mojo.engineio.session import EngineSession
from mojo.errors import ConnectionRefused, UnsendableError
from mojo.socketio.acks import Answered, Failed, PendingAcks, ignore_failure, unwrap, wrap
from mojo.socketio.adapter import SocketFacts
from mojo.socketio.dispatch import dispatch, event_name, report
from mojo.socketio.held import Held
from mojo.socketio.listeners import EventMiddleware, Listeners, tell
from mojo.socketio.message import Message
from mojo.socketio.opening import ask_app, refusal_for
from mojo.socketio.operator import PLAIN, Flags
from mojo.socketio.ports import AppObject, Carrier, Home
from mojo.socketio.reasons import DisconnectReason
from mojo.socketio.recovery import Comeback
from mojo.socketio.request import SocketRequest
from mojo.socketio.rooms import Room
from mojo.socketio.states import OPEN, ConnectionState
from mojo.socketio.threads import run_in_reactor
from mojo.socketio.turns import Call, Turns

_log = Logger()


class Connection:
    """
    One client in one namespace.

    Attributes:
        id: the id that the client knows; other clients may know it too.
        label: what the log calls it.
        namespace: where it is connected.
        client: what carries it, with the client's other namespaces.
        wire_name: the namespace's name on the wire: an app is ``"/"`` on its own path.
        request: the handshake's facts and the client's ``auth``.
        user_id: the login now; it may go while the connection stays.
        state: see `ConnectionState`.
        line: see `mojo.socketio.delivery`.
        comeback: what it needs if its client is to come back, where clients may.
        data: the app's own.
        session: the visitor's session, once it is loaded.
        handler: the app's object, from `open` on.
    """

    __slots__ = (
        "_acks",
        "_held",
        "_listeners",
        "_turns",
        "client",
        "comeback",
        "data",
        "handler",
        "id",
        "label",
        "line",
        "namespace",
        "request",
        "session",
        "state",
        "user_id",
        "wire_name",
    )

    def __init__(
        self, namespace: Home, client: Carrier, wire_name: str, cid: str, request: SocketRequest
    ) -> None:
        self.id = cid
        self.label = client.dialect.label(cid)
        self.namespace = namespace
        self.client = client
        self.wire_name = wire_name
        self.request = request
        self.user_id = request.user_id
        self.state = ConnectionState.OPENING
        self.line: EngineSession | None = None
        self.comeback: Comeback | None = None
        self.data: dict[str, Any] = {}
        self.session: MutableMapping[str, Any] | None = None
        # Made when one is waited for, and most connections never are asked.
        self._acks: PendingAcks | None = None
        self._held: Held | None = None
        self._listeners: Listeners | None = None
        self._turns = Turns(namespace.options.max_queued_events, self)
        self.handler: AppObject

    def __repr__(self) -> str:
        return f"<Connection {self.label} in {self.namespace.name}, {self.state.value}>"

    @property
    def session_id(self) -> str | None:
        """The visitor whose connection this is, now; `SocketRequest` has who it was."""
        return self.client.session.handshake.session_id

    @property
    def facts(self) -> SocketFacts | None:
        """What there is to know of it; ``None`` if it is not open."""
        if self.state is not ConnectionState.OPEN:
            return None
        rooms = self.namespace.adapter.rooms_of(self)
        return SocketFacts(
            id=self.id,
            session_id=self.session_id,
            user_id=self.user_id,
            rooms=frozenset(room for room in rooms if isinstance(room, str)),
            data=dict(self.data),
            handshake=self.request.facts,
        )

    @property
    def audience(self) -> Home:
        """The namespace."""
        return self.namespace

    @property
    def listeners(self) -> Listeners:
        """What the app hangs on this connection."""
        if self._listeners is None:
            self._listeners = Listeners()
            self.line = None  # they are to be told
        return self._listeners

    # -- opening ------------------------------------------------------------

    def open(self) -> None:
        """Ask the app whether to let the client in, and answer the client."""
        run(self._ask, self._decided, self._decided_by_failure)

    def _ask(self) -> Any:
        self.handler = self.namespace.make_handler(self)
        if self.namespace.middleware or self.handler.loads_session:
            middleware = tuple(self.namespace.middleware)
            return ask_app(self.handler, middleware, self.request, self._is_opening)
        return self.handler.on_open(self.request)

    def _is_opening(self) -> bool:
        return self.state is ConnectionState.OPENING

    def _decided(self, result: object) -> None:
        if self.state is not ConnectionState.OPENING:
            return  # the client left while the app was thinking
        if result is False:
            self._refuse(ConnectionRefused())
            return
        self.state = ConnectionState.OPEN
        self.line = self.client.session if self._listeners is None else None
        self.client.joined()
        # Before anything is sent: what is sent may end the connection.
        self.namespace.opened(self)
        place = self.comeback
        for message in place.take_missed() if place is not None else ():
            self._write(message)
        facts = {"sid": self.id} if place is None else {"sid": self.id, "pid": place.pid}
        self._write(self.client.dialect.connected(self.namespace.parser, facts))
        held, self._held = self._held, None
        for message in held.take() if held is not None else ():
            self.send(message)

    def _decided_by_failure(self, failure: Failure) -> None:
        if failure.check(ConnectionRefused) is None:
            self.report(failure, "on_open")
        self._refuse(refusal_for(failure))

    def _refuse(self, refusal: ConnectionRefused) -> None:
        if self.state is not ConnectionState.OPENING:
            return
        dialect, parser = self.client.dialect, self.namespace.parser
        try:
            answer = dialect.refused(parser, refusal)
        except UnsendableError:
            self.report(Failure(), "on_open")
            answer = dialect.refused(parser, ConnectionRefused(refusal.message))
        self.state = ConnectionState.CLOSED
        self._forget(DisconnectReason.SERVER_NAMESPACE)
        self._write(answer)

    # -- for the app, from any thread -------------------------------------------

    def emit(
        self,
        name: str,
        args: tuple[Any, ...],
        flags: Flags = PLAIN,
        answered: Answered | None = None,
        failed: Failed = ignore_failure,
    ) -> int | None:
        """
        Send an event, and perhaps wait for its acknowledgement.

        Returns:
            The id of the acknowledgement.
        Raises:
            UnsendableError: see `mojo.socketio.parser.Parser.event`.
        """
        namespace = self.namespace
        ack_id = None if answered is None else namespace.new_ack_id()
        message = namespace.parser.event(
            name, args, ack_id, volatile=flags.volatile, compress=flags.compress
        )
        if answered is None or ack_id is None:
            run_in_reactor(namespace.clock, namespace.send_to, self, message)
        else:
            ask = partial(self.send_expecting, message, ack_id, answered, failed, flags.timeout)
            run_in_reactor(namespace.clock, ask)
        return ack_id

    def call(self, name: str, args: tuple[Any, ...], flags: Flags) -> Deferred[Any]:
        """
        Send an event, and give a Deferred of its acknowledgement, see `unwrap`.

        Raises:
            UnsendableError: see `mojo.socketio.parser.Parser.event`.
        """
        answer: Deferred[list[Any]] = Deferred(lambda _: self.forget_ack(ack_id))
        ack_id = self.emit(name, args, flags, answer.callback, answer.errback)
        return answer.addCallback(unwrap)

    def join(self, rooms: Iterable[Room]) -> None:
        """Enter some rooms."""
        for room in rooms:
            run_in_reactor(self.namespace.clock, self.namespace.adapter.join, self, room)

    def leave(self, rooms: Iterable[Room]) -> None:
        """Leave some rooms."""
        for room in rooms:
            run_in_reactor(self.namespace.clock, self.namespace.adapter.leave, self, room)

    def disconnect(self, *, close: bool = False) -> None:
        """
        End the connection.

        Args:
            close: whether the client's connections to other namespaces end too.
        """
        run_in_reactor(self.namespace.clock, self._disconnect, close)

    def _disconnect(self, close: bool) -> None:
        if self.state is ConnectionState.CLOSED:
            return
        if close:
            self.client.disconnect()
        elif self.state is ConnectionState.OPEN:
            self._write(self.namespace.parser.disconnect())
            self.ended(DisconnectReason.SERVER_NAMESPACE)
        else:
            self._refuse(ConnectionRefused())

    # -- in the reactor's thread ------------------------------------------------

    def send(self, message: Message) -> None:
        """Send a message; while opening it is held back, after the end dropped."""
        if self.state is OPEN:
            if self._listeners is not None and message.event is not None:
                failed = partial(self.report, where="on_any_outgoing")
                tell(self._listeners.outgoing, message.event, failed)
                if self.state is not ConnectionState.OPEN:
                    return  # a listener ended it
            # What `_write` does, without the call: for each recipient of a broadcast.
            self.client.session.send_packets(message.packets(self.wire_name))
        elif self.state is ConnectionState.OPENING:
            self._held = self._held or Held(self.client.session)
            self._held.put(message, message.packets(self.wire_name))

    def send_expecting(
        self,
        message: Message,
        ack_id: int,
        answered: Answered,
        failed: Failed,
        timeout: float | None = None,
    ) -> None:
        """Send a message, and wait for the answer; see `PendingAcks.expect`."""
        if self.state is ConnectionState.CLOSED:
            self._pending.refuse(failed, "not connected")
            return
        self._pending.expect(ack_id, answered, failed, timeout)
        self.send(message)

    def forget_ack(self, ack_id: int | None) -> None:
        """Wait for an answer no longer."""
        if ack_id is not None:
            self._pending.forget(ack_id)

    def log_out(self, reason: str) -> None:
        """Take the login away, and tell the app."""
        user_id, self.user_id = self.user_id, None
        if user_id is not None:
            self.namespace.logged_out(self, user_id)
            if hasattr(self, "handler"):  # its class may be just making it
                on_logout = partial(self.handler.on_logout, reason)
                run(on_logout, ignore, partial(self.report, where="on_logout"))
            if self.namespace.guards:
                self._disconnect(False)  # it is for users

    def event_received(self, data: list[Any], ack_id: int | None) -> None:
        """Handle an event when those before it are over."""
        name = data[0]
        if type(name) is not str:
            name = event_name(name)
        del data[0]
        listeners = self._listeners
        if listeners is not None:
            tell(listeners.incoming, (name, tuple(data)), partial(self.report, where="on_any"))
        dispatch(self, self._turns, name, data, ack_id, bare=listeners is None)

    def ack_received(self, ack_id: int, args: list[Any]) -> None:
        """Take an acknowledgement."""
        if self._acks is None or not self._acks.received(ack_id, args):
            _log.debug("{app}: {cid} acknowledged nothing", app=self.namespace.name, cid=self.label)

    def ended(self, reason: str) -> None:
        """Note that the connection is gone; the app is told after its last event."""
        if self.state is ConnectionState.CLOSED:
            return  # what ended it ended others, and one of these ended it before
        was_open = self.state is ConnectionState.OPEN
        self.state, self.line = ConnectionState.CLOSED, None
        self._forget(reason)
        if was_open:
            on_close = partial(self.handler.on_close, str(reason))
            self._turns.take(Call(on_close, partial(self.report, where="on_close")))
            self.namespace.unfinished.add(self._turns)

    # -- for `Dispatch` -----------------------------------------------------

    def handle_once(self, name: str, event_id: str, call: Callable[[], Any]) -> Any:
        """Handle an event of this visitor, unless it was or is being handled."""
        whose = self.session_id or self.user_id or self.request.address
        return self.namespace.handled.handle((whose, name, event_id), call)

    @property
    def middleware(self) -> Sequence[EventMiddleware]:
        """What the app hung on this connection alone."""
        return () if self._listeners is None else self._listeners.middleware

    def acknowledge(self, ack_id: int, result: Any) -> None:
        """Send an acknowledgement."""
        try:
            packets = self.namespace.parser.ack_packets(ack_id, wrap(result), self.wire_name)
        except UnsendableError:
            self.report(Failure(), "acknowledgement")
        else:
            if self.state is OPEN:
                self.client.session.send_packets(packets)

    def report(self, failure: Failure, where: str) -> Any:
        """Log what the app's code raised, and hand it to the app's ``on_error``."""
        # There is none if it could not be made.
        handler: AppObject | None = getattr(self, "handler", None)
        return report(self.namespace, self.label, handler, failure, where)

    # -- within -------------------------------------------------------------

    @property
    def _pending(self) -> PendingAcks:
        if self._acks is None:
            report = partial(self.report, where="acknowledgement")
            self._acks = PendingAcks(self.namespace.clock, report)
        return self._acks

    def turns_full(self) -> None:
        """Read no more from the client for a while."""
        self.client.pause(self)

    def turns_drained(self) -> None:
        """Read again."""
        self.client.resume(self)

    def _write(self, message: Message) -> None:
        self.client.session.send_packets(message.packets(self.wire_name))

    def _forget(self, reason: str) -> None:
        self._held = None
        self.client.remove(self)
        self.namespace.remove(self, reason)
        if self._acks is not None:
            self._acks.fail_all(str(reason))
