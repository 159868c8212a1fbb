"""
The users who are online, with whatever tabs, devices and apps, and when the others were.

A user whose last connection broke is online for some seconds more: a reload is no departure.
Who leaves, is sent away, or logs out is not.  The app's hooks are told what is true when the
reactor's turn ends, once for each user; for one user they are never called at the same time,
and what was true only meanwhile they are not told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import run
from mojo.socketio.absences import Absences
from mojo.socketio.places import Identity
from mojo.socketio.presence import PresenceBoard
from mojo.socketio.roster import USERS, Change, Entry
from mojo.socketio.stats import SocketStats

_log = Logger()

#: Users of whom is known when they were here last, unless a setting says else.
MAX_LAST_SEEN = 100_000
# Seconds between two looks at whether the hooks are over.
_INTERVAL = 0.02

# There is an entry for each user, and nothing to say of it: one dict for all of them.
_NO_META: Mapping[str, Any] = {}

Hook = Callable[[str], Any]


class _Departure:
    """A connection of a user that is gone, and may come back in the same browser."""

    __slots__ = ("user_id", "whose")

    def __init__(self, user_id: str, identity: Identity) -> None:
        self.user_id = user_id
        self.whose = identity


class OnlineUsers:
    """
    Who is online.

    Args:
        board: the server's lists, of which this is one.
        is_here: tells whether a user has a connection in this process.
        stats: where a hook that raised is counted.

    Attributes:
        now: gives the seconds since the epoch.
        most: most users who are not online, of whom is known when they were.
        hooks: called with the id of a user who has come, and of one who has gone; either
            may be ``None``, and may be async.
        heir_of: the nodes that are gone, for whose users the hooks are called here, as they
            are for this one's.
    """

    def __init__(
        self, board: PresenceBoard, is_here: Callable[[str], bool], stats: SocketStats
    ) -> None:
        self.now: Callable[[], float] = board.clock.seconds
        self.most = MAX_LAST_SEEN
        self.hooks: tuple[Hook | None, Hook | None] = (None, None)
        self.heir_of: set[str] = set()
        self._board = board
        self._roster = board.roster
        self._is_here = is_here
        self._stats = stats
        self._entries: dict[str, Entry] = {}
        self._seen: dict[str, float] = {}
        self._absences: Absences[_Departure] = Absences(board.clock, board.grace, self._given_up)
        # How many of these are of each user.
        self._away: dict[str, int] = {}
        # What the hooks were told last, and of whom they are being told.
        self._told: set[str] = set()
        self._busy: set[str] = set()
        board.users_changed = self._changed

    # -- from any thread --------------------------------------------------------

    def __contains__(self, user_id: str) -> bool:
        return self._roster.has(USERS, user_id)

    @property
    def ids(self) -> frozenset[str]:
        """Those who are online."""
        return frozenset(self._roster.keys(USERS))

    def last_seen(self, user_id: str) -> float | None:
        """Tell when a user was here last; see `Login.last_seen`."""
        return self.now() if self._is_here(user_id) else self._seen.get(user_id)

    # -- from the registry ------------------------------------------------------

    def came(self, user_id: str, identity: Identity) -> None:
        """
        Count in a connection of a user.

        Args:
            user_id: the user.
            identity: who it is.
        """
        if self._absences.end(identity) is not None:
            self._count_away(user_id, -1)
        self._seen.pop(user_id, None)
        if user_id not in self._entries:
            entry = self._entries[user_id] = Entry(self._roster.node, user_id, "", _NO_META)
            self._roster.put(USERS, entry)

    def went(self, user_id: str, identity: Identity, *, may_return: bool) -> None:
        """
        Count out a connection of a user, which is not here any more.

        Args:
            user_id: the user.
            identity: who it was.
            may_return: whether it went without having said so.
        """
        if not self._is_here(user_id):
            self._seen[user_id] = self.now()
            if len(self._seen) > self.most:
                del self._seen[next(iter(self._seen))]
        if may_return:
            self._count_away(user_id, 1)
            self._absences.begin(_Departure(user_id, identity))
        else:
            self._look(user_id)

    def forget_identities(self, of: Callable[[Identity], bool]) -> None:
        """Wait no longer for visitors who have logged out."""
        self._absences.give_up(lambda departure: of(departure.whose))

    async def close(self, seconds: float) -> None:
        """
        Wait for nobody, and let the hooks come to an end.

        Args:
            seconds: how long they have for it.
        """
        self._absences.clear()
        self._board.flush()
        clock = self._board.clock
        last = clock.seconds() + seconds
        while self._busy and clock.seconds() < last:
            await deferLater(clock, _INTERVAL)
        if self._busy:
            _log.warn("hooks of {count} users are not over", count=len(self._busy))

    # -- within -----------------------------------------------------------------

    def _given_up(self, departure: _Departure) -> None:
        self._count_away(departure.user_id, -1)
        self._look(departure.user_id)

    def _count_away(self, user_id: str, by: int) -> None:
        count = self._away.pop(user_id, 0) + by
        if count:
            self._away[user_id] = count

    def _look(self, user_id: str) -> None:
        """Let a user be gone of whom nothing is left here."""
        is_left = user_id in self._away or self._is_here(user_id)
        if user_id in self._entries and not is_left:
            self._roster.remove(USERS, self._entries.pop(user_id))

    def _changed(self, change: Change) -> None:
        nodes = {self._roster.node, *self.heir_of}
        ours = {entry.key for entry in (*change.joins, *change.leaves) if entry.node in nodes}
        for user_id in change.keys:
            if user_id in ours:
                self._tell(user_id)
            elif user_id in self:
                self._told.add(user_id)
            else:
                self._told.discard(user_id)

    def _tell(self, user_id: str) -> None:
        """Tell the hooks of a user, if they do not know."""
        is_online = user_id in self
        if user_id in self._busy or is_online == (user_id in self._told):
            return
        if is_online:
            self._told.add(user_id)
        else:
            self._told.remove(user_id)
        hook = self.hooks[0 if is_online else 1]
        if hook is not None:
            self._busy.add(user_id)
            name = "ON_USER_ONLINE" if is_online else "ON_USER_OFFLINE"
            run(
                partial(hook, user_id),
                partial(self._over, user_id),
                partial(self._failed, user_id, name),
            )

    def _failed(self, user_id: str, name: str, failure: Failure) -> None:
        _log.failure("{hook} of {user!r} failed", failure, hook=name, user=user_id)
        self._stats.handler_errors += 1
        self._over(user_id)

    def _over(self, user_id: str, result: object = None) -> None:
        self._busy.remove(user_id)
        self._tell(user_id)
