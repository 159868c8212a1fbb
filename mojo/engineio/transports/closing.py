"""
Ending a TCP connection so that the last words are heard.

A socket that is closed while bytes of the peer are unread is reset, and the reset may
overtake what was written last: the client then sees a broken connection in place of
the status or close code that tells it what was wrong.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableDescriptor, ISSLTransport


def close_for_writing(transport: Any) -> None:
    """
    Send what is buffered and then the end of the stream, and go on reading.

    The caller reads on, throws away what comes, and sets a limit to that.  A transport
    that cannot be half-closed is closed.  TLS has a farewell of its own, after which its
    transport reads on until the client's came.
    """
    is_tls = ISSLTransport.providedBy(transport)
    if is_tls:
        # It says that it can be half-closed, as what is below it can be, but that would be
        # without the farewell, which is sent when it has no producer.
        transport.unregisterProducer()
    half_closeable = not is_tls and IHalfCloseableDescriptor.providedBy(transport)
    end = transport.loseWriteConnection if half_closeable else transport.loseConnection
    end()
