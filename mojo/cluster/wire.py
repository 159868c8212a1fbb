"""
What servers tell each other, as ``@socket.io/redis-adapter`` has it.  Pure.

A broadcast is MessagePack: ``[uid, {type, data, nsp}, {rooms, except, flags}]``.  Requests and
responses are JSON, or MessagePack where they carry what clients sent.  What is ours beyond that
are fields that the others do not look at: ``mojo`` in a request asks for an answer with
the connections' ids, on the channel of whoever asked.

See: @socket.io/redis-adapter 8.3 and @socket.io/redis-emitter 5.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, NamedTuple, TypeGuard

from mojo.cluster.names import read_room, read_target, read_texts, write_room, write_target
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import SocketFacts, Target
from mojo.socketio.encoders import Encoder
from mojo.socketio.message import Message
from mojo.socketio.msgpack_values import make_default, pack, unpack, with_text_keys
from mojo.socketio.packet import ROOT, PacketType
from mojo.socketio.parser import Parser

#: What a channel's name begins with unless something else is asked for.
PREFIX = "socket.io"
#: The uid of what is no server, and answers nothing.
EMITTER = "emitter"


class Kind(IntEnum):
    """The types of requests, and of the responses that have one; the last one is ours."""

    SOCKETS = 0
    ALL_ROOMS = 1
    REMOTE_JOIN = 2
    REMOTE_LEAVE = 3
    REMOTE_DISCONNECT = 4
    REMOTE_FETCH = 5
    SERVER_SIDE_EMIT = 6
    BROADCAST = 7
    BROADCAST_CLIENT_COUNT = 8
    BROADCAST_ACK = 9
    BROADCAST_LOST = 100


class Channels:
    """
    The channels of a namespace.

    Args:
        prefix: what all channels of a cluster begin with.
        namespace: the namespace's name.
        uid: the server's.
    """

    def __init__(self, prefix: str, namespace: str, uid: str) -> None:
        self.broadcast = to_bytes(f"{prefix}#{namespace}#")
        self.request = to_bytes(f"{prefix}-request#{namespace}#")
        self.response = to_bytes(f"{prefix}-response#{namespace}#")
        self.own_response = self.response_to(uid)

    def response_to(self, uid: str) -> bytes:
        """Give the channel of responses to one server alone."""
        return self.response + to_bytes(f"{uid}#")

    def of_target(self, opts: Mapping[str, Any]) -> bytes:
        """Give the channel of a broadcast: that of its room, if it has one."""
        rooms = opts["rooms"]
        return self.broadcast + to_bytes(f"{rooms[0]}#") if len(rooms) == 1 else self.broadcast

    def room_of(self, channel: bytes) -> str:
        """Give the name of the room of a broadcast's channel; ``""`` for that of all."""
        return channel[len(self.broadcast) : -1].decode("utf-8", "surrogatepass")


def to_bytes(name: str) -> bytes:
    """Give a channel's name as it is on the wire."""
    return name.encode("utf-8", "surrogatepass")


class Broadcast(NamedTuple):
    """
    A broadcast that came.

    Attributes:
        uid: the server that it is from.
        namespace: the namespace's name.
        name: the event's name.
        args: its arguments.
        target: for whom.
        flags: ``volatile`` and ``compress``.
    """

    uid: str
    namespace: str
    name: str
    args: list[Any]
    target: Target
    flags: dict[str, bool]


def write_flags(message: Message) -> dict[str, Any]:
    """Give the flags of a message that are not as everybody takes them to be."""
    flags: dict[str, Any] = {}
    if message.volatile:
        flags["volatile"] = True
    if not message.compress:
        flags["compress"] = False
    return flags


def write_packet(namespace: str, name: str, args: Sequence[Any]) -> dict[str, Any]:
    """Give an event as a packet."""
    return {"type": PacketType.EVENT.value, "data": [name, *args], "nsp": namespace}


def pack_message(value: Any, encoder: Encoder | None) -> bytes:
    """
    Write what is sent as MessagePack.

    Raises:
        UnsendableError: something in it cannot be.
    """
    try:
        return pack(with_text_keys(value), make_default(encoder))
    except Exception as exc:  # the project's encoder may raise anything
        raise UnsendableError(f"it cannot be sent to other servers: {exc}") from exc


def dump_message(value: Mapping[str, Any], encoder: Encoder | None = None) -> bytes:
    """
    Write what is sent as JSON.

    Raises:
        UnsendableError: something in it is not JSON.
    """
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=encoder)
    except Exception as exc:
        raise UnsendableError(f"it cannot be sent to other servers: {exc}") from exc
    return text.encode("ascii")


def read_broadcast(data: bytes) -> Broadcast:
    """
    Read a broadcast.

    Raises:
        PacketError: it is none.
    """
    value = unpack(data)
    if not isinstance(value, list) or len(value) < 3:
        raise PacketError("a broadcast is a list of three")
    uid, packet, opts = value[:3]
    namespace, name, args = read_packet(packet)
    return Broadcast(text_of(uid), namespace, name, args, read_target(opts), read_flags(opts))


def read_packet(packet: Any) -> tuple[str, str, list[Any]]:
    """
    Give the namespace, the name and the arguments of an event.

    Raises:
        PacketError: it is no event.
    """
    if not isinstance(packet, dict):
        raise PacketError("a packet is a map")
    # Others write 2 whether there are bytes in it or not; 5 is what some version may say.
    if packet.get("type") not in (PacketType.EVENT.value, PacketType.BINARY_EVENT.value):
        raise PacketError("a packet that is no event")
    name, args = read_event(packet.get("data"))
    namespace = packet.get("nsp")
    return ROOT if namespace is None else text_of(namespace), name, args


def read_event(data: Any) -> tuple[str, list[Any]]:
    """
    Give the name and the arguments of an event's data.

    Raises:
        PacketError: it has no name.
    """
    if not isinstance(data, list) or not data:
        raise PacketError("an event is a list that begins with its name")
    return text_of(data[0]), data[1:]


def read_flags(opts: Any) -> dict[str, bool]:
    """Give the flags by which a message is made again."""
    flags = opts.get("flags") if isinstance(opts, dict) else None
    if not isinstance(flags, dict):
        return {}
    return {
        "volatile": flags.get("volatile") is True,
        "compress": flags.get("compress") is not False,
    }


def read_message(data: bytes) -> dict[str, Any]:
    """
    Read a request or a response, whichever way it is written.

    Raises:
        PacketError: it is none.
    """
    if data[:1] == b"{":
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise PacketError("it is not JSON") from None
    else:
        value = unpack(data)
    if not isinstance(value, dict):
        raise PacketError("a request is a map")
    return value


def make_event(
    parser: Parser, name: str, args: list[Any], ack_id: int | None = None, **flags: bool
) -> Message:
    """
    Make an event that came of another server one for our clients.

    Raises:
        UnsendableError: no client would take it.
    """
    try:
        return parser.event(name, args, ack_id, **flags)
    except UnsendableError:
        # A JavaScript Date, where the clients' format has none, is text as JSON.stringify has it.
        plain = [_without_dates(arg) for arg in args]
        return parser.event(name, plain, ack_id, **flags)


def _without_dates(value: Any) -> Any:
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")
    if isinstance(value, list):
        return [_without_dates(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_dates(item) for key, item in value.items()}
    return value


def write_facts(facts: SocketFacts, encoder: Encoder | None) -> dict[str, Any]:
    """
    Give what is told of a connection; ``data`` only as far as it can be sent.

    A Node server's app finds the fields that it may look for: there are no headers in them and
    no ``auth``, for there are secrets among those.
    """
    data = {}
    for key, value in facts.data.items():
        try:
            dump_message({"": value}, encoder)
        except UnsendableError:
            continue
        data[key] = value
    path = facts.handshake.get("path", "")
    return {
        "id": facts.id,
        "handshake": {**facts.handshake, "url": path, "headers": {}, "auth": {}},
        "rooms": sorted(map(write_room, facts.rooms)),
        "data": data,
        "session_id": facts.session_id,
        "user_id": facts.user_id,
    }


def read_facts(value: Any) -> SocketFacts:
    """
    Give what is told of a connection.

    Raises:
        PacketError: it is none.
    """
    if not isinstance(value, dict):
        raise PacketError("a socket is a map")
    rooms = map(read_room, read_texts(value.get("rooms")))
    data, handshake = value.get("data"), value.get("handshake")
    session_id, user_id = value.get("session_id"), value.get("user_id")
    return SocketFacts(
        id=text_of(value.get("id")),
        session_id=session_id if isinstance(session_id, str) else None,
        user_id=user_id if isinstance(user_id, str) else None,
        rooms=frozenset(room for room in rooms if isinstance(room, str)),
        data=data if isinstance(data, dict) else {},
        handshake=_handshake(handshake) if isinstance(handshake, dict) else {},
    )


def _handshake(value: dict[str, Any]) -> dict[str, Any]:
    known = ("address", "issued", "path", "query", "secure")
    facts = {name: value[name] for name in known if name in value}
    if "path" not in facts and isinstance(value.get("url"), str):
        facts["path"] = value["url"].partition("?")[0]
    return facts


def write_request(uid: str, kind: Kind, **fields: Any) -> dict[str, Any]:
    """Give a request of ours."""
    return {"uid": uid, "type": kind.value, "mojo": 1, **fields}


def write_opts(target: Target, **flags: Any) -> dict[str, Any]:
    """Give the ``opts`` of a target and some flags."""
    opts = write_target(target)
    if flags:
        opts["flags"] = flags
    return opts


def read_seconds(opts: Any, default: float, most: float) -> float:
    """Give the time that a request leaves for answers, which its flags have in milliseconds."""
    flags = opts.get("flags") if isinstance(opts, dict) else None
    timeout = flags.get("timeout") if isinstance(flags, dict) else None
    return min(max(timeout / 1000, 0.0), most) if is_number(timeout) else default


def is_number(value: Any) -> TypeGuard[float]:
    """Tell whether something that was read is a number as others have them, and no boolean."""
    # `math.isfinite` raises for a whole number of 400 digits.
    return type(value) in (int, float) and -1e300 < value < 1e300


def text_of(value: Any) -> str:
    """
    Give a name.

    Raises:
        PacketError: it is none.
    """
    if not isinstance(value, str):
        raise PacketError("a name is text")
    return value
