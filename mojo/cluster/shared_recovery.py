"""
Connection state recovery across servers, as ``@socket.io/redis-streams-adapter`` has it.

The place of a client that is away is a key of Redis for as long as it may be; whoever takes it
deletes it.  An event's offset is its entry's id in the stream, so that what a client missed is
read from there by whatever server it comes to.  That only works if every event for clients is
an entry, and if clients get them in the stream's order: what is sent here goes into the stream
first, and to our own clients when it comes back; see `mojo.cluster.streams`.

Between servers of ours the place says whose it is as well, and who comes must be the same.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mojo.cluster import streams_wire
from mojo.cluster.bus import Entry, Kept
from mojo.cluster.names import read_room, write_room
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import LocalAdapter, Recipient, Target
from mojo.socketio.message import Message
from mojo.socketio.parser import Parser
from mojo.socketio.places import Identity, Place
from mojo.socketio.recovery import RecoveryOptions, Restored
from mojo.socketio.rooms import Room

_log = Logger()

_OFFSET = re.compile(r"[0-9]{1,20}-[0-9]{1,20}", re.ASCII)
#: Entries that are read at once, and how often at most: who missed more has lost its place.
READ_COUNT, MAX_READS = 500, 100


class SharedRecovery(LocalAdapter):
    """
    The adapter of the connections of this process; see `Recovery`.

    Args:
        bus: what has the stream and the keys.
        parser: makes what is sent.
        name: the namespace's.
        options: how long a client may be away.
        left: see `LocalAdapter`.

    Attributes:
        will_come: tells whether what is in the stream still comes from there; see `Line`.
    """

    is_shared = True
    waits = False

    def __init__(
        self,
        bus: Kept,
        parser: Parser,
        name: str,
        options: RecoveryOptions,
        left: Callable[[Recipient, Room], object],
    ) -> None:
        super().__init__(left)
        self._bus = bus
        self._parser = parser
        self._name = name.encode("utf-8", "surrogatepass")
        self._options = options
        self.will_come: Callable[[Entry], bool] = lambda entry: True

    @property
    def position(self) -> str:
        """The id of the last entry that was handed on."""
        return self._bus.position

    # -- what is sent -----------------------------------------------------------

    def broadcast(self, message: Message, target: Target) -> None:
        """Send a message that is no entry; it bears the offset of the last one."""
        self.broadcast_at(self.position, message, target)

    def broadcast_at(self, offset: str, message: Message, target: Target) -> None:
        """Send a message that is the entry of that id."""
        super().broadcast(message if message.event is None else message.stamped(offset), target)

    # -- who goes, and comes back -------------------------------------------------

    def save(
        self,
        pid: str,
        connection: Recipient,
        *,
        identity: Identity,
        data: dict[str, Any],
        since: Any,
        lists: Any = None,
    ) -> None:
        """Keep the place of a connection that is about to go; see `Recovery`."""
        kept = {
            "sid": connection.id,
            "pid": pid,
            "rooms": sorted(map(write_room, self.rooms_of(connection))),
            "data": _sendable(data),
            "mojo": {
                "since": since,
                "session_id": identity.session_id,
                "user_id": identity.user_id,
            },
        }
        packed = b64encode(streams_wire.pack_message(kept, None))
        self._bus.keep(pid, packed, self._options.max_disconnection)

    def restore(self, pid: str, offset: object, identity: Identity) -> Restored | None:
        """None are kept here."""
        return None

    def recall(
        self, pid: object, offset: object, identity: Identity
    ) -> Deferred[Restored | None] | None:
        """Give a place again, once; see `Recovery`."""
        if not isinstance(pid, str) or not self._bus.is_up:
            return None
        restoring = Deferred.fromCoroutine(self._recall(pid, offset, identity))
        return restoring.addErrback(self._failed)

    async def _recall(self, pid: str, offset: object, identity: Identity) -> Restored | None:
        packed = await self._bus.take_kept(pid)
        kept = _read_place(packed) if packed is not None else None
        if kept is None:
            return None
        place, whose = kept
        if whose is not None and whose != identity:
            return None
        seen = offset if isinstance(offset, str) else place.since
        if not isinstance(seen, str) or not _OFFSET.fullmatch(seen):
            return None
        first = await self._bus.read("-", "+", 1)
        if not first or _place_of(first[0][0]) > _place_of(seen):
            return None  # what came after it is gone in part
        missed: list[tuple[tuple[int, int], Entry, Message]] = []
        last = seen
        for _ in range(MAX_READS):
            entries = await self._bus.read(f"({last}", "+", READ_COUNT)
            for entry_id, entry in entries:
                last = entry_id
                message = self._missed(entry_id, entry, place)
                if message is not None:
                    missed.append((_place_of(entry_id), entry, message))
            here = _place_of(self.position)
            if len(entries) == READ_COUNT or here > _place_of(last):
                continue
            # From here on what comes is for the connection itself: no entry between.  But what
            # the others were given before its turn does not come again, and is passed first.
            if all(self.will_come(entry) for at, entry, _ in missed if at > here):
                return Restored(place, [one for at, _, one in missed if at <= here])
        return None

    def _missed(self, entry_id: str, entry: Entry, place: Place) -> Message | None:
        """Give the event of an entry, if it was for somebody in those rooms."""
        if entry.get("nsp") != self._name or entry.get("type") != b"3":
            return None
        try:
            sent = streams_wire.read_broadcast(streams_wire.read_entry(entry))
            if sent is None or sent.flags.get("volatile") or not _is_for(sent.target, place):
                return None
            return streams_wire.make_event(self._parser, sent).stamped(entry_id)
        except (PacketError, UnsendableError):
            return None  # it was counted when it came

    def _failed(self, failure: Any) -> None:
        _log.warn("cluster: a client could not be recovered: {why}", why=failure.getErrorMessage())

    def take_place(self, connection: Recipient, place: Place) -> None:
        """Put a connection into the rooms of a place; see `Recovery`."""
        for room in place.rooms:
            # Who it is says the connection, and nobody else.
            if isinstance(room, str):
                self.join(connection, room)

    def forget_identities(
        self, of: Callable[[Identity], bool], session_id: str | None, user_id: str | None
    ) -> None:
        """Do nothing: who comes back without the login is somebody else."""

    def rename_visitor(self, former: str, session_id: str, room: Room, other: Room) -> None:
        """Do nothing: who comes back with another id is somebody else."""

    def clear(self) -> None:
        """Do nothing: no place is kept here."""


def _read_place(packed: bytes) -> tuple[Place, Identity | None] | None:
    try:
        kept = streams_wire.unpack_message(b64decode(packed))
    except (PacketError, ValueError):
        return None
    sid, rooms, data, ours = (kept.get(name) for name in ("sid", "rooms", "data", "mojo"))
    if not isinstance(sid, str) or not isinstance(rooms, list):
        return None
    names = {read_room(room): 0 for room in rooms if isinstance(room, str)}
    whose, since = None, None
    if isinstance(ours, dict):
        whose = Identity(ours.get("session_id"), ours.get("user_id"))
        since = ours.get("since")
    data = data if isinstance(data, dict) else {}
    return Place(sid, whose or Identity(None, None), data, names, since, None), whose  # type: ignore[arg-type]


def _sendable(data: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, value in data.items():
        try:
            streams_wire.pack_message({"": value}, None)
        except UnsendableError:
            continue
        kept[key] = value
    return kept


def _place_of(offset: str) -> tuple[int, int]:
    milliseconds, _, number = offset.partition("-")
    return int(milliseconds), int(number)


def _is_for(target: Target, place: Place) -> bool:
    def was_in(chosen: frozenset[Room]) -> bool:
        return any(room in place.rooms for room in chosen)

    if target.rooms and not was_in(target.rooms):
        return False
    if target.within is not None and target.within not in place.rooms:
        return False
    return not was_in(target.excluded)
