"""What an emitter tells Redis, in each of the formats of clusters.  Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mojo.cluster import streams_wire, wire
from mojo.cluster.wire import EMITTER, Channels, Kind
from mojo.socketio.encoders import Encoder

#: A command of Redis.
Command = tuple[str | bytes, ...]


class Format(Protocol):
    """How servers are told, of one namespace; each may raise `UnsendableError`."""

    def broadcast(self, packet: dict[str, Any], opts: dict[str, Any]) -> Command:
        """Tell them what is for clients of theirs."""

    def request(self, kind: Kind, fields: dict[str, Any]) -> Command:
        """Tell them what to do."""


#: Makes the format of a namespace.
MakeFormat = Callable[[str], Format]


class PubSubFormat:
    """
    As ``@socket.io/redis-emitter`` does.

    Args:
        prefix: what the cluster's channels begin with.
        encoder: the project's; see `mojo.socketio.encoders`.
        namespace: the namespace's name.
    """

    def __init__(self, prefix: str, encoder: Encoder | None, namespace: str) -> None:
        self._encoder = encoder
        self._names = Channels(prefix, namespace, EMITTER)

    def broadcast(self, packet: dict[str, Any], opts: dict[str, Any]) -> Command:
        """Tell them what is for clients of theirs; see `Format`."""
        data = wire.pack_message([EMITTER, packet, opts], self._encoder)
        return ("PUBLISH", self._names.of_target(opts), data)

    def request(self, kind: Kind, fields: dict[str, Any]) -> Command:
        """Tell them what to do; see `Format`."""
        # Node's adapter takes an event of servers from somebody alone, and the rest from anybody.
        sender = {"uid": EMITTER} if kind is Kind.SERVER_SIDE_EMIT else {}
        message = {**sender, "type": kind.value, **fields}
        return ("PUBLISH", self._names.request, wire.dump_message(message, self._encoder))


class StreamFormat:
    """
    As ``@socket.io/redis-streams-emitter`` does: all of it is entries of the stream.

    Args:
        prefix: the stream's key.
        encoder: the project's; see `mojo.socketio.encoders`.
        namespace: the namespace's name.
    """

    def __init__(self, prefix: str, encoder: Encoder | None, namespace: str) -> None:
        self._stream = wire.to_bytes(prefix)
        self._encoder = encoder
        self._namespace = namespace

    def broadcast(self, packet: dict[str, Any], opts: dict[str, Any]) -> Command:
        """Tell them what is for clients of theirs; see `Format`."""
        return self._add(streams_wire.write_broadcast(packet, opts, EMITTER, self._namespace))

    def request(self, kind: Kind, fields: dict[str, Any]) -> Command:
        """Tell them what to do; see `Format`."""
        request = {"uid": EMITTER, "type": kind.value, **fields}
        return self._add(streams_wire.write_request(request, self._namespace))

    def _add(self, message: dict[str, Any]) -> Command:
        return streams_wire.addition(self._stream, streams_wire.write_entry(message, self._encoder))


def format_of(adapter: str, prefix: str, encoder: Encoder | None) -> MakeFormat:
    """Give the format of that name; see `mojo.cluster.url.ADAPTERS`."""
    kind = StreamFormat if adapter == "streams" else PubSubFormat
    return lambda namespace: kind(prefix, encoder, namespace)
