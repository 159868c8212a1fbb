"""
A connection to Redis that is there whenever it can be: made again when it goes, and tried.

The protocol is txredisapi's, with its login and its commands; what it is left out of is reading,
for which it needs a turn of the reactor for each text, and keeping the connection: it gives up for
good when a login is refused, as by a Redis that is just loading its data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from txredisapi import SubscriberProtocol
from zope.interface import implementer

from mojo.redis.address import RedisAddress
from mojo.redis.endpoints import TIMEOUT, endpoint_of
from mojo.redis.resp import BrokenRespError, RespError, RespReader, command

#: Seconds to the first try to connect again, and between two of them at most.
FIRST_DELAY, MAX_DELAY = 0.1, 2.0
#: Seconds between two signs of life that are asked for; without one until the next the
#: connection is given up.
PING_SECONDS = 5.0

Answered = Callable[[Any], object]


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


@implementer(IPushProducer)
class _Protocol(SubscriberProtocol):  # type: ignore[misc]
    """One connection; camelCase is Twisted's and txredisapi's."""

    def __init__(self, owner: RedisConnection) -> None:
        address = owner.address
        super().__init__(
            charset=None,
            password=address.password,
            dbid=address.database or None,
            username=address.username,
        )
        self._owner = owner
        self._reader = RespReader(owner.max_message)
        self._answers: deque[Answered | None] = deque()
        self._is_ours = False
        self.was_heard = False
        self.why = "connection lost"

    def begin(self) -> None:
        """Take over from txredisapi, which has logged in."""
        self._is_ours = True
        self.transport.registerProducer(self, True)

    def send(self, answered: Answered | None, *parts: str | bytes) -> None:
        """Send a command that is answered."""
        self._answers.append(answered)
        self.transport.write(command(*parts))

    def push(self, *parts: str | bytes) -> None:
        """Send a command whose answers come as messages do."""
        self.transport.write(command(*parts))

    def abort(self, why: str) -> None:
        """End the connection now."""
        self.why = why
        self.transport.abortConnection()

    @property
    def unanswered(self) -> int:
        """How many commands have not been answered."""
        return len(self._answers)

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        self.was_heard = True
        try:
            for reply in self._reader.feed(data):
                self.replyReceived(reply)
        except BrokenRespError as exc:
            self.abort(str(exc))

    def replyReceived(self, reply: Any) -> None:
        if not self._is_ours:
            self.replyQueue.put(reply)
        elif reply == b"PONG" or (isinstance(reply, list) and reply[:1] == [b"pong"]):
            pass  # that it came is all there is to it
        elif self._answers:
            answered = self._answers.popleft()
            if answered is not None:
                answered(reply)
            elif isinstance(reply, RespError):
                self._owner.user.refused(reply)
        elif isinstance(reply, list) and len(reply) > 2:
            self._owner.user.pushed(reply)
        elif isinstance(reply, RespError):
            # Of a subscription, whose answers are not counted: without it we would be deaf.
            self.abort(str(reply))

    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        if not reason.check(ConnectionClosed):
            # What TLS did not like, and not what txredisapi makes of it.
            self._owner.rejected(reason.getErrorMessage())
        self._owner.went(self)

    # -- IPushProducer ------------------------------------------------------------

    def pauseProducing(self) -> None:
        self._owner.is_full = True

    def resumeProducing(self) -> None:
        self._owner.is_full = False
        self._owner.user.flows(self._owner)

    def stopProducing(self) -> None:
        pass


class _Factory(Factory):
    """Makes one protocol; what else txredisapi's wants of a factory."""

    noisy = False
    isLazy = False

    def __init__(self, owner: RedisConnection) -> None:
        self._owner = owner

    def buildProtocol(self, addr: Any) -> Any:
        protocol = _Protocol(self._owner)
        protocol.factory = self
        return protocol

    def stopTrying(self) -> None:
        pass

    def connectionError(self, why: str) -> None:
        self._owner.rejected(why)


class RedisConnection:
    """
    A connection that is made again when it goes.

    Args:
        address: where the Redis is.
        reactor: makes connections and tells the time.
        user: is told what happens.
        name: what Redis calls it in ``CLIENT LIST``.
        max_message: most bytes of a message; `mojo.redis.resp.TOO_LONG` is in the place of more.
        random: gives numbers from 0 to 1, so that not all servers come back at one moment.

    Attributes:
        is_up: whether there is one.
        is_full: whether as much waits to leave as should.
    """

    def __init__(
        self,
        address: RedisAddress,
        reactor: Any,
        user: User,
        *,
        name: str,
        max_message: int,
        random: Callable[[], float],
    ) -> None:
        self.address = address
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
        self._connecting: Deferred[Any] | None = None
        self._protocol: Any = None
        self._timer: IDelayedCall | None = None
        self._gone: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<RedisConnection {self._name} to {self.address}>"

    def start(self) -> None:
        """Connect, and again when it goes."""
        self._is_wanted = True
        self._tries = 0
        self._connect()

    def stop(self) -> Deferred[None]:
        """Let the connection go when what was written has left; it is not made again."""
        self._is_wanted = False
        self._set_timer(None)
        gone: Deferred[None] = Deferred()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._protocol is None:
            gone.callback(None)
        else:
            self._gone.append(gone)
            self._protocol.transport.loseConnection()
            # Who does not read any more is not waited for.
            self._set_timer(TIMEOUT, self._protocol.abort, "stopped")
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

    # -- from the protocol ------------------------------------------------------------

    def rejected(self, why: str) -> None:
        """Note that the login was refused."""
        self._why = why

    def went(self, protocol: Any) -> None:
        """Note that the connection is gone."""
        if self._protocol is not protocol:
            return
        why = self._why or protocol.why
        self._why = ""
        self._set_timer(None)
        # Told while the protocol is there, which knows what is unanswered.
        self.is_up = self.is_full = False
        self.user.lost(self, why)
        self._protocol = None
        gone, self._gone = self._gone, []
        for deferred in gone:
            deferred.callback(None)
        if self._is_wanted:
            self._try_later()

    # -- within -----------------------------------------------------------------------

    def _connect(self) -> None:
        self._timer = None
        connecting = endpoint_of(self.address, self._reactor).connect(_Factory(self))
        self._connecting = connecting
        connecting.addCallbacks(self._made, self._failed)

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
        ready = protocol.whenConnected()
        # Whoever may not do anything learns of it here and not at the first message.
        ready.addCallback(lambda _: protocol.execute_command("PING"))
        ready.addCallback(lambda _: protocol.execute_command("CLIENT", "SETNAME", self._name))
        ready.addErrback(self._not_named, protocol)
        ready.addCallback(self._begin, protocol)

    def _not_named(self, failure: Failure, protocol: Any) -> None:
        error = failure.getErrorMessage()
        # To have a name is a luxury, which an ACL may not grant.
        if not (failure.check(RespError) and "setname" in error.lower()):
            protocol.abort(error)

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
        self._connecting = None
        if self._is_wanted and not failure.check(CancelledError):
            self.user.lost(self, f"cannot connect: {failure.getErrorMessage()}")
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
        protocol.was_heard = False
        protocol.push("PING")
        self._set_timer(PING_SECONDS, self._ping)

    def _set_timer(
        self, seconds: float | None, call: Callable[..., object] | None = None, *args: Any
    ) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if seconds is not None and call is not None:
            self._timer = self._reactor.callLater(seconds, call, *args)
