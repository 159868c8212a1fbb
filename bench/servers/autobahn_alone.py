"""
Autobahn as it comes, with just enough of Socket.IO on it: the stack's own mark.

It reads no cookie, keeps no registry, limits nothing and has no polling.
"""

import json
import secrets
from collections import defaultdict

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402

PLACEHOLDER = {"_placeholder": True, "num": 0}

everyone: set = set()
rooms: defaultdict = defaultdict(set)


class Peer(WebSocketServerProtocol):
    """One client."""

    blob_id = ""

    def onOpen(self):
        """Open the Engine.IO session."""
        self.send(
            "0"
            + json.dumps(
                {
                    "sid": secrets.token_urlsafe(15),
                    "upgrades": [],
                    "pingInterval": 25000,
                    "pingTimeout": 20000,
                    "maxPayload": 1000000,
                }
            )
        )
        self.next_ping = reactor.callLater(25, self.beat)

    def send(self, text):
        """Send an Engine.IO packet."""
        self.sendMessage(text.encode())

    def beat(self):
        """Ping."""
        self.send("2")
        self.next_ping = reactor.callLater(25, self.beat)

    def onMessage(self, payload, isBinary):
        """Read a packet."""
        if isBinary:
            self.send(f"461-{self.blob_id}[{json.dumps(PLACEHOLDER)}]")
            self.sendMessage(payload, isBinary=True)
            return
        text = payload.decode()
        if text.startswith("40"):
            everyone.add(self)
            self.send("40" + json.dumps({"sid": secrets.token_urlsafe(15)}))
        elif text.startswith("42"):
            start = text.index("[")
            self.event(text[2:start], *json.loads(text[start:]))
        elif text.startswith("451-"):
            self.blob_id = text[4 : text.index("[")]

    def event(self, ack_id, name, *args):
        """Handle an event."""
        if name == "echo":
            self.send(f"43{ack_id}" + json.dumps([args[0]]))
        elif name == "join":
            rooms[args[0]].add(self)
            self.send(f"43{ack_id}" + json.dumps(["ok"]))
        else:
            packet = ("42" + json.dumps([name, args[-1]], separators=(",", ":"))).encode()
            for peer in everyone if name == "all" else rooms[args[0]]:
                peer.sendMessage(packet)

    def onClose(self, wasClean, code, reason):
        """Forget the client."""
        if hasattr(self, "next_ping"):
            self.next_ping.cancel()
        everyone.discard(self)
        for room in rooms.values():
            room.discard(self)


if __name__ == "__main__":
    factory = WebSocketServerFactory()
    factory.protocol = Peer
    port = reactor.listenTCP(0, factory, backlog=4096, interface="127.0.0.1")
    print(f"port {port.getHost().port}", flush=True)
    reactor.run()
