"""Presence lists as an app has them: to be looked at, and a connection's part in one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from mojo.errors import UnsendableError
from mojo.socketio.connection import Connection
from mojo.socketio.parser import Parser
from mojo.socketio.presence import DIFF, PresenceBoard
from mojo.socketio.roster import Topic
from mojo.socketio.threads import run_in_reactor

# In each meta, for clients to tell them apart.
_REF = "ref"


class PresenceList:
    """
    Who is in a room, or in an app; what is here may be called from any thread.

    ``"ada" in presence`` tells whether somebody is there, ``len(presence)`` how many are,
    each once however many tabs they have, and iterating gives their keys.

    Args:
        board: all lists of the server.
        topic: which one.
    Raises:
        TypeError: its name is no ``str``.
    """

    def __init__(self, board: PresenceBoard, topic: Topic) -> None:
        if not isinstance(topic[1], str):
            raise TypeError(f"a room's name is a str, not {type(topic[1]).__name__}")
        self._board = board
        self._topic = topic

    def __repr__(self) -> str:
        namespace, name = self._topic
        return f"<{type(self).__name__} {name!r} in {namespace}>"

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._board.roster.has(self._topic, key)

    def __len__(self) -> int:
        return len(self._board.roster.keys(self._topic))

    def __iter__(self) -> Iterator[str]:
        return iter(self._board.roster.keys(self._topic))

    @property
    def name(self) -> str:
        """The room's name; ``""`` for the list of the app."""
        return self._topic[1]

    def get(self, key: str) -> Sequence[dict[str, Any]]:
        """Give what is said of somebody, a dict for each tab; nothing for who is not there."""
        return self._board.roster.metas(self._topic, key)

    def list(self) -> dict[str, dict[str, Any]]:
        """Give the whole list, as clients get it: ``{"ada": {"metas": [{"ref": "1"}]}}``."""
        return deepcopy(self._board.roster.listing(self._topic))


class OwnPresence(PresenceList):
    """
    A connection's part in a presence list; `MojoSocketHandler.presence` gives it.

    Args:
        board: see `PresenceList`.
        topic: see `PresenceList`.
        connection: whose part it is.
    """

    def __init__(self, board: PresenceBoard, topic: Topic, connection: Connection) -> None:
        super().__init__(board, topic)
        self._connection = connection

    def track(self, meta: Mapping[str, Any] | None = None, *, key: str | None = None) -> None:
        """
        Enter the list, and the room of its name.

        The client gets ``presence_state`` with the whole list, and from then on
        ``presence_diff``; the others in it get the latter.  In ``on_open`` it counts when the
        client is let in.  Who is in the list already goes on with another ``meta``.

        Args:
            meta: what the others should know of this tab, a dict of JSON values without
                ``"ref"``; keep it small.
            key: who it is: by default the user id, or for a guest a text that all tabs of
                the visitor have in common, and that does not show the session's id.
        Raises:
            UnsendableError: ``meta`` is something else, or cannot be sent.
            TypeError: the key is no ``str``.
        """
        if key is not None and not isinstance(key, str):
            raise TypeError(f"a key is a str, not {type(key).__name__}")
        board, connection = self._board, self._connection
        copied = copy_of(meta or {}, board.parser)
        run_in_reactor(board.clock, board.track, connection, self.name, copied, key)

    def update(self, meta: Mapping[str, Any]) -> None:
        """
        Say something else of this tab, in place of what was said.

        Args:
            meta: see `track`.
        Raises:
            UnsendableError: see `track`.
            LookupError: the connection is not in the list.
        """
        board, connection = self._board, self._connection
        copied = copy_of(meta, board.parser)
        run_in_reactor(board.clock, board.update, connection, self.name, copied)

    def watch(self) -> None:
        """
        Let the client know who is in the list, without being in it; it enters the room too.

        Who is in the list already stays there.
        """
        run_in_reactor(self._board.clock, self._board.watch, self._connection, self.name)

    def untrack(self) -> None:
        """
        Leave the list at once, and hear no more of it; the connection stays in the room.

        To leave the room, or to be disconnected, does the same.
        """
        run_in_reactor(self._board.clock, self._board.untrack, self._connection, self.name)


def copy_of(meta: Mapping[str, Any], parser: Parser) -> dict[str, Any]:
    """
    Give a copy of a meta that is the list's own.

    Args:
        meta: see `OwnPresence.track`.
        parser: what it is to be sent by.
    Raises:
        UnsendableError: it is no dict of JSON values, or cannot be sent.
    """
    try:
        copied: dict[str, Any] = json.loads(json.dumps(dict(meta), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as exc:
        wanted = "a meta in a presence list is a dict of JSON values"
        raise UnsendableError(f"{wanted}: {exc}") from exc
    if _REF in copied:
        raise UnsendableError(f"{_REF!r} in a meta of a presence list is Mojo's own")
    # In the app's line, and not when the turn ends.
    parser.event(DIFF, (copied,))
    return copied
