"""
What python-socketio's servers tell each other, by their ``RedisManager``.  Pure.

All of them publish on one channel, and each message is one JSON object.  Bytes are apart from an
event's data, as base64, and have placeholders there.  Before 5.14 messages were pickled, and
whoever unpickles what comes runs what others wrote (CVE-2025-61765): these are refused unread.

See: python-socketio 5.18, ``PubSubManager``.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

from mojo.cluster import wire
from mojo.cluster.names import read_room, read_texts
from mojo.cluster.wire import text_of
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import Target
from mojo.socketio.codec import place_attachments
from mojo.socketio.encoders import Encoder
from mojo.socketio.rooms import Room

#: What the ``host_id`` of Mojo's servers begins with; python-socketio's are 32 hex digits.
OURS = "mojo-"
# What we write begins so: the messages of Mojo's servers need not be read to be passed over.
_OWN = b'{"host_id":"mojo-'
# What a pickle begins with, of whatever version since 2.
_PICKLE = b"\x80"


class Asker(NamedTuple):
    """
    Who waits for the answer to an event.

    Attributes:
        host_id: which server.
        room: for whom its event was.
        namespace: where.
        callback_id: what it knows the callback by.
    """

    host_id: str
    room: str | int
    namespace: str
    callback_id: int


class Emitted(NamedTuple):
    """
    An event that came.

    Attributes:
        name: the event's name.
        args: its arguments.
        target: for whom.
        asker: who waits for the answer of whoever answers first, if somebody does.
    """

    name: str
    args: list[Any]
    target: Target
    asker: Asker | None


def read_message(data: bytes) -> dict[str, Any] | None:
    """
    Read a message; ``None`` if it is of one of Mojo's servers.

    Raises:
        PacketError: it is none.
    """
    if data.startswith(_OWN):
        return None
    if data.startswith(_PICKLE):
        raise PacketError("it is pickled: the sender's python-socketio is to be 5.14 or newer")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise PacketError("it is not JSON") from None
    if not isinstance(value, dict):
        raise PacketError("a message is a map")
    host_id = value.get("host_id")
    return None if isinstance(host_id, str) and host_id.startswith(OURS) else value


def read_emitted(message: dict[str, Any]) -> Emitted:
    """
    Read an event.

    Raises:
        PacketError: it is none, or for nobody.
    """
    name, target = text_of(message.get("event")), read_target(message)
    asker = None if message.get("callback") is None else _read_asker(message)
    return Emitted(name, _read_args(message), target, asker)


def read_target(message: dict[str, Any]) -> Target:
    """
    Tell for whom an event is.

    Raises:
        PacketError: it is for nobody.
    """
    room, skipped = message.get("room"), message.get("skip_sid")
    rooms = frozenset[Room]()
    if room is not None:
        rooms = frozenset(map(read_room, _texts_of(room)))
        # Of a target of ours it means everybody.
        if not rooms:
            raise PacketError("an event for no room")
    names = [name for name in _listed(skipped) if name is not None]
    return Target(rooms, frozenset(map(read_room, read_texts(names))))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts_of(value: Any) -> list[str]:
    return read_texts(_listed(value))


def _read_args(message: dict[str, Any]) -> list[Any]:
    if "data" not in message:
        raise PacketError("an event without data")
    data = message["data"]
    if message.get("binary"):
        if not isinstance(data, list) or not data:
            raise PacketError("binary data is a list")
        try:
            attachments = [b64decode(text_of(text), validate=True) for text in data[1:]]
        except ValueError:
            raise PacketError("an attachment is base64") from None
        data = place_attachments(data[0], attachments)
    if not isinstance(data, list):
        data = [data]
    # An event that was sent without arguments, and one that was sent with None, are one there.
    return [] if len(data) == 1 and data[0] is None else data


def _read_asker(message: dict[str, Any]) -> Asker:
    callback, host_id = message["callback"], message.get("host_id")
    if not isinstance(callback, list) or len(callback) != 3:
        raise PacketError("a callback is a list of three")
    room, namespace, callback_id = callback
    if not isinstance(room, str | int) or type(callback_id) is not int:
        raise PacketError("a callback has a room and a number")
    return Asker(text_of(host_id), room, text_of(namespace), callback_id)


def write_answer(asker: Asker, args: Sequence[Any], encoder: Encoder | None) -> bytes:
    """
    Write a client's answer.

    Raises:
        UnsendableError: it has what is not JSON, such as bytes.
    """
    # The host is the one that is told, and not who says it.
    return wire.dump_message(
        {
            "method": "callback",
            "host_id": asker.host_id,
            "sid": asker.room,
            "namespace": asker.namespace,
            "id": asker.callback_id,
            "args": list(args),
        },
        encoder,
    )


def write_emitted(
    host_id: str,
    namespace: str,
    name: str,
    args: Sequence[Any],
    rooms: Sequence[str] | None,
    encoder: Encoder | None,
) -> bytes:
    """
    Write an event.

    Args:
        host_id: who says it, which begins with `OURS`.
        namespace: where.
        name: the event's name.
        args: its arguments.
        rooms: for whom; ``None`` for everybody.
        encoder: makes something that can be sent of what cannot.
    Raises:
        UnsendableError: something in it cannot be sent.
    """
    attachments: list[str] = []

    def take_out(item: Any) -> Any:
        if isinstance(item, bytes | bytearray | memoryview):
            attachments.append(b64encode(item).decode("ascii"))
            return {"_placeholder": True, "num": len(attachments) - 1}
        if encoder is not None:
            return encoder(item)
        raise TypeError(f"{type(item).__name__} cannot be sent")

    try:
        data = json.dumps(list(args), separators=(",", ":"), allow_nan=False, default=take_out)
    except Exception as exc:  # the project's encoder may raise anything
        raise UnsendableError(f"it cannot be sent to python-socketio: {exc}") from exc
    if attachments:
        data = f"[{data},{json.dumps(attachments)[1:-1]}]"
    room = rooms[0] if rooms is not None and len(rooms) == 1 else rooms
    head = write_act(
        host_id,
        "emit",
        namespace,
        event=name,
        room=room,
        skip_sid=None,
        callback=None,
        binary=bool(attachments),
    )
    return b'%s,"data":%s}' % (head[:-1], data.encode("ascii"))


def write_act(host_id: str, method: str, namespace: str, **fields: Any) -> bytes:
    """Write what is done to a client or a room."""
    # Who says it is first: see `_OWN`.
    message = {"host_id": host_id, "method": method, "namespace": namespace, **fields}
    return wire.dump_message(message)
