"""
How a namespace's broadcasts reach its connections.

An adapter is the one thing that a cluster replaces: it keeps a `LocalAdapter` for the
connections of this process, and carries to the others what it is told.  What it is told
of is a `Target`, which names rooms and no connections, so that it means the same
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from mojo.socketio.acks import AckCollector, Answered, Failed
from mojo.socketio.delivery import Addressee, deliver
from mojo.socketio.message import Message
from mojo.socketio.parser import Parser
from mojo.socketio.rooms import Room, Rooms

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Target:
    """
    Some of the connections of a namespace.

    Attributes:
        rooms: they are in one of these; everyone, if empty.
        excluded: they are in none of these.
        within: and they are all in this one, if it is given.
        local: whether only those of this process are meant.
    """

    rooms: frozenset[Room] = frozenset()
    excluded: frozenset[Room] = frozenset()
    within: Room | None = None
    local: bool = False

    def renamed(self, room: Room, other: Room) -> Target:
        """Give the same target where a room has another name."""
        if room != self.within and room not in self.rooms and room not in self.excluded:
            return self
        return replace(
            self,
            rooms=frozenset(other if name == room else name for name in self.rooms),
            excluded=frozenset(other if name == room else name for name in self.excluded),
            within=other if self.within == room else self.within,
        )


#: Everyone.
EVERYONE = Target()


@dataclass(frozen=True, slots=True)
class SocketFacts:
    """
    What is known of a connection, wherever it is.

    Attributes:
        id: its id.
        session_id: its visitor.
        user_id: its login.
        rooms: the app's rooms that it is in.
        data: the app's data of it.
        handshake: facts of its request: ``address``, ``query``, ``secure``, ``issued``,
            ``path``.  No headers, cookies or ``auth``: there are secrets among them.
    """

    # Ids and rooms that have them for names do not belong into a log.
    id: str = field(repr=False)
    session_id: str | None = field(repr=False)
    user_id: str | None
    rooms: frozenset[str] = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    handshake: dict[str, Any] = field(repr=False)


class Recipient(Addressee, Protocol):
    """A connection, as an adapter sees it."""

    id: str

    @property
    def facts(self) -> SocketFacts | None:
        """What there is to know of it; ``None`` if it is not open."""

    def send_expecting(
        self, message: Message, ack_id: int, answered: Answered, failed: Failed
    ) -> None:
        """Send a message, and wait for the answer."""

    def forget_ack(self, ack_id: int) -> None:
        """Wait for an answer no longer."""

    def disconnect(self, *, close: bool = False) -> None:
        """End the connection, or with ``close`` all of the client's connections."""


class Collector(Protocol):
    """Whom the answers to one broadcast go to; see `mojo.socketio.acks.AckCollector`."""

    def expect(self, cid: str, forget: Callable[[], object]) -> None:
        """Wait for one more connection; ``forget`` is called if that is given up."""

    def answered(self, cid: str, args: list[Any]) -> None:
        """Take the answer of a connection."""

    def lost(self, cid: str, error: Exception | None = None) -> None:
        """Note that there will be no answer of a connection."""

    def all_asked(self) -> None:
        """Note that everybody is known to whom the broadcast went."""


class Gathered(list[Item]):
    """
    What servers of a cluster gave when they were asked: what arrived in time.

    Attributes:
        missing: how many of the servers did not answer; 0 for a server that is alone, and
            1 if the cluster could not be asked at all.
        missing_servers: the names of Mojo's among them, as the log has them; those that are
            known to be there.
    """

    def __init__(
        self, items: Iterable[Item] = (), missing: int = 0, missing_servers: Iterable[str] = ()
    ) -> None:
        super().__init__(items)
        self.missing = missing
        self.missing_servers = tuple(missing_servers)


class Adapter(Protocol):
    """
    What a namespace needs of whatever carries its broadcasts.

    The contract that every adapter holds is in ``tests/cluster/test_adapters.py``.
    """

    # -- the connections of this process ---------------------------------------

    def add(self, connection: Recipient) -> None:
        """Take in a connection of this process."""

    def remove(self, connection: Recipient) -> None:
        """Drop a connection and its place in every room."""

    def join(self, connection: Recipient, room: Room) -> None:
        """Put a connection into a room."""

    def leave(self, connection: Recipient, room: Room) -> None:
        """Take a connection out of a room."""

    def swap(self, connection: Recipient, room: Room, other: Room) -> None:
        """Take a connection out of a room that has got another name, and put it into that."""

    def rooms_of(self, connection: Recipient) -> Collection[Room]:
        """Give the rooms that a connection is in."""

    # -- all of them ------------------------------------------------------------

    def broadcast(self, message: Message, target: Target) -> None:
        """Send a message to all of a target."""

    def broadcast_with_ack(
        self, message: Message, target: Target, ack_id: int, collector: AckCollector
    ) -> None:
        """Send a message whose ack id is ``ack_id`` to all of a target, and wait for all."""

    def fetch_sockets(self, target: Target) -> Deferred[Gathered[SocketFacts]]:
        """Give what there is to know of each connection."""

    def add_sockets(self, target: Target, rooms: Collection[Room]) -> None:
        """Put all of a target into some rooms."""

    def del_sockets(self, target: Target, rooms: Collection[Room]) -> None:
        """Take all of a target out of some rooms."""

    def disconnect_sockets(self, target: Target, *, close: bool) -> None:
        """End all of a target, and with ``close`` their clients' other connections."""

    # -- the other servers ---------------------------------------------------------

    def server_side_emit(self, name: str, args: Sequence[Any]) -> None:
        """Send an event to this namespace's listeners on the other servers."""

    def server_side_call(self, name: str, args: Sequence[Any]) -> Deferred[Gathered[Any]]:
        """Send an event to the other servers' listeners, and wait for what each answers."""

    def give_up(self) -> None:
        """Wait for no other server any longer, and leave no timer."""

    def close(self) -> None:
        """Carry nothing any longer: the namespace goes."""


class LocalAdapter(Rooms[Recipient]):
    """
    The adapter of a server that is alone: its rooms are all there are.

    Args:
        left: called with a connection and the room that it has left, but not when the
            connection is dropped.
    """

    def __init__(self, left: Callable[[Recipient, Room], object] = lambda *_: None) -> None:
        super().__init__()
        self._left = left

    def leave(self, connection: Recipient, room: Room) -> None:
        """Take a connection out of a room."""
        super().leave(connection, room)
        self._left(connection, room)

    def swap(self, connection: Recipient, room: Room, other: Room) -> None:
        """Take a connection out of a room that has got another name, and put it into that."""
        self.leave(connection, room)
        self.join(connection, other)

    def select_target(self, target: Target) -> list[Recipient]:
        """Give the connections of a target; see `Rooms.select`."""
        return self.select(target.rooms, target.excluded, target.within)

    def find(self, connection_id: str) -> Recipient | None:
        """Give the connection of an id, if it is here; a room of that name may have others."""
        found = self.select_target(Target(frozenset((connection_id,))))
        return next((one for one in found if one.id == connection_id), None)

    def broadcast(self, message: Message, target: Target) -> None:
        """Send a message to all of a target."""
        deliver(message, self.select_target(target))

    def broadcast_with_ack(
        self, message: Message, target: Target, ack_id: int, collector: Collector
    ) -> None:
        """Send a message to all of a target, and wait for all."""
        for connection in self.select_target(target):
            cid = connection.id
            collector.expect(cid, partial(connection.forget_ack, ack_id))
            connection.send_expecting(
                message, ack_id, partial(collector.answered, cid), partial(collector.lost, cid)
            )
        collector.all_asked()

    def fetch_sockets(self, target: Target) -> Deferred[Gathered[SocketFacts]]:
        """Give what there is to know of each connection."""
        found = (connection.facts for connection in self.select_target(target))
        return succeed(Gathered(facts for facts in found if facts is not None))

    def add_sockets(self, target: Target, rooms: Collection[Room]) -> None:
        """Put all of a target into some rooms."""
        for connection in self.select_target(target):
            for room in rooms:
                self.join(connection, room)

    def del_sockets(self, target: Target, rooms: Collection[Room]) -> None:
        """Take all of a target out of some rooms."""
        for connection in self.select_target(target):
            for room in rooms:
                self.leave(connection, room)

    def disconnect_sockets(self, target: Target, *, close: bool) -> None:
        """End all of a target, and with ``close`` their clients' other connections."""
        for connection in self.select_target(target):
            connection.disconnect(close=close)

    def app_rooms(self) -> list[str]:
        """Give the rooms that are an app's; each connection's id is one."""
        return [room for room in self.names() if isinstance(room, str)]

    def concerns(self, room: Room) -> bool:
        """Tell whether anybody here may get what is sent to a room."""
        return room in self

    def server_side_emit(self, name: str, args: Sequence[Any]) -> None:
        """Do nothing: there is no other server."""

    def server_side_call(self, name: str, args: Sequence[Any]) -> Deferred[Gathered[Any]]:
        """Give no answers: there is no other server."""
        return succeed(Gathered())

    def give_up(self) -> None:
        """Do nothing: there is no other server."""

    def close(self) -> None:
        """Do nothing: its rooms go with their members."""


class Carried(Protocol):
    """A namespace, as a cluster's adapter sees it."""

    name: str
    clock: IReactorTime
    parser: Parser

    @property
    def new_ack_id(self) -> Callable[[], int]:
        """Makes the id of an acknowledgement."""

    def server_event(self, name: str, args: Sequence[Any], answer: Answer | None) -> None:
        """Hear what another server emitted; ``answer`` takes what is to be told it."""


Answer = Callable[[Any], object]
#: Makes a namespace's adapter around its rooms.
MakeAdapter = Callable[[Carried, LocalAdapter], Adapter]
#: Makes an adapter to a namespace that is not here, but may be at other servers.
MakeRemote = Callable[[Carried], Adapter]


def alone(namespace: Carried, local: LocalAdapter) -> Adapter:
    """Make the adapter of a server that is alone."""
    return local
