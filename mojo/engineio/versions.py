"""
What differs between the versions of the Engine.IO protocol: how packets become bytes.

A session speaks one version from its handshake on, and everything above the transports is
the same for both, except who sends the heartbeat's pings (see `mojo.engineio.heartbeat`).
Version 4 is here; version 3, which Socket.IO 2 clients speak, is in
`mojo.engineio.version3`.  Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from mojo.engineio.packet import Packet, decode_text, encode_text, message
from mojo.engineio.payload import decode_payload, encode_payload
from mojo.errors import PacketError

FIN_TEXT = 0x81
FIN_BINARY = 0x82


class Payload(NamedTuple):
    """
    The body of a long-polling response.

    Attributes:
        body: its bytes.
        taken: how many of the packets are in it.
        is_binary: whether it is other than UTF-8.
    """

    body: bytes
    taken: int
    is_binary: bool = False


class Version(Protocol):
    """
    One version of the protocol.

    Attributes:
        number: as the URL's ``EIO`` has it.
    """

    number: int

    def decode_payload(self, body: bytes, *, is_binary: bool) -> Iterator[Packet]:
        """
        Read the packets of a POST body, in order, one at a time.

        Args:
            body: the whole body; its size was checked by the caller.
            is_binary: whether it was sent as ``application/octet-stream``.
        Raises:
            PacketError: the body, or a packet in it, cannot be read; those before it
                were given.
        """

    def encode_payload(
        self, packets: Sequence[Packet], max_payload: int, *, allow_binary: bool
    ) -> Payload:
        """
        Join as many packets as one response body may hold, in order.

        There may be any number of packets in it: what bounds them is ``max_payload``.

        Args:
            packets: what waits to be sent; at least one.
            max_payload: most bytes of a body; a single packet longer than that goes
                alone.
            allow_binary: whether this response may be other than text.
        """

    def decode_message(self, data: str | bytes) -> Packet:
        """
        Read a WebSocket message.

        Raises:
            PacketError: it is no packet.
        """

    def encode_message(self, packet: Packet) -> tuple[int, bytes]:
        """Give the first byte of a packet's WebSocket frame, and the payload."""


class Version4:
    """Engine.IO protocol v4, the current one."""

    number = 4

    def decode_payload(self, body: bytes, *, is_binary: bool) -> Iterator[Packet]:
        """See `Version`."""
        if is_binary:
            raise PacketError("a binary payload, which is Engine.IO 3")
        return decode_payload(body)

    def encode_payload(
        self, packets: Sequence[Packet], max_payload: int, *, allow_binary: bool
    ) -> Payload:
        """See `Version`."""
        return Payload(*encode_payload(packets, max_payload))

    def decode_message(self, data: str | bytes) -> Packet:
        """See `Version`; a binary one is a packet's data and nothing else."""
        return message(data) if isinstance(data, bytes) else decode_text(data)

    def encode_message(self, packet: Packet) -> tuple[int, bytes]:
        """See `Version`."""
        if isinstance(packet.data, bytes):
            return FIN_BINARY, packet.data
        return FIN_TEXT, encode_text(packet).encode("utf-8")


VERSION_4 = Version4()
