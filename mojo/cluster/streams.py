"""
The line that speaks as ``@socket.io/redis-streams-adapter`` does: by a stream that all read.

Whoever was away reads on where it was.  What is asked of other servers and answered is
published: later it is no use to anybody.

See: @socket.io/redis-streams-adapter 0.3, ``RedisStreamsAdapter``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from mojo.cluster import streams_wire
from mojo.cluster.bus import Entry
from mojo.cluster.line import Echo, Server, Taker, refusing
from mojo.cluster.streams_wire import SIGNS_OF_LIFE, MessageType, Names
from mojo.cluster.wire import Kind
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import Carried

#: The most that waits for its turn, and the seconds: a Redis that is slower is not waited for.
MAX_ECHOES, MAX_ECHO_SECONDS = 5_000, 1.0
_BROADCAST = b"%d" % MessageType.BROADCAST


class StreamsLine:
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
        self._uid = server.uid.encode("ascii")
        # What our own clients get when it comes back, by its number.
        self._echoes: dict[bytes, Echo] = {}
        self._echoes_made = 0
        self._late: IDelayedCall | None = None
        self._names = names = Names(server.prefix, namespace.name, server.uid)
        self.channels: Sequence[bytes] = (names.public, names.own, names.probe)
        self.prefix = names.probes
        self.probe = names.probe
        self.shared: bytes | None = names.public
        if taker is not None:
            self._taker = taker
            self._bus.listen(self)
            self._bus.follow(namespace.name, self._take_entry, self._cut_off)

    def __repr__(self) -> str:
        return f"<StreamsLine of {self._namespace.name}>"

    def close(self) -> None:
        """Hear nothing any longer."""
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self._bus.unfollow(self._namespace.name)
        self._bus.unlisten(self)

    def will_come(self, entry: Entry) -> bool:
        """Tell whether clients here get an entry when its turn is come; see `Line`."""
        return entry.get("uid") != self._uid or entry.get("mojo", b"") in self._echoes

    def count_servers(self) -> Deferred[int | None]:
        """Tell how many servers there are; see `Line`."""
        return self._bus.count(self._names.public)

    def broadcast(
        self,
        packet: dict[str, Any],
        opts: dict[str, Any],
        *,
        waits: bool,
        echo: Echo | None = None,
    ) -> None:
        """Tell the others what is for clients of theirs; see `Line`."""
        name = self._namespace.name
        message = streams_wire.write_broadcast(packet, opts, self._server.uid, name)
        try:
            entry = streams_wire.write_entry(message, self._encoder)
        except UnsendableError:
            self._cut_off(echo)
            raise
        if echo is None:
            self._bus.append(entry, waits=waits)
            return
        self._echoes_made += 1
        number = b"%d" % self._echoes_made
        self._echoes[number] = echo
        # The last field is the one that may be long.
        if (
            not self._bus.append({"mojo": number, **entry}, waits=waits)
            or len(self._echoes) > MAX_ECHOES
        ):
            self._cut_off()
        elif self._late is None:
            self._watch()

    def _watch(self) -> None:
        self._late = self._namespace.clock.callLater(
            MAX_ECHO_SECONDS, self._look, self._echoes_made
        )

    def _look(self, made: int) -> None:
        """See whether something is there still that was there a while ago."""
        self._late = None
        oldest = next(iter(self._echoes), None)
        if oldest is None:
            return
        if int(oldest) <= made:
            self._cut_off()
        else:
            self._watch()

    def _cut_off(self, *more: Echo | None) -> None:
        """Let our own clients have what may never come back."""
        echoes, self._echoes = [*self._echoes.values(), *more], {}
        for echo in echoes:
            if echo is not None:
                echo("")

    def request(self, request: dict[str, Any], *, waits: bool = True) -> None:
        """Ask something of the others; see `Line`."""
        message = streams_wire.write_request(request, self._namespace.name)
        if streams_wire.is_ephemeral(request):
            data = streams_wire.pack_message(message, self._encoder)
            self._bus.publish(self._names.public, data, waits=waits)
        else:
            self._bus.append(streams_wire.write_entry(message, self._encoder), waits=waits)

    def respond(self, request: dict[str, Any], response: dict[str, Any]) -> None:
        """Answer what another server has asked; see `Line`."""
        uid = request.get("uid")
        if not isinstance(uid, str):
            raise PacketError("a request of nobody")
        message = streams_wire.write_response(
            response, Kind(request["type"]), self._server.uid, self._namespace.name
        )
        data = streams_wire.pack_message(message, self._encoder)
        self._bus.publish(self._names.of(uid), data, waits=False)

    @property
    def _encoder(self) -> Any:
        return self._namespace.parser.encoder

    # -- what comes ---------------------------------------------------------------

    def received(self, channel: bytes, data: bytes) -> None:
        """Take a message; see `mojo.cluster.bus.Listener`."""
        with refusing(self._server, self._namespace.name, "message"):
            self._take(streams_wire.unpack_message(data))

    def _take_entry(self, offset: str, entry: Entry) -> None:
        if entry.get("uid") == self._uid:
            echo = self._echoes.pop(entry.get("mojo", b""), None)
            if echo is not None:
                echo(offset)
            return
        with refusing(self._server, self._namespace.name, "entry"):
            if entry.get("type") == _BROADCAST:
                rooms = streams_wire.rooms_of(entry)
                # Unread otherwise: most of what there is for rooms is for those of others.
                if rooms and not self._taker.concerns(rooms):
                    return
            self._take(streams_wire.read_entry(entry), offset)

    def _take(self, message: dict[str, Any], offset: str | None = None) -> None:
        # "/a#b" is a channel of "/a" by its beginning, and may be of a namespace of that name.
        number = message.get("type")
        if type(number) is not int:
            raise PacketError("a message without a type")
        if message.get("nsp") != self._namespace.name or number in SIGNS_OF_LIFE:
            return
        if (sent := streams_wire.read_broadcast(message)) is not None:
            self._taker.take_broadcast(sent, offset)
        elif (request := streams_wire.read_request(message)) is not None:
            self._taker.take_request(request)
        elif (response := streams_wire.read_response(message)) is not None:
            self._taker.take_response(response)
        else:
            raise PacketError("a message of an unknown type")
