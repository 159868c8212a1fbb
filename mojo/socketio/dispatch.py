"""
One event on its way through the app: listeners, middleware, the method, the answer.

The way is Node's: ``on_any`` listeners see the event as it came, middleware may change or
refuse it, then the method is called that the table has, and what it returns is the
client's acknowledgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import AT_ONCE, begun, settled
from mojo.errors import (
    AckTimeout,
    Disconnected,
    EventArgumentsError,
    EventRefused,
    SessionMoved,
    SessionUnavailable,
)
from mojo.socketio.event import CATCH_ALL, UNHANDLED, EventEntry, EventTable
from mojo.socketio.listeners import EventMiddleware
from mojo.socketio.options import SocketOptions
from mojo.socketio.stats import SocketStats
from mojo.socketio.turns import Turns

_log = Logger()

# Characters of the id of an event that is handled once.
_MAX_ID = 200


class IncomingEvent:
    """
    An event, as middleware may change it.

    Attributes:
        name: its name.
        args: its arguments, a list.
    """

    __slots__ = ("args", "name")

    def __init__(self, name: str, args: list[Any]) -> None:
        self.name = name
        self.args = args

    def __repr__(self) -> str:
        return f"<IncomingEvent {self.name!r} with {len(self.args)} arguments>"


class OnceKeeper(Protocol):
    """What remembers which events were handled."""

    def handle_once(self, name: str, event_id: str, call: Callable[[], Any]) -> Any:
        """Handle an event, unless it was or is being handled."""


class AppObject(Protocol):
    """A handler, as far as its events go."""

    event_table: ClassVar[EventTable]
    event_middleware: ClassVar[Sequence[EventMiddleware]]
    sees_every_event: ClassVar[bool]

    @property
    def connection(self) -> OnceKeeper:
        """The connection that it is for."""

    def on_event(self, name: str, *args: Any) -> Any:
        """Handle any event."""

    def on_error(self, error: BaseException, event: str) -> Any:
        """Learn that something of the app's raised."""


class Scene(Protocol):
    """The namespace in which an app's code runs."""

    name: str
    stats: SocketStats


class Place(Protocol):
    """The namespace of a connection."""

    name: str
    clock: IReactorTime
    options: SocketOptions


class Receiver(Protocol):
    """The connection that an event came on."""

    label: str

    @property
    def handler(self) -> AppObject:
        """The app's object."""

    @property
    def middleware(self) -> Sequence[EventMiddleware]:
        """What the app hung on this connection alone."""

    @property
    def namespace(self) -> Place:
        """Where that is."""

    def acknowledge(self, ack_id: int, result: Any) -> None:
        """Send an acknowledgement."""

    def report(self, failure: Failure, where: str) -> Any:
        """Log what the app raised, tell it, and give its answer."""


class Dispatch:
    """
    The handling of one event: a turn of its connection, see `mojo.socketio.turns`.

    Args:
        receiver: the connection.
        name: the event's name.
        args: its arguments.
        ack_id: the id of the acknowledgement that the client waits for, if it does.
    """

    __slots__ = (
        "_ack_id",
        "_args",
        "_began",
        "_blocked",
        "_entry",
        "_name",
        "_receiver",
        "concurrent",
        "waited",
    )

    def __init__(self, receiver: Receiver, name: str, args: list[Any], ack_id: int | None) -> None:
        self._receiver = receiver
        self._name = name
        self._args = args
        self._ack_id = ack_id
        self._entry = entry = receiver.handler.event_table.get(name)
        if entry is None or name == CATCH_ALL:
            entry = self._entry = None
            entry, _ = find(receiver.handler, name, args)
        self.concurrent = entry is not None and entry.concurrent
        self.waited = False

    def call(self) -> Any:
        """Call the app; give what it returned, which may be something to wait for."""
        receiver = self._receiver
        handler = receiver.handler
        seconds = receiver.namespace.clock.seconds
        self._began = began = seconds()
        try:
            if handler.event_middleware or receiver.middleware:
                way = [*handler.event_middleware, *receiver.middleware]
                return begun(self._call_through(handler, way))
            if handler.sees_every_event:
                return begun(handler.on_event(self._name, *self._args))
            entry = self._entry
            if entry is None or entry.idempotent:
                return begun(call_method(handler, self._name, self._args))
            # Here, up to where it waits: what blocks there holds up everybody.
            return begun(entry.method(handler, *entry.arguments(self._name, tuple(self._args))))
        finally:
            self._blocked = seconds() - began

    async def _call_through(self, handler: AppObject, middleware: list[EventMiddleware]) -> Any:
        event = IncomingEvent(self._name, self._args)
        for function in middleware:
            if await settled(function(handler, event)) is False:
                raise EventRefused
        if handler.sees_every_event:
            return await settled(handler.on_event(event.name, *event.args))
        return await settled(call_method(handler, event.name, event.args))

    def done(self, result: Any) -> None:
        """Acknowledge what the app returned."""
        self._look_at_the_clock()
        if self._ack_id is not None and result is not UNHANDLED:
            self._receiver.acknowledge(self._ack_id, result)

    def failed(self, failure: Failure) -> None:
        """Report what the app raised; a refusal is answered."""
        self._look_at_the_clock()
        error = failure.value
        if isinstance(error, EventRefused):
            answer: Any = error.answer
        else:
            answer = self._receiver.report(failure, self._name)
            if answer is None and isinstance(error, EventArgumentsError):
                answer = error.answer
        if self._ack_id is not None and answer is not None:
            self._receiver.acknowledge(self._ack_id, answer)

    def was_called(self, began: float) -> None:
        """Note that the method was called, by somebody else, and has just returned."""
        self._began = began
        self._blocked = self._receiver.namespace.clock.seconds() - began

    def _look_at_the_clock(self) -> None:
        namespace = self._receiver.namespace
        took = self._blocked
        if self.waited and not self.concurrent:
            took = namespace.clock.seconds() - self._began
        if took >= namespace.options.slow_handler > 0:
            _was_slow(self._receiver, self._name, took, self._blocked)


def dispatch(
    receiver: Receiver, turns: Turns, name: str, args: list[Any], ack_id: int | None, *, bare: bool
) -> None:
    """
    Handle an event now, or when those before it are over.

    Nearly every event has a method, no middleware, and an answer that is there at once.  For these
    there is no `Dispatch` and no turn: what these cost is half of what an event takes from its
    packet to its acknowledgement.  Nor is anything asked by a call that an attribute can say.

    Args:
        receiver: see `Dispatch`.
        turns: the connection's.
        name: see `Dispatch`.
        args: likewise.
        ack_id: likewise.
        bare: whether the receiver certainly has no middleware of its own.
    """
    handler = receiver.handler
    entry = handler.event_table.get(name)
    if (
        entry is None
        or not entry.plain
        or handler.event_middleware
        or handler.sees_every_event
        or (not bare and receiver.middleware)
        or turns.busy
        or turns.queue
        or not entry.least <= len(args) <= entry.most
    ):
        turns.take(Dispatch(receiver, name, args, ack_id))
        return
    namespace = receiver.namespace
    seconds = namespace.clock.seconds
    began = seconds()
    turns.busy = True
    try:
        result = entry.method(handler, *args)
        is_there = type(result) in AT_ONCE
        if not is_there:
            result = begun(result)
    except Exception:
        failed = Dispatch(receiver, name, args, ack_id)
        failed.was_called(began)
        failed.failed(Failure())
    else:
        if not is_there:
            waiting = Dispatch(receiver, name, args, ack_id)
            waiting.was_called(began)
            turns.came(waiting, result)
            return
        took = seconds() - began
        if took >= namespace.options.slow_handler > 0:
            _was_slow(receiver, name, took, took)
        if ack_id is not None:
            receiver.acknowledge(ack_id, result)
    turns.busy = False
    if turns.queue:
        turns.go_on()


def _was_slow(receiver: Receiver, name: str, took: float, blocked: float) -> None:
    _log.warn(
        "{app}: {event!r} of {cid} took {took:.2f} s, and held up everybody for "
        "{blocked:.2f} s of it",
        app=receiver.namespace.name,
        event=name,
        cid=receiver.label,
        took=took,
        blocked=blocked,
    )


def event_name(name: str | float) -> str:
    """Give an event's name as JavaScript would: the number 1 is ``"1"``."""
    if isinstance(name, str):
        return name
    return str(int(name)) if name == int(name) else repr(name)


def find(
    handler: AppObject, name: str, args: Sequence[Any]
) -> tuple[EventEntry | None, Sequence[Any]]:
    """
    Find the method of an event, or that of all events that have none.

    Returns:
        The table's entry, if there is one, and the arguments that it is called with.
    """
    entry = handler.event_table.get(name) if name != CATCH_ALL else None
    if entry is not None:
        return entry, args
    return handler.event_table.get(CATCH_ALL), (name, *args)


def call_method(handler: AppObject, name: str, args: Sequence[Any]) -> Any:
    """
    Call the method that handles an event; `UNHANDLED`, if the app has none.

    Raises:
        EventArgumentsError: the method does not take the arguments.
    """
    entry, taken = find(handler, name, args)
    if entry is None:
        _log.debug("nothing handles {event!r}", event=name)
        return UNHANDLED
    call = partial(entry.method, handler, *entry.arguments(name, tuple(taken)))
    if not entry.idempotent:
        return call()
    event_id = args[-1] if args else None
    if not isinstance(event_id, str) or not 0 < len(event_id) <= _MAX_ID:
        raise EventArgumentsError(
            f"event {name!r} takes an id last: a text of at most {_MAX_ID} characters"
        )
    return handler.connection.handle_once(name, event_id, call)


def report(
    namespace: Scene,
    cid: str,
    handler: AppObject | None,
    failure: Failure,
    where: str,
) -> Any:
    """
    Log what an app's code raised, and hand it to the app's ``on_error``.

    Args:
        namespace: where it was, and is counted.
        cid: what the log calls the connection.
        handler: the app's object, if there is one.
        failure: what was raised.
        where: the event or hook.
    Returns:
        The acknowledgement that ``on_error`` gave.
    """
    error, app = failure.value, namespace.name
    assert error is not None
    if isinstance(error, EventArgumentsError):
        _log.warn("{app}: {cid}: {error}", app=app, cid=cid, error=str(error))
    elif isinstance(error, AckTimeout | Disconnected | SessionUnavailable | SessionMoved):
        # No mistake of the app's: any client may go, or not answer, and any store too.
        _log.warn(
            "{app}: {where} of {cid}: {error}", app=app, where=where, cid=cid, error=str(error)
        )
    else:
        namespace.stats.handler_errors += 1
        _log.failure("{app}: {where} of {cid} failed", failure, app=app, where=where, cid=cid)
    if handler is None:
        return None
    try:
        return handler.on_error(error, where)
    except Exception:
        _log.failure("{app}: on_error of {cid} failed", app=app, cid=cid)
        return None
