"""
A connection to Redis that says at once when there is none.

What is asked is sent over a connection that is up, or not at all: kept until there is one it
would be done long after whoever asked has given up, and a session would be saved after its visitor
was told that it was not.  Every answer has its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as LateError
from twisted.internet.interfaces import IReactorCore
from twisted.logger import Logger

from mojo.errors import RedisUnavailable
from mojo.redis.address import RedisAddress
from mojo.redis.connection import RedisConnection
from mojo.redis.endpoints import TIMEOUT
from mojo.redis.resp import RespError
from mojo.redis.sentinel import finder_of

_log = Logger()

# Redis has no longer ones.
_MAX_REPLY = 512 * 1024 * 1024


class RedisLink:
    """
    A connection to a Redis, which is made when it is first used.

    Args:
        address: where it is.
        reactor: makes connections.
        random: see `RedisConnection`.
    """

    def __init__(
        self,
        address: RedisAddress,
        reactor: IReactorCore,
        random: Callable[[], float] = random,
    ) -> None:
        self.address = address
        self._reactor: Any = reactor
        self._connection = RedisConnection(
            finder_of(address, reactor, random),
            reactor,
            self,
            name="mojo-sessions",
            max_message=_MAX_REPLY,
            random=random,
        )
        self._is_started = False
        # Whether it was there until a moment ago, and is worth waiting for.
        self._was_up = False
        self._is_away = False
        self._is_logged = False
        self._waiting: list[Deferred[Any]] = []
        self._asked: list[Deferred[Any]] = []

    def __repr__(self) -> str:
        return f"<RedisLink to {self.address}>"

    @property
    def is_away(self) -> bool:
        """Whether it was looked for, or lost, and is not back."""
        return self._is_logged

    async def eval(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Any:
        """
        Run a script of Lua; text comes back as ``str``.

        Raises:
            RedisUnavailable: there is no connection, no answer in time, or a refusal.
        """
        if not self._is_started:
            self._is_started = True
            self._connection.start()
        if not self._connection.is_up:
            if self._is_away:
                raise self._unavailable("not connected")
            await self._wait(Deferred(), self._waiting)
        asked: Deferred[Any] = Deferred()

        def answered(reply: Any) -> None:
            if not asked.called:
                asked.callback(reply)

        self._connection.send("EVAL", script, str(len(keys)), *keys, *args, answered=answered)
        reply = await self._wait(asked, self._asked)
        if isinstance(reply, RespError):
            raise self._unavailable(str(reply))
        return _text_of(reply)

    async def close(self) -> None:
        """Let the connection go; it is made again if it is used again."""
        if not self._is_started:
            return
        self._is_started = False
        self._give_up(self._waiting, "closed")
        await self._connection.stop()
        self._was_up = self._is_away = self._is_logged = False

    def _unavailable(self, why: str) -> RedisUnavailable:
        return RedisUnavailable(f"{self.address}: {why}")

    async def _wait(self, coming: Deferred[Any], among: list[Deferred[Any]]) -> Any:
        """Wait for something, but not longer than it may take."""
        among.append(coming)
        coming.addTimeout(TIMEOUT, self._reactor)
        try:
            return await coming
        except LateError as exc:
            raise self._unavailable("no answer") from exc
        finally:
            among.remove(coming)

    def _give_up(self, coming: list[Deferred[Any]], why: str) -> None:
        for deferred in list(coming):
            deferred.errback(self._unavailable(why))

    # -- from the connection ------------------------------------------------------

    def connected(self, connection: RedisConnection) -> None:
        """There is a connection."""
        if self._is_logged:
            _log.info("{address}: connected again", address=str(self.address))
        self._was_up = True
        self._is_away = self._is_logged = False
        for waiting in list(self._waiting):
            waiting.callback(None)

    def lost(self, connection: RedisConnection, why: str) -> None:
        """There is none any more; there may be another one in a moment."""
        self._give_up(self._asked, why)
        if not self._is_started:
            self._give_up(self._waiting, "closed")
            return
        if not self._is_logged:
            self._is_logged = True
            _log.error("{address}: {why}", address=str(self.address), why=why)
        self._is_away = not self._was_up
        self._was_up = False
        if self._is_away:
            self._give_up(self._waiting, "not connected")

    def pushed(self, message: list[Any]) -> None:
        """Nothing is subscribed to."""

    def refused(self, error: RespError) -> None:
        """Every answer is looked at."""

    def flows(self, connection: RedisConnection) -> None:
        """Who waits for each answer sends no faster than Redis takes it."""


def _text_of(reply: Any) -> Any:
    if isinstance(reply, list):
        return [_text_of(item) for item in reply]
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
