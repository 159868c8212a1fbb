"""
What servers tell each other, as ``@socket.io/redis-streams-adapter`` has it.  Pure.

A message has a sender, a namespace, a type and data.  What is to be kept is an entry of a
stream, with a field for each, and data that are JSON, or base64 of MessagePack if there are bytes
in them; what is asked and answered is published, and MessagePack as a whole.

What is said is what `mojo.cluster.wire` has.
What is ours are fields in the data that the others do not look at.

See: @socket.io/redis-streams-adapter 0.3, and ``ClusterAdapter`` of socket.io-adapter 2.5.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from mojo.cluster import wire
from mojo.cluster.bus import Entry
from mojo.cluster.names import read_target, read_texts
from mojo.cluster.wire import (
    Broadcast,
    Kind,
    read_flags,
    read_message,
    read_packet,
    text_of,
    to_bytes,
)
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.encoders import Encoder
from mojo.socketio.message import Message
from mojo.socketio.msgpack_values import make_default, pack, unpack, with_text_keys
from mojo.socketio.parser import Parser


class MessageType(IntEnum):
    """The types of messages; the last one is ours."""

    INITIAL_HEARTBEAT = 1
    HEARTBEAT = 2
    BROADCAST = 3
    SOCKETS_JOIN = 4
    SOCKETS_LEAVE = 5
    DISCONNECT_SOCKETS = 6
    FETCH_SOCKETS = 7
    FETCH_SOCKETS_RESPONSE = 8
    SERVER_SIDE_EMIT = 9
    SERVER_SIDE_EMIT_RESPONSE = 10
    BROADCAST_CLIENT_COUNT = 11
    BROADCAST_ACK = 12
    ADAPTER_CLOSE = 13
    BROADCAST_LOST = 100


#: What other adapters of this family tell each other of themselves.
SIGNS_OF_LIFE = frozenset(
    (MessageType.INITIAL_HEARTBEAT, MessageType.HEARTBEAT, MessageType.ADAPTER_CLOSE)
)
_REQUESTS = {
    Kind.BROADCAST: MessageType.BROADCAST,
    Kind.REMOTE_JOIN: MessageType.SOCKETS_JOIN,
    Kind.REMOTE_LEAVE: MessageType.SOCKETS_LEAVE,
    Kind.REMOTE_DISCONNECT: MessageType.DISCONNECT_SOCKETS,
    Kind.REMOTE_FETCH: MessageType.FETCH_SOCKETS,
    Kind.SERVER_SIDE_EMIT: MessageType.SERVER_SIDE_EMIT,
}
_RESPONSES = {
    Kind.REMOTE_FETCH: MessageType.FETCH_SOCKETS_RESPONSE,
    Kind.SERVER_SIDE_EMIT: MessageType.SERVER_SIDE_EMIT_RESPONSE,
    Kind.BROADCAST_CLIENT_COUNT: MessageType.BROADCAST_CLIENT_COUNT,
    Kind.BROADCAST_ACK: MessageType.BROADCAST_ACK,
    Kind.BROADCAST_LOST: MessageType.BROADCAST_LOST,
}
_READ_REQUESTS = {number.value: kind for kind, number in _REQUESTS.items()}
_READ_RESPONSES = {number.value: kind for kind, number in _RESPONSES.items()}
#: What is asked and forgotten: it is published.  A broadcast is, if its clients are to answer.
_EPHEMERAL = frozenset((Kind.BROADCAST, Kind.REMOTE_FETCH, Kind.SERVER_SIDE_EMIT))

#: How many entries a stream has, roughly: older ones go.
MAX_LENGTH = 10_000

_OPTS = b'"opts":{'


class Names:
    """
    The channels of a namespace.

    Args:
        prefix: what all channels of a cluster begin with.
        namespace: the namespace's name.
        uid: the server's.
    """

    def __init__(self, prefix: str, namespace: str, uid: str) -> None:
        self.public = to_bytes(f"{prefix}#{namespace}#")
        self.own = self.of(uid)
        # By a pattern nothing is had; this one has no id in it, so that an ACL can name it.
        self.probes = to_bytes(f"{prefix}-mojo-own#{namespace}#")
        self.probe = self.probes + to_bytes(f"{uid}#")

    def of(self, uid: str) -> bytes:
        """Give the channel of what is for one server alone."""
        return self.public + to_bytes(f"{uid}#")


def is_ephemeral(request: Mapping[str, Any]) -> bool:
    """Tell whether a request is published, or an entry of the stream."""
    return request["type"] in _EPHEMERAL


def write_request(request: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Give a request of `mojo.cluster.wire` as a message."""
    data = {key: value for key, value in request.items() if key not in ("uid", "type")}
    if "opts" in data:
        data["opts"] = {"flags": {}, **data["opts"]}
    if "data" in data:
        data["packet"] = data.pop("data")
    number = _REQUESTS[Kind(request["type"])].value
    return {"uid": request["uid"], "nsp": namespace, "type": number, "data": data}


def write_response(
    response: Mapping[str, Any], kind: Kind, uid: str, namespace: str
) -> dict[str, Any]:
    """Give a response of `mojo.cluster.wire` to a request of that kind as a message."""
    data = {key: value for key, value in response.items() if key != "type"}
    if "data" in data:
        data["packet"] = data.pop("data")
    number = _RESPONSES[Kind(response.get("type", kind))].value
    return {"uid": uid, "nsp": namespace, "type": number, "data": data}


def write_broadcast(
    packet: dict[str, Any], opts: dict[str, Any], uid: str, namespace: str
) -> dict[str, Any]:
    """Give a broadcast as a message."""
    # For whom it is comes last: see `rooms_of`.
    data = {"packet": packet, "opts": {"flags": {}, **opts}}
    return {"uid": uid, "nsp": namespace, "type": MessageType.BROADCAST.value, "data": data}


def pack_message(message: dict[str, Any], encoder: Encoder | None) -> bytes:
    """
    Write a message that is published.

    Raises:
        UnsendableError: something in it cannot be.
    """
    try:
        return pack(with_text_keys(message), make_default(encoder, _write_datetime))
    except Exception as exc:  # the project's encoder may raise anything
        raise UnsendableError(f"it cannot be sent to other servers: {exc}") from exc


def write_entry(message: Mapping[str, Any], encoder: Encoder | None) -> Entry:
    """
    Write a message that is an entry of the stream.

    Raises:
        UnsendableError: something in it cannot be.
    """
    default = make_default(encoder, _write_datetime)
    has_bytes = False

    def note_bytes(value: Any) -> Any:
        nonlocal has_bytes
        if isinstance(value, bytes | bytearray | memoryview):
            has_bytes = True
            return None
        return default(value)

    try:
        text = json.dumps(
            message["data"], separators=(",", ":"), allow_nan=False, default=note_bytes
        )
        data = text.encode("ascii")
        if has_bytes:
            data = b64encode(pack(with_text_keys(message["data"]), default))
    except Exception as exc:
        raise UnsendableError(f"it cannot be sent to other servers: {exc}") from exc
    return {
        "uid": to_bytes(message["uid"]),
        "nsp": to_bytes(message["nsp"]),
        "type": b"%d" % message["type"],
        "data": data,
    }


def addition(stream: bytes, entry: Entry) -> tuple[str | bytes, ...]:
    """Give the command that adds an entry to a stream; the last field's value comes last."""
    fields = [part for field in entry.items() for part in field]
    return ("XADD", stream, "MAXLEN", "~", str(MAX_LENGTH), "*", *fields)


def rooms_of(entry: Entry) -> list[str] | None:
    """
    Give the rooms that a broadcast is for without reading the rest of it.

    Returns:
        ``None`` where that cannot be done.
    """
    data = entry.get("data", b"")
    at = data.rfind(_OPTS)
    # The comma: a name that only ends like this would have a backslash before it.
    if data[at - 1 : at] != b"," or not data.startswith(b"{") or not data.endswith(b"}"):
        return None
    try:
        # One value up to the brace that ends the whole is that whole's last one.
        opts = json.loads(data[at + len(_OPTS) - 1 : -1])
        return read_texts(opts.get("rooms"))
    except (ValueError, RecursionError, PacketError):
        return None


def read_entry(entry: Entry) -> dict[str, Any]:
    """
    Read an entry of the stream.

    Raises:
        PacketError: it is no message.
    """
    try:
        number = int(entry.get("type", b""))
        uid = entry["uid"].decode("utf-8", "surrogatepass")
        namespace = entry["nsp"].decode("utf-8", "surrogatepass")
    except (KeyError, ValueError):
        raise PacketError("an entry without a sender, a namespace or a type") from None
    message: dict[str, Any] = {"uid": uid, "nsp": namespace, "type": number, "data": {}}
    data = entry.get("data", b"")
    if data.startswith(b"{"):
        message["data"] = read_message(data)
    elif data:
        try:
            message["data"] = unpack(b64decode(data))
        except ValueError:
            raise PacketError("data that are neither JSON nor base64") from None
    return message


def unpack_message(data: bytes) -> dict[str, Any]:
    """
    Read what was published.

    Raises:
        PacketError: it is no message.
    """
    message = unpack(data)
    if not isinstance(message, dict):
        raise PacketError("a message is a map")
    return message


def read_broadcast(message: dict[str, Any]) -> Broadcast | None:
    """
    Give the broadcast that a message is, if it is one that asks for no answer.

    Raises:
        PacketError: it is a bad one.
    """
    data = _data_of(message)
    if message.get("type") != MessageType.BROADCAST or data.get("requestId") is not None:
        return None
    _, name, args = read_packet(data.get("packet"))
    opts = data.get("opts")
    uid, namespace = text_of(message.get("uid")), text_of(message.get("nsp"))
    return Broadcast(uid, namespace, name, args, read_target(opts), read_flags(opts))


def make_event(parser: Parser, sent: Broadcast) -> Message:
    """
    Give the event for our clients that a broadcast is.

    Raises:
        UnsendableError: no client would take it.
    """
    return wire.make_event(parser, sent.name, sent.args, **sent.flags)


def read_request(message: dict[str, Any]) -> dict[str, Any] | None:
    """
    Give the request that a message is, if it is one.

    Raises:
        PacketError: it is a bad one.
    """
    return _read(message, _READ_REQUESTS, Kind.SERVER_SIDE_EMIT)


def read_response(message: dict[str, Any]) -> dict[str, Any] | None:
    """
    Give the response that a message is, if it is one.

    Raises:
        PacketError: it is a bad one.
    """
    return _read(message, _READ_RESPONSES, Kind.SERVER_SIDE_EMIT)


def _read(
    message: dict[str, Any], kinds: Mapping[int, Kind], with_data: Kind
) -> dict[str, Any] | None:
    number = message.get("type")
    kind = kinds.get(number) if type(number) is int else None
    if kind is None:
        return None
    fields = dict(_data_of(message))
    if kind is with_data:
        fields["data"] = fields.pop("packet", None)
    elif kind is Kind.BROADCAST and isinstance(fields.get("packet"), dict):
        # Others leave the namespace to the message.
        fields["packet"] = {**fields["packet"], "nsp": message.get("nsp")}
    return {**fields, "uid": message.get("uid"), "type": kind.value}


def _data_of(message: dict[str, Any]) -> dict[str, Any]:
    data = message.get("data")
    if not isinstance(data, dict):
        raise PacketError("a message's data are a map")
    return data


def _write_datetime(value: datetime) -> str:
    # As JSON.stringify has it, which is what the others make of a Date in the stream.
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
