"""
Requests that come to the wrong worker, and how they get to the right one.

The workers of a service accept connections of the same ports, and a session is in one of them; its
id says in which (`mojo.workers.place`).  A long-polling client comes by any connection, so the
worker that has read the head of its request hands the connection to the session's
worker, where it stays: a client pays once for each of its connections.

What must not break: a connection has one owner at any time, and it is closed by whoever cannot go
on; a request is handed over once and then answered where it is, so that no two workers
can play with it; and nobody waits for a worker that is gone: the request is
then answered where it came, as one for a session that does not exist.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from mojo.engineio.deadlines import Deadlines
from mojo.engineio.neighbours import Caller
from mojo.engineio.site import EngineSite
from mojo.engineio.transports.letting_go import replace_protocol
from mojo.workers.door import WorkerDoor, connect
from mojo.workers.place import Place
from mojo.workers.reception import Reception
from mojo.workers.relay import Relay
from mojo.workers.stats import HandoverStats

_log = Logger()

#: Seconds for a client to let go of a connection that was relayed and is closed.
RELAY_LINGER = 15.0
# Connections that may wait at a worker's socket: those that were accepted in one turn, and more.
_BACKLOG = 1024


class Handover:
    """
    Hands connections over, and takes those of others.

    Args:
        reactor: the reactor.
        place: this worker's place.
        site: whose connections they are.

    Attributes:
        stats: counts them.
    """

    def __init__(self, reactor: Any, place: Place, site: EngineSite) -> None:
        self._reactor = reactor
        self._place = place
        self._site = site
        self.stats = HandoverStats(place.name)
        self._port: IListeningPort | None = None
        self._leads_away = False
        self._relays: set[Relay] = set()
        self._closing: Deadlines[Relay] = Deadlines(reactor, RELAY_LINGER, Relay.abort)
        self._reception = Reception(reactor, self.take)
        site.share_with(self)

    # -- as a service has it -------------------------------------------------------

    def open(self) -> None:
        """
        Let others hand connections over.

        Raises:
            CannotListenError: the socket cannot be opened.
        """
        self._leads_away = False
        if self._port is None:
            self._port = self._reactor.listenUNIX(
                str(self._place.socket), self._reception, backlog=_BACKLOG, mode=0o600
            )

    def lead_away(self) -> None:
        """Give new clients to the worker that was started last; see `SideDoor`."""
        self._leads_away = True
        self._site.forget_known()

    async def close(self) -> None:
        """Take no more; what was taken stays."""
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    def abort(self) -> None:
        """End what is relayed, and every timer."""
        for relay in tuple(self._relays):
            relay.abort()
        self._closing.clear()
        self._reception.waiting.expire_all()

    # -- Neighbours: to others -------------------------------------------------------

    def owner_of(self, sid: str) -> str | None:
        """Tell which other worker may have a session; see `Neighbours`."""
        owner = self._place.owner_of(sid)
        return None if owner == self._place.name else owner

    def heir(self) -> str | None:
        """Tell which other worker takes new clients in our place; see `Neighbours`."""
        if not self._leads_away:
            return None
        try:
            return self._place.newest_of(os.listdir(self._place.folder))
        except OSError:
            return None  # the parent is gone, and the folder with it

    def knock(self, name: str) -> WorkerDoor | None:
        """Ask a worker to let us in; see `Neighbours`."""
        sock = connect(str(self._place.socket_of(name)))
        if sock is None:
            self.stats.unreached += 1
            return None
        return WorkerDoor(sock, self._begin_relay, self.stats)

    def _begin_relay(self, transport: Any, sock: socket.socket) -> None:
        relay = Relay(self)
        try:
            self._adopt(sock, relay.worker)
        except OSError:
            # It is the other worker's already, which is told by the end of the pair.
            transport.abortConnection()
            return
        self._relays.add(relay)
        replace_protocol(transport, relay.client)
        relay.begin()

    # -- RelayHost ------------------------------------------------------------------

    def relay_closing(self, relay: Relay) -> None:
        """See `RelayHost`."""
        self._closing.start(relay)

    def relay_over(self, relay: Relay) -> None:
        """See `RelayHost`."""
        self._closing.stop(relay)
        self._relays.discard(relay)

    # -- from others --------------------------------------------------------------

    def take(self, sock: socket.socket, data: bytes, caller: Caller) -> None:
        """Serve a connection that was handed over; see `Take`."""
        newcomer = _Newcomer()
        try:
            self._adopt(sock, newcomer)
        except OSError:
            return  # the client has left meanwhile, or we have as many open files as we may
        self.stats.taken += 1
        transport = newcomer.transport
        try:
            transport.pauseProducing()
            self._site.take_in(transport, data, caller)
        except Exception:
            _log.failure("a connection that was handed over could not be served")
            transport.abortConnection()

    def _adopt(self, sock: socket.socket, protocol: Protocol) -> None:
        with sock:
            sock.setblocking(False)
            # It makes a descriptor of its own, which no child process has.
            self._reactor.adoptStreamConnection(sock.fileno(), sock.family, _Only(protocol))


class _Newcomer(Protocol):
    """Holds the place of a site's own protocol."""

    transport: Any


class _Only(Factory[Protocol]):
    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> Protocol:
        return self._protocol
