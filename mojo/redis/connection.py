"""
A connection to Redis that is there whenever it can be: made again when it goes, and tried.

txredisapi has the protocol, with its login and its commands; what it is left out of is reading,
for which it needs a turn of the reactor for each text, and keeping the connection: it gives up for
good when a login is refused, as by a Redis that is just loading its data.

A replica takes what is published, and hands it to its own listeners alone.  So who is connected to
is asked, at first and from time to time, and a replica is left.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from mojo.redis.address import RedisAddress
from mojo.redis.answers import WHO, trouble_of
from mojo.redis.endpoints import TIMEOUT, endpoint_of
from mojo.redis.finding import Finder
from mojo.redis.protocol import CANNOT_SAVE, Answered, OneFactory, RedisProtocol
from mojo.redis.resp import RespError

#: Seconds to the first try to connect again, and between two of them at most.
FIRST_DELAY, MAX_DELAY = 0.1, 2.0
#: Seconds between two signs of life that are asked for; without one until the next the
#: connection is given up.
PING_SECONDS = 5.0


class User(Protocol):
    """Who uses a connection."""

    def connected(self, connection: RedisConnection) -> None:
        """There is a connection, logged in."""

    def lost(self, connection: RedisConnection, why: str) -> None:
        """There is none any more, or the try to make one failed."""

    def pushed(self, message: list[Any]) -> None:
        """Redis said something that nobody had asked for: a message, or of subscriptions."""

    def refused(self, error: RespError) -> None:
        """Redis did not do what nobody waits for, as to publish."""

    def flows(self, connection: RedisConnection) -> None:
        """What was written has left: there is room for more."""


class RedisConnection:
    """
    A connection that is made again when it goes.

    Args:
        finder: says where the Redis is.
        reactor: makes connections and tells the time.
        user: is told what happens.
        name: what Redis calls it in ``CLIENT LIST``.
        max_message: most bytes of a message; `mojo.redis.resp.TOO_LONG` is in the place of more.
        random: gives numbers from 0 to 1, so that not all servers come back at one moment.

    Attributes:
        finder: may be replaced; the next connection is made where that says.
        is_up: whether there is one.
        is_full: whether as much waits to leave as should.
    """

    def __init__(
        self,
        finder: Finder,
        reactor: Any,
        user: User,
        *,
        name: str,
        max_message: int,
        random: Callable[[], float],
    ) -> None:
        self.finder = finder
        self.user = user
        self.max_message = max_message
        self.is_up = False
        self.is_full = False
        self._reactor = reactor
        self._name = name
        self._random = random
        self._is_wanted = False
        self._tries = 0
        self._why = ""
        # Where the connection leads that there is, or that is being made.
        self._place: RedisAddress | None = None
        self._connecting: Deferred[Any] | None = None
        self._protocol: Any = None
        self._timer: IDelayedCall | None = None
        self._gone: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<RedisConnection {self._name} to {self.address}>"

    @property
    def address(self) -> RedisAddress:
        """Where the Redis is, and as whom it is spoken to."""
        return self.finder.address

    def start(self) -> None:
        """Connect, and again when it goes."""
        self._is_wanted = True
        self._tries = 0
        self.finder.enter(self)
        self._connect()

    def stop(self) -> Deferred[None]:
        """Let the connection go when what was written has left; it is not made again."""
        self._is_wanted = False
        self._set_timer(None)
        gone: Deferred[None] = Deferred()
        gone.addCallback(lambda _: self.finder.leave(self))
        if self._connecting is not None:
            self._connecting.cancel()
        if self._protocol is None:
            gone.callback(None)
        else:
            self._gone.append(gone)
            # Who does not read any more is not waited for.
            self._set_timer(TIMEOUT, self._protocol.abort, "stopped")
            self._protocol.transport.loseConnection()
        return gone

    def send(self, *parts: str | bytes, answered: Answered | None = None) -> None:
        """
        Send a command.

        Args:
            parts: its name and arguments.
            answered: gets the answer, which may be a `RespError`; of a command without it
                only errors are noted.  If the connection goes there is none.
        """
        self._protocol.send(answered, *parts)

    def push(self, *parts: str | bytes) -> None:
        """Send a command of subscriptions, whose answers `User.pushed` gets."""
        self._protocol.push(*parts)

    def abort(self, why: str) -> None:
        """End the connection now; the next one is made."""
        if self._protocol is not None:
            self._protocol.abort(why)

    @property
    def unanswered(self) -> int:
        """How many commands have not been answered."""
        return 0 if self._protocol is None else int(self._protocol.unanswered)

    # -- from the finder ---------------------------------------------------------------

    def moved(self, address: RedisAddress) -> None:
        """Go where Redis is now."""
        if self._place is not None and str(address) != str(self._place):
            self.abort(f"it is at {address.host}:{address.port} now")

    # -- from the protocol ------------------------------------------------------------

    def pushed(self, message: list[Any]) -> None:
        """Take what nobody had asked for."""
        self.user.pushed(message)

    def refused(self, error: RespError) -> None:
        """Note that Redis did not do what nobody waits for."""
        self.user.refused(error)

    def flows(self) -> None:
        """Note that what was written has left."""
        self.user.flows(self)

    def rejected(self, why: str) -> None:
        """Note that the login was refused."""
        self._why = why

    def went(self, protocol: RedisProtocol) -> None:
        """Note that the connection is gone."""
        if self._protocol is not protocol:
            return
        why = self._why or protocol.why
        self._why = ""
        # Told while the protocol is there, which knows what is unanswered.
        self.is_up = self.is_full = False
        self.user.lost(self, why)
        self._set_timer(None)
        self._protocol = self._place = None
        gone, self._gone = self._gone, []
        for deferred in gone:
            deferred.callback(None)
        if self._is_wanted:
            self._try_later()

    # -- within -----------------------------------------------------------------------

    def _connect(self) -> None:
        self._timer = None
        connecting: Deferred[Any] = self.finder.find()
        self._connecting = connecting
        connecting.addCallback(self._connect_to)
        connecting.addCallbacks(self._made, self._failed)

    def _connect_to(self, place: RedisAddress) -> Deferred[Any]:
        self._place = place
        connecting: Deferred[Any] = endpoint_of(place, self._reactor).connect(OneFactory(self))
        return connecting

    def _made(self, protocol: Any) -> None:
        self._connecting = None
        self._protocol = protocol
        if not protocol.connected:
            self.went(protocol)  # it was gone before the endpoint could tell
            return
        if not self._is_wanted:
            protocol.transport.loseConnection()
            return
        self._set_timer(TIMEOUT, protocol.abort, "no answer")
        logging_in = Deferred.fromCoroutine(self._log_in(protocol))
        logging_in.addErrback(lambda failure: protocol.abort(failure.getErrorMessage()))
        logging_in.addCallback(self._begin, protocol)

    async def _log_in(self, protocol: Any) -> None:
        await protocol.whenConnected()
        try:
            # Whoever may not do anything learns of it here and not at the first message.
            await protocol.execute_command("PING")
        except RespError as exc:
            if not str(exc).startswith(CANNOT_SAVE):
                raise
        try:
            hello = await protocol.execute_command(*WHO)
        except RespError:
            hello = None  # a server that is none of Redis's own need not know it
        if (trouble := trouble_of(hello)) is not None:
            raise RespError(trouble)
        with suppress(RespError):  # a luxury, which an ACL may not grant
            await protocol.execute_command("CLIENT", "SETNAME", self._name)

    def _begin(self, _: Any, protocol: Any) -> None:
        if self._protocol is not protocol or protocol.transport.disconnecting:
            return
        if not protocol.connected or protocol.why != "connection lost":
            return
        self.is_up = True
        protocol.begin()
        self._set_timer(PING_SECONDS, self._ping)
        self.user.connected(self)

    def _failed(self, failure: Failure) -> None:
        self._connecting = self._place = None
        if self._is_wanted and not failure.check(CancelledError):
            self.user.lost(self, f"cannot connect: {failure.getErrorMessage()}")
        # Who was told may not want it any longer.
        if self._is_wanted:
            self._try_later()

    def _try_later(self) -> None:
        delay = min(FIRST_DELAY * 2**self._tries, MAX_DELAY)
        self._tries = min(self._tries + 1, 10)
        self._set_timer(delay * (0.5 + self._random() / 2), self._connect)

    def _ping(self) -> None:
        protocol = self._protocol
        if not protocol.was_heard:
            protocol.abort("it does not answer")
            return
        # It is good for something: until now it might have been refused again and again.
        self._tries = 0
        protocol.ask_life(self._told_who)
        self._set_timer(PING_SECONDS, self._ping)

    def _told_who(self, hello: Any) -> None:
        if (trouble := trouble_of(hello)) is not None:
            self.abort(trouble)

    def _set_timer(
        self, seconds: float | None, call: Callable[..., object] | None = None, *args: Any
    ) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if seconds is not None and call is not None:
            self._timer = self._reactor.callLater(seconds, call, *args)
