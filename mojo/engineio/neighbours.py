"""
Other processes behind the same ports, as a site sees them.

Where several processes accept connections of one port, a long-polling client's request may come to
one that does not have its session.  The connection is then given to the process that has it,
with what was read of it (`mojo.workers.handover`); that process reads on as if the connection had
come to it in the first place.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

Address = IPv4Address | IPv6Address | UNIXAddress


class Caller(NamedTuple):
    """
    What a connection says of itself, for whom it is given to.

    Attributes:
        peer: its other end.
        host: our end.
        secure: whether it is TLS.
    """

    peer: Address
    host: Address
    secure: bool


class Door(Protocol):
    """The way to another process, which has let us in."""

    def pass_on(self, transport: Any, data: bytes, caller: Caller) -> bool:
        """
        Give a connection away.

        Args:
            transport: the connection, which is not read and has no producer.
            data: what was read of it and not answered: a request with its whole head, and what
                followed that.
            caller: who is at its other end.
        Returns:
            Whether the other process has it now; if not, nothing has changed.
        """


class Neighbours(Protocol):
    """The other processes."""

    def owner_of(self, sid: str) -> str | None:
        """
        Tell which other process may have a session.

        Args:
            sid: its id, as a client has sent it.
        Returns:
            Its name; ``None`` if the session is ours or nobody's.
        """

    def heir(self) -> str | None:
        """Tell which other process takes new clients in our place; ``None`` if we do."""

    def knock(self, name: str) -> Door | None:
        """Ask a process to let us in; ``None`` if it does not, or is gone."""

    def abort(self) -> None:
        """Close every connection that is only carried here, and is served by another process."""
