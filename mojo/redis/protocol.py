"""One connection to Redis: txredisapi's login, and reading of our own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory
from txredisapi import SubscriberProtocol
from zope.interface import implementer

from mojo.redis.address import RedisAddress
from mojo.redis.answers import WHO
from mojo.redis.resp import BrokenRespError, RespError, RespReader, command

Answered = Callable[[Any], object]
#: What Redis says to a PING, too, while it cannot save its data; messages it carries.
CANNOT_SAVE = "MISCONF"


class Owner(Protocol):
    """
    Whose a connection is.

    Attributes:
        max_message: most bytes of a message.
        is_full: whether as much waits to leave as should.
    """

    max_message: int
    is_full: bool

    @property
    def address(self) -> RedisAddress:
        """As whom Redis is spoken to."""

    def pushed(self, message: list[Any]) -> None:
        """Take what nobody had asked for."""

    def refused(self, error: RespError) -> None:
        """Note that Redis did not do what nobody waits for."""

    def flows(self) -> None:
        """Note that what was written has left."""

    def rejected(self, why: str) -> None:
        """Note that the login was refused."""

    def went(self, protocol: RedisProtocol) -> None:
        """Note that the connection is gone."""


@implementer(IPushProducer)
class RedisProtocol(SubscriberProtocol):  # type: ignore[misc]
    """One connection; camelCase is Twisted's and txredisapi's."""

    def __init__(self, owner: Owner) -> None:
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
        self._listens = False
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
        self._listens = True
        self.transport.write(command(*parts))

    def ask_life(self, answered: Answered) -> None:
        """
        Ask for a sign of life.

        Args:
            answered: gets who Redis says that it is, where that can be asked.
        """
        self.was_heard = False
        if self._listens:
            # Who listens may ask for nothing else.
            self.transport.write(command("PING"))
        else:
            self.send(answered, *WHO)

    def abort(self, why: str) -> None:
        """End the connection now."""
        self.why = why
        self.transport.abortConnection()

    @property
    def unanswered(self) -> int:
        """How many commands have not been answered."""
        return len(self._answers)

    # -- Protocol ---------------------------------------------------------------

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """Read what came."""
        self.was_heard = True
        try:
            for reply in self._reader.feed(data):
                self.replyReceived(reply)
        except BrokenRespError as exc:
            self.abort(str(exc))

    def replyReceived(self, reply: Any) -> None:
        """Give a reply to whoever waits for it."""
        if not self._is_ours:
            self.replyQueue.put(reply)
        elif reply == b"PONG" or (isinstance(reply, list) and reply[:1] == [b"pong"]):
            pass  # that it came is all there is to it
        elif self._answers:
            answered = self._answers.popleft()
            if answered is not None:
                answered(reply)
            elif isinstance(reply, RespError):
                self._owner.refused(reply)
        elif isinstance(reply, list) and len(reply) > 2:
            self._owner.pushed(reply)
        elif isinstance(reply, RespError) and not str(reply).startswith(CANNOT_SAVE):
            # Of a subscription, whose answers are not counted: without it we would be deaf.
            self.abort(str(reply))

    def connectionLost(self, reason: Any) -> None:
        """Tell the owner."""
        super().connectionLost(reason)
        if not reason.check(ConnectionClosed):
            # What TLS did not like, and not what txredisapi makes of it.
            self._owner.rejected(reason.getErrorMessage())
        self._owner.went(self)

    # -- IPushProducer ------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Note that as much waits to leave as should."""
        self._owner.is_full = True

    def resumeProducing(self) -> None:
        """Note that it has left."""
        self._owner.is_full = False
        self._owner.flows()

    def stopProducing(self) -> None:
        """Note that it never will: the connection is gone."""


class OneFactory(Factory):
    """Makes one protocol; what else txredisapi's wants of a factory."""

    noisy = False
    isLazy = False

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def buildProtocol(self, addr: Any) -> Any:
        """Make the protocol."""
        protocol = RedisProtocol(self._owner)
        protocol.factory = self
        return protocol

    def stopTrying(self) -> None:
        """Know that there is no second try: the owner makes another factory."""

    def connectionError(self, why: str) -> None:
        """Tell the owner that the login was refused."""
        self._owner.rejected(why)
