"""
The users who are online, with whatever tabs, devices and apps, and when the others were.

A user whose last connection broke is online for some seconds more: a reload is no departure.
Who leaves, is sent away, or logs out is not.  The app's hooks are told what is true when the
reactor's turn ends, once for each user; for one user they are never called at the same time,
and what was true only meanwhile they are not told.

In a cluster each user has one node that tells the hooks, whatever node the user is at: two would
tell them at one moment of a user who comes to one and goes from another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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
#: Users of whom is remembered that another node is to tell, in case it turns out to be dead; and
#: seconds in which it does so, if it is not.
MAX_LEFT, LEFT_SECONDS = 10_000, 1.0
# Seconds between two looks at whether the hooks are over.
_INTERVAL = 0.02

# There is an entry for each user, and nothing to say of it but since when the user is away: one
# dict for all who are not.
_HERE: Mapping[str, Any] = {}
_SEEN = "seen"

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
        tells: called with each user of whom the hooks are told here, and whether that is online.
        is_ours: tells whether it is this node that tells the hooks of a user, who has come to
            some nodes or gone from them.
    """

    def __init__(
        self, board: PresenceBoard, is_here: Callable[[str], bool], stats: SocketStats
    ) -> None:
        self.now: Callable[[], float] = board.clock.seconds
        self.most = MAX_LAST_SEEN
        self.hooks: tuple[Hook | None, Hook | None] = (None, None)
        self.tells: Callable[[str, bool], object] = lambda user_id, is_online: None
        self.is_ours: Callable[[str, Collection[str]], bool] = lambda user_id, nodes: True
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
        # Of whom it is not known what they were told, while that is so.
        self._undecided: set[str] | None = None
        # What was left to other nodes, that have not said that they told it: of each user when
        # that was, and what was told before.
        self._left: dict[str, list[tuple[float, bool]]] = {}
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
        if self._is_here(user_id):
            return self.now()
        metas = self._roster.metas(USERS, user_id)
        seen = [meta[_SEEN] for meta in metas if _SEEN in meta]
        if len(seen) < len(metas):
            return self.now()  # at another node
        if user_id in self._seen:
            seen.append(self._seen[user_id])
        return max(seen, default=None)

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
        self._put(user_id, _HERE)

    def went(self, user_id: str, identity: Identity, *, may_return: bool) -> None:
        """
        Count out a connection of a user, which is not here any more.

        Args:
            user_id: the user.
            identity: who it was.
            may_return: whether it went without having said so.
        """
        if not self._is_here(user_id):
            now = self.now()
            self._note_seen(user_id, now)
            self._put(user_id, {_SEEN: now})
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
        if self._board.has_heirs():
            self._absences.leave_to_others()
        else:
            self._absences.clear()
        self._board.flush()
        clock = self._board.clock
        last = clock.seconds() + seconds
        while self._busy and clock.seconds() < last:
            await deferLater(clock, _INTERVAL)
        if self._busy:
            _log.warn("hooks of {count} users are not over", count=len(self._busy))
        self._entries.clear()
        self._away.clear()
        self._told.clear()
        self._left.clear()

    # -- from the cluster ---------------------------------------------------------

    def wait_for_others(self) -> None:
        """Tell the hooks nothing, until it is known what they were told elsewhere."""
        if self._undecided is None:
            self._undecided = set()

    def decide(self, *, were_told: bool) -> None:
        """
        Tell the hooks what is due by now.

        Args:
            were_told: whether others have told them what is known until now.
        """
        undecided, self._undecided = self._undecided or set(), None
        for user_id in undecided:
            if were_told:
                self._note_told(user_id)
            else:
                self._judge(user_id, (self._roster.node,))

    def take_over(self, since: float) -> None:
        """
        Tell the hooks what a node that is dead may not have told.

        Args:
            since: when it was heard of last, by the clock.
        """
        for user_id, left in list(self._left.items()):
            due = [was_told for at, was_told in left if at >= since - LEFT_SECONDS]
            # Who is ours by now and was left to another one was left to the dead one.
            if due and self.is_ours(user_id, ()):
                del self._left[user_id]
                (self._told.add if due[0] else self._told.discard)(user_id)
                self._tell(user_id)

    def told_elsewhere(self, user_id: str, *, is_online: bool) -> None:
        """Note that another node has told the hooks of a user."""
        left = self._left.get(user_id, [])
        for number, (_, was_told) in enumerate(left, 1):
            if was_told != is_online:
                del left[:number]
                break
        if not left:
            self._left.pop(user_id, None)

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

    def _put(self, user_id: str, meta: Mapping[str, Any]) -> None:
        former = self._entries.get(user_id)
        if former is None or former.meta != meta:
            entry = self._entries[user_id] = Entry(self._roster.node, user_id, "", meta)
            self._roster.put(USERS, entry)

    def _note_seen(self, user_id: str, at: float) -> None:
        self._seen[user_id] = at
        if len(self._seen) > self.most:
            del self._seen[next(iter(self._seen))]

    def _changed(self, change: Change) -> None:
        node = self._roster.node
        for entry in change.joins:
            if _SEEN not in entry.meta:
                self._seen.pop(entry.key, None)
        for entry in change.leaves:
            if entry.node != node and entry.key not in self:
                seen = entry.meta.get(_SEEN, self.now())
                self._note_seen(entry.key, max(seen, self._seen.get(entry.key, seen)))
        nodes: dict[str, set[str]] = {user_id: set() for user_id in change.keys}
        for entry in (*change.joins, *change.leaves):
            nodes[entry.key].add(entry.node)
        for user_id, at in nodes.items():
            if self._undecided is not None:
                self._undecided.add(user_id)
            else:
                self._judge(user_id, at)

    def _judge(self, user_id: str, nodes: Collection[str]) -> None:
        """Tell the hooks of a user, if it is this node's to tell."""
        if self.is_ours(user_id, nodes):
            self._tell(user_id)
        elif user_id not in self._busy:
            was_told = user_id in self._told
            if was_told != (user_id in self):
                left = self._left.setdefault(user_id, [])
                left.append((self._board.clock.seconds(), was_told))
                del left[:-2]
                if len(self._left) > MAX_LEFT:
                    del self._left[next(iter(self._left))]
                self._note_told(user_id)

    def _note_told(self, user_id: str) -> None:
        if user_id in self:
            self._told.add(user_id)
        else:
            self._told.discard(user_id)

    def _tell(self, user_id: str) -> None:
        """Tell the hooks of a user, if they do not know."""
        is_online = user_id in self
        if user_id in self._busy or is_online == (user_id in self._told):
            return
        self._note_told(user_id)
        self.tells(user_id, is_online)
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
        self._judge(user_id, (self._roster.node,))
