"""
What the official MessagePack parser has beyond MessagePack: extensions of type 0.

``undefined`` is one of one byte, a ``Date`` one of eight, an ``ArrayBuffer`` one of any length;
and the lengths that MessagePack has short forms for are told apart by these, which no Python
package shows.  So the first bytes are looked up, once a message has such an extension.

See: notepack.io 3.0, and the MessagePack specification, "Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from mojo.errors import PacketError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_FIXEXT_1, _FIXEXT_8, _FIXEXT_16 = 0xD4, 0xD7, 0xD8
_EXT = (0xC7, 0xC8, 0xC9)

# By the first byte of a value: how many bytes follow it, and how many of those, the first
# ones, are the number of still more.  What containers hold comes after them like anything else.
_FOLLOWING = [0] * 256
_LENGTH = [0] * 256
for _first in range(0xA0, 0xC0):  # short text
    _FOLLOWING[_first] = _first & 0x1F
for _first, _size in ((0xC4, 1), (0xC5, 2), (0xC6, 4), (0xD9, 1), (0xDA, 2), (0xDB, 4)):
    _FOLLOWING[_first] = _LENGTH[_first] = _size  # bytes and text
for _first, _size in ((0xC7, 1), (0xC8, 2), (0xC9, 4)):
    _FOLLOWING[_first], _LENGTH[_first] = _size + 1, _size  # extensions; one for the type
for _power in range(5):
    _FOLLOWING[0xD4 + _power] = 1 + (1 << _power)  # extensions of a fixed length
for _power in range(4):
    _FOLLOWING[0xCC + _power] = _FOLLOWING[0xD0 + _power] = 1 << _power  # whole numbers
_FOLLOWING[0xCA], _FOLLOWING[0xCB] = 4, 8  # other numbers
for _first, _size in ((0xDC, 2), (0xDD, 4), (0xDE, 2), (0xDF, 4)):
    _FOLLOWING[_first] = _size  # how many are in a list or map


def write_date(moment: datetime) -> bytes:
    """Give the content of a ``Date``, which counts whole milliseconds, for an aware datetime."""
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    return struct.pack(">iI", milliseconds >> 32, milliseconds & 0xFFFFFFFF)


def read_extension(header: int, content: bytes) -> Any:
    """
    Read an extension of type 0.

    Length alone would not tell: an ``ArrayBuffer`` of eight bytes is no ``Date``.
    """
    if header == _FIXEXT_1:
        return None
    if header == _FIXEXT_8:
        high, low = struct.unpack(">iI", content)
        try:
            return _EPOCH + timedelta(milliseconds=(high << 32) + low)
        except OverflowError:
            raise PacketError("a date that no datetime can be") from None
    if header in _EXT:
        return content
    raise PacketError("an extension type of a length that it has not")


def formats_of_extensions(data: bytes) -> Iterator[int]:
    """Give the first byte of each extension of type 0, in order; the data is well-formed so far."""
    position = 0
    while True:
        byte = data[position]
        after = position + 1 + _FOLLOWING[byte]
        length = _LENGTH[byte]
        if length:
            after += int.from_bytes(data[position + 1 : position + 1 + length], "big")
        if byte in _EXT:
            code = data[position + 1 + length]
        else:
            code = data[position + 1] if _FIXEXT_1 <= byte <= _FIXEXT_16 else -1
        if code == 0:
            yield byte
        position = after
