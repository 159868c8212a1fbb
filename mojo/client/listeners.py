"""
Who listens to which event, and calling them.

A listener may be sync, give a Deferred, or be a coroutine.  What it raises is logged and
harms nobody: neither the other listeners nor the connection.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import begun
from mojo.socketio.event import UNHANDLED

_log = Logger()

Listener = Callable[..., Any]
Function = TypeVar("Function", bound=Listener)


@dataclass(frozen=True, slots=True)
class _Entry:
    listener: Listener
    once: bool


class Listeners:
    """The listeners of one socket or manager, by event."""

    def __init__(self) -> None:
        self._entries: dict[str, list[_Entry]] = {}

    @overload
    def on(self, event: str) -> Callable[[Function], Function]: ...
    @overload
    def on(self, event: str, listener: Function) -> Function: ...
    def on(self, event: str, listener: Any = None) -> Any:
        """
        Listen to an event: ``@socket.on("news")``, or ``socket.on("news", listener)``.

        Args:
            event: its name.
            listener: called with its arguments.
        Returns:
            The listener, so that it can be decorated again and found by `off`.
        """
        return self._add(event, listener, once=False)

    @overload
    def once(self, event: str) -> Callable[[Function], Function]: ...
    @overload
    def once(self, event: str, listener: Function) -> Function: ...
    def once(self, event: str, listener: Any = None) -> Any:
        """Listen to the next event of a name; otherwise as `on`."""
        return self._add(event, listener, once=True)

    def off(self, event: str | None = None, listener: Listener | None = None) -> None:
        """
        Listen no more.

        Args:
            event: the event; ``None`` for all of them.
            listener: the listener; ``None`` for all of them.
        """
        if event is None:
            self._entries.clear()
        elif listener is None:
            self._entries.pop(event, None)
        else:
            kept = [e for e in self._entries.get(event, ()) if e.listener != listener]
            self._entries[event] = kept

    def listeners(self, event: str) -> list[Listener]:
        """Give the listeners of an event, in the order in which they came."""
        return [entry.listener for entry in self._entries.get(event, ())]

    def _add(self, event: str, listener: Any, *, once: bool) -> Any:
        def add(function: Function) -> Function:
            self._entries.setdefault(event, []).append(_Entry(function, once))
            return function

        return add if listener is None else add(listener)

    def _take(self, event: str) -> list[Listener]:
        """Give the listeners of an event that came, and forget those that wanted one."""
        entries = self._entries.get(event)
        if not entries:
            return []
        if any(entry.once for entry in entries):
            self._entries[event] = [entry for entry in entries if not entry.once]
        return [entry.listener for entry in entries]

    def _tell(self, event: str, *args: Any) -> None:
        """Call the listeners of an event that is not answered."""
        call_listeners(event, self._take(event), args)


class EventListeners(Listeners):
    """The listeners of events that may be answered, and those of every event."""

    def __init__(self) -> None:
        super().__init__()
        self._any: list[Listener] = []

    def on_any(self, listener: Function) -> Function:
        """Call a listener with every event's name and arguments, before the event's own."""
        self._any.append(listener)
        return listener

    def off_any(self, listener: Listener | None = None) -> None:
        """Take back `on_any`, for one listener or all."""
        self._any = [] if listener is None else [kept for kept in self._any if kept != listener]

    def _deliver(self, event: str, args: list[Any], spare: int) -> Any:
        """Call the listeners of an event, and give the answer; see `call_listeners`."""
        if self._any:
            call_listeners(event, tuple(self._any), (event, *args))
        return call_listeners(event, self._take(event), args, spare)


def call_listeners(
    event: str, listeners: Iterable[Listener], args: Iterable[Any], spare: int = 0
) -> Any:
    """
    Call listeners, all of them at once.

    Args:
        event: the event's name, for the log.
        listeners: whom to call.
        args: with what.
        spare: how many of the last arguments are left out for a listener that takes
            no more than the others.
    Returns:
        The first result that is not ``None``, or ``None`` if some listener returned; or
        `UNHANDLED` if there is no listener, or none that did not raise.  A Deferred of
        that, if it takes a while.
    """
    args = tuple(args)
    results = [_call(event, listener, _fit(listener, args, spare)) for listener in listeners]
    if any(isinstance(result, Deferred) for result in results):
        waits = [r if isinstance(r, Deferred) else succeed(r) for r in results]
        return gatherResults(waits).addCallback(_first)
    return _first(results)


def _fit(listener: Listener, args: tuple[Any, ...], spare: int) -> tuple[Any, ...]:
    """Leave the spare arguments out if there is no parameter for them."""
    if not spare:
        return args
    try:
        inspect.signature(listener).bind(*args)
    except TypeError:
        return args[:-spare]
    except ValueError:  # a built-in function that does not tell
        pass
    return args


def _call(event: str, listener: Listener, args: tuple[Any, ...]) -> Any:
    try:
        result = begun(listener(*args))
    except Exception:
        return _failed(Failure(), event)
    if isinstance(result, Deferred):
        result.addErrback(_failed, event)
    return result


def _failed(failure: Failure, event: str) -> Any:
    _log.failure("a listener of {event!r} failed", failure, event=event)
    return UNHANDLED


def _first(results: list[Any]) -> Any:
    handled = [result for result in results if result is not UNHANDLED]
    if not handled:
        return UNHANDLED
    return next((result for result in handled if result is not None), None)
