"""
What a server of Mojo's tells the others of its kind alone: what happens to visitors and logins.

Rooms carry what is sent to them; that a login ends, or that a visitor has another id, concerns
clients that may be in no namespace at all, and cookies that are yet to come.  So it has a channel
of its own, to which no other kind of server listens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import Logger

from mojo.cluster import wire
from mojo.cluster.line import Server
from mojo.cluster.wire import to_bytes
from mojo.errors import PacketError

_log = Logger()


class Orders:
    """
    The channel of orders.

    Args:
        server: this server.
        perform: does what another one has done; raises `PacketError` if that cannot be.
    """

    def __init__(self, server: Server, perform: Callable[[str, list[Any]], None]) -> None:
        self._server = server
        self._perform = perform
        self.prefix = to_bytes(f"{server.prefix}-mojo#")
        self.probe = to_bytes(f"{server.prefix}-mojo-own#{server.uid}#")
        self.shared: bytes | None = to_bytes(f"{server.prefix}-mojo-all#")
        self.channels: Sequence[bytes] = (self.probe, self.shared)
        server.bus.listen(self)

    def __repr__(self) -> str:
        return "<Orders>"

    def tell(self, act: str, args: Sequence[Any]) -> None:
        """Tell the others of an act, whose arguments are what JSON has."""
        order = {"uid": self._server.uid, "act": act, "args": list(args)}
        self._server.bus.publish(self.prefix, wire.dump_message(order), lasts=True)

    def received(self, channel: bytes, data: bytes) -> None:
        """Do what another server has done; see `mojo.cluster.bus.Listener`."""
        try:
            order = wire.read_message(data)
            if order.get("uid") != self._server.uid:
                act, args = order.get("act"), order.get("args")
                if not isinstance(act, str) or not isinstance(args, list):
                    raise PacketError("an order has an act and its arguments")
                self._perform(act, args)
        except PacketError as exc:
            self._server.refuse("order", exc)
        except Exception:
            self._server.stats.refused += 1
            _log.failure("an order of another server")
