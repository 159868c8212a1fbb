"""
Which other servers of Mojo's there are: each says every few seconds that it is there.

A server that was not heard of for three of its own beats is dead.  That needs evidence: time
counts against another one only as long as something is heard at all, if only what we said
ourselves.  So nobody is declared dead because we are cut off, or because this process stood
still; and when the bus is back everybody has the whole time again.

A newcomer is told by all at once.  One that stops says so, before and after its clients have
left.  For each key, such as a user's id, one of those who stay is its keeper: all of them agree on
who, without asking each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, LogLevel

from mojo.cluster.channel import MAX_NAME, MojoChannel
from mojo.cluster.line import Server
from mojo.cluster.wire import is_number
from mojo.errors import PacketError

_log = Logger()

#: Seconds between two beats, unless a setting says else.
BEAT_SECONDS = 5.0
#: How many beats of another server may be missing until it is dead.
MAX_SILENT_BEATS = 3
#: Seconds between two looks at the others.
LOOK_SECONDS = 0.5
#: Seconds in which a newcomer hears of the others, and in which it hears what they know.
HELLO_SECONDS, LEARNING_SECONDS = 1.0, 10.0
#: The longest, in seconds, that it may take for what we say to come back to us.
SAID_SECONDS = 1.0
#: Most servers that are known of; and the least and the most that is waited for a beat of one.
MAX_PEERS, MIN_BEAT_SECONDS, MAX_BEAT_SECONDS = 1000, 1.0, 600.0
#: Most lines in the log of who comes and goes in so many seconds: beats may be forged.
MAX_LINES, LINES_SECONDS = 200, 60.0


class Standing(StrEnum):
    """How much of a server there is."""

    NEW = "new"
    HERE = "here"
    LEAVING = "leaving"


# What we tell ourselves, to know that what was said before has arrived.
_SAID = "said"
_STANDINGS = {standing.value: standing for standing in Standing}


@dataclass(slots=True)
class Peer:
    """
    Another server.

    Attributes:
        name: what people call it.
        every: seconds between two of its beats.
        standing: how much of it there is.
        heard: when it was heard of last.
    """

    name: str
    every: float
    standing: Standing
    heard: float


class Watcher(Protocol):
    """Who is told of the others."""

    @property
    def version(self) -> int:
        """What beats tell of what the others should know of us."""

    @property
    def is_complete(self) -> bool:
        """Whether it knows of the others what there is to know."""

    def peer_came(self, uid: str) -> None:
        """There is another server."""

    def peer_says(self, uid: str, version: int) -> None:
        """It tells its `version`."""

    def peer_left(self, uid: str, *, silent_since: float | None) -> None:
        """It is gone: it has said so, or is not heard of any more since then."""

    def learning(self) -> None:
        """We do not know the others yet."""

    def learnt(self, *, from_others: bool) -> None:
        """We know what there is to know; from others, if there are any who knew it."""


class Peers:
    """
    The other servers.

    Args:
        server: this server.
        channel: what they are told by.
        clock: tells the time.
        watcher: who is told of them.
        name: what people call this server.
        every: seconds between two of our beats.
        random: gives numbers from 0 to 1: servers that were started together do not speak
            together.

    Attributes:
        standing: how much there is of this server.
        connected: called when there is a bus, at first and again, and when the others are known.
        gone: called with each server that is gone.
    """

    def __init__(
        self,
        server: Server,
        channel: MojoChannel,
        clock: IReactorTime,
        watcher: Watcher,
        *,
        name: str,
        every: float,
        random: Callable[[], float],
    ) -> None:
        self._server = server
        self._channel = channel
        self._clock = clock
        self._watcher = watcher
        self._name = name[:MAX_NAME]
        self._every = every
        self._random = random
        self.connected: Callable[[], object] = lambda: None
        self.gone: Callable[[str], object] = lambda uid: None
        self._peers: dict[str, Peer] = {}
        self.standing = Standing.NEW
        # When anything was heard last, and when we looked last.
        self._proof = self._looked = self._began = clock.seconds()
        self._next_beat = 0.0
        self._is_up = False
        self._has_learnt = False
        self._patience = HELLO_SECONDS
        self._said: Deferred[None] = Deferred()
        # How many lines there were, and since when.
        self._lines, self._lines_since = 0, clock.seconds()
        self._looking = LoopingCall(self._try_to_look)
        self._looking.clock = clock
        channel.heard = self._heard
        channel.takers["beat"] = self._take_beat
        channel.takers["bye"] = self._take_bye

    def __repr__(self) -> str:
        return f"<Peers {', '.join(sorted(self.names.values()))}>"

    def __contains__(self, uid: str) -> bool:
        return uid in self._peers

    @property
    def names(self) -> Mapping[str, str]:
        """What people call the other servers, by what they call themselves."""
        return {uid: peer.name for uid, peer in self._peers.items()}

    @property
    def have_heirs(self) -> bool:
        """Whether somebody stays who hears of our end."""
        return self._server.bus.is_up and any(
            peer.standing is Standing.HERE for peer in self._peers.values()
        )

    def is_ours(self, key: str, nodes: Collection[str]) -> bool:
        """
        Tell whether this server is the keeper of a key.

        Args:
            key: the key.
            nodes: the servers at which something of it has changed: where nobody stays each
                keeps what is its own.
        """
        standings = {uid: peer.standing for uid, peer in self._peers.items()}
        standings[self._server.uid] = self.standing
        stay = [uid for uid, standing in standings.items() if standing is Standing.HERE]
        keepers = stay or [uid for uid in nodes if uid in standings] or standings
        return self._server.uid == max(
            keepers,
            # Anything may be in what others have sent.
            key=lambda uid: blake2b(f"{uid} {key}".encode("utf-8", "surrogatepass")).digest(),
        )

    def start(self) -> None:
        """Tell the others of us, as soon as that is possible."""
        self.standing = Standing.NEW
        self._is_up = False
        self._looked = self._clock.seconds()
        self._begin()
        self._looking.start(LOOK_SECONDS)

    def leave(self) -> Deferred[None]:
        """
        Tell the others that our clients are leaving.

        Returns:
            What fires when all is heard that was said before that, or when it is late.
        """
        self.standing = Standing.LEAVING
        said = self._said = Deferred()
        if not self._is_up:
            said.callback(None)
            return said
        self._beat()
        self._channel.tell(_SAID, [], to=self._server.uid, waits=False)
        said.addTimeout(SAID_SECONDS, self._clock)
        return said.addErrback(lambda failure: None)

    def stop(self) -> None:
        """Tell the others that we are gone, and forget them."""
        if self._looking.running:
            self._looking.stop()
        self._channel.tell("bye", [], waits=False)
        self._peers.clear()

    def ended(self, uid: str) -> None:
        """Know of another server that it is gone, if it has not said so itself."""
        peer = self._peers.get(uid)
        if peer is not None:
            self._log(LogLevel.warn, "{name} has ended without a word", name=peer.name)
            self._drop(uid, silent_since=self._clock.seconds())

    # -- within -----------------------------------------------------------------

    def _begin(self) -> None:
        """Be new, who is no keeper of anything while others are."""
        self._has_learnt = False
        self._began = self._clock.seconds()
        self._patience = HELLO_SECONDS * (1 + self._random() / 2)
        self._watcher.learning()

    def _try_to_look(self) -> None:
        try:
            self._look()
        except Exception:
            # Whatever it is: who does not look does not beat, and is taken for dead.
            _log.failure("the other servers could not be looked after")

    def _look(self) -> None:
        now = self._clock.seconds()
        late = now - self._looked - LOOK_SECONDS
        self._looked = now
        if late > LOOK_SECONDS:
            # This process stood still: what came meanwhile has not been read yet.
            self._excuse(late)
        was_up, self._is_up = self._is_up, self._server.bus.is_up
        if self._is_up and not was_up:
            if not self._peers and self.standing is not Standing.LEAVING:
                self.standing = Standing.NEW
                self._begin()
            self._excuse(now)
            self._beat(asks=True)
            self.connected()
        elif self._is_up:
            is_unsure = self._look_for_dead(now)
            if is_unsure or now >= self._next_beat:
                self._beat()
        if not self._has_learnt:
            self._look_whether_all_is_known(now - self._began)

    def _look_whether_all_is_known(self, seconds: float) -> None:
        least = self._patience if self._watcher.is_complete else LEARNING_SECONDS
        if seconds >= least:
            self._has_learnt = True
            standings = [peer.standing for peer in self._peers.values()]
            if self.standing is Standing.NEW:
                self.standing = Standing.HERE
                if self._is_up:
                    self._beat()
            self._log(
                LogLevel.info,
                "what the others know is known here: {count} of them",
                count=len(standings),
            )
            self._watcher.learnt(from_others=Standing.HERE in standings)
            self.connected()

    def _excuse(self, seconds: float) -> None:
        """Do not count some time against anybody."""
        now = self._clock.seconds()
        for peer in self._peers.values():
            peer.heard = min(peer.heard + seconds, now)

    def _look_for_dead(self, now: float) -> bool:
        """See who is dead; say whether somebody may be, and we may just hear nothing."""
        is_unsure = False
        for uid, peer in list(self._peers.items()):
            most = MAX_SILENT_BEATS * peer.every
            if self._proof - peer.heard > most:
                self._log(
                    LogLevel.warn,
                    "{name} was not heard of for {seconds:.1f} s: it is taken for dead",
                    name=peer.name,
                    seconds=now - peer.heard,
                )
                self._drop(uid, silent_since=peer.heard)
            elif now - peer.heard > most:
                is_unsure = True
        return is_unsure

    def _drop(self, uid: str, *, silent_since: float | None) -> None:
        # First: who keeps what is another one's by now.
        del self._peers[uid]
        self._watcher.peer_left(uid, silent_since=silent_since)
        self.gone(uid)

    def _beat(self, *, asks: bool = False, to: str | None = None) -> None:
        if to is None:
            # Never later than said.
            self._next_beat = self._clock.seconds() + self._every * (1 - self._random() / 10)
        facts = {
            "name": self._name,
            "every": self._every,
            "standing": self.standing.value,
            "version": self._watcher.version,
            "asks": asks,
        }
        self._channel.tell("beat", [facts], to=to, waits=False)

    def _heard(self, uid: str, act: Any) -> None:
        if uid == self._server.uid and act == _SAID and not self._said.called:
            self._said.callback(None)
        self._proof = self._clock.seconds()
        peer = self._peers.get(uid)
        if peer is not None:
            peer.heard = self._proof

    def _take_beat(self, uid: str, args: list[Any]) -> None:
        peer, version, asks = _read_beat(args, self._clock.seconds())
        known = self._peers.get(uid)
        if known is None and len(self._peers) >= MAX_PEERS:
            raise PacketError(f"more than {MAX_PEERS} servers")
        self._peers[uid] = peer
        if asks:
            self._beat(to=uid)
        if known is None:
            self._log(LogLevel.info, "{name} is there", name=peer.name)
            self._watcher.peer_came(uid)
        self._watcher.peer_says(uid, version)

    def _take_bye(self, uid: str, args: list[Any]) -> None:
        peer = self._peers.get(uid)
        if peer is not None:
            self._log(LogLevel.info, "{name} has gone", name=peer.name)
            self._drop(uid, silent_since=None)

    def _log(self, level: Any, text: str, **fields: Any) -> None:
        """Log who comes or goes, unless that were more than a log can bear."""
        now = self._clock.seconds()
        if now - self._lines_since >= LINES_SECONDS:
            self._lines, self._lines_since = 0, now
        self._lines += 1
        if self._lines <= MAX_LINES:
            _log.emit(level, f"cluster: {text}", **fields)
        elif self._lines == MAX_LINES + 1:
            _log.warn(
                "cluster: servers come and go more often than is logged, {most} times in "
                "{seconds:.0f} s",
                most=MAX_LINES,
                seconds=LINES_SECONDS,
            )


def _read_beat(args: list[Any], now: float) -> tuple[Peer, int, bool]:
    facts: Any = args[0] if args else None
    if not isinstance(facts, dict):
        raise PacketError("a beat is a map")
    name, every, version = facts.get("name"), facts.get("every"), facts.get("version")
    if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
        raise PacketError("a server has a name")
    if not is_number(every):
        raise PacketError("a beat says when the next one is")
    if isinstance(version, bool) or not isinstance(version, int):
        raise PacketError("a beat has a version")
    standing = _STANDINGS.get(str(facts.get("standing")))
    if standing is None:
        raise PacketError("a server is new, here or leaving")
    every = min(max(every, MIN_BEAT_SECONDS), MAX_BEAT_SECONDS)
    return Peer(name, every, standing, now), version, facts.get("asks") is True
