"""
Who is in which room: an index both ways, without any I/O.

A room is a group of members under a name.  Applications name rooms with text; rooms
with a tuple for a name are our own (``("session", id)``, ``("user", id)``), and no
text equals a tuple.  A room exists while somebody is in it.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

Room = str | tuple[str, str]
Member = TypeVar("Member")


class Rooms(Generic[Member]):
    """
    Rooms and their members.

    Members are kept in the order in which they came, so that a broadcast reaches
    them in an order that does not change from run to run.
    """

    def __init__(self) -> None:
        self._members: dict[Room, dict[Member, None]] = {}
        self._rooms: dict[Member, dict[Room, None]] = {}

    def add(self, member: Member) -> None:
        """Take in a member, which is in no room yet."""
        self._rooms.setdefault(member, {})

    def remove(self, member: Member) -> None:
        """Drop a member and its place in every room."""
        for room in self._rooms.pop(member, ()):
            self._leave(member, room)

    def join(self, member: Member, room: Room) -> None:
        """Put a member into a room; one that was removed stays out."""
        rooms = self._rooms.get(member)
        if rooms is not None:
            rooms[room] = None
            self._members.setdefault(room, {})[member] = None

    def leave(self, member: Member, room: Room) -> None:
        """Take a member out of a room."""
        rooms = self._rooms.get(member)
        if rooms is not None and room in rooms:
            del rooms[room]
            self._leave(member, room)

    def rooms_of(self, member: Member) -> Collection[Room]:
        """Give the rooms that a member is in."""
        return tuple(self._rooms.get(member, ()))

    def names(self) -> Collection[Room]:
        """Give the rooms that there are."""
        return tuple(self._members)

    def __contains__(self, room: Room) -> bool:
        return room in self._members

    def __len__(self) -> int:
        return len(self._members)

    def select(
        self,
        rooms: AbstractSet[Room],
        except_: Collection[Room],
        within: Room | None = None,
    ) -> list[Member]:
        """
        Give each member that is in one of some rooms and in none of others, once.

        The list is the caller's own: members may come and go meanwhile.

        Args:
            rooms: where to look; everywhere, if empty.
            except_: whom to leave out.
            within: a room that they must be in as well; ``None`` for none.
        """
        if within is not None:
            chosen = list(self._members.get(within, ()))
            if rooms:
                chosen = [m for m in chosen if not rooms.isdisjoint(self._rooms[m])]
        elif not rooms:
            chosen = list(self._rooms)
        elif len(rooms) == 1:
            (room,) = rooms
            chosen = list(self._members.get(room, ()))
        else:
            chosen = list({m: None for room in rooms for m in self._members.get(room, ())})
        if not except_:
            return chosen
        left_out = [self._members[room] for room in except_ if room in self._members]
        return [m for m in chosen if not any(m in members for members in left_out)]

    def _leave(self, member: Member, room: Room) -> None:
        members = self._members[room]
        del members[member]
        if not members:
            del self._members[room]
