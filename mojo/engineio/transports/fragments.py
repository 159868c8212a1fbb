"""
The message that a WebSocket is bringing, piece by piece.

Autobahn gives the data of a message as it comes, and checks its size; both ends of a
connection gather it here.  Pure: no I/O.
"""

from __future__ import annotations

# Fragments of a message that are kept apart before they are joined.  A message of
# a million one-byte fragments would otherwise be a million objects.
_MAX_LOOSE = 1024


class Fragments:
    """
    The pieces of one message at a time.

    Attributes:
        size: bytes of the message so far.
    """

    __slots__ = ("_is_binary", "_pieces", "size")

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []
        self._is_binary = False

    def __len__(self) -> int:
        return len(self._pieces)

    def begin(self, *, is_binary: bool) -> None:
        """Begin with a message."""
        self._is_binary = is_binary
        self._pieces = []
        self.size = 0

    def add(self, data: bytes) -> None:
        """Take a piece."""
        if data:
            self.size += len(data)
            self._pieces.append(data)
            if len(self._pieces) >= _MAX_LOOSE:
                self._pieces = [b"".join(self._pieces)]

    def clear(self) -> None:
        """Forget the pieces."""
        self._pieces = []

    def message(self) -> str | bytes:
        """Give the complete message; that a text is UTF-8 was checked on its way."""
        pieces, self._pieces = self._pieces, []
        payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return payload if self._is_binary else payload.decode("utf-8")
