"""
Writing to a socket at once, when nothing waits to be written before it.

Twisted's transports keep what they are given for the reactor's next turn, ask the
kernel to be woken for it, and ask it to be left alone again: 16 µs for each answer, of which
the `send` itself is 5.  What must not break: order (nothing may pass what waits), TLS (which
has to encrypt it first), and the news of a broken connection, which is the reactor's to tell.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp


def write_now(transport: Any, data: bytes) -> None:
    """
    Write to a transport, at once if it is a plain TCP connection that has nothing to write.

    Args:
        transport: any transport.
        data: what is written; what the kernel does not take is left to the transport.
    """
    if type(transport) is tcp.Server and _is_clear(transport):
        sent = transport.writeSomeData(data)
        # It may be an exception: the transport's next try will find the same.
        if isinstance(sent, int):
            if sent == len(data):
                return
            data = data[sent:]
    transport.write(data)


def _is_clear(transport: Any) -> bool:
    # Private names of Twisted's; where there are none, the transport's own way is taken.
    return bool(transport.connected) and not (
        transport.dataBuffer
        or getattr(transport, "_tempDataBuffer", True)
        or getattr(transport, "_writeDisconnected", True)
        or transport.disconnecting
        or transport.TLS
    )
