"""
The bridge to python-socketio: its channel is listened to by each server, for its own clients.

All servers hear all of it.  So what comes is done here and goes on to nobody: the others do it
for theirs.  It is for the namespaces that there are, and for no other.  What is told the other
servers by whoever said it is published there as well, once, and known by them as one of Mojo's.
"""

from __future__ import annotations

from collections.abc import Sequence

from mojo.cluster.bridged_adapter import BridgedAdapter
from mojo.cluster.line import MakeLine, Server, refusing
from mojo.cluster.python_wire import OURS, read_message
from mojo.cluster.wire import text_of, to_bytes
from mojo.socketio.adapter import Carried, LocalAdapter


class Bridge:
    """
    One server's end of the bridge; it is a `mojo.cluster.bus.Listener`.

    Args:
        server: this server.
        channel: the channel of python-socketio's servers.

    Attributes:
        host_id: what this server calls itself to them.
    """

    shared: bytes | None = None

    def __init__(self, server: Server, channel: str) -> None:
        self._server = server
        self._channel = to_bytes(channel)
        self.host_id = f"{OURS}{server.uid}"
        self._adapters: dict[str, BridgedAdapter] = {}
        # Nobody publishes below the prefix.  It has no name of ours in it, so that a user of
        # Redis can be given it.
        self.prefix = to_bytes(f"{server.prefix}-mojo-python#")
        self.probe = to_bytes(f"{server.prefix}-mojo-own#{server.uid}#python#")
        self.channels: Sequence[bytes] = (self._channel, self.probe)
        server.bus.listen(self)

    def __repr__(self) -> str:
        return "<Bridge to python-socketio>"

    def make_adapter(
        self, namespace: Carried, local: LocalAdapter, make_line: MakeLine
    ) -> BridgedAdapter:
        """Make a namespace's adapter, to which what is for the namespace goes."""
        adapter = BridgedAdapter(self._server, namespace, local, make_line, self)
        self._adapters[namespace.name] = adapter
        return adapter

    def make_remote(self, namespace: Carried, make_line: MakeLine) -> BridgedAdapter:
        """Make the adapter to a namespace that is not here."""
        return BridgedAdapter(
            self._server, namespace, LocalAdapter(), make_line, self, listens=False
        )

    def forget(self, name: str) -> None:
        """Note that there is no such namespace any more."""
        self._adapters.pop(name, None)

    def publish(self, data: bytes, *, waits: bool = True) -> None:
        """Tell python-socketio's servers; see `mojo.cluster.bus.Bus.publish`."""
        self._server.bus.publish(self._channel, data, waits=waits)

    def received(self, channel: bytes, data: bytes) -> None:
        """Take a message; see `mojo.cluster.bus.Listener`."""
        with refusing(self._server, "python-socketio", "message of python-socketio"):
            message = read_message(data)
            # Nothing of ours waits for an answer of theirs.
            if message is not None and message.get("method") != "callback":
                adapter = self._adapters.get(text_of(message.get("namespace")))
                if adapter is not None:
                    adapter.take_message(message)
