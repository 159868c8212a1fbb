"""
Namespaces that are made on demand: ``"/doc/<id>"`` stands for as many as clients ask for.

The reference calls what makes them a parent namespace.  It is given as a name with
parameters, a regular expression, or a predicate; whatever it is, only names that could be
declared by hand can be made of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mojo.errors import EventTableError
from mojo.socketio.adapter import Answer, MakeRemote
from mojo.socketio.namespace import HandlerClass, Namespace
from mojo.socketio.operator import BroadcastOperator, Place
from mojo.socketio.packet import ROOT
from mojo.socketio.parser import Parser

_log = Logger()

# A comma ends a namespace's name on the wire.  The reference lets be whatever else there is; what
# nobody sees is left out here.
_NAME = re.compile(r"/[^\x00-\x1f,\x7f]{0,1023}")
_PARAMETER = re.compile(r"<([A-Za-z_][A-Za-z0-9_]*)>")

Predicate = Callable[[str, dict[str, Any]], "bool | Mapping[str, str] | None"]
#: How namespaces are named in ``__endpoints__``.
Names = str | re.Pattern[str] | Predicate


def is_name(name: str) -> bool:
    """Tell whether a text can be a namespace's name."""
    return _NAME.fullmatch(name) is not None and (name == ROOT or not name.endswith("/"))


def is_plain(names: Names) -> bool:
    """Tell whether it is the name of one namespace."""
    return isinstance(names, str) and "<" not in names


class Origin(Protocol):
    """The server, as a parent sees it."""

    clock: IReactorTime
    parser: Parser
    new_ack_id: Callable[[], int]
    make_remote: MakeRemote | None

    @property
    def namespaces(self) -> Mapping[str, Namespace]:
        """The namespaces by name."""


class OnDemand:
    """
    The namespace of one name whenever there is one: an `Audience`.

    What is made on demand may go and be made again, so that an operator that is kept must
    not be of the one that there was.

    Args:
        origin: the server.
        name: the namespace's name.
    """

    def __init__(self, origin: Origin, name: str) -> None:
        self.clock = origin.clock
        self.parser = origin.parser
        self.new_ack_id = origin.new_ack_id
        self._origin = origin
        self._name = name

    def places(self) -> Collection[Place]:
        """Give the namespace, if it is there, or the way to where it may be."""
        found = self._origin.namespaces.get(self._name)
        if found is not None:
            return (found,)
        make_remote = self._origin.make_remote
        return () if make_remote is None else (_Elsewhere(self._origin, self._name, make_remote),)


class _Elsewhere:
    """A namespace that is not here, but may be at other servers: a `Place`."""

    def __init__(self, origin: Origin, name: str, make_remote: MakeRemote) -> None:
        self.name = name
        self.clock = origin.clock
        self.parser = origin.parser
        self.new_ack_id = origin.new_ack_id
        self.adapter = make_remote(self)

    def places(self) -> Collection[Place]:
        """Give itself."""
        return (self,)

    def server_event(self, name: str, args: Sequence[Any], answer: Answer | None) -> None:
        """Nothing is heard where nothing is."""


class ParentNamespace:
    """
    What makes namespaces of one kind.

    Args:
        origin: the server.
        prefix: the namespace that they are below: ``"/ChatSocket"``; ``""`` for none.
        names: below the prefix: ``"/doc/<id>"``, where a parameter is anything without a
            slash; a compiled expression, which is held against the whole rest of the
            name; or a function of that rest and the client's ``auth`` that gives
            ``True`` or parameters, and is asked for each client.
        handler_class: makes the app's object for each connection.
        app: the name of the app.

    Attributes:
        children: those there are now, by name.
        operator: everyone in them.
    Raises:
        EventTableError: ``names`` is none of these.
    """

    def __init__(
        self, origin: Origin, prefix: str, names: Names, handler_class: HandlerClass, app: str
    ) -> None:
        self.clock = origin.clock
        self.parser = origin.parser
        self.new_ack_id = origin.new_ack_id
        self.handler_class = handler_class
        self.app = app
        self.children: dict[str, Namespace] = {}
        self.operator = BroadcastOperator(self)
        self._prefix = prefix
        self._names: re.Pattern[str] | Predicate
        if isinstance(names, str):
            self.name = prefix + names
            self._names = _compiled(names)
        elif isinstance(names, re.Pattern):
            self.name = f"{prefix}{names.pattern}"
            self._names = names
        elif callable(names) and not iscoroutinefunction(names):
            self.name = f"{prefix}<{getattr(names, '__name__', 'predicate')}>"
            self._names = names
        else:
            raise EventTableError(f"{names!r} is no name, expression or sync predicate")

    def places(self) -> Collection[Namespace]:
        """Give the namespaces there are now; see `Audience`."""
        return tuple(self.children.values())

    def match(self, name: str, auth: dict[str, Any]) -> Mapping[str, str] | None:
        """
        Give the parameters that a name has here; ``None``, if it is none of ours.

        Args:
            name: the whole name.
            auth: what the client gave as ``auth``.
        """
        rest = self._rest(name)
        if rest is None:
            return None
        if isinstance(self._names, re.Pattern):
            found = self._names.fullmatch(rest)
            return None if found is None else found.groupdict(default="")
        try:
            answer = self._names(rest, auth)
        except Exception:
            _log.failure("the predicate of {name} failed", name=self.name)
            return None
        if isinstance(answer, Mapping):
            return answer
        return {} if answer is True else None

    def may_make(self, name: str) -> bool:
        """Tell whether a namespace of that name may come to be; a predicate is not asked."""
        rest = self._rest(name)
        return rest is not None and (
            not isinstance(self._names, re.Pattern) or self._names.fullmatch(rest) is not None
        )

    def _rest(self, name: str) -> str | None:
        """Give the part of a name that is below the prefix."""
        rest = name.removeprefix(self._prefix)
        # "/ChatSocketX" begins as "/ChatSocket" does, and is not below it.
        below = name.startswith(self._prefix) and rest.startswith("/")
        return rest if below and is_name(name) else None


def _compiled(names: str) -> re.Pattern[str]:
    """Make the expression of a name with parameters."""
    example = _PARAMETER.sub("x", names)
    if not is_name(example) or "<" in example or ">" in example:
        raise EventTableError(f"{names!r} cannot be a namespace's name")
    pieces = _PARAMETER.split(names)
    # Every second piece is a parameter's name.
    parameters = pieces[1::2]
    if len(set(parameters)) < len(parameters):
        raise EventTableError(f"{names!r} has two parameters of one name")
    pattern = "".join(
        f"(?P<{piece}>[^/]+)" if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    )
    return re.compile(pattern)
