"""
Presence of all servers, at each of them: what changes is told, and what is missed is asked for.

A server's changes are numbered, and its beats tell the number of the last one.  Whoever
finds that it has missed one, or has just come, asks for all that this server has; that
comes in parts, with pauses, and what changes meanwhile comes in between.  So any message may be
lost, and the next beat heals it.

The model is ``Phoenix.Tracker``, with numbers in place of its clocks: each entry is changed
by one server only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mojo.cluster.channel import MojoChannel
from mojo.cluster.peers import Peers
from mojo.cluster.presence_wire import (
    MAX_PART,
    Listed,
    in_parts,
    read_entries,
    read_gone,
    write_entry,
    write_gone,
)
from mojo.errors import PacketError
from mojo.socketio.presence import PresenceBoard
from mojo.socketio.roster import Changes

#: Seconds between two parts of what somebody asked for, and in which the next one must come.
PAUSE_SECONDS, PART_SECONDS = 0.02, 5.0


class Online(Protocol):
    """
    Tells the hooks of users.

    Attributes:
        tells: called with each user whose hooks are told here, and whether that is online.
        is_ours: tells whether this node tells those of a user, who has come to some nodes or
            gone from them.
    """

    tells: Callable[[str, bool], object]
    is_ours: Callable[[str, Collection[str]], bool]

    def wait_for_others(self) -> None:
        """Tell nothing, until it is known what was told elsewhere."""

    def decide(self, *, were_told: bool) -> None:
        """Tell what is due by now."""

    def take_over(self, since: float) -> None:
        """Tell what one that is dead may not have told since then."""

    def told_elsewhere(self, user_id: str, *, is_online: bool) -> None:
        """Note that another node has told the hooks of a user."""


class _Learning:
    """What comes of another server in parts."""

    __slots__ = ("entries", "number", "parts", "until", "version")

    def __init__(self, number: int, until: float) -> None:
        self.number = number
        self.entries: set[tuple[Any, ...]] = set()
        self.parts = 0
        self.version = 0
        self.until = until

    def note(self, put: list[Listed], gone: list[Listed]) -> None:
        self.entries.difference_update((topic, entry.id) for topic, entry in gone)
        self.entries.update((topic, entry.id) for topic, entry in put)


class _Teaching:
    """What another server is told in parts."""

    __slots__ = ("call", "left", "number", "parts")

    def __init__(self, number: int, left: list[Listed]) -> None:
        self.number = number
        self.left = left
        self.parts = 0
        self.call: IDelayedCall | None = None


class SharedPresence:
    """
    The presence lists of a server as a part of those of all; it is a `mojo.cluster.peers.Watcher`.

    Args:
        uid: what this server calls itself.
        channel: what the others are told by.
        clock: tells the time.
        board: the lists.
        online: tells the hooks of users.
        is_up: tells whether messages leave now.

    Attributes:
        version: the number of our last change.
    """

    def __init__(
        self,
        uid: str,
        channel: MojoChannel,
        clock: IReactorTime,
        board: PresenceBoard,
        online: Online,
        is_up: Callable[[], bool],
    ) -> None:
        self.version = 0
        self._uid = uid
        self._channel = channel
        self._clock = clock
        self._board = board
        self._online = online
        self._is_up = is_up
        # Up to which of its changes we know each other server; ``None`` if one was missed.
        self._known: dict[str, int | None] = {}
        self._questions = 0
        self._learning: dict[str, _Learning] = {}
        self._teaching: dict[str, _Teaching] = {}
        # Servers that have gone, whose users may be back in a moment.
        self._gone: dict[str, IDelayedCall] = {}
        # Whether these are waited for.
        self._waits = True
        board.roster.node = uid
        board.share = self._share
        channel.takers["presence"] = self._take_changes
        # Whose hooks were told in this turn.
        self._told: list[list[Any]] = []
        online.tells = self._tells
        channel.takers["told"] = self._take_told
        channel.takers["ask"] = self._take_question
        channel.takers["entries"] = self._take_part

    def __repr__(self) -> str:
        return f"<SharedPresence with {len(self._known)} others>"

    def follow(self, peers: Peers) -> None:
        """Let the others say who tells the hooks, and who waits for our users when we go."""
        self._online.is_ours = peers.is_ours
        self._board.has_heirs = lambda: peers.have_heirs

    def leave(self) -> None:
        """Wait for nobody any longer, unless there are others who do."""
        self._waits = self._board.has_heirs()
        if not self._waits:
            for uid in list(self._gone):
                self._gone[uid].cancel()
                self._bury(uid)

    def stop(self) -> None:
        """Forget what is known of all servers, and leave no timer."""
        for uid in list(self._teaching):
            self._stop_teaching(uid)
        for call in self._gone.values():
            call.cancel()
        if self._told:
            self._telling.cancel()
            self._tell_told()
        self._gone.clear()
        self._known.clear()
        self._learning.clear()
        self._board.roster.clear()
        self._waits = True

    # -- Watcher ----------------------------------------------------------------

    @property
    def is_complete(self) -> bool:
        """Whether all that the others have is here."""
        return None not in self._known.values()

    def peer_came(self, uid: str) -> None:
        """There is something to be asked for; see `Watcher`."""
        self._known[uid] = None
        call = self._gone.pop(uid, None)
        if call is not None:
            call.cancel()

    def peer_says(self, uid: str, version: int) -> None:
        """See whether we have missed something of another server; see `Watcher`."""
        if self._known[uid] == version:
            return
        learning = self._learning.get(uid)
        if learning is None or learning.until <= self._clock.seconds():
            self._ask(uid)

    def peer_left(self, uid: str, *, silent_since: float | None) -> None:
        """
        Let another server's entries go with it.

        Its clients have the time in which to come back: it has sent them elsewhere if it has said
        so.  Of one that was silent that time is over sooner, or already, and others tell the hooks
        what it may not have told.
        """
        self._known.pop(uid, None)
        self._learning.pop(uid, None)
        self._stop_teaching(uid)
        silent = 0.0 if silent_since is None else self._clock.seconds() - silent_since
        left = self._board.grace - silent
        if self._waits and left > 0:
            self._gone[uid] = self._clock.callLater(left, self._bury, uid)
        else:
            self._board.roster.remove_node(uid)
        if silent_since is not None:
            self._online.take_over(silent_since)

    def learning(self) -> None:
        """The hooks are told nothing yet; see `Watcher`."""
        self._online.wait_for_others()

    def learnt(self, *, from_others: bool) -> None:
        """The hooks are told what is due; see `Watcher`."""
        self._online.decide(were_told=from_others)

    # -- what we tell -------------------------------------------------------------

    def _share(self, changes: Changes) -> None:
        """Tell the others what has changed of ours."""
        items = []
        for topic, change in changes.items():
            joins = [entry for entry in change.joins if entry.node == self._uid]
            stay = {entry.id for entry in joins}
            items += [write_entry(topic, entry) for entry in joins]
            items += [
                write_gone(topic, entry)
                for entry in change.leaves
                if entry.node == self._uid and entry.id not in stay
            ]
        for part in in_parts(items) if items else ():
            self.version += 1
            if self._is_up():
                put = [item for item in part if len(item) == 5]
                gone = [item for item in part if len(item) == 4]
                self._channel.tell("presence", [self.version, put, gone], waits=False)

    def _tells(self, user_id: str, is_online: bool) -> None:
        """Tell the others, in case that we die, that the hooks were told."""
        if not self._known:
            return
        if not self._told:
            self._telling = self._clock.callLater(0, self._tell_told)
        self._told.append([user_id, is_online])

    def _tell_told(self) -> None:
        told, self._told = self._told, []
        for part in in_parts(told):
            self._channel.tell("told", part, waits=False)

    def _take_told(self, uid: str, args: list[Any]) -> None:
        for item in args:
            if not isinstance(item, list) or len(item) != 2 or not isinstance(item[0], str):
                raise PacketError("what was told is of a user")
        # It follows on a change, which may wait here for the end of the turn.
        self._board.flush()
        for item in args:
            self._online.told_elsewhere(item[0], is_online=item[1] is True)

    def _take_question(self, uid: str, args: list[Any]) -> None:
        """Tell a server all that we have."""
        if len(args) != 1 or type(args[0]) is not int:
            raise PacketError("a question has a number")
        self._stop_teaching(uid)
        ours = self._board.roster.entries_of(self._uid)
        self._teaching[uid] = _Teaching(args[0], ours)
        self._teach(uid)

    def _teach(self, uid: str) -> None:
        teaching = self._teaching[uid]
        teaching.call = None
        # As they are by now: what has changed meanwhile was told before.
        part: list[list[Any]] = []
        size = 0
        while teaching.left and size < MAX_PART:
            topic, entry = teaching.left.pop()
            current = self._board.roster.current(topic, entry)
            if current is not None:
                part.append(write_entry(topic, current))
                size += len(str(part[-1]))
        args = [teaching.number, teaching.parts, not teaching.left, self.version, part]
        self._channel.tell("entries", args, to=uid, waits=False)
        teaching.parts += 1
        if teaching.left:
            teaching.call = self._clock.callLater(PAUSE_SECONDS, self._teach, uid)
        else:
            del self._teaching[uid]

    def _stop_teaching(self, uid: str) -> None:
        teaching = self._teaching.pop(uid, None)
        if teaching is not None and teaching.call is not None:
            teaching.call.cancel()

    # -- what the others tell -------------------------------------------------------

    def _ask(self, uid: str) -> None:
        self._known[uid] = None
        self._questions += 1
        until = self._clock.seconds() + PART_SECONDS
        self._learning[uid] = _Learning(self._questions, until)
        self._channel.tell("ask", [self._questions], to=uid, waits=False)

    def _take_changes(self, uid: str, args: list[Any]) -> None:
        if len(args) != 3 or type(args[0]) is not int:
            raise PacketError("changes of presence have a number")
        version = args[0]
        put, gone = read_entries(uid, args[1]), read_gone(uid, args[2])
        if uid not in self._known:
            return  # what it has it is asked for when it says that it is there
        self._take_in(put, gone)
        learning = self._learning.get(uid)
        if learning is not None and learning.parts:
            learning.note(put, gone)
            if version == learning.version + 1:
                learning.version = version
            else:
                self._ask(uid)
        elif learning is None:
            known = self._known[uid]
            if known is not None and version == known + 1:
                self._known[uid] = version
            else:
                self._ask(uid)

    def _take_part(self, uid: str, args: list[Any]) -> None:
        if len(args) != 5 or any(type(args[n]) is not int for n in (0, 1, 3)):
            raise PacketError("a part of presence has its number")
        question, number, is_last, version = args[:4]
        entries = read_entries(uid, args[4])
        learning = self._learning.get(uid)
        if learning is None or (question, number) != (learning.number, learning.parts):
            return  # it is asked again when the time for the next part is over
        if number and version != learning.version:
            self._ask(uid)
            return
        learning.parts, learning.version = number + 1, version
        learning.until = self._clock.seconds() + PART_SECONDS
        learning.note(entries, [])
        self._take_in(entries, [])
        if is_last is True:
            self._learnt_all(uid, learning)

    def _learnt_all(self, uid: str, learning: _Learning) -> None:
        del self._learning[uid]
        self._known[uid] = learning.version
        roster = self._board.roster
        for topic, entry in roster.entries_of(uid):
            if (topic, entry.id) not in learning.entries:
                roster.remove(topic, entry)

    def _take_in(self, put: list[Listed], gone: list[Listed]) -> None:
        roster = self._board.roster
        for topic, entry in gone:
            roster.remove(topic, entry)
        for topic, entry in put:
            roster.put(topic, entry)

    def _bury(self, uid: str) -> None:
        del self._gone[uid]
        self._board.roster.remove_node(uid)
