"""
The line that speaks as ``@socket.io/redis-adapter`` does: everything by publish and subscribe.

See: @socket.io/redis-adapter 8.3, ``RedisAdapter``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from mojo.cluster import wire
from mojo.cluster.bus import Entry
from mojo.cluster.line import Echo, Server, Taker, refusing
from mojo.cluster.wire import Channels, Kind
from mojo.socketio.adapter import Carried


class PubSubLine:
    """
    A line; see `mojo.cluster.line.Line`.

    Args:
        server: this server.
        namespace: the namespace.
        taker: takes what comes; ``None`` if nothing is to.
    """

    def __init__(self, server: Server, namespace: Carried, taker: Taker | None) -> None:
        self._server = server
        self._bus = server.bus
        self._namespace = namespace
        # What all our broadcasts begin with: a list of three, and who we are.
        self._own = wire.pack_message([server.uid, None, None], None)[:-2]
        self._names = names = Channels(server.prefix, namespace.name, server.uid)
        self.channels: Sequence[bytes] = (names.request, names.response, names.own_response)
        self.prefix = names.broadcast
        self.probe = names.own_response
        self.shared: bytes | None = names.request
        if taker is not None:
            self._taker = taker
            self._bus.listen(self)

    def __repr__(self) -> str:
        return f"<PubSubLine of {self._namespace.name}>"

    def close(self) -> None:
        """Hear nothing any longer."""
        self._bus.unlisten(self)

    def count_servers(self) -> Deferred[int | None]:
        """Tell how many servers there are; see `Line`."""
        return self._bus.count(self._names.request)

    def will_come(self, entry: Entry) -> bool:
        """Tell whether clients here get an entry; see `Line`."""
        return True  # nothing is one

    def broadcast(
        self,
        packet: dict[str, Any],
        opts: dict[str, Any],
        *,
        waits: bool,
        echo: Echo | None = None,
    ) -> None:
        """Tell the others what is for clients of theirs; see `Line`."""
        assert echo is None  # nothing has an order here
        data = wire.pack_message([self._server.uid, packet, opts], self._encoder)
        self._bus.publish(self._names.of_target(opts), data, waits=waits)

    def request(self, request: dict[str, Any], *, waits: bool = True) -> None:
        """Ask something of the others; see `Line`."""
        has_bytes = request["type"] == Kind.BROADCAST
        write = wire.pack_message if has_bytes else wire.dump_message
        self._bus.publish(self._names.request, write(request, self._encoder), waits=waits)

    def respond(self, request: dict[str, Any], response: dict[str, Any]) -> None:
        """Answer what another server has asked; see `Line`."""
        uid = request.get("uid")
        # Only ours are known to listen there: it is an option of the reference.
        own = "mojo" in request and isinstance(uid, str)
        channel = self._names.response_to(uid) if own and uid else self._names.response
        has_bytes = response.get("type") == Kind.BROADCAST_ACK
        write = wire.pack_message if has_bytes else wire.dump_message
        self._bus.publish(channel, write(response, self._encoder), waits=False)

    @property
    def _encoder(self) -> Any:
        return self._namespace.parser.encoder

    def received(self, channel: bytes, data: bytes) -> None:
        """Take a message; see `mojo.cluster.bus.Listener`."""
        name = self._namespace.name
        if channel == self._names.request:
            with refusing(self._server, name, "request"):
                self._taker.take_request(wire.read_message(data))
        elif channel.startswith(self._names.response):
            with refusing(self._server, name, "response"):
                self._taker.take_response(wire.read_message(data))
        elif not data.startswith(self._own):
            with refusing(self._server, name, "broadcast"):
                room = self._names.room_of(channel)
                # Unread otherwise: most of what there is for rooms is for those of others.
                if self._taker.concerns([room] if room else []):
                    self._taker.take_broadcast(wire.read_broadcast(data))
