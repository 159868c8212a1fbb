"""
Packets as MessagePack, each one binary message: what ``socket.io-msgpack-parser`` speaks.

A packet is a map of ``type``, ``data``, ``nsp`` and perhaps ``id``.  Bytes are inside it, so
that there are no attachments.  Three JavaScript values come as the extension type 0 of
the client's library: ``undefined`` is read as ``None``, a ``Date`` as a ``datetime`` in UTC, an
``ArrayBuffer`` as ``bytes``.  This module alone needs the package ``msgpack``, and is imported
where it is asked for.

See: socket.io-msgpack-parser 3.0 and notepack.io 3.0, which it writes with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgpack

from mojo.errors import PacketError, UnsendableError
from mojo.socketio.encoders import Encoder
from mojo.socketio.message import Message
from mojo.socketio.msgpack_extensions import formats_of_extensions, read_extension, write_date
from mojo.socketio.packet import Absent, Packet, PacketType, check
from mojo.socketio.parser import Parser, describe

_TYPES = {packet_type.value: packet_type for packet_type in PacketType}
# Bytes are part of the data: the format has no types for packets with attachments.
del _TYPES[PacketType.BINARY_EVENT], _TYPES[PacketType.BINARY_ACK]

# The client's library counts half characters as JavaScript does; they are passed on.
_SURROGATES = "surrogatepass"
# The buffer that the package makes for each call is 256 KB unless it is told.
_BUFFER = 512


class MsgpackMessage(Message):
    """A message whose data is packed; the map around it is made for each namespace."""

    __slots__ = ("_ack_id", "_data", "_type")

    def __init__(
        self,
        packet_type: PacketType,
        data: bytes,
        ack_id: int | None,
        event: tuple[str, tuple[Any, ...]] | None = None,
        *,
        volatile: bool = False,
        compress: bool = True,
    ) -> None:
        super().__init__(event, volatile=volatile, compress=compress)
        self._type = packet_type
        self._data = data
        self._ack_id = ack_id

    @property
    def size(self) -> int:
        """Roughly how many bytes it is."""
        return len(self._data)

    def pieces(self, namespace: str) -> Sequence[bytes]:
        """Give the one map."""
        fields = [b"\xa4type", _pack(self._type.value)]
        if self._data:
            fields += b"\xa4data", self._data
        fields += b"\xa3nsp", _pack(namespace)
        if self._ack_id is not None:
            fields += b"\xa2id", _pack(self._ack_id)
        return (b"".join((bytes([0x80 | len(fields) // 2]), *fields)),)

    def stamped(self, offset: str) -> MsgpackMessage:
        """Give the same event with one more argument at the end."""
        assert self.event is not None
        name, args = self.event
        items = self._data[len(_array_header(len(args) + 1)) :]
        return MsgpackMessage(
            self._type,
            _array_header(len(args) + 2) + items + _pack(offset),
            self._ack_id,
            (name, (*args, offset)),
            volatile=self.volatile,
            compress=self.compress,
        )


class MsgpackParser(Parser):
    """
    MessagePack as the official clients have it.

    Args:
        encoder: makes something that can be sent of what cannot; see
            `mojo.socketio.encoders`.  A ``datetime`` that it does not take, and that has a
            time zone, is sent as a ``Date``: what can be read can be sent.
    """

    def __init__(self, encoder: Encoder | None = None) -> None:
        self._encoder = encoder

    def message(
        self,
        packet_type: PacketType,
        payload: Any = None,
        ack_id: int | None = None,
        *,
        event: tuple[str, tuple[Any, ...]] | None = None,
        volatile: bool = False,
        compress: bool = True,
    ) -> MsgpackMessage:
        """Make a packet; see `Parser`."""
        data = b""
        if payload is not None:
            try:
                data = _pack(_with_text_keys(payload), self._default)
            except Exception as exc:  # the project's encoder may raise anything
                raise UnsendableError(f"{describe(packet_type, event)}: {exc}") from exc
        return MsgpackMessage(
            packet_type, data, ack_id, event, volatile=volatile, compress=compress
        )

    def decoder(self, max_attachments: int) -> MsgpackDecoder:
        """Make what reads one client's packets; there are no attachments."""
        return MsgpackDecoder()

    def _default(self, value: Any) -> Any:
        if self._encoder is not None:
            try:
                return _with_text_keys(self._encoder(value))
            except TypeError:
                if not isinstance(value, datetime):
                    raise
        if isinstance(value, datetime) and value.tzinfo is not None:
            return msgpack.ExtType(0, write_date(value))
        raise TypeError(f"{type(value).__name__} cannot be sent")


class MsgpackDecoder:
    """
    Reads the packets of one client.

    Attributes:
        pending: always ``None``: a packet is one message.
    """

    __slots__ = ()

    pending: Packet | None = None

    def feed(self, data: str | bytes) -> Packet:
        """
        Read one Engine.IO message.

        Raises:
            PacketError: it is no packet.
        """
        if isinstance(data, str):
            raise PacketError("text, where MessagePack had to come")
        return _packet_of(_unpack(data))


def _packet_of(fields: Any) -> Packet:
    """
    Hold a map against the format; keys that it does not have, such as ``options``, are nobody's.

    Like JSON's grammar, it lets no namespace's name hold a comma.
    """
    if not isinstance(fields, dict):
        raise PacketError("a packet is a map")
    number = fields.get("type")
    # type(), since True is 1, and a list is not even hashable.
    packet_type = _TYPES.get(number) if type(number) is int else None
    if packet_type is None:
        raise PacketError("unknown Socket.IO packet type")
    namespace = fields.get("nsp")
    if not isinstance(namespace, str) or not namespace.startswith("/") or "," in namespace:
        raise PacketError("malformed namespace")
    try:
        namespace.encode("utf-8")
    except UnicodeEncodeError:
        raise PacketError("a namespace's name is not UTF-8") from None
    ack_id = fields.get("id")
    if ack_id is not None and (type(ack_id) is not int or ack_id < 0):
        raise PacketError("malformed acknowledgement id")
    data = fields.get("data")
    check(packet_type, Absent if data is None else data, ack_id)
    return Packet(packet_type, namespace, data, ack_id)


def _unpack(data: bytes) -> Any:
    # Read at the first extension type that needs it, and then on.
    formats: Iterator[int] | None = None

    def extension(code: int, content: bytes) -> Any:
        nonlocal formats
        if code != 0:
            raise PacketError(f"unknown extension type {code}")
        if formats is None:
            formats = formats_of_extensions(data)
        return read_extension(next(formats), content)

    try:
        return msgpack.unpackb(
            data,
            timestamp=3,
            unicode_errors=_SURROGATES,
            ext_hook=extension,
            object_hook=_check_keys,
        )
    except (ValueError, TypeError, OverflowError, RecursionError):
        # The package's own words may show what was sent.
        raise PacketError("packet is not MessagePack") from None


def _check_keys(value: dict[Any, Any]) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise PacketError("a key of a map is no text")
    return value


def _with_text_keys(value: Any) -> Any:
    """Copy what holds others, with the keys that JSON would have: a client may be JavaScript."""
    if isinstance(value, dict):
        return {_text_key(key): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_text_keys(item) for item in value]
    return value


def _text_key(key: Any) -> str:
    match key:
        case str():
            return key
        case True | False | None:
            return {True: "true", False: "false", None: "null"}[key]
        case int():
            return int.__repr__(key)
        case float():
            return float.__repr__(key)
    raise TypeError(f"a key is a str, not {type(key).__name__}")


def _array_header(count: int) -> bytes:
    header: bytes = msgpack.Packer(buf_size=_BUFFER).pack_array_header(count)
    return header


def _pack(value: Any, default: Any = None) -> bytes:
    packed: bytes = msgpack.packb(
        value, default=default, unicode_errors=_SURROGATES, buf_size=_BUFFER
    )
    return packed
