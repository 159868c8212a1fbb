"""
What a socket sends: now, when it is connected, or again until it is acknowledged.

See: socket.io-client 4.8, ``Socket.emit``; Socket.IO protocol v5, "Acknowledgement".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import ignore
from mojo.client.emitter import Ack, Flags
from mojo.client.listeners import Listener, call_listeners
from mojo.client.retries import RetryQueue
from mojo.engineio.packet import Packet as EnginePacket
from mojo.errors import AckTimeout, UnsendableError
from mojo.socketio.acks import Answered, Failed, PendingAcks, unwrap
from mojo.socketio.message import Message
from mojo.socketio.parser import Parser

_log = Logger()

#: Seconds that `Outgoing.call` waits where nothing else is said.
CALL_SECONDS = 60.0


class Line(Protocol):
    """What takes a socket's packets to the server: its manager."""

    clock: IReactorTime
    parser: Parser

    @property
    def writable(self) -> bool:
        """Whether a message would leave now, rather than wait."""

    @property
    def expired(self) -> bool:
        """Whether the server's ping is overdue, so that nothing should be sent."""

    def check_size(self, packets: Iterable[EnginePacket]) -> None:
        """Raise `UnsendableError` if the server would not take the packets."""

    def send(self, packets: Iterable[EnginePacket]) -> None:
        """Send packets."""


class _Buffered(NamedTuple):
    message: Message
    ack_id: int | None


class Outgoing:
    """
    The events that one socket sends.

    Args:
        line: takes them to the server.
        namespace: the socket's.
        retries: how often an event is sent again.
        ack_timeout: seconds to wait for acknowledgements; ``None`` waits as long as the
            connection is there.

    Attributes:
        listeners: called with the name and arguments of each event that is sent.
    """

    def __init__(
        self, line: Line, namespace: str, *, retries: int, ack_timeout: float | None
    ) -> None:
        self.listeners: list[Listener] = []
        self._line = line
        self._namespace = namespace
        self._ack_timeout = ack_timeout
        self._connected = False
        self._ids = itertools.count()
        self._acks = PendingAcks(line.clock, _ack_failed)
        self._buffer: list[_Buffered] = []
        self._queue = RetryQueue(retries, self._send, self._is_connected) if retries else None

    # -- from the app -------------------------------------------------------

    def emit(self, name: str, args: tuple[Any, ...], flags: Flags, ack: Ack | None) -> None:
        """Send an event; see `Socket.emit`."""
        timeout = self._ack_timeout if flags.timeout is None else flags.timeout
        flags = Flags(timeout, flags.volatile)
        if ack is None:
            self._emit(name, args, flags, None, ignore)
        elif timeout is None:
            self._emit(name, args, flags, partial(_tell, name, ack), ignore)
        else:
            self._emit(
                name,
                args,
                flags,
                lambda answer: _tell(name, ack, [None, *answer]),
                lambda error: _tell(name, ack, [error]),
            )

    def call(self, name: str, args: tuple[Any, ...], flags: Flags) -> Deferred[Any]:
        """Send an event and wait for its acknowledgement; see `Socket.call`."""
        timeout = self._ack_timeout if flags.timeout is None else flags.timeout
        flags = Flags(CALL_SECONDS if timeout is None else timeout, flags.volatile)
        answer: Deferred[Any] = Deferred()
        self._emit(name, args, flags, lambda args: answer.callback(unwrap(args)), answer.errback)
        return answer

    def acknowledge(self, ack_id: int, args: tuple[Any, ...]) -> None:
        """
        Acknowledge an event of the server.

        Raises:
            UnsendableError: an argument cannot be sent.
        """
        packets = self._line.parser.ack_packets(ack_id, args, self._namespace)
        self._line.check_size(packets)
        self._line.send(packets)

    # -- from the socket ----------------------------------------------------

    def connected(self) -> None:
        """Send what waited for the connection."""
        self._connected = True
        buffered, self._buffer = self._buffer, []
        for index, waiting in enumerate(buffered):
            if not self._connected:
                self._buffer[:0] = buffered[index:]
                return
            try:
                self._line.check_size(waiting.message.packets(self._namespace))
                self._write(waiting.message)
            except UnsendableError as exc:
                # Nobody is here to be told; an acknowledgement fails when its time is up.
                _log.warn("a waiting event was dropped: {error}", error=str(exc))
        if self._queue is not None:
            self._queue.drain()

    def disconnected(self, reason: str) -> None:
        """End every wait for an answer, but those for events that were not sent yet."""
        self._connected = False
        kept = {waiting.ack_id for waiting in self._buffer if waiting.ack_id is not None}
        self._acks.fail_all(reason, keep=kept)

    def ack_received(self, ack_id: int, args: list[Any]) -> None:
        """Take an acknowledgement of the server."""
        if not self._acks.received(ack_id, args):
            _log.debug("{namespace}: nothing was acknowledged", namespace=self._namespace)

    # -- within -------------------------------------------------------------

    def _emit(
        self,
        name: str,
        args: tuple[Any, ...],
        flags: Flags,
        answered: Answered | None,
        failed: Failed,
    ) -> None:
        if self._queue is None or flags.volatile:
            self._send(name, args, flags, answered, failed)
            return
        # What cannot be sent raises here, and not when its turn comes.
        self._line.parser.event(name, args)
        self._queue.add(name, args, flags, answered or ignore, failed)
        self._queue.drain()

    def _is_connected(self) -> bool:
        return self._connected

    def _send(
        self,
        name: str,
        args: tuple[Any, ...],
        flags: Flags,
        answered: Answered | None,
        failed: Failed,
    ) -> None:
        ack_id = None if answered is None else next(self._ids)
        message = self._line.parser.event(name, args, ack_id, volatile=flags.volatile)
        ready = self._connected and not self._line.expired
        if flags.volatile and not (ready and self._line.writable):
            if answered is not None and flags.timeout is not None:
                self._expect(next(self._ids), flags.timeout, answered, failed)
        elif ready:
            # Before an answer is waited for: what raises is not sent.
            self._line.check_size(message.packets(self._namespace))
            if ack_id is not None and answered is not None:
                self._expect(ack_id, flags.timeout, answered, failed)
            self._write(message)
        else:
            if ack_id is not None and answered is not None:
                self._expect(ack_id, flags.timeout, answered, failed)
            self._buffer.append(_Buffered(message, ack_id))

    def _expect(
        self, ack_id: int, timeout: float | None, answered: Answered, failed: Failed
    ) -> None:
        def not_answered(error: Exception) -> None:
            if isinstance(error, AckTimeout):
                self._buffer = [w for w in self._buffer if w.ack_id != ack_id]
            failed(error)

        self._acks.expect(ack_id, answered, not_answered, timeout)

    def _write(self, message: Message) -> None:
        if self.listeners and message.event is not None:
            name, args = message.event
            call_listeners(name, self.listeners, (name, *args))
        self._line.send(message.packets(self._namespace))


def _tell(name: str, ack: Ack, args: list[Any]) -> None:
    call_listeners(f"acknowledgement of {name}", [ack], args)


def _ack_failed(failure: Failure) -> None:
    _log.failure("an acknowledgement failed", failure)
