"""
A connection to Redis that says at once when there is none.

txredisapi connects, connects again, and speaks the protocol.  Left to itself it keeps what
is asked while there is no connection, and does it when there is one, long after whoever
asked has given up: a session would be saved after its visitor was told that it was not.
So nothing is sent here but over a connection that is up, and every answer has its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorCore
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import ConnectionHandler, RedisError, RedisFactory, RedisProtocol

from mojo.errors import RedisUnavailable
from mojo.redis.address import RedisAddress
from mojo.redis.endpoints import TIMEOUT, endpoint_of

_log = Logger()

#: Seconds between two tries to connect, at most.
MAX_DELAY = 2.0


class _WatchedEndpoint:
    """An endpoint that tells whether it leads anywhere."""

    def __init__(self, endpoint: Any, link: RedisLink) -> None:
        self._endpoint = endpoint
        self._link = link

    def connect(self, factory: Any) -> Deferred[Any]:
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting.addErrback(self._link.connect_failed)


class _Protocol(RedisProtocol):  # type: ignore[misc]
    """A connection that tells how it ended, as for a certificate that is not good."""

    def connectionLost(self, why: Failure) -> None:
        self.factory.lost = why.getErrorMessage()
        super().connectionLost(why)


class _Factory(RedisFactory):  # type: ignore[misc]
    """One connection that comes again; camelCase is txredisapi's."""

    protocol = _Protocol
    initialDelay = 0.2
    maxDelay = MAX_DELAY

    def __init__(self, link: RedisLink) -> None:
        address = link.address
        super().__init__(
            str(address),
            address.database,
            1,
            isLazy=True,
            handler=ConnectionHandler,
            charset="utf-8",
            password=address.password,
            replyTimeout=TIMEOUT,
            # Text stays text, also where it looks like a number.
            convertNumbers=False,
            username=address.username,
        )
        self.lost = ""
        self._link = link
        self.deferred.addErrback(lambda failure: None)  # it is told by connectionError

    def addConnection(self, conn: Any) -> None:
        super().addConnection(conn)
        self.lost = ""
        if conn in self.pool:
            self._link.connected()

    def delConnection(self, conn: Any) -> None:
        super().delConnection(conn)
        self._link.disconnected()

    def connectionError(self, why: str) -> None:
        super().connectionError(why)
        # What Redis says of a login has no part of it.
        self._link.rejected(f"{why}; {self.lost}" if self.lost else why)


class RedisLink:
    """
    A connection to a Redis, which is made when it is first used.

    Args:
        address: where it is.
        reactor: makes connections.
    """

    def __init__(self, address: RedisAddress, reactor: IReactorCore) -> None:
        self.address = address
        self._reactor: Any = reactor
        self._factory: _Factory | None = None
        self._is_down = False
        self._not_before = 0.0
        self._waiting: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<RedisLink to {self.address}>"

    async def eval(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Any:
        """
        Run a script of Lua; text comes back as ``str``.

        Raises:
            RedisUnavailable: there is no connection, no answer in time, or a refusal.
        """
        connection = await self._connection()
        try:
            return await connection.eval(script, list(keys), list(args))
        except RedisError as exc:
            raise RedisUnavailable(f"{self.address}: {exc}") from exc

    async def close(self) -> None:
        """Let the connection go; it is made again if it is used again."""
        factory, self._factory = self._factory, None
        self._is_down = False
        self._not_before = 0.0
        self._fail_waiting()
        if factory is not None:
            await factory.disconnect()

    async def _connection(self) -> Any:
        if self._factory is None:
            if self._reactor.seconds() < self._not_before:
                raise RedisUnavailable(f"{self.address}: not connected")
            self._factory = _Factory(self)
            self._factory.startConnecting(
                _WatchedEndpoint(endpoint_of(self.address, self._reactor), self)
            )
        if not self._factory.pool:
            if self._is_down:
                raise RedisUnavailable(f"{self.address}: not connected")
            await self._first_connection()
        factory = self._factory
        if factory is None or not factory.pool:
            raise RedisUnavailable(f"{self.address}: not connected")
        return factory.pool[0]

    def _first_connection(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        # Not longer than it takes to find out, whatever becomes of the connection.
        late = self._reactor.callLater(TIMEOUT, self._fail, waiting)

        def settled(result: Any) -> Any:
            if late.active():
                late.cancel()
            return result

        return waiting.addBoth(settled)

    def _fail(self, waiting: Deferred[None]) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            waiting.errback(RedisUnavailable(f"{self.address}: not connected"))

    def _fail_waiting(self) -> None:
        for waiting in list(self._waiting):
            self._fail(waiting)

    # -- from the factory -----------------------------------------------------

    def connected(self) -> None:
        """Note that there is a connection."""
        if self._is_down:
            _log.info("{address}: connected again", address=str(self.address))
        self._is_down = False
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def disconnected(self) -> None:
        """Note that the connection went; there may be another one in a moment."""
        if self._factory is not None:
            _log.warn("{address}: connection lost", address=str(self.address))

    def connect_failed(self, failure: Any) -> Any:
        """Note that there is nobody to connect to."""
        if self._factory is not None:
            if not self._is_down:
                _log.error(
                    "{address}: cannot connect: {error}",
                    address=str(self.address),
                    error=failure.getErrorMessage(),
                )
            self._is_down = True
            self._fail_waiting()
        return failure

    def rejected(self, why: str) -> None:
        """
        Note that the login was refused, or could not be made.

        txredisapi would never try again.  We do, but not with each session that is asked for.
        """
        if not self._is_down:
            _log.error("{address}: {why}", address=str(self.address), why=why)
        self._is_down = True
        self._not_before = self._reactor.seconds() + MAX_DELAY
        factory, self._factory = self._factory, None
        self._fail_waiting()
        if factory is not None:
            factory.stopTrying()
