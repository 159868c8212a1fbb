"""
Who watches the sockets of `Descriptor`: an epoll of our own, inside Twisted's reactor.

The reactor sees one file descriptor that is readable when something is to be done, whatever
it has inside itself (epoll, poll, select, asyncio).  A batch of events is then done in one loop,
without a logging context for each, and what the batch sends leaves at its end: 1.4 times the
messages that one after another come by Twisted's transports.

What must not break: an exception is logged and ends its own connection and no other, so many events
are done in one turn and no more, so that everybody else has one too, and who was closed in a
batch hears no more in it.

Only Linux has epoll.  Elsewhere, and for whatever is not plain TCP, Twisted's own transport
stays.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import ILoggingContext, IReactorFDSet, IReadDescriptor
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mojo.engineio.transports.descriptor import Descriptor, User
from mojo.engineio.transports.letting_go import let_go
from mojo.engineio.transports.reading import Reader, Reading
from mojo.engineio.transports.sending import can_send, is_clear

_log = Logger()

_IN: int = getattr(select, "EPOLLIN", 0)
# Most events of one turn of the reactor: about 5 ms.
_MOST_EVENTS = 256


class Batches(Protocol):
    """Who is told of a batch."""

    def hold(self) -> None:
        """It begins."""

    def release(self) -> None:
        """It ends."""


@implementer(IReadDescriptor, ILoggingContext)
class Poller:
    """
    Watches the connections that it adopted.

    Args:
        batches: see `Batches`.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._descriptors: dict[int, Descriptor | Reading] = {}
        self._reactor: Any = None
        self._epoll: select.epoll
        # What is to be called when the turn is over, while it is one of ours.
        self._after: list[tuple[Callable[[Failure], object], Failure]] | None = None

    def __len__(self) -> int:
        return len(self._descriptors)

    # -- connections ----------------------------------------------------------

    def adopt(self, transport: Any, user: User) -> Descriptor | None:
        """
        Take the socket of one of Twisted's transports, of which nothing stays.

        Args:
            transport: the transport, without a producer.
            user: what the connection is for from now on.
        Returns:
            The connection, which is not read yet; ``None``, if the transport must stay: it is
            not plain TCP, something waits in it, or there is no epoll.
        """
        if not self._takes(transport):
            return None
        descriptor = Descriptor(let_go(transport), self, user)
        transport.protocol = _Remains(descriptor)
        self._add(descriptor)
        return descriptor

    def lend(self, transport: Any, reader: Reader) -> Reading | None:
        """
        Read for one of Twisted's transports, which stays.

        Args:
            transport: the transport.
            reader: who is told what came.
        Returns:
            What reads, until it is told to stop; ``None``, if the transport must read itself, for
            the same reasons as in `adopt`.
        """
        if not self._takes(transport):
            return None
        reading = Reading(transport, self, reader)
        self._add(reading)
        return reading

    def _takes(self, transport: Any) -> bool:
        if not hasattr(select, "epoll") or not can_send(transport) or not is_clear(transport):
            return False
        reactor = transport.reactor
        if self._reactor is None and IReactorFDSet.providedBy(reactor):
            self._reactor = reactor
            self._epoll = select.epoll()
        return self._reactor is reactor

    def _add(self, watched: Descriptor | Reading) -> None:
        if not self._descriptors:
            self._reactor.addReader(self)
        self._descriptors[watched.fd] = watched

    def watch(self, descriptor: Descriptor | Reading, before: int, wanted: int) -> None:
        """Tell of other events than before; see `Watcher`."""
        # Not watched at all for nothing: epoll tells of errors unasked.
        if not wanted:
            self._epoll.unregister(descriptor.fd)
        elif before:
            self._epoll.modify(descriptor.fd, wanted)
        else:
            self._epoll.register(descriptor.fd, wanted)

    def later(self, function: Callable[[Failure], object], reason: Failure) -> None:
        """Call a function when the turn is over; see `Watcher`."""
        if self._after is not None:
            self._after.append((function, reason))
        else:
            self._reactor.callLater(0, function, reason)

    def forget(self, descriptor: Descriptor | Reading) -> None:
        """Tell of nothing any more; see `Watcher`."""
        del self._descriptors[descriptor.fd]
        if not self._descriptors:
            self._reactor.removeReader(self)

    # -- from the reactor -------------------------------------------------------

    def fileno(self) -> int:
        """Give what the reactor is to watch."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """Name what the log says during a batch."""
        return "mojo"

    def doRead(self) -> None:
        """Do what can be done: batches, until there is nothing, or so much was done already."""
        after = self._after = []
        try:
            self._do_batches()
        finally:
            self._after = None
        if after:
            # As at the end of the reactor's turn, without a timer for each who is to go.
            self._batches.hold()
            try:
                self._call(after)
            finally:
                self._batches.release()

    def _do_batches(self) -> None:
        left = _MOST_EVENTS
        # To look once more takes 1 µs, and a turn of the reactor 25.  Clients that were answered
        # a moment ago may have gone on.
        while left and (events := self._epoll.poll(0, left)):
            left -= len(events)
            self._batches.hold()
            try:
                self._do(events)
            finally:
                self._batches.release()

    def _do(self, events: list[tuple[int, int]]) -> None:
        descriptors = self._descriptors
        for fd, ready in events:
            descriptor = descriptors.get(fd)
            if descriptor is None:
                continue  # closed in this batch
            try:
                if ready == _IN == descriptor.wanted:
                    descriptor.read()
                else:
                    descriptor.ready(ready)
            except BaseException:
                # Whatever it is, the reactor would take it for the poller's own end.
                _end(descriptor, Failure())

    def _call(self, after: list[tuple[Callable[[Failure], object], Failure]]) -> None:
        for function, reason in after:
            try:
                function(reason)
            except BaseException:
                _log.failure("the end of a connection failed")

    def connectionLost(self, reason: Failure) -> None:
        """End every connection: the reactor has stopped."""
        for descriptor in list(self._descriptors.values()):
            descriptor.connectionLost(reason)


def _end(descriptor: Descriptor | Reading, failure: Failure) -> None:
    _log.failure("a connection failed", failure)
    try:
        descriptor.connectionLost(failure)
    except BaseException:
        _log.failure("the end of a connection failed")


class _Remains(TwistedProtocol):
    """
    What Twisted's transport is left with.

    It hears of an end only if what made the WebSocket raised: then the connection ends.
    """

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """End the connection."""
        self._descriptor.connectionLost(reason)
