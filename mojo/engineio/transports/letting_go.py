"""
Taking things out of Twisted's transports: the protocol, or the socket.

It relies on what is nowhere promised, as `mojo.engineio.transports.takeover` does.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.protocols.policies import ProtocolWrapper

# What a transport has in place of its socket, so that it can do nothing to it.
_CLOSED = socket.socket()
_CLOSED.close()


def replace_protocol(transport: Any, protocol: Any) -> None:
    """Have another protocol hear what comes from a transport; it is connected."""
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    elif isinstance(getattr(transport, "protocol", None), ProtocolWrapper):
        transport.protocol.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)


def let_go(transport: Any) -> socket.socket:
    """
    Take the socket out of one of Twisted's transports, which then does nothing any more.

    Args:
        transport: one of plain TCP or of a UNIX socket, without a producer, in which nothing
            waits.
    """
    # While it has its number, by which the reactor knows it.
    transport.stopReading()
    transport.stopWriting()
    # As it is: to make another one of its number takes four calls of the kernel.
    sock: socket.socket = transport.socket
    transport.socket, transport.fileno = _CLOSED, _CLOSED.fileno
    transport.connected = 0
    return sock
