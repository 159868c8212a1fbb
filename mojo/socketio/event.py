"""
The events that a handler class handles: an explicit table, made when the class is.

A client's text never becomes an attribute's name.  What is not in the table of a
class does not exist for its clients, however the methods of the class are called.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from mojo.errors import EventArgumentsError, EventTableError
from mojo.socketio.packet import RESERVED_EVENTS

Method = TypeVar("Method", bound=Callable[..., Any])

#: Methods that the framework calls; no event may have the name of one.
LIFECYCLE = frozenset(
    ("on_open", "on_message", "on_event", "on_close", "on_error", "on_logout", "__init__")
)

#: ``@event("*")`` handles what no other method does; it gets the event's name first.
CATCH_ALL = "*"

#: More arguments than a client can send.
ANY_NUMBER = math.inf

_MARK = "_mojo_event"

Validator = Callable[[str, tuple[Any, ...]], tuple[Any, ...]]


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
    idempotent: bool
    validate: bool | None


@dataclass(frozen=True, slots=True)
class EventEntry:
    """
    One event of a handler class.

    Attributes:
        method: the function, to be called with a handler and the event's arguments.
        concurrent: whether the next event may begin before this one is done.
        idempotent: whether the last argument is an id, with which it is handled once.
        least: fewest arguments the method takes.
        most: most arguments; `ANY_NUMBER`, if there is no limit.
        validator: takes the event's name and its arguments, and gives those that the
            method is called with, or raises; ``None`` counts them only.
        plain: whether there is nothing to do but to call the method, if it accepts the
            number of the arguments.
    """

    method: Callable[..., Any]
    concurrent: bool
    idempotent: bool
    least: int
    most: float
    validator: Validator | None = None
    plain: bool = False

    def arguments(self, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """
        Give the arguments that the method is called with.

        Args:
            name: the event's name.
            args: what the client sent.
        Raises:
            EventArgumentsError: the method does not take them.
        """
        if self.validator is not None:
            return self.validator(name, args)
        if not self.accepts(len(args)):
            raise EventArgumentsError(
                f"event {name!r} takes {self.describe()} arguments, the client sent {len(args)}"
            )
        return args

    def accepts(self, count: int) -> bool:
        """Tell whether the method can be called with that many arguments."""
        return self.least <= count <= self.most

    def describe(self) -> str:
        """Say how many arguments the method takes: ``"2"``, ``"1 to 2"``."""
        if self.most == ANY_NUMBER:
            return f"at least {self.least}"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


EventTable = dict[str, EventEntry]


@overload
def event(name_or_method: Method) -> Method: ...
@overload
def event(
    name_or_method: str | None = None,
    *,
    concurrent: bool = False,
    idempotent: bool = False,
    validate: bool | None = None,
) -> Callable[[Method], Method]: ...
def event(
    name_or_method: Any = None,
    *,
    concurrent: bool = False,
    idempotent: bool = False,
    validate: bool | None = None,
) -> Any:
    """
    Declare that a method handles an event.

    As ``@event`` the event is named as the method; as ``@event("name with spaces")`` it
    is named so.  The method may be sync, or give a Deferred or a coroutine, and its
    result is the client's acknowledgement: ``None`` for none of the arguments, a tuple
    for several, anything else for one.

    Args:
        name_or_method: the event's name, or the method itself.
        concurrent: begin the connection's next event without waiting for this one.
        idempotent: the event's last argument is an id that the client made up for it:
            however often the client sends it, it is handled once, and answered each
            time as the first time.
        validate: check and convert the arguments by the method's annotations first; by
            default as the class's ``validate_events`` says.
    """

    def mark(method: Method) -> Method:
        name = name_or_method if isinstance(name_or_method, str) else method.__name__
        setattr(method, _MARK, EventMark(name, concurrent, idempotent, validate))
        return method

    return mark(name_or_method) if callable(name_or_method) else mark


def build_table(handler_class: type, taken: Collection[str] = ()) -> EventTable:
    """
    Make the table of a handler class from its own methods and its bases'.

    A method that overrides a marked one handles the event in its place, marked or not.

    Args:
        handler_class: the class.
        taken: attributes that a marked method must not hide: ``@event def join`` would
            call itself where it calls ``self.join``.
    Raises:
        EventTableError: an event cannot be dispatched, two methods of the class
            handle the same one, or a method cannot be checked; the message names class
            and method.
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
        elif attribute in taken:
            problem = (
                f"hides self.{attribute}: name the method otherwise, below @event({mark.name!r})"
            )
        where = f"{handler_class.__qualname__}.{attribute}"
        if problem is not None:
            raise EventTableError(f"{where}: {mark.name!r} {problem}")
        owners[mark.name] = attribute
        validate = mark.validate
        if validate is None:
            validate = getattr(handler_class, "validate_events", False)
        validator = _make_validator(method, where) if validate else None
        table[mark.name] = _entry(method, validator, mark)
    return table


def _find_mark(handler_class: type, attribute: str) -> EventMark | None:
    for base in handler_class.__mro__:
        mark = getattr(vars(base).get(attribute), _MARK, None)
        if isinstance(mark, EventMark):
            return mark
    return None


def _make_validator(method: Callable[..., Any], where: str) -> Validator:
    try:
        # Here, since whoever checks nothing need not have the package.
        from mojo.socketio import validation  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise EventTableError(
            f"{where}: to check arguments takes the package pydantic: "
            "pip install 'mojo[validation]'"
        ) from exc
    return validation.Validator(method, where)


def _entry(method: Callable[..., Any], validator: Validator | None, mark: EventMark) -> EventEntry:
    parameters = list(inspect.signature(method).parameters.values())[1:]  # without self
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(1 for p in positional if p.default is p.empty)
    unlimited = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    most = ANY_NUMBER if unlimited else len(positional)
    plain = validator is None and not mark.idempotent and mark.name != CATCH_ALL
    return EventEntry(method, mark.concurrent, mark.idempotent, least, most, validator, plain)
