"""
The usual end of a WebSocket: its client's Close frame, read without Autobahn.

Nearly every client ends with one that has no code or a usual one, and to make a state machine for
that, and to let it go again, was a sixth of a connection's cost from its opening to its end.
Every other one is Autobahn's.  Pure: no I/O.

See: RFC 6455 section 5.5.1.
"""

from __future__ import annotations

from mojo.engineio.transports.masking import unmask

_FIN_CLOSE = 0x88
_MASKED = 0x80
_LONGEST = 125
# Normal, and "going away", as a browser that leaves a page says.
_USUAL_CODES = (b"\x03\xe8", b"\x03\xe9")

#: The answer to any Close frame: one with code 1000.
ANSWER = b"\x88\x02\x03\xe8"


class Closed:
    """
    What is left of the state machine of a WebSocket that its client has closed.

    It has the names of `AutobahnProtocol`, and stands in its place.

    Attributes:
        client_closed: whether the Close frame had a code.
    """

    __slots__ = ("client_closed",)

    open = False
    dropped = True
    failed = False
    idle = False

    def __init__(self, *, client_closed: bool) -> None:
        self.client_closed = client_closed

    def read(self, data: bytes) -> None:
        """Drop what comes after a Close frame (RFC 6455 section 5.5.1)."""

    def describe_failure(self) -> str:
        """Give nothing: there is none."""
        return ""

    def say_close(self, code: int, reason: bytes) -> None:
        """Say nothing: it was answered."""

    def let_go(self) -> None:
        """Nothing holds it."""


_WITH_CODE = Closed(client_closed=True)
_WITHOUT_CODE = Closed(client_closed=False)


def read_close(data: bytes, start: int) -> Closed | None:
    """
    Read a Close frame.

    Args:
        data: what came.
        start: where the frame begins, between two messages; two bytes at least are there.
    Returns:
        What is left; ``None``, if it is none of the usual ones, or not complete.
    """
    size = data[start + 1] - _MASKED
    end = start + 6 + size
    if data[start] != _FIN_CLOSE or not 0 <= size <= _LONGEST or end > len(data):
        return None
    if not size:
        return _WITHOUT_CODE
    payload = unmask(data[start + 6 : end], data[start + 2 : start + 6])
    if payload[:2] not in _USUAL_CODES:
        return None
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return None
    return _WITH_CODE
