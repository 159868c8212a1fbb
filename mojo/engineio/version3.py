"""
Engine.IO protocol v3, which Socket.IO 2 clients speak: payloads and frames.

A text payload is ``<length>:<packet>`` for each packet, and the length is counted as
JavaScript counts, in UTF-16 code units: ``2:4€`` and ``3:4😀``.  A client that can take
bytes is sent a binary payload where there are any: for each packet a byte that is 0 (text)
or 1 (binary), the length in bytes as decimal digits of one byte each (0 to 9, not their
characters), 255, and the packet.  Binary packets begin with a byte for their type, also
in a WebSocket frame; as text they are ``b``, the type's digit, and base64.

Nothing of it is kept on the packets: there the forms of version 4 are.  Pure: no I/O.

See: Engine.IO protocol v3, "Encoding".
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence

from mojo.engineio.packet import Packet, PacketType, decode_text, encode_text, message
from mojo.engineio.versions import FIN_BINARY, FIN_TEXT, Payload
from mojo.errors import PacketError

# A length in a payload that is UTF-16, as `_decode_text_payload` makes it.  Ten digits are
# more than any body that may be received.
_MAX_DIGITS = 10
_LENGTH = re.compile(rb"((?:[0-9]\x00){1,10}):\x00")

_MESSAGE_BYTE = bytes((PacketType.MESSAGE,))
_END_OF_LENGTH = 0xFF


class Version3:
    """
    Engine.IO protocol v3; the methods are those of `mojo.engineio.versions.Version`.

    Args:
        supports_binary: whether the client takes bytes; if not, it is sent base64, also
            over a WebSocket.
    """

    number = 3

    def __init__(self, *, supports_binary: bool = True) -> None:
        self._supports_binary = supports_binary

    def decode_payload(self, body: bytes, *, is_binary: bool) -> Iterator[Packet]:
        """See `Version`."""
        if not body:
            raise PacketError("empty payload")
        return _decode_binary_payload(body) if is_binary else _decode_text_payload(body)

    def encode_payload(
        self, packets: Sequence[Packet], max_payload: int, *, allow_binary: bool
    ) -> Payload:
        """See `Version`."""
        is_binary = (
            self._supports_binary
            and allow_binary
            and any(isinstance(packet.data, bytes) for packet in packets)
        )
        encode = _encode_binary_piece if is_binary else _encode_text_piece
        pieces: list[bytes] = []
        size = 0
        for packet in packets:
            piece = encode(packet)
            size += len(piece)
            if pieces and size > max_payload:
                break
            pieces.append(piece)
        return Payload(b"".join(pieces), len(pieces), is_binary)

    def decode_message(self, data: str | bytes) -> Packet:
        """See `Version`; a client that takes no bytes may send none either."""
        return _decode_binary(data) if isinstance(data, bytes) else _decode_piece(data)

    def encode_message(self, packet: Packet) -> tuple[int, bytes]:
        """See `Version`."""
        if isinstance(packet.data, bytes) and self._supports_binary:
            return FIN_BINARY, _MESSAGE_BYTE + packet.data
        return FIN_TEXT, _text_of(packet).encode("utf-8")


VERSION_3 = Version3()
VERSION_3_BASE64 = Version3(supports_binary=False)


def _decode_binary(data: bytes) -> Packet:
    if data[:1] != _MESSAGE_BYTE:
        raise PacketError("a binary packet that is no message")
    return message(data[1:])


def _decode_text_payload(body: bytes) -> Iterator[Packet]:
    try:
        units = body.decode("utf-8").encode("utf-16-le")
    except UnicodeDecodeError as exc:
        raise PacketError(f"payload is not UTF-8 at byte {exc.start}") from exc
    position = 0
    while position < len(units):
        length = _LENGTH.match(units, position)
        if length is None:
            raise PacketError("a packet without its length")
        position = length.end() + 2 * int(length[1].decode("utf-16-le"))
        if position > len(units):
            raise PacketError("a packet is shorter than its length")
        try:
            piece = units[length.end() : position].decode("utf-16-le")
        except UnicodeDecodeError as exc:
            raise PacketError("a packet's length cuts a character in two") from exc
        if piece:
            yield _decode_piece(piece)


def _decode_piece(text: str) -> Packet:
    if text[:1] != "b":
        return decode_text(text)
    try:
        data = b64decode(text[2:], validate=True)
    except (binascii.Error, ValueError) as exc:
        raise PacketError("binary packet is not base64") from exc
    if text[1:2] != "4":
        raise PacketError("a binary packet that is no message")
    return message(data)


def _decode_binary_payload(body: bytes) -> Iterator[Packet]:
    position = 0
    while position < len(body):
        kind = body[position]
        end = body.find(_END_OF_LENGTH, position + 1, position + _MAX_DIGITS + 2)
        digits = body[position + 1 : end]
        if kind > 1 or end < 0 or not digits or max(digits) > 9:
            raise PacketError("a packet without its length")
        position = end + 1 + int("".join(map(str, digits)))
        if position > len(body):
            raise PacketError("a packet is shorter than its length")
        piece = body[end + 1 : position]
        if kind == 1:
            yield _decode_binary(piece)
            continue
        try:
            text = piece.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise PacketError(f"packet is not UTF-8 at byte {exc.start}") from exc
        yield _decode_piece(text)


def _text_of(packet: Packet) -> str:
    if isinstance(packet.data, bytes):
        return f"b{packet.type.value}{b64encode(packet.data).decode('ascii')}"
    return encode_text(packet)


def _encode_text_piece(packet: Packet) -> bytes:
    text = _text_of(packet)
    return f"{len(text.encode('utf-16-le')) // 2}:{text}".encode()


def _encode_binary_piece(packet: Packet) -> bytes:
    first_byte, piece = VERSION_3.encode_message(packet)
    digits = bytes(int(digit) for digit in str(len(piece)))
    return b"%c%b%c%b" % (first_byte == FIN_BINARY, digits, _END_OF_LENGTH, piece)
