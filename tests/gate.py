"""A way to a UNIX socket that can be cut, slowed down, and held up."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint, connectProtocol
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, Protocol


class Gate:
    """
    Passes on what comes.

    Args:
        target: the socket that it leads to.

    Attributes:
        socket: where it is itself.
        delay: seconds that everything takes, each way.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.socket = target.with_name("gate")
        self.delay = 0.0
        self._is_held = False
        self._is_open = True
        self._ends: list[_End] = []
        self.delayed: list[IDelayedCall] = []
        self._port = None

    async def start(self) -> None:
        factory = Factory.forProtocol(lambda: _Front(self))
        factory.noisy = False
        self._port = await UNIXServerEndpoint(reactor, str(self.socket)).listen(factory)

    async def stop(self) -> None:
        self.cut()
        for call in self.delayed:
            if call.active():
                call.cancel()
        await self._port.stopListening()

    def cut(self) -> None:
        """End all connections, and let nobody in."""
        self._is_open = False
        for end in list(self._ends):
            end.transport.abortConnection()

    def open(self) -> None:
        """Let them in again."""
        self._is_open = True

    def hold(self, held: bool) -> None:
        """Take nothing more from those who are here, or go on."""
        self._is_held = held
        for end in self._ends:
            (end.transport.pauseProducing if held else end.transport.resumeProducing)()


class _End(Protocol):
    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.other: _End | None = None

    def connectionMade(self) -> None:
        self.gate._ends.append(self)

    def dataReceived(self, data: bytes) -> None:
        if self.gate.delay:
            delayed = self.gate.delayed
            delayed.append(reactor.callLater(self.gate.delay, lambda: self.pass_on(data)))
            self.gate.delayed = [call for call in delayed if call.active()]
        else:
            self.pass_on(data)

    def pass_on(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)

    def connectionLost(self, reason) -> None:
        self.gate._ends.remove(self)
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            other.transport.loseConnection()


class _Front(_End):
    def connectionMade(self) -> None:
        super().connectionMade()
        if not self.gate._is_open:
            self.transport.abortConnection()
            return
        self.transport.pauseProducing()
        endpoint = UNIXClientEndpoint(reactor, str(self.gate.target))
        connecting = connectProtocol(endpoint, _End(self.gate))
        connecting.addCallbacks(self.joined, lambda _: self.transport.abortConnection())

    def joined(self, other: _End) -> None:
        if self not in self.gate._ends:
            other.transport.abortConnection()
            return
        self.other, other.other = other, self
        self.transport.resumeProducing()
