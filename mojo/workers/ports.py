"""
Ports that are opened by one process and accepted from by others.

An endpoint string opens its port by asking a reactor for it, whatever kind it is and whatever is
wrapped around it.  So the parent gives it one that opens ports and accepts nothing (`Holder`), and
a worker one that takes the open port in place of opening any (`Adopter`); TLS is the worker's, and
a certificate that cannot be read is found by both.  A listening socket that the parent holds is
there as long as the parent is: connections wait in it until some worker takes them.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.tls import TLSMemoryBIOFactory

from mojo.listening import Guest, ReactorInPart

# A socket of systemd's, perhaps with something around it: only the parent has it.
_OF_SYSTEMD = re.compile(r"systemd:[^:]*(:[^:]*)*$")


@dataclass(frozen=True, slots=True)
class OpenPort:
    """
    A port that is open.

    Attributes:
        number: the file's number, in the process that reads this.
        family: the address family.
    """

    number: int
    family: int


class Holder(ReactorInPart):
    """
    A reactor that opens ports and accepts no connections.

    Args:
        reactor: the reactor.

    Attributes:
        held: the ports, in order.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__(Guest(reactor))
        self.held: list[Any] = []

    @property
    def are_shared(self) -> bool:
        """Whether they can be closed here while workers go on with them."""
        # A UNIX socket's file goes with the port, and Twisted shuts the socket down.
        return all(port.socket.family != socket.AF_UNIX for port in self.held)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Open a port."""
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        # Twisted's own would be shut down where it is closed, for the workers as well.
        try:
            with socket.socket(family, socket.SOCK_STREAM) as opened:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                opened.setblocking(False)
                opened.bind((interface, port))
                opened.listen(backlog)
                return self.adoptStreamPort(opened.fileno(), family, factory)
        except OSError as exc:
            raise CannotListenError(interface, port, exc) from exc

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        """Open a port; what is spoken there is the workers' matter."""
        return self.listenTCP(port, factory, backlog, interface)

    def listenUNIX(self, address: Any, factory: Any, *args: Any, **options: Any) -> Any:
        """Open a UNIX socket."""
        return self._hold(self._reactor.listenUNIX(address, factory, *args, **options))

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        """Take a port that is open."""
        return self._hold(self._reactor.adoptStreamPort(fileDescriptor, addressFamily, factory))

    def _hold(self, port: Any) -> Any:
        # Before the reactor has had a chance to look at it.
        port.stopReading()
        self.held.append(port)
        return port


class Adopter(ReactorInPart):
    """
    A reactor that takes open ports in place of opening any.

    Args:
        reactor: the reactor.
        ports: the ports, in the order in which they were opened.
        guard: called with each port that is taken; see `mojo.workers.loads.Turnstile`.
    """

    def __init__(
        self, reactor: Any, ports: Sequence[OpenPort], guard: Callable[[IListeningPort], object]
    ) -> None:
        super().__init__(reactor)
        self._ports = list(ports)
        self._guard = guard

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Take the next one."""
        return self._adopt(factory)

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """Take the next one, and speak TLS there."""
        # As the reactor's own listenSSL does.
        return self._adopt(TLSMemoryBIOFactory(contextFactory, False, factory))

    def listenUNIX(self, address: Any, factory: Any, *args: Any, **options: Any) -> IListeningPort:
        """Take the next one."""
        return self._adopt(factory)

    def _adopt(self, factory: Any) -> IListeningPort:
        port = self._ports.pop(0)
        guest = Guest(self._reactor)
        adopted: IListeningPort = guest.adoptStreamPort(port.number, port.family, factory)
        os.close(port.number)  # that was a copy
        self._guard(adopted)
        return adopted


def for_worker(endpoint: str) -> str:
    """Give the endpoint string by which a worker listens on an open port."""
    # Which port stands in it is of no matter to it.
    return _OF_SYSTEMD.sub("tcp:0", endpoint)
