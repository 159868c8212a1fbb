"""
The ports of a service: opened together or not at all.

``StreamServerEndpointService`` only logs that a port is busy, and a service that listens
nowhere looks like one that runs.  Here a port that cannot be opened ends the start.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.errors import ListenError

_log = Logger()

#: How many who are not accepted yet may wait at a port whose endpoint string does not say it, if
#: the system's own limit (``net.core.somaxconn``) is not lower.  An endpoint's 50 are less than
#: what comes back at once after a restart, and who finds no place tries again a second later.
BACKLOG = 1024
_LACKS_BACKLOG = re.compile(r"(haproxy:)?(tcp|ssl|unix):(?!.*:backlog=)", re.DOTALL)


class SideDoor(Protocol):
    """Another way to what is listened for, that is open as long as the ports are."""

    def open(self) -> None:
        """
        Open it, unless it is open.

        Raises:
            CannotListenError: it cannot be opened.
        """

    def lead_away(self) -> None:
        """The ports are closed: let new clients, on connections that stay, go elsewhere."""

    async def close(self) -> None:
        """Close it."""


class ReactorInPart:
    """
    A reactor that does some things in its own way.

    Args:
        reactor: does the rest.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


class Guest(ReactorInPart):
    """A reactor that leaves a UNIX socket that it is given, as by systemd, to whom it belongs."""

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        """Take a port that is open."""
        if addressFamily != socket.AF_UNIX:
            return self._reactor.adoptStreamPort(fileDescriptor, addressFamily, factory)
        # Here, since there are systems that have none.
        from mojo.unix_port import SharedUnixPort  # noqa: PLC0415

        port = SharedUnixPort(fileDescriptor, factory, self._reactor)
        port.startListening()
        return port


def at_once() -> Deferred[None]:
    """Let connections be taken as soon as the ports are open."""
    return succeed(None)


class Listening:
    """
    The ports of one factory.

    Args:
        reactor: the reactor.
        endpoints: endpoint strings of any kind.
        factory: what is listened for.
        side_door: another way in, if there is one.
        let_in: gives what fires when connections may be taken; until then they wait in the
            kernel.
    """

    def __init__(
        self,
        reactor: Any,
        endpoints: Sequence[str],
        factory: Factory[Any],
        side_door: SideDoor | None = None,
        let_in: Callable[[], Deferred[None]] = at_once,
    ) -> None:
        self._reactor = reactor
        self._side_door = side_door
        self._endpoints = tuple(endpoints)
        self._factory = factory
        self._ports: list[tuple[str, IListeningPort]] = []
        self._open = False
        self._let_in = let_in
        self._is_held = False

    @property
    def addresses(self) -> list[str]:
        """Where is listened, for people: ``"http://127.0.0.1:8000/"``."""
        return [_describe(description, port) for description, port in self._ports]

    @property
    def complete(self) -> bool:
        """Whether every port is open, and connections are taken."""
        return self._open and not self._is_held and len(self._ports) == len(self._endpoints)

    def open(self) -> None:
        """
        Open the ports, unless they are open.

        Raises:
            ListenError: one cannot be opened; the message names its endpoint string.
        """
        if self._open:
            return
        self._open = True
        self._is_held = True
        self._let_in().addCallback(self._release)
        if self._side_door is not None:
            try:
                self._side_door.open()
            except Exception as exc:
                self._give_up("the worker's own socket", exc)
        for description in self._endpoints:
            try:
                endpoint = serverFromString(self._reactor, with_backlog(description))
                opening = endpoint.listen(self._factory)
            except Exception as exc:
                self._give_up(description, exc)
            failures: list[Failure] = []
            opening.addCallback(self._opened, description)
            opening.addErrback(failures.append)
            if failures:
                self._give_up(description, failures[0].value)
            elif not opening.called:
                opening.addErrback(self._failed_late, description)

    async def close_ports(self) -> None:
        """Close the ports: nobody new comes; who is known may still come by the side door."""
        ports, self._ports = self._ports, []
        self._open = False
        if self._side_door is not None:
            self._side_door.lead_away()
        for _, port in ports:
            await maybeDeferred(port.stopListening)

    async def close(self) -> None:
        """Close every way in; connections stay."""
        await self.close_ports()
        if self._side_door is not None:
            await self._side_door.close()

    def _opened(self, port: IListeningPort, description: str) -> None:
        if self._open:
            self._ports.append((description, port))
            if self._is_held and isinstance(port, FileDescriptor):
                port.stopReading()  # type: ignore[no-untyped-call]
        else:
            port.stopListening()  # it took longer than the service lived

    def _release(self, result: None) -> None:
        self._is_held = False
        for _, port in self._ports:
            if isinstance(port, FileDescriptor):
                port.startReading()  # type: ignore[no-untyped-call]

    def _give_up(self, description: str, exc: BaseException | None) -> None:
        Deferred.fromCoroutine(self.close())
        cause: object = exc.socketError if isinstance(exc, CannotListenError) else exc
        if isinstance(exc, LookupError) and description.startswith("systemd:"):
            cause = "systemd has passed no such socket"
        raise ListenError(f"cannot listen on {description!r}: {cause}") from exc

    def _failed_late(self, failure: Failure, description: str) -> None:
        _log.failure("cannot listen on {description}", failure, description=description)
        self._reactor.stop()


def with_backlog(description: str) -> str:
    """Give an endpoint string that says how many may wait, if it does not and can."""
    if _LACKS_BACKLOG.match(description):
        return f"{description}:backlog={BACKLOG}"
    return description


def _describe(description: str, port: IListeningPort) -> str:
    address = port.getHost()
    if isinstance(address, UNIXAddress):
        return f"unix socket {os.fsdecode(address.name or '')!r}"
    if isinstance(address, IPv4Address | IPv6Address):
        scheme = "https" if description.startswith("ssl:") else "http"
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"{scheme}://{host}:{address.port}/"
    return description
