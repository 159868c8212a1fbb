"""
What the server sends: encoded once, however many receive it.

The JSON of a message is made when the message is, so that whoever sends something
that cannot be sent learns of it there.  The Engine.IO packets around it differ only by
the namespace's name on the wire (an app is ``/ChatSocket`` on the shared path and ``/``
on its own) and are kept per name; each packet in turn keeps its form per transport.

See: Socket.IO protocol v5, "Packet encoding".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mojo.engineio.packet import Packet as EnginePacket
from mojo.engineio.packet import message as engine_message
from mojo.errors import UnsendableError
from mojo.socketio.packet import RESERVED_EVENTS, ROOT, PacketType

_BINARY = {PacketType.EVENT: PacketType.BINARY_EVENT, PacketType.ACK: PacketType.BINARY_ACK}


class Message:
    """
    One outgoing packet, ready for any number of recipients.

    Made by `event`, `ack`, `connect`, `connect_error` and `disconnect`.
    """

    __slots__ = ("_ack_id", "_attachments", "_json", "_type", "_wire_forms")

    def __init__(
        self,
        packet_type: PacketType,
        payload: str = "",
        attachments: Sequence[bytes] = (),
        ack_id: int | None = None,
    ) -> None:
        self._type = _BINARY[packet_type] if attachments else packet_type
        self._json = payload
        self._attachments = tuple(attachments)
        self._ack_id = "" if ack_id is None else str(ack_id)
        self._wire_forms: dict[str, tuple[EnginePacket, ...]] = {}

    def packets(self, namespace: str) -> tuple[EnginePacket, ...]:
        """Give the Engine.IO packets under a namespace's name on the wire."""
        packets = self._wire_forms.get(namespace)
        if packets is None:
            count = f"{len(self._attachments)}-" if self._attachments else ""
            name = "" if namespace == ROOT else f"{namespace},"
            text = f"{self._type.value}{count}{name}{self._ack_id}{self._json}"
            packets = (engine_message(text), *map(engine_message, self._attachments))
            self._wire_forms[namespace] = packets
        return packets


def event(name: str, args: Sequence[Any], ack_id: int | None = None) -> Message:
    """
    Make an EVENT.

    Raises:
        UnsendableError: the name is reserved or no text, or an argument cannot be
            put on the wire.
    """
    if not isinstance(name, str):
        raise UnsendableError(f"an event's name is a str, not {type(name).__name__}")
    if name in RESERVED_EVENTS:
        raise UnsendableError(f"event {name!r} is reserved: clients close on it")
    payload, attachments = _encode(f"event {name!r}", [name, *args])
    return Message(PacketType.EVENT, payload, attachments, ack_id)


def ack(ack_id: int, args: Sequence[Any]) -> Message:
    """
    Make an ACK.

    Raises:
        UnsendableError: an argument cannot be put on the wire.
    """
    payload, attachments = _encode("acknowledgement", list(args))
    return Message(PacketType.ACK, payload, attachments, ack_id)


def connect(cid: str) -> Message:
    """Make the CONNECT that tells a client its id."""
    return Message(PacketType.CONNECT, json.dumps({"sid": cid}, separators=(",", ":")))


def connect_error(text: str, data: Any = None) -> Message:
    """
    Make a CONNECT_ERROR.

    Raises:
        UnsendableError: ``data`` cannot be put on the wire, or holds bytes.
    """
    error = {"message": text} if data is None else {"message": text, "data": data}
    payload, attachments = _encode("connection error", error)
    if attachments:
        raise UnsendableError("a connection error cannot carry bytes")
    return Message(PacketType.CONNECT_ERROR, payload)


def disconnect() -> Message:
    """Make a DISCONNECT."""
    return Message(PacketType.DISCONNECT)


def _encode(what: str, value: Any) -> tuple[str, list[bytes]]:
    """Make the JSON, and take out the bytes in the order of their placeholders."""
    attachments: list[bytes] = []

    def take_out(item: Any) -> Any:
        if isinstance(item, bytes | bytearray | memoryview):
            attachments.append(bytes(item))
            return {"_placeholder": True, "num": len(attachments) - 1}
        raise TypeError(f"{type(item).__name__} cannot be sent")

    try:
        text = json.dumps(
            value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=take_out
        )
    except (TypeError, ValueError, RecursionError) as exc:
        raise UnsendableError(f"{what}: {exc}") from exc
    if not _is_unicode(text):
        # A lone surrogate, as a client may send one and an app send it back: it has an
        # escape in JSON, but no UTF-8.
        attachments.clear()
        text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=take_out)
    return text, attachments


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
