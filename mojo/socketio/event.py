"""
The events that a handler class handles: an explicit table, made when the class is.

A client's text never becomes an attribute's name.  What is not in the table of a
class does not exist for its clients, however the methods of the class are called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from mojo.errors import EventTableError
from mojo.socketio.packet import RESERVED_EVENTS

Method = TypeVar("Method", bound=Callable[..., Any])

#: Methods that the framework calls; no event may have the name of one.
LIFECYCLE = frozenset(
    ("on_open", "on_message", "on_event", "on_close", "on_error", "on_logout", "__init__")
)

#: ``@event("*")`` handles what no other method does; it gets the event's name first.
CATCH_ALL = "*"

_MARK = "_mojo_event"


class _Unhandled:
    """The type of `UNHANDLED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNHANDLED"


#: The result of an event that no method handles, which is never acknowledged: a client
#: that waits for the answer must not take silence for consent.
UNHANDLED = _Unhandled()


@dataclass(frozen=True, slots=True)
class EventMark:
    """What ``@event`` leaves on a method."""

    name: str
    concurrent: bool


@dataclass(frozen=True, slots=True)
class EventEntry:
    """
    One event of a handler class.

    Attributes:
        method: the function, to be called with a handler and the event's arguments.
        concurrent: whether the next event may begin before this one is done.
        least: fewest arguments the method takes.
        most: most arguments, or ``None`` for any number.
    """

    method: Callable[..., Any]
    concurrent: bool
    least: int
    most: int | None

    def accepts(self, count: int) -> bool:
        """Tell whether the method can be called with that many arguments."""
        return self.least <= count and (self.most is None or count <= self.most)

    def describe(self) -> str:
        """Say how many arguments the method takes: ``"2"``, ``"1 to 2"``."""
        if self.most is None:
            return f"at least {self.least}"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


EventTable = dict[str, EventEntry]


@overload
def event(name_or_method: Method) -> Method: ...
@overload
def event(
    name_or_method: str | None = None, *, concurrent: bool = False
) -> Callable[[Method], Method]: ...
def event(name_or_method: Any = None, *, concurrent: bool = False) -> Any:
    """
    Declare that a method handles an event.

    As ``@event`` the event is named as the method; as ``@event("name with spaces")`` it
    is named so.  The method may be sync, or give a Deferred or a coroutine, and its
    result is the client's acknowledgement: ``None`` for none of the arguments, a tuple
    for several, anything else for one.

    Args:
        name_or_method: the event's name, or the method itself.
        concurrent: begin the connection's next event without waiting for this one.
    """

    def mark(method: Method) -> Method:
        name = name_or_method if isinstance(name_or_method, str) else method.__name__
        setattr(method, _MARK, EventMark(name, concurrent))
        return method

    return mark(name_or_method) if callable(name_or_method) else mark


def build_table(handler_class: type) -> EventTable:
    """
    Make the table of a handler class from its own methods and its bases'.

    A method that overrides a marked one handles the event in its place, marked or not.

    Raises:
        EventTableError: an event cannot be dispatched, or two methods of the class
            handle the same one; the message names class, method and event.
    """
    table: EventTable = {}
    owners: dict[str, str] = {}
    for attribute in dir(handler_class):
        mark = _find_mark(handler_class, attribute)
        method = getattr(handler_class, attribute, None)
        if mark is None or method is None:
            continue
        problem = None
        if mark.name in RESERVED_EVENTS:
            problem = "is a reserved name, which no client can emit"
        elif mark.name in LIFECYCLE:
            problem = "is a method that the framework calls"
        elif mark.name in owners:
            problem = f"is handled by {owners[mark.name]} already"
        if problem is not None:
            where = f"{handler_class.__qualname__}.{attribute}"
            raise EventTableError(f"{where}: {mark.name!r} {problem}")
        owners[mark.name] = attribute
        table[mark.name] = _entry(method, concurrent=mark.concurrent)
    return table


def _find_mark(handler_class: type, attribute: str) -> EventMark | None:
    for base in handler_class.__mro__:
        mark = getattr(vars(base).get(attribute), _MARK, None)
        if isinstance(mark, EventMark):
            return mark
    return None


def _entry(method: Callable[..., Any], *, concurrent: bool) -> EventEntry:
    parameters = list(inspect.signature(method).parameters.values())[1:]  # without self
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(1 for p in positional if p.default is p.empty)
    unlimited = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return EventEntry(method, concurrent, least, None if unlimited else len(positional))
