"""An emitter for Twisted's programs that are no server of the cluster."""

from __future__ import annotations

from collections import deque
from random import random
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall

from mojo.cluster.url import read_url
from mojo.emitter.formats import Command, format_of
from mojo.emitter.operator import EmitterOperator
from mojo.errors import RedisUnavailable
from mojo.redis.connection import RedisConnection
from mojo.redis.resp import RespError
from mojo.redis.sentinel import finder_of
from mojo.socketio.encoders import Encoder

#: The most that waits for a connection.
MAX_WAITING = 1000
# Redis answers with a number, or the id of an entry.
_MAX_REPLY = 65_536

_Result = Deferred[int | None]


class TwistedEmitter(EmitterOperator[Deferred[int | None]]):
    """
    Sends to the clients of a cluster; see `EmitterOperator`.  Its words give Deferreds.

    It connects when it is first used, and again when the connection goes.

    Args:
        url: as the servers' ``REDIS``.
        reactor: the reactor.
        encoder: makes something that can be sent of what cannot, as theirs does.
        timeout: seconds to wait for Redis, at most.
    Raises:
        SettingsError: it is no URL of a Redis.
    """

    def __init__(
        self, url: str, reactor: Any, *, encoder: Encoder | None = None, timeout: float = 5.0
    ) -> None:
        self._address, prefix, adapter, _ = read_url(url, "the emitter's URL")
        self._reactor = reactor
        self._timeout = timeout
        self._is_started = False
        self._waiting: deque[tuple[Command, _Result]] = deque()
        self._asked: dict[_Result, IDelayedCall] = {}
        self._why = "not connected"
        self._connection = RedisConnection(
            finder_of(self._address, reactor, random),
            reactor,
            self,
            name="mojo-emitter",
            max_message=_MAX_REPLY,
            random=random,
        )
        super().__init__(self._send, format_of(adapter, prefix, encoder))

    def close(self) -> Deferred[None]:
        """Let the connection go, when what was sent has left."""
        self._is_started = False
        gone = self._connection.stop()
        self._give_up("closed")
        return gone

    def _send(self, command: Command) -> _Result:
        if len(self._waiting) >= MAX_WAITING:
            return fail(RedisUnavailable(f"{self._address}: {MAX_WAITING} messages wait already"))
        if not self._is_started:
            self._is_started = True
            self._connection.start()
        result: _Result = Deferred()
        self._asked[result] = self._reactor.callLater(self._timeout, self._late, result)
        if self._connection.is_up:
            self._publish_now(command, result)
        else:
            self._waiting.append((command, result))
        return result

    def _publish_now(self, command: Command, result: _Result) -> None:
        def answered(reply: Any) -> None:
            if isinstance(reply, RespError):
                self._settle(result, RedisUnavailable(f"{self._address}: {reply}"))
            else:
                self._settle(result, reply if isinstance(reply, int) else None)

        self._connection.send(*command, answered=answered)

    def _settle(self, result: _Result, value: Any) -> None:
        timer = self._asked.pop(result, None)
        if timer is not None:
            if timer.active():
                timer.cancel()
            (result.errback if isinstance(value, Exception) else result.callback)(value)

    def _late(self, result: _Result) -> None:
        self._waiting = deque(entry for entry in self._waiting if entry[1] is not result)
        self._settle(result, RedisUnavailable(f"{self._address}: {self._why}"))

    def _give_up(self, why: str) -> None:
        self._waiting.clear()
        for result in list(self._asked):
            self._settle(result, RedisUnavailable(f"{self._address}: {why}"))

    # -- from the connection ----------------------------------------------------

    def connected(self, connection: RedisConnection) -> None:
        """Send what has waited."""
        self._why = "no answer"
        waiting, self._waiting = self._waiting, deque()
        for command, result in waiting:
            if result in self._asked:
                self._publish_now(command, result)

    def lost(self, connection: RedisConnection, why: str) -> None:
        """Tell those whose message was under way; those who wait go on waiting."""
        self._why = why
        waiting = {result for _, result in self._waiting}
        for result in [result for result in self._asked if result not in waiting]:
            self._settle(result, RedisUnavailable(f"{self._address}: {why}"))

    def pushed(self, message: list[Any]) -> None:
        """Nothing is listened to."""

    def refused(self, error: RespError) -> None:
        """Everything is waited for."""

    def flows(self, connection: RedisConnection) -> None:
        """Who waits for each Deferred sends no faster than Redis takes it."""
