"""
Whom something is for, as a sentence: ``app.to("room").except_(me).volatile.emit("said", text)``.

An operator is never changed: each word gives a new one, so that one may be kept and
used again.  The words are those of Socket.IO's own servers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import ignore, run
from mojo.errors import AckTimeout
from mojo.socketio.acks import AckCollector, Answers
from mojo.socketio.adapter import EVERYONE, Adapter, Gathered, SocketFacts, Target
from mojo.socketio.message import Message
from mojo.socketio.parser import Parser
from mojo.socketio.rooms import Room
from mojo.socketio.threads import run_in_reactor

_log = Logger()

#: Seconds in which clients may acknowledge, unless `BroadcastOperator.timeout` says else.
ACK_SECONDS = 60.0

AllAnswered = Callable[[AckTimeout | None, list[Any]], object]


@dataclass(frozen=True, slots=True)
class Flags:
    """
    How something is sent.

    Attributes:
        volatile: whether a client that cannot take it at once does without it.
        compress: whether a transport may compress it.
        timeout: seconds to wait for acknowledgements; ``None`` if nothing was said.
    """

    volatile: bool = False
    compress: bool = True
    timeout: float | None = None


#: As a message is sent if nothing else was said.
PLAIN = Flags()


class Audience(Protocol):
    """The namespaces that an operator chooses from."""

    clock: IReactorTime
    parser: Parser

    @property
    def new_ack_id(self) -> Callable[[], int]:
        """Makes the id of an acknowledgement; from any thread."""

    def places(self) -> Collection[Place]:
        """Give the namespaces there are now."""


class Place(Audience, Protocol):
    """One namespace, as an operator sees it."""

    adapter: Adapter


class BroadcastOperator:
    """
    Some of the connections of one namespace, or of several.

    Args:
        audience: where they are.
        target: which of them.
        flags: how they are sent to.
    """

    def __init__(self, audience: Audience, target: Target = EVERYONE, flags: Flags = PLAIN) -> None:
        self._audience = audience
        self._target = target
        self._flags = flags

    def __repr__(self) -> str:
        # Not the rooms: those of visitors have their ids for names.
        return f"<{type(self).__name__}>"

    # -- whom -----------------------------------------------------------------

    def to(self, *rooms: Room) -> BroadcastOperator:
        """
        Those in any of the rooms too; a connection's ``id`` is a room of its own.

        Raises:
            TypeError: a room is no ``str``, or there is none: it would be everyone.
        """
        if not rooms:
            raise TypeError("to() takes one room at least: without any it would be everyone")
        return self._choose(rooms=self._target.rooms | _checked(rooms))

    def in_(self, *rooms: Room) -> BroadcastOperator:
        """The same as `to`."""
        return self.to(*rooms)

    def except_(self, *rooms: Room) -> BroadcastOperator:
        """Those in none of the rooms."""
        return self._choose(excluded=self._target.excluded | _checked(rooms))

    @property
    def local(self) -> BroadcastOperator:
        """Those that are connected to this process."""
        return self._choose(local=True)

    # -- how ------------------------------------------------------------------

    @property
    def volatile(self) -> BroadcastOperator:
        """A client that cannot take the message at once does without it."""
        return self._set(volatile=True)

    def compress(self, allowed: bool) -> BroadcastOperator:
        """Let transports compress the message, where they can, or not."""
        return self._set(compress=allowed)

    def timeout(self, seconds: float) -> BroadcastOperator:
        """Wait so many seconds for acknowledgements."""
        return self._set(timeout=seconds)

    # -- what -----------------------------------------------------------------

    def emit(self, name: str, *args: Any, ack: AllAnswered | None = None) -> None:
        """
        Send an event to all of them; from any thread.

        Args:
            name: the event's name.
            args: anything that JSON has, and bytes at any depth.
            ack: called with ``(error, answers)`` when all have acknowledged, or time is
                up: ``error`` is then an `AckTimeout` that says how many have not.
        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
        """
        if ack is None:
            message = self._message(name, args)
            self._each(lambda adapter: adapter.broadcast(message, self._target))
        else:
            ack_id = self._audience.new_ack_id()
            question = self._message(name, args, ack_id)
            run_in_reactor(
                self._audience.clock,
                lambda: self._ask(question, ack_id).addCallback(_tell, ack, name),
            )

    def send(self, *args: Any, ack: AllAnswered | None = None) -> None:
        """Send all of them the event that ``socket.on("message")`` hears."""
        self.emit("message", *args, ack=ack)

    def call(self, name: str, *args: Any) -> Deferred[Answers]:
        """
        Send an event to all of them, and wait for their acknowledgements.

        Returns:
            A Deferred of `Answers`: the answers, and the ids of the connections that did
            not give one in time (`timeout`; 60 seconds unless that was said) or went.
        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
        """
        ack_id = self._audience.new_ack_id()
        return self._ask(self._message(name, args, ack_id), ack_id)

    def fetch_sockets(self) -> Deferred[Gathered[RemoteSocket]]:
        """
        Give what there is to know of each, as a Deferred: they may be elsewhere.

        The list's ``missing`` is how many servers of the cluster did not answer in time.
        """

        def fetch(place: Place) -> Deferred[Gathered[RemoteSocket]]:
            def remote(found: Gathered[SocketFacts]) -> Gathered[RemoteSocket]:
                sockets = (RemoteSocket(place, one) for one in found)
                return Gathered(sockets, found.missing, found.missing_servers)

            return place.adapter.fetch_sockets(self._target).addCallback(remote)

        fetching = [fetch(place) for place in self._audience.places()]
        return gatherResults(fetching, consumeErrors=True).addCallback(_joined)

    def sockets_join(self, *rooms: str) -> None:
        """Put all of them into some rooms; from any thread."""
        chosen = _checked(rooms)
        self._each(lambda adapter: adapter.add_sockets(self._target, chosen))

    def sockets_leave(self, *rooms: str) -> None:
        """Take all of them out of some rooms; from any thread."""
        chosen = _checked(rooms)
        self._each(lambda adapter: adapter.del_sockets(self._target, chosen))

    def disconnect_sockets(self, *, close: bool = False) -> None:
        """
        End all of these connections; from any thread.

        Args:
            close: whether to end their clients' connections to other apps as well.
        """
        self._each(lambda adapter: adapter.disconnect_sockets(self._target, close=close))

    # -- within ---------------------------------------------------------------

    def _choose(self, **changes: Any) -> BroadcastOperator:
        return BroadcastOperator(self._audience, replace(self._target, **changes), self._flags)

    def _set(self, **changes: Any) -> BroadcastOperator:
        return BroadcastOperator(self._audience, self._target, replace(self._flags, **changes))

    def _each(self, act: Callable[[Adapter], object]) -> None:
        run_in_reactor(self._audience.clock, self._each_now, act)

    def _each_now(self, act: Callable[[Adapter], object]) -> None:
        for place in self._audience.places():
            act(place.adapter)

    def _message(self, name: str, args: tuple[Any, ...], ack_id: int | None = None) -> Message:
        flags = self._flags
        return self._audience.parser.event(
            name, args, ack_id, volatile=flags.volatile, compress=flags.compress
        )

    def _ask(self, question: Message, ack_id: int) -> Deferred[Answers]:
        audience, seconds = self._audience, self._flags.timeout
        places = audience.places()
        collector = AckCollector(
            audience.clock, ACK_SECONDS if seconds is None else seconds, len(places)
        )
        for place in places:
            place.adapter.broadcast_with_ack(question, self._target, ack_id, collector)
        return collector.result


def _joined(lists: list[Gathered[RemoteSocket]]) -> Gathered[RemoteSocket]:
    # Of each namespace: the same servers may be missing in all of them.
    missing = max((found.missing for found in lists), default=0)
    servers = {name: None for found in lists for name in found.missing_servers}
    return Gathered(chain.from_iterable(lists), missing, servers)


def _tell(answers: Answers, ack: AllAnswered, name: str) -> None:
    error = None
    if answers.missing:
        error = AckTimeout(f"{len(answers.missing)} clients have not acknowledged")
    run(partial(ack, error, answers.answers), ignore, partial(_report, name=name))


def _report(failure: Failure, name: str) -> None:
    _log.failure("the answers to {event!r} were not handled", failure, event=name)


def _checked(rooms: tuple[Room, ...]) -> frozenset[Room]:
    for room in rooms:
        if not isinstance(room, str | tuple):
            raise TypeError(f"a room's name is a str, not {type(room).__name__}")
    return frozenset(rooms)


class RemoteSocket(BroadcastOperator):
    """
    A connection as `BroadcastOperator.fetch_sockets` gives it, wherever it is.

    What is known of it was so when it was asked; what is sent to it finds it by its id.

    Attributes:
        facts: see `SocketFacts`.
    """

    def __init__(self, audience: Audience, facts: SocketFacts) -> None:
        super().__init__(audience, Target(within=facts.id))
        self.facts = facts

    @property
    def id(self) -> str:
        """The connection's id."""
        return self.facts.id

    @property
    def session_id(self) -> str | None:
        """The visitor."""
        return self.facts.session_id

    @property
    def user_id(self) -> str | None:
        """The login."""
        return self.facts.user_id

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that it is in."""
        return self.facts.rooms

    @property
    def data(self) -> dict[str, Any]:
        """The app's data of it."""
        return self.facts.data

    @property
    def handshake(self) -> dict[str, Any]:
        """Facts of its request; see `SocketFacts`."""
        return self.facts.handshake

    def join(self, *rooms: str) -> None:
        """Put it into some rooms."""
        self.sockets_join(*rooms)

    def leave(self, *rooms: str) -> None:
        """Take it out of some rooms."""
        self.sockets_leave(*rooms)

    def disconnect(self, *, close: bool = False) -> None:
        """End it, and with ``close`` its client's connections to other apps."""
        self.disconnect_sockets(close=close)
