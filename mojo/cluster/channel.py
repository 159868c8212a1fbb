"""
The channel of Mojo's servers alone: to it no other kind of server listens.

A message has the name of its sender, an act, and the arguments of that, which are what JSON has.
It is for all, or for one.  What cannot be read is counted, and raises nothing.
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

#: The longest name that a server may have among the others.
MAX_NAME = 200

#: Takes the name of a sender and the arguments of an act; may raise `PacketError`.
Take = Callable[[str, list[Any]], None]


class MojoChannel:
    """
    What Mojo's servers tell each other.

    Args:
        server: this server.

    Attributes:
        takers: what takes the acts of other servers, by their names.
        heard: called with the sender's name and the act before each message is taken, also
            with our own.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.takers: dict[str, Take] = {}
        self.heard: Callable[[str, Any], object] = lambda uid, act: None
        self.prefix = to_bytes(f"{server.prefix}-mojo#")
        self.probe = self._own(server.uid)
        self.shared: bytes | None = to_bytes(f"{server.prefix}-mojo-all#")
        self.channels: Sequence[bytes] = (self.probe, self.shared)
        server.bus.listen(self)

    def __repr__(self) -> str:
        return "<MojoChannel>"

    def tell(
        self,
        act: str,
        args: Sequence[Any],
        *,
        to: str | None = None,
        waits: bool = True,
        lasts: bool = False,
    ) -> None:
        """
        Tell the others of an act.

        Args:
            act: its name.
            args: its arguments.
            to: which one is told; all of them by default.
            waits: see `mojo.cluster.bus.Bus.publish`.
            lasts: see there.
        """
        message = {"uid": self._server.uid, "act": act, "args": list(args)}
        channel = self.prefix if to is None else self._own(to)
        self._server.bus.publish(channel, wire.dump_message(message), waits=waits, lasts=lasts)

    def received(self, channel: bytes, data: bytes) -> None:
        """Take what another server tells; see `mojo.cluster.bus.Listener`."""
        try:
            self._take(wire.read_message(data))
        except PacketError as exc:
            self._server.refuse("message of a server", exc)
        except Exception:
            self._server.stats.refused += 1
            _log.failure("a message of another server")

    def _take(self, message: dict[str, Any]) -> None:
        uid, act, args = message.get("uid"), message.get("act"), message.get("args")
        if not isinstance(uid, str) or not 0 < len(uid) <= MAX_NAME:
            raise PacketError("nobody says it")
        self.heard(uid, act)
        if uid == self._server.uid:
            return
        take = self.takers.get(act) if isinstance(act, str) else None
        if take is None or not isinstance(args, list):
            raise PacketError("an unknown act")
        take(uid, args)

    def _own(self, uid: str) -> bytes:
        return to_bytes(f"{self._server.prefix}-mojo-own#{uid}#")
