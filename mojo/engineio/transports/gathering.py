"""
One common frame that has come in part.

What it takes in it checks as Autobahn would: a text that is not UTF-8 is noticed with its first
bad byte, and not when the frame is complete.  And it can give back what the client sent, so
that at any moment Autobahn can go on in its place.  Pure: no I/O.
"""

from __future__ import annotations

import codecs

from mojo.engineio.transports.frames import encode_head
from mojo.engineio.transports.masking import rotate, unmask_in_place
from mojo.engineio.versions import FIN_TEXT

_decoder = codecs.getincrementaldecoder("utf-8")


class Gathering:
    """
    The payload of an incomplete frame.

    Args:
        first: the first byte of the frame.
        size: how long the payload is to be.
        mask: its mask.
    """

    __slots__ = ("_check", "_data", "_first", "_mask", "_size")

    def __init__(self, first: int, size: int, mask: bytes) -> None:
        self._first = first
        self._size = size
        self._mask = mask
        # It grows as the payload comes.  To make it as long as the head says would cost whoever
        # sends 14 bytes nothing, and us a megabyte; it grows where it is, for long ones
        # without a copy (the kernel moves its pages).
        self._data = bytearray()
        self._check = _decoder() if first == FIN_TEXT else None

    @property
    def missing(self) -> int:
        """How many bytes are yet to come."""
        return self._size - len(self._data)

    def add(self, piece: bytes) -> None:
        """
        Take a piece, of no more bytes than are `missing`.

        Raises:
            UnicodeDecodeError: the text is not UTF-8; nothing was taken.
        """
        data = self._data
        start = len(data)
        data += piece
        unmask_in_place(data, start, rotate(self._mask, start))
        if self._check is not None:
            try:
                self._check.decode(data[start:], not self.missing)
            except UnicodeDecodeError:
                del data[start:]
                raise

    def message(self) -> str | bytes:
        """Give the message, when nothing is missing."""
        return bytes(self._data) if self._check is None else self._data.decode()

    def as_sent(self) -> bytes:
        """Give what has come of the frame, as it came."""
        masked = self._data[:]
        unmask_in_place(masked, 0, self._mask)
        return encode_head(self._first, self._size, is_masked=True) + self._mask + masked
