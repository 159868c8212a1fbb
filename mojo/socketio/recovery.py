"""
Connection state recovery: a client that comes back gets its place, and what it missed.

As the reference has it: each event bears an offset as one more argument at the end, and a
client that comes back says which connection it had (its ``pid``, a secret) and the last
offset that it saw.  It goes on with the same id, rooms and data, and what was sent
meanwhile to those rooms is sent to it once, in order, before it is told that it is
connected.

Where the reference is lax: who comes back must be the same visitor with the same login,
and the app is asked again; a client that had got no event yet is recovered too; one whose
old connection is still thought to be alive takes over from it; and what was sent to a
room before the client entered it stays unknown to it, whatever offset it names.

See: ``connectionStateRecovery`` in socket.io 4.8, and its in-memory adapter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from twisted.internet.interfaces import IReactorTime

from mojo.engineio.deadlines import Deadlines
from mojo.socketio.adapter import LocalAdapter, Recipient, Target
from mojo.socketio.message import Message
from mojo.socketio.places import Identity, Place, Places, drop_from
from mojo.socketio.rooms import Room

# Python objects around each event in the log, in bytes; roughly.
_OVERHEAD = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryOptions:
    """
    What recovery may cost, for each namespace.

    Attributes:
        max_disconnection: seconds for which a client may be away.
        max_packets: most events that are kept.
        max_bytes: most bytes of events that are kept.
        max_sessions: most clients that are waited for.
    """

    max_disconnection: float = 120.0
    max_packets: int = 10_000
    max_bytes: int = 10_000_000
    max_sessions: int = 10_000


class Comeback:
    """
    What a connection needs if its client is to come back.

    Args:
        pid: the client's secret.
        since: the position at which the connection was opened.
        missed: what the client must get before it is told that it is connected.
    """

    __slots__ = ("_missed", "pid", "since")

    def __init__(self, pid: str, since: int, missed: list[Message]) -> None:
        self.pid = pid
        self.since = since
        self._missed = missed

    def take_missed(self) -> list[Message]:
        """Give what was missed, once."""
        missed, self._missed = self._missed, []
        return missed


class Restored(NamedTuple):
    """A place that was found again, and what was missed."""

    place: Place
    missed: list[Message]


@dataclass(slots=True, eq=False)
class _Entry:
    message: Message
    target: Target
    at: float
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.message.size + _OVERHEAD


class RecoveringAdapter(LocalAdapter):
    """
    The adapter of a namespace whose clients may come back.

    Args:
        clock: tells how old things are.
        options: see `RecoveryOptions`.
        epoch: begins every offset: those of an earlier process are none of ours.
        idle: called when the last client that was waited for is given up.
        left: see `LocalAdapter`.
    """

    def __init__(
        self,
        clock: IReactorTime,
        options: RecoveryOptions,
        epoch: str,
        idle: Callable[[], object] = lambda: None,
        left: Callable[[Recipient, Room], object] = lambda *_: None,
    ) -> None:
        super().__init__(left)
        self.is_shared = False
        self._clock = clock
        self._options = options
        self._epoch = f"{epoch}-"
        self._idle = idle
        self._log: deque[_Entry] = deque()
        self._log_bytes = 0
        # What was sent to a visitor's or a login's room, for when that has another name.
        self._named: dict[Room, dict[_Entry, None]] = {}
        #: How many events there have been; the last one's position.
        self.position = 0
        self._entered: dict[Recipient, dict[Room, int]] = {}
        self._places = Places()
        self._away: Deadlines[str] = Deadlines(clock, options.max_disconnection, self._give_up)

    @property
    def waits(self) -> bool:
        """Whether there is a client that may come back."""
        return len(self._places) > 0

    # -- rooms ----------------------------------------------------------------

    def add(self, connection: Recipient) -> None:
        """Take in a connection; see `Adapter`."""
        super().add(connection)
        self._entered[connection] = {}

    def join(self, connection: Recipient, room: Room) -> None:
        """Put a connection into a room; see `Adapter`."""
        super().join(connection, room)
        if connection in self._entered:
            self._entered[connection].setdefault(room, self.position)

    def leave(self, connection: Recipient, room: Room) -> None:
        """Take a connection out of a room; see `Adapter`."""
        super().leave(connection, room)
        if connection in self._entered:
            self._entered[connection].pop(room, None)

    def swap(self, connection: Recipient, room: Room, other: Room) -> None:
        """Put a connection into a room in place of another; see `Adapter`."""
        position = self._entered.get(connection, {}).get(room)
        super().swap(connection, room, other)
        if position is not None:
            # What was sent to the room under its former name was for this connection too.
            self._entered[connection][other] = position

    def remove(self, connection: Recipient) -> None:
        """Drop a connection; see `Adapter`."""
        super().remove(connection)
        self._entered.pop(connection, None)

    def take_place(self, connection: Recipient, place: Place) -> None:
        """Put a connection into the rooms of a place, as of when that entered them."""
        for room, position in place.rooms.items():
            self.join(connection, room)
            self._entered[connection][room] = position

    def concerns(self, room: Room) -> bool:
        """Tell whether anybody here may get what is sent to a room, or who may come back."""
        return self.waits or super().concerns(room)

    # -- what is sent -----------------------------------------------------------

    def broadcast(self, message: Message, target: Target) -> None:
        """Send a message to all of a target, and keep it for those who are away."""
        super().broadcast(self._stamp(message, target), target)

    def _stamp(self, message: Message, target: Target) -> Message:
        if message.event is None:
            return message
        if message.volatile:
            # It is not kept.  But the client takes whatever text comes last in an event
            # for the offset: without one, an argument of the app's would be it.
            return message.stamped(self._offset())
        self.position += 1
        stamped = message.stamped(self._offset())
        now = self._clock.seconds()
        if self._entered or self._places:
            entry = _Entry(stamped, target, now)
            self._log.append(entry)
            self._log_bytes += entry.size
            for room in _named_in(target):
                self._named.setdefault(room, {})[entry] = None
            self._trim(now)
        else:
            # Nobody is here, and nobody is waited for.
            self._log.clear()
            self._named.clear()
            self._log_bytes = 0
        return stamped

    def _offset(self) -> str:
        return f"{self._epoch}{self.position}"

    def _trim(self, now: float) -> None:
        options, log = self._options, self._log
        oldest = now - options.max_disconnection
        while log and (
            len(log) > options.max_packets
            or self._log_bytes > options.max_bytes
            or log[0].at < oldest
        ):
            entry = log.popleft()
            self._log_bytes -= entry.size
            for room in _named_in(entry.target):
                drop_from(self._named, room, entry)

    # -- who goes, and comes back -------------------------------------------------

    def save(
        self,
        pid: str,
        connection: Recipient,
        *,
        identity: Identity,
        data: dict[str, Any],
        since: int,
        lists: Any = None,
    ) -> None:
        """
        Keep the place of a connection that is about to go.

        Args:
            pid: what its client will come back with.
            connection: the connection, still in its rooms.
            identity: whose it is.
            data: the app's data of it.
            since: the position at which it was opened.
            lists: its parts in presence lists.
        """
        if len(self._places) >= self._options.max_sessions:
            oldest = self._away.oldest()
            assert oldest is not None
            self._forget(oldest)
        rooms = dict(self._entered.get(connection, {}))
        self._places.put(pid, Place(connection.id, identity, data, rooms, since, lists))
        self._away.start(pid)

    def restore(self, pid: str, offset: object, identity: Identity) -> Restored | None:
        """
        Give a place again, once.

        Args:
            pid: the client's secret.
            offset: the last one that it saw; anything but text if it saw none.
            identity: who comes.
        Returns:
            ``None`` if the place is gone or somebody else's, or if more was missed than
            is still known.
        """
        place = self._places.get(pid)
        if place is None or place.identity != identity:
            return None
        seen = self._position_of(offset, place)
        if seen is None:
            return None
        self._forget(pid)
        first = self.position - len(self._log)
        missed = [
            entry.message
            for number, entry in enumerate(islice(self._log, max(0, seen - first), None), seen + 1)
            if _is_for(entry.target, place.rooms, number)
        ]
        return Restored(place, missed)

    def recall(self, pid: object, offset: object, identity: Identity) -> None:
        """Give ``None``: all places are kept here; see `Recovery`."""

    def _position_of(self, offset: object, place: Place) -> int | None:
        """Give the position after which a client has missed things, if they are known."""
        position = place.since
        if isinstance(offset, str):
            digits = offset.removeprefix(self._epoch)
            if digits == offset or not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
                return None
            position = max(position, int(digits))
        first = self.position - len(self._log)
        return position if first <= position <= self.position else None

    def forget_identities(
        self, of: Callable[[Identity], bool], session_id: str | None, user_id: str | None
    ) -> None:
        """
        Give up the places of some visitors.

        Args:
            of: tells which, among those of a session and of a user.
            session_id: the session; ``None`` for none.
            user_id: the user; ``None`` for none.
        """
        for pid, place in self._places.of(session_id, user_id).items():
            if of(place.identity):
                self._forget(pid)
                if not self._places:
                    self._idle()

    def rename_visitor(self, former: str, session_id: str, room: Room, other: Room) -> None:
        """
        Keep for a visitor with another id the places, and what was sent to the visitor's room.

        Args:
            former: the id that the visitor had.
            session_id: the new one.
            room: the room of the former one.
            other: the new one's.
        """
        entries = self._named.pop(room, None)
        if entries is not None:
            for entry in entries:
                entry.target = entry.target.renamed(room, other)
            self._named[other] = {**self._named.get(other, {}), **entries}
        self._places.rename(former, session_id, room, other)

    def clear(self) -> None:
        """Give up every place, and the timer."""
        self._places.clear()
        self._away.clear()

    def _forget(self, pid: str) -> None:
        self._away.stop(pid)
        self._places.drop(pid)

    def _give_up(self, pid: str) -> None:
        self._places.drop(pid)
        if not self._places:
            self._idle()


def _named_in(target: Target) -> set[Room]:
    """Give the rooms of a target that are not the app's: of a visitor, or of a login."""
    rooms = {room for names in (target.rooms, target.excluded) for room in names}
    rooms = {room for room in rooms if type(room) is tuple}
    return rooms if target.within is None else {*rooms, target.within}


def _is_for(target: Target, rooms: Mapping[Room, int], number: int) -> bool:
    """Tell whether an event was for somebody who entered these rooms when they did."""

    def was_in(chosen: Collection[Room]) -> bool:
        return any(rooms.get(room, number) < number for room in chosen)

    if target.rooms and not was_in(target.rooms):
        return False
    if target.within is not None and not was_in((target.within,)):
        return False
    return not any(room in rooms for room in target.excluded)
