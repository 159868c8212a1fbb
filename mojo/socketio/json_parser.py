"""
The protocol's own format: ``<type>[<attachments>-][<namespace>,][<ack id>][JSON]``.

Bytes leave the JSON for binary messages of their own, which follow the text, and a
placeholder stays.  Reading is in `mojo.socketio.codec`.

See: Socket.IO protocol v5, "Packet encoding".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from json import encoder as json_encoder
from typing import Any

from mojo.engineio.packet import PACKET_COST
from mojo.engineio.packet import Packet as EnginePacket
from mojo.engineio.packet import PacketType as EnginePacketType
from mojo.errors import UnsendableError
from mojo.socketio.codec import Decoder, read_event
from mojo.socketio.encoders import Encoder
from mojo.socketio.message import Message
from mojo.socketio.packet import ROOT, PacketType
from mojo.socketio.parser import Parser, describe

# What a type is on the wire.  A dict, since an enum's value is a method call.
_MESSAGE = EnginePacketType.MESSAGE
_DIGITS = {packet_type: str(packet_type.value) for packet_type in PacketType}
_BINARY = {PacketType.EVENT: PacketType.BINARY_EVENT, PacketType.ACK: PacketType.BINARY_ACK}


class JsonMessage(Message):
    """A message as JSON, and the bytes that were in it."""

    __slots__ = ("_ack_id", "_attachments", "_json", "_type")

    def __init__(
        self,
        packet_type: PacketType,
        payload: str,
        attachments: tuple[bytes, ...],
        ack_id: int | None,
        event: tuple[str, tuple[Any, ...]] | None = None,
        *,
        volatile: bool = False,
        compress: bool = True,
    ) -> None:
        # What Message.__init__ does, without the call.
        self.event = event
        self.volatile = volatile
        self.compress = compress
        self._wire_forms = {}
        self._type = packet_type
        self._json = payload
        self._attachments = attachments
        self._ack_id = ack_id

    @property
    def size(self) -> int:
        """Roughly how many bytes it is."""
        return len(self._json) + sum(map(len, self._attachments))

    def pieces(self, namespace: str) -> tuple[str | bytes, ...]:
        """Give the text, and the bytes in the order of their placeholders."""
        name = "" if namespace == ROOT else f"{namespace},"
        ack_id = "" if self._ack_id is None else self._ack_id
        if not self._attachments:
            return (f"{_DIGITS[self._type]}{name}{ack_id}{self._json}",)
        binary_type = _DIGITS[_BINARY[self._type]]
        text = f"{binary_type}{len(self._attachments)}-{name}{ack_id}{self._json}"
        return (text, *self._attachments)

    def stamped(self, offset: str) -> JsonMessage:
        """Give the same event with one more argument at the end."""
        assert self.event is not None
        name, args = self.event
        return JsonMessage(
            self._type,
            f"{self._json[:-1]},{json.dumps(offset)}]",
            self._attachments,
            self._ack_id,
            (name, (*args, offset)),
            volatile=self.volatile,
            compress=self.compress,
        )


class JsonParser(Parser):
    """
    The parser that clients have unless they are told otherwise.

    Args:
        encoder: makes something that can be sent of what cannot; see
            `mojo.socketio.encoders`.
    """

    # Without a call in between.
    read_event = staticmethod(read_event)

    def __init_subclass__(cls) -> None:
        # What has a decoder of its own is to be read by that.
        super().__init_subclass__()
        if "decoder" in vars(cls) and "read_event" not in vars(cls):
            cls.read_event = Parser.read_event  # type: ignore[assignment]

    def __init__(self, encoder: Encoder | None = None) -> None:
        self.encoder = encoder

    def message(
        self,
        packet_type: PacketType,
        payload: Any = None,
        ack_id: int | None = None,
        *,
        event: tuple[str, tuple[Any, ...]] | None = None,
        volatile: bool = False,
        compress: bool = True,
    ) -> JsonMessage:
        """Make a packet; see `Parser`."""
        attachments: list[bytes] = []
        text = ""
        if payload is not None:
            try:
                text = _encode(payload, attachments, self.encoder)
            except Exception as exc:  # the project's encoder may raise anything
                raise UnsendableError(f"{describe(packet_type, event)}: {exc}") from exc
        if attachments and packet_type not in _BINARY:
            raise UnsendableError(f"a {describe(packet_type, event)} cannot carry bytes")
        return JsonMessage(
            packet_type,
            text,
            tuple(attachments),
            ack_id,
            event,
            volatile=volatile,
            compress=compress,
        )

    def ack_packets(
        self, ack_id: int, args: Sequence[Any], namespace: str
    ) -> Sequence[EnginePacket]:
        """
        Make the packets of an ACK; see `Parser`.

        Of plain JSON it is one, made without a `JsonMessage`, which is there to be kept for many
        clients: a third of what the answer of an event takes.
        """
        if _ENCODE_PLAIN is not None:
            try:
                if len(args) == 1 and type(args[0]) is str:
                    text = f"[{_QUOTE(args[0])}]"  # a third of the time of the encoder
                else:
                    text = "".join(_ENCODE_PLAIN(args, 0))
            except Exception:
                text = ""  # said below, or sent by the project's encoder
            if text and text.isascii():
                name = "" if namespace == ROOT else f"{namespace},"
                packet = EnginePacket(_MESSAGE, f"3{name}{ack_id}{text}")
                packet.size = len(packet.data) + PACKET_COST  # as `size_of` finds it, of ASCII
                return (packet,)
        return super().ack_packets(ack_id, args, namespace)

    def decoder(self, max_attachments: int) -> Decoder:
        """Make what reads one client's packets."""
        return Decoder(max_attachments)


def _encode(value: Any, attachments: list[bytes], encoder: Encoder | None) -> str:
    """Make the JSON, and take out the bytes in the order of their placeholders."""

    def take_out(item: Any) -> Any:
        if isinstance(item, bytes | bytearray | memoryview):
            attachments.append(bytes(item))
            return {"_placeholder": True, "num": len(attachments) - 1}
        if encoder is not None:
            return encoder(item)
        raise TypeError(f"{type(item).__name__} cannot be sent")

    try:
        text = "".join(_ENCODE_PLAIN(value, 0)) if _ENCODE_PLAIN is not None else ""
    except _NeedsMoreError:
        text = ""
    text = text or _to_json(value, take_out)
    if not text.isascii() and not _is_unicode(text):
        # A lone surrogate, as a client may send one and an app send it back: it has an
        # escape in JSON, but no UTF-8.
        attachments.clear()
        text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=take_out)
    return text


def _to_json(value: Any, default: Callable[[Any], Any]) -> str:
    make = _C_ENCODER
    if make is None:
        return json.dumps(
            value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=default
        )
    # What json.dumps makes in three steps and keeps for one call as well, made in one:
    # two thirds of the time that a small event takes.  Without markers a circle ends as
    # nesting that is too deep.
    encode = make(None, default, _QUOTE, None, ":", ",", False, False, False)
    return "".join(encode(value, 0))


class _NeedsMoreError(Exception):
    """There is something in a value that JSON has not."""


def _ask_for_more(item: Any) -> Any:
    raise _NeedsMoreError


_C_ENCODER: Callable[..., Any] | None = getattr(json_encoder, "c_make_encoder", None)
_QUOTE = json_encoder.encode_basestring
# The encoder of what is JSON already, made once: to make one for each message is a third of
# the time that a small one takes.
_ENCODE_PLAIN: Callable[[Any, int], tuple[str, ...]] | None = (
    _C_ENCODER(None, _ask_for_more, _QUOTE, None, ":", ",", False, False, False)
    if _C_ENCODER is not None
    else None
)


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
