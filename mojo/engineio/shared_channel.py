"""
An HTTP connection of a port that several processes accept connections of.

When the head of a request is in, and it is for a session of another process, the connection is
given to that process with what was read and not answered.  A request's body is therefore
taken in where it belongs, however long it is, and requests before it were answered by then, since
twisted.web reads the next one only after that.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from mojo.engineio.channel import ChannelHome, EngineChannel
from mojo.engineio.neighbours import Caller, Door, Neighbours


class SharedHome(ChannelHome, Protocol):
    """
    What such a connection needs of its site.

    Attributes:
        neighbours: the other processes.
    """

    neighbours: Neighbours | None

    def take_in(self, transport: Any, data: bytes, caller: Caller) -> None:
        """Serve a connection that no other process takes."""


class SharedChannel(EngineChannel):
    """
    A connection that can be given away, or was.

    Attributes:
        caller: what it says of itself, if it was given to us.
    """

    caller: Caller | None = None
    # The way to the process that is given the connection, from the head of its request on.
    _door: Door | None = None
    # Whether the next request is answered here, whosesoever it is.
    _is_last = False

    def __init__(self) -> None:
        super().__init__()
        # The lines of a head, and what is behind it.
        self._head: list[bytes] = []
        self._behind: list[bytes] = []

    def take_in(self, data: bytes) -> None:
        """Go on where another process stopped; see `EngineSite.take_in`."""
        self.transport.resumeProducing()
        self._is_last = True
        try:
            self.dataReceived(data)
        finally:
            # Nobody looks at the head of what is plain.
            self._is_last = False

    # -- who is at the other end ---------------------------------------------------

    def getPeer(self) -> Any:
        """Give the address of the other end."""
        return super().getPeer() if self.caller is None else self.caller.peer

    def getHost(self) -> Any:
        """Give the address of our end."""
        return super().getHost() if self.caller is None else self.caller.host

    def isSecure(self) -> bool:
        """Tell whether the connection is TLS."""
        return super().isSecure() if self.caller is None else self.caller.secure

    # -- whose a request is ----------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Read requests, up to one for another process."""
        super().dataReceived(data)
        self._leave()

    def exchange_over(self) -> None:
        """Go on after the answer to a plain request; see `PlainHost`."""
        super().exchange_over()
        self._leave()

    def lineReceived(self, line: bytes) -> None:
        """Keep a line of a request's head."""
        if self._linger_left is None:
            self._head.append(line)
        super().lineReceived(line)

    def allHeadersReceived(self) -> None:
        """Find out whose the request is."""
        head, self._head = self._head, []
        self._door = self._find_door()
        if self._door is None:
            super().allHeadersReceived()
        else:
            self._behind = [b"\r\n".join([*head, b""])]

    def allContentReceived(self) -> None:
        """Serve the request, if it is for us."""
        if self._door is None:
            super().allContentReceived()
        else:
            self.setRawMode()  # or the next request's head would be read as well

    def rawDataReceived(self, data: bytes) -> None:
        """Take a piece of a body, or of whatever is behind a head that is not for us."""
        if self._door is None:
            super().rawDataReceived(data)
        else:
            self._behind.append(data)

    def _find_door(self) -> Door | None:
        if self._is_last:
            self._is_last = False
            return None
        site = cast(SharedHome, self.site)
        # Private names of twisted.web; without them no request is another's.
        uri: bytes = getattr(self, "_path", b"")
        if getattr(self, "_command", b"") not in (b"GET", b"POST") or site.neighbours is None:
            return None
        owner = site.owner_of(uri) if site.mount_at(uri.partition(b"?")[0]) else None
        return None if owner is None else site.neighbours.knock(owner)

    def _leave(self) -> None:
        """Give the connection away, if it is another's: nothing of it stays here."""
        door, self._door = self._door, None
        if door is None:
            return
        caller = Caller(self.getPeer(), self.getHost(), self.isSecure())
        data, self._behind = b"".join(self._behind), []
        self.taken_over()
        self.requests.clear()
        transport, self.transport = self.transport, None
        transport.pauseProducing()
        transport.unregisterProducer()
        if not door.pass_on(transport, data, caller):
            cast(SharedHome, self.site).take_in(transport, data, caller)
