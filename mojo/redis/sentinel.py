"""
Where a master is, as the sentinels say that watch over it.

One sentinel is asked over a connection that stays, and asked again each second: who is told when
something changes is told nothing by a sentinel that has gone.  If it does not answer, or knows no
such master, the next one is asked.  While none does, the connections that there are stay.
What a sentinel says may be old: whether it is a master who is there is asked of itself, see
`mojo.redis.connection`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mojo.errors import RedisUnavailable
from mojo.redis.address import RedisAddress
from mojo.redis.answers import question, read_answer
from mojo.redis.connection import RedisConnection
from mojo.redis.finding import Finder, Follower, Here
from mojo.redis.resp import RespError

_log = Logger()

#: Seconds between two questions, and how many may be without an answer.
ASK_SECONDS, MAX_UNANSWERED = 1.0, 2
# A host and a port are what is answered.
_MAX_REPLY = 65_536


def finder_of(address: RedisAddress, reactor: Any, random: Callable[[], float]) -> Finder:
    """
    Make what knows where a Redis is.

    Args:
        address: what the URL says.
        reactor: makes connections and tells the time.
        random: see `RedisConnection`.
    """
    return Sentinels(address, reactor, random) if address.sentinels else Here(address)


class Sentinels:
    """
    A `Finder` of a master.

    Args:
        address: has the sentinels and the master's name.
        reactor: makes connections and tells the time.
        random: see `RedisConnection`.
    """

    def __init__(self, address: RedisAddress, reactor: Any, random: Callable[[], float]) -> None:
        self.address = address
        self._number = 0
        # One after another fell silent: how many since one answered.
        self._silent = 0
        self._is_away = False
        self._connection = RedisConnection(
            Here(address.sentinels[0]),
            reactor,
            self,
            name="mojo-sentinel",
            max_message=_MAX_REPLY,
            random=random,
        )
        self._followers: list[Follower] = []
        self._waiting: list[Deferred[RedisAddress]] = []
        self._asking = LoopingCall(self._ask)
        self._asking.clock = reactor

    def __repr__(self) -> str:
        return f"<Sentinels of {self.address}>"

    # -- Finder -----------------------------------------------------------------

    def enter(self, follower: Follower) -> None:
        """Tell somebody from now on where the master is; see `Finder`."""
        self._followers.append(follower)
        if len(self._followers) == 1:
            self._silent = 0
            self._connection.start()

    def leave(self, follower: Follower) -> Deferred[None]:
        """Tell it no longer; see `Finder`."""
        if follower in self._followers:
            self._followers.remove(follower)
        if self._followers:
            return succeed(None)
        self._is_away = False
        return self._connection.stop()

    def find(self) -> Deferred[RedisAddress]:
        """Give where the master is; see `Finder`."""
        found: Deferred[RedisAddress] = Deferred(self._waiting.remove)
        self._waiting.append(found)
        if self._connection.is_up:
            self._ask()
        return found

    # -- from the connection ------------------------------------------------------

    def connected(self, connection: RedisConnection) -> None:
        """Ask, and go on asking."""
        self._asking.start(ASK_SECONDS)

    def lost(self, connection: RedisConnection, why: str) -> None:
        """Turn to the next one."""
        if self._asking.running:
            self._asking.stop()
        self._number = (self._number + 1) % len(self.address.sentinels)
        connection.finder = Here(self.address.sentinels[self._number])
        self._silent += 1
        if self._silent < len(self.address.sentinels) or not self._followers:
            return
        if not self._is_away:
            self._is_away = True
            _log.error("{address}: no sentinel helps: {why}", address=str(self.address), why=why)
        waiting, self._waiting = self._waiting, []
        for found in waiting:
            found.errback(RedisUnavailable(f"no sentinel helps: {why}"))

    def pushed(self, message: list[Any]) -> None:
        """Nothing is subscribed to."""

    def refused(self, error: RespError) -> None:
        """Every answer is looked at."""

    def flows(self, connection: RedisConnection) -> None:
        """What is sent is short."""

    # -- within -------------------------------------------------------------------

    def _ask(self) -> None:
        if self._connection.unanswered >= MAX_UNANSWERED:
            self._connection.abort("it does not answer")
            return
        self._connection.send(*question(self.address.master), answered=self._told)

    def _told(self, reply: Any) -> None:
        try:
            master = read_answer(self.address, reply)
        except RedisUnavailable as exc:
            self._connection.abort(str(exc))
            return
        self._silent = 0
        if self._is_away:
            self._is_away = False
            _log.info("{address}: a sentinel helps again", address=str(self.address))
        waiting, self._waiting = self._waiting, []
        for found in waiting:
            found.callback(master)
        for follower in list(self._followers):
            follower.moved(master)
