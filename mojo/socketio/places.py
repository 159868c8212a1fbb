"""
The places of clients that are away, by what they come back with and by whose they are.

A login or a session may end at any time, and whoever ends one must not look through the places
of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from mojo.socketio.rooms import Room

Key = TypeVar("Key")
Item = TypeVar("Item")


class Identity(NamedTuple):
    """Who a client is; who comes back must be the same."""

    session_id: str | None
    user_id: str | None

    def __repr__(self) -> str:
        # Without the session's id, which is nobody else's business.
        return f"<Identity of {self.user_id!r}>"


@dataclass(slots=True, repr=False)
class Place:
    """
    What a connection has, and may find again.

    Attributes:
        id: the connection's id.
        identity: whose it is.
        data: the app's data.
        rooms: its rooms, with the position in the log at which it entered each.
        since: the position at which it was opened.
        lists: its parts in presence lists.
    """

    id: str
    identity: Identity
    data: dict[str, Any]
    rooms: Mapping[Room, int]
    since: int
    lists: Any


class Places:
    """Places by their clients' secrets."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._of_session: dict[str | None, dict[str, None]] = {}
        self._of_user: dict[str | None, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def get(self, pid: str) -> Place | None:
        """Give a place, if there is one."""
        return self._places.get(pid)

    def put(self, pid: str, place: Place) -> None:
        """Keep a place."""
        self._places[pid] = place
        self._of_session.setdefault(place.identity.session_id, {})[pid] = None
        self._of_user.setdefault(place.identity.user_id, {})[pid] = None

    def drop(self, pid: str) -> None:
        """Give up a place."""
        identity = self._places.pop(pid).identity
        drop_from(self._of_session, identity.session_id, pid)
        drop_from(self._of_user, identity.user_id, pid)

    def clear(self) -> None:
        """Give up all of them."""
        for places in (self._places, self._of_session, self._of_user):
            places.clear()

    def of(self, session_id: str | None, user_id: str | None) -> dict[str, Place]:
        """Give those of a session and those of a user; ``None`` is neither's."""
        theirs = {} if session_id is None else self._of_session.get(session_id, {})
        more = {} if user_id is None else self._of_user.get(user_id, {})
        return {pid: self._places[pid] for pid in (*theirs, *more)}

    def rename(self, former: str, session_id: str, room: Room, other: Room) -> None:
        """Let the places of a session be another one's, in the room of that."""
        for pid, place in self.of(former, None).items():
            self.drop(pid)
            place.identity = place.identity._replace(session_id=session_id)
            place.rooms = {
                other if name == room else name: position for name, position in place.rooms.items()
            }
            self.put(pid, place)


def drop_from(groups: dict[Key, dict[Item, None]], key: Key, item: Item) -> None:
    """Take something out of its group, and the group away with the last one."""
    group = groups[key]
    del group[item]
    if not group:
        del groups[key]
