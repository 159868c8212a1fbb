"""
What rooms and targets are called between servers.  Pure.

The servers of Socket.IO know rooms by text alone, and a target as ``rooms``, of which a client is
in one, and ``except``, of which it is in none.  So the rooms of our own kind have texts:
``("user", "ada")`` is ``"mojo:user:ada"``, for which a Node server can emit as well; an app's room
that begins so is escaped, and none can be taken for another.  A target's ``within`` becomes its
only room, and if it has rooms too, these are named apart where only we look, below a room that
no other server has: it sends to nobody rather than to too many.
"""

from __future__ import annotations

from typing import Any

from mojo.errors import PacketError
from mojo.socketio.adapter import Target
from mojo.socketio.rooms import Room

#: What the names of our own rooms begin with.
OURS = "mojo:"
_KINDS = ("session", "user")
_PLAIN = f"{OURS}room:"
_BOTH = f"{OURS}both:"
_AMONG = "among"


def write_room(room: Room) -> str:
    """Give a room's name between servers."""
    if isinstance(room, tuple):
        return f"{OURS}{room[0]}:{room[1]}"
    return _PLAIN + room if room.startswith(OURS) else room


def read_room(text: str) -> Room:
    """Give the room of a name."""
    if not text.startswith(OURS):
        return text
    kind, colon, rest = text[len(OURS) :].partition(":")
    if colon and kind in _KINDS:
        return (kind, rest)
    return text.removeprefix(_PLAIN)


def read_hosted(text: str) -> Room:
    """Give the room whose members alone a message may be for that is sent under one name."""
    return read_room(text.removeprefix(_BOTH))


def write_target(target: Target) -> dict[str, Any]:
    """Give a target as the ``opts`` of a message."""
    rooms = sorted(map(write_room, target.rooms))
    opts: dict[str, Any] = {"rooms": rooms, "except": sorted(map(write_room, target.excluded))}
    if target.within is not None:
        within = write_room(target.within)
        opts["rooms"] = [_BOTH + within if rooms else within]
        if rooms:
            opts[_AMONG] = rooms
    return opts


def read_target(opts: Any) -> Target:
    """
    Give the target of a message's ``opts``.

    Raises:
        PacketError: it is none.
    """
    if not isinstance(opts, dict):
        raise PacketError("a target is a map")
    rooms = read_texts(opts.get("rooms"))
    excluded = frozenset(map(read_room, read_texts(opts.get("except"))))
    if len(rooms) == 1 and rooms[0].startswith(_BOTH):
        among = frozenset(map(read_room, read_texts(opts.get(_AMONG))))
        if not among:
            raise PacketError("a target of two kinds of rooms has one")
        return Target(among, excluded, within=read_hosted(rooms[0]))
    return Target(frozenset(map(read_room, rooms)), excluded)


def read_app_rooms(value: Any) -> list[str]:
    """
    Give the rooms that sockets are to enter or leave, which are an app's own.

    Who is which visitor or user is for no other server to say.

    Raises:
        PacketError: there are others.
    """
    rooms = [read_room(text) for text in read_texts(value)]
    if not all(isinstance(room, str) for room in rooms):
        raise PacketError("a room that is no app's")
    return [room for room in rooms if isinstance(room, str)]


def read_texts(value: Any) -> list[str]:
    """
    Give a list of names; a whole number, which JavaScript lets be a room, becomes its text.

    Raises:
        PacketError: it is none.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise PacketError("rooms are a list")
    names = []
    for name in value:
        if isinstance(name, str):
            names.append(name)
        elif isinstance(name, int) and not isinstance(name, bool) and abs(name) < 2**64:
            names.append(str(name))
        else:
            raise PacketError("a room's name is text")
    return names
