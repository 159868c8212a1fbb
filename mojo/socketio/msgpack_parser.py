"""
Packets as MessagePack, each one binary message: what ``socket.io-msgpack-parser`` speaks.

A packet is a map of ``type``, ``data``, ``nsp`` and perhaps ``id``.  Bytes are inside it, so
that there are no attachments.  Three JavaScript values come as the extension type 0 of
the client's library: ``undefined`` is read as ``None``, a ``Date`` as a ``datetime`` in UTC, an
``ArrayBuffer`` as ``bytes``.

See: socket.io-msgpack-parser 3.0 and notepack.io 3.0, which it writes with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mojo.errors import PacketError, UnsendableError
from mojo.socketio.encoders import Encoder
from mojo.socketio.message import Message
from mojo.socketio.msgpack_values import array_header, make_default, pack, unpack, with_text_keys
from mojo.socketio.packet import Absent, Packet, PacketType, check
from mojo.socketio.parser import Parser, describe

_TYPES = {packet_type.value: packet_type for packet_type in PacketType}
# Bytes are part of the data: the format has no types for packets with attachments.
del _TYPES[PacketType.BINARY_EVENT], _TYPES[PacketType.BINARY_ACK]


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
        fields = [b"\xa4type", pack(self._type.value)]
        if self._data:
            fields += b"\xa4data", self._data
        fields += b"\xa3nsp", pack(namespace)
        if self._ack_id is not None:
            fields += b"\xa2id", pack(self._ack_id)
        return (b"".join((bytes([0x80 | len(fields) // 2]), *fields)),)

    def stamped(self, offset: str) -> MsgpackMessage:
        """Give the same event with one more argument at the end."""
        assert self.event is not None
        name, args = self.event
        items = self._data[len(array_header(len(args) + 1)) :]
        return MsgpackMessage(
            self._type,
            array_header(len(args) + 2) + items + pack(offset),
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
        self.encoder = encoder
        self._default = make_default(encoder)

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
                data = pack(with_text_keys(payload), self._default)
            except Exception as exc:  # the project's encoder may raise anything
                raise UnsendableError(f"{describe(packet_type, event)}: {exc}") from exc
        return MsgpackMessage(
            packet_type, data, ack_id, event, volatile=volatile, compress=compress
        )

    def decoder(self, max_attachments: int) -> MsgpackDecoder:
        """Make what reads one client's packets; there are no attachments."""
        return MsgpackDecoder()


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
        return _packet_of(unpack(data))


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
