"""
Reading Socket.IO packets as text: ``<type>[<attachments>-][<namespace>,][<ack id>][JSON]``.

Strict where the protocol says that the receiver MUST close, also where the reference
decoder lets things pass: an event without a payload, an acknowledgement without one.
Pure: text and bytes and limits come in, packets come out, and every refusal is a
`PacketError`, whatever the peer sent.

See: Socket.IO protocol v5, "Packet encoding" and "Exchange protocol".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from mojo.errors import PacketError
from mojo.socketio.packet import RESERVED_EVENTS, ROOT, Absent, Packet, PacketType, check

_TYPES = {str(packet_type.value): packet_type for packet_type in PacketType}
_BINARY = {
    PacketType.BINARY_EVENT: PacketType.EVENT,
    PacketType.BINARY_ACK: PacketType.ACK,
}

# The header is scanned no further than this for the dash: a million digits before it
# are refused without being looked at (CVE-2020-36049).
_MAX_COUNT_DIGITS = 10
# A packet's namespace and id, which follow its type and the number of attachments.
_HEADER = re.compile(r"(?:(/[^,]*)(?:,|\Z))?([0-9]*)")
_EVENT_HEADER = re.compile(r"2(/[^,]*),([0-9]*)(?=\[)")
# The reference reads an id as a JavaScript number, whose range ends at 308 digits.
_MAX_ID_DIGITS = 308


def decode_text(text: str, *, max_attachments: int) -> Packet:
    """
    Read the text part of one packet.

    Args:
        text: what an Engine.IO message carried.
        max_attachments: most binary attachments that may be announced.
    Returns:
        The packet; a binary one still has its placeholders.
    Raises:
        PacketError: the text is no packet.
    """
    packet_type = _TYPES.get(text[:1])
    if packet_type is None:
        raise PacketError("unknown Socket.IO packet type" if text else "empty Socket.IO packet")
    position = 1
    attachments = 0
    if packet_type in _BINARY:
        attachments, position = _read_attachments(text, max_attachments)
    header = _HEADER.match(text, position)
    assert header is not None
    namespace, digits = header.groups()
    if len(digits) > _MAX_ID_DIGITS:
        raise PacketError(f"an acknowledgement id of {len(digits)} digits")
    ack_id = int(digits) if digits else None
    data = _read_payload(text, header.end())
    check(_BINARY.get(packet_type, packet_type), data, ack_id)
    return Packet(
        packet_type, namespace or ROOT, None if data is Absent else data, ack_id, attachments
    )


def read_event(text: str) -> tuple[str, list[Any], int | None] | None:
    """
    Read what nearly every packet is: a plain event whose name is text.

    It takes a third of the time of `decode_text`, which does the same in general.

    Args:
        text: what an Engine.IO message carried, while no attachment is awaited.
    Returns:
        The namespace, the name and the arguments in one list, and the id of the acknowledgement;
        ``None`` for any other packet, and for one that cannot be read.
    """
    if text[:1] != "2":
        return None
    start = text.find("[")  # -1 is what the scanner refuses
    namespace, digits = ROOT, text[1:start]
    if digits and not (digits.isdigit() and digits.isascii()):
        # A name, in which there may be a bracket.
        header = _EVENT_HEADER.match(text)
        if header is None:
            return None
        namespace, digits = header.groups()
        start = header.end()
    try:
        data, end = _SCAN(text, start)
    except (StopIteration, ValueError, RecursionError):
        return None
    if end != len(text) or type(data) is not list or not data or len(digits) > _MAX_ID_DIGITS:
        return None
    name = data[0]
    if type(name) is not str or name in RESERVED_EVENTS:
        return None
    return namespace, data, int(digits) if digits else None


class Decoder:
    """
    Reads the packets of one client, of which a binary one comes in several messages.

    Args:
        max_attachments: most binary attachments of a packet.

    Attributes:
        pending: a packet of which attachments are still to come.
    """

    __slots__ = ("_buffers", "_max_attachments", "pending")

    def __init__(self, max_attachments: int) -> None:
        self._max_attachments = max_attachments
        self._buffers: list[bytes] = []
        self.pending: Packet | None = None

    def feed(self, data: str | bytes) -> Packet | None:
        """
        Take one Engine.IO message; give the packet that it completes, if it does.

        Raises:
            PacketError: it is no packet, or not what had to come next.
        """
        if isinstance(data, str):
            if self.pending is not None:
                raise PacketError("text where an attachment had to come")
            event = read_event(data)
            if event is not None:
                namespace, payload, ack_id = event
                return Packet(PacketType.EVENT, namespace, payload, ack_id)
            packet = decode_text(data, max_attachments=self._max_attachments)
            if packet.type not in _BINARY:
                return packet
            self.pending = packet
        elif self.pending is None:
            raise PacketError("binary data that belongs to no packet")
        else:
            self._buffers.append(data)
        return self._complete(self.pending)

    def _complete(self, packet: Packet) -> Packet | None:
        if len(self._buffers) < packet.attachments:
            return None
        buffers, self._buffers, self.pending = self._buffers, [], None
        packet.data = place_attachments(packet.data, buffers)
        packet.type = _BINARY[packet.type]
        packet.attachments = 0
        return packet


def _read_attachments(text: str, max_attachments: int) -> tuple[int, int]:
    dash = text.find("-", 1, _MAX_COUNT_DIGITS + 2)
    digits = text[1:dash]
    if dash < 0 or not (digits.isascii() and digits.isdigit()):
        raise PacketError("malformed number of attachments")
    count = int(digits)
    if count > max_attachments:
        raise PacketError(f"{count} attachments, at most {max_attachments}")
    return count, dash + 1


def _read_payload(text: str, position: int) -> Any:
    if position == len(text):
        return Absent
    try:
        # The scanner itself, which the decoder's method wraps in two more calls and two
        # searches for white space: a third of the time that a small event takes.
        data, end = _SCAN(text, position)
        if end == len(text):
            return data
    except (StopIteration, ValueError, RecursionError):
        pass  # said below, where white space is let pass too
    try:
        return _JSON.decode(text[position:])
    except ValueError as exc:
        # JSONDecodeError shows the text when printed with its traceback: say only where.
        where = f" at character {exc.pos}" if isinstance(exc, json.JSONDecodeError) else ""
        raise PacketError(f"payload is not JSON{where}") from None
    except RecursionError:
        raise PacketError("payload is nested too deeply") from None


def place_attachments(data: Any, buffers: list[bytes]) -> Any:
    """
    Put each attachment where its placeholder is.

    Raises:
        PacketError: a placeholder names none of the attachments, or one that is
            already placed, or an attachment is placed nowhere (CVE-2022-2421).
    """
    left = dict(enumerate(buffers))

    def place(value: Any) -> Any:
        if isinstance(value, list):
            return [place(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("_placeholder") is not True:
            return {key: place(item) for key, item in value.items()}
        number = value.get("num")
        # type(), since True is an int, and a list is not even hashable.
        if type(number) is not int or number not in left:
            raise PacketError("illegal attachments")
        return left.pop(number)

    try:
        placed = place(data)
    except RecursionError:
        raise PacketError("payload is nested too deeply") from None
    if left:
        raise PacketError("an attachment has no place")
    return placed


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number out of range")
    return number


# The standard library would also read NaN and Infinity, and 1e999 as the latter: no
# client sends them, and none could read them back.
_JSON = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_SCAN: Callable[[str, int], tuple[Any, int]] = _JSON.scan_once  # type: ignore[attr-defined]
