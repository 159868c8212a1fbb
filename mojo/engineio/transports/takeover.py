"""
Putting a WebSocket in the place of the HTTP connection that it came by.

It relies on how twisted.web's channel hands its transport on, which is nowhere promised:
that is why it is in one place.
"""

from __future__ import annotations

from typing import Any

from mojo.engineio.channel import EngineChannel
from mojo.engineio.exchange import Exchange
from mojo.engineio.transports.letting_go import replace_protocol
from mojo.engineio.transports.poller import Poller


def take_over(exchange: Exchange, protocol: Any, poller: Poller) -> bytes:
    """
    Put the WebSocket in the HTTP channel's place on its transport, or on a `Descriptor`.

    Returns:
        What the client sent while its request was waiting for an answer, which is the
        protocol's to read.
    """
    channel: Any = exchange.channel
    if isinstance(channel, EngineChannel):
        channel.taken_over()
    transport, channel.transport = channel.transport, None
    # Frames that came in one piece with the request are still in the channel's hands, and
    # those that came after it, in its buffer.
    early = b"".join(getattr(channel, "_dataBuffer", ()))
    channel._dataBuffer = []
    channel.rawDataReceived = protocol.dataReceived
    # The channel paused the transport while it served this request, and it is told
    # when the transport's buffer fills; both are ours to do now.
    transport.unregisterProducer()
    descriptor = poller.adopt(transport, protocol)
    if descriptor is not None:
        protocol.makeConnection(descriptor)
        descriptor.resumeProducing()
        return early
    replace_protocol(transport, protocol)
    transport.registerProducer(protocol, True)
    transport.resumeProducing()
    return early
