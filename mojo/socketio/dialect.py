"""
How a client speaks: Socket.IO protocol 5, or 4, which Socket.IO 2 clients speak.

The packets have the same form in both.  What protocol 4 does otherwise: the server connects
every client to ``"/"`` without being asked, its CONNECT carries nothing (the client makes its
id from the Engine.IO session's), a namespace's name may have a query, which stands for the
``auth`` that the protocol did not have yet, and the answer to who is refused is any value in
place of an object.

See: Socket.IO protocol v4, "Exchange protocol"; v5, "History".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import parse_qsl

from mojo.errors import ConnectionRefused, PacketError
from mojo.socketio.message import Message
from mojo.socketio.packet import ROOT, Packet, PacketType
from mojo.socketio.parser import Parser

Query = Mapping[str, tuple[str, ...]]

_NO_QUERY: Query = MappingProxyType({})
_MAX_QUERY_FIELDS = 100


class Dialect(Protocol):
    """
    What a client and its connections must know of its protocol.

    Attributes:
        joins_root: whether the server connects the client to ``"/"``.
        recovers: whether the client can come back to a connection that it had.
    """

    joins_root: bool
    recovers: bool

    def take_query(self, packet: Packet) -> Query:
        """
        Take the query from a packet's namespace, and leave the name.

        Raises:
            PacketError: it has more fields than any client sends.
        """

    def auth_of(self, packet: Packet, query: Query) -> dict[str, Any]:
        """Give what a CONNECT says of who the client is."""

    def make_id(self, eid: str, wire_name: str, new_id: Callable[[], str]) -> str:
        """
        Make a connection's id.

        Args:
            eid: the session's.
            wire_name: the namespace's name on the wire.
            new_id: makes one that is as good as secret.
        """

    def label(self, cid: str) -> str:
        """Give what the log may call a connection."""

    def connected(self, parser: Parser, data: Mapping[str, Any]) -> Message:
        """Make the answer to a client that was let in."""

    def refused(self, parser: Parser, refusal: ConnectionRefused) -> Message:
        """
        Make the answer to a client that was not.

        Raises:
            UnsendableError: the refusal's data cannot be put on the wire.
        """


class Dialect5:
    """Socket.IO protocol 5, the current one."""

    joins_root = False
    recovers = True

    def take_query(self, packet: Packet) -> Query:
        """See `Dialect`; a question mark is part of the name."""
        return _NO_QUERY

    def auth_of(self, packet: Packet, query: Query) -> dict[str, Any]:
        """See `Dialect`."""
        return packet.data if isinstance(packet.data, dict) else {}

    def make_id(self, eid: str, wire_name: str, new_id: Callable[[], str]) -> str:
        """See `Dialect`; it must differ from the session's, which is a secret."""
        return new_id()

    def label(self, cid: str) -> str:
        """See `Dialect`."""
        return cid

    def connected(self, parser: Parser, data: Mapping[str, Any]) -> Message:
        """See `Dialect`."""
        return parser.connect(data)

    def refused(self, parser: Parser, refusal: ConnectionRefused) -> Message:
        """See `Dialect`."""
        return parser.connect_error(refusal.message, refusal.data)


class Dialect4:
    """Socket.IO protocol 4, on Engine.IO 3."""

    joins_root = True
    recovers = False

    def take_query(self, packet: Packet) -> Query:
        """See `Dialect`."""
        packet.namespace, _, query = packet.namespace.partition("?")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
        except ValueError as exc:
            raise PacketError("a namespace's query with too many fields") from exc
        fields: dict[str, tuple[str, ...]] = {}
        for name, value in pairs:
            fields[name] = (*fields.get(name, ()), value)
        return fields

    def auth_of(self, packet: Packet, query: Query) -> dict[str, Any]:
        """See `Dialect`."""
        return {name: values[-1] for name, values in query.items()}

    def make_id(self, eid: str, wire_name: str, new_id: Callable[[], str]) -> str:
        """See `Dialect`; the client makes it in the same way, and is not told."""
        return eid if wire_name == ROOT else f"{wire_name}#{eid}"

    def label(self, cid: str) -> str:
        """See `Dialect`; the id holds the session's, which is never logged."""
        return "a Socket.IO 2 client"

    def connected(self, parser: Parser, data: Mapping[str, Any]) -> Message:
        """See `Dialect`."""
        return parser.message(PacketType.CONNECT)

    def refused(self, parser: Parser, refusal: ConnectionRefused) -> Message:
        """See `Dialect`."""
        payload = refusal.message if refusal.data is None else refusal.data
        return parser.message(PacketType.CONNECT_ERROR, payload)


_DIALECT_4 = Dialect4()
_DIALECT_5 = Dialect5()


def dialect_of(engine_protocol: int) -> Dialect:
    """Give the dialect of the clients of a version of Engine.IO."""
    return _DIALECT_4 if engine_protocol == 3 else _DIALECT_5
