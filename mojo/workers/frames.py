"""
What a worker and its parent say to each other over a pipe: frames of bytes, one after another.

A frame is its length (4 bytes), its kind (1), its flags (1) and some fields, each with its length
before it.  What is for other workers passes through the parent as it is.  Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from struct import Struct
from typing import Any

from mojo.errors import PacketError

#: Kinds: a message of a channel, an entry of the stream, and what is not for other workers.
MESSAGE, ENTRY, CONTROL = b"m", b"e", b"c"
#: Flags: whether it waits for its turn, and whether for as long as it takes.
WAITS, LASTS = 1, 2

# Bytes that a frame may have beside what somebody sends or keeps: names above all.
_MARGIN = 2_000_000
# How many bytes of a frame may come of one: of a message whose fields are base64 in an answer,
# and of a session, which is text in JSON in JSON.
_PER_MESSAGE, _PER_SESSION = 2, 6

_LENGTH = Struct("!I")
_HEAD = Struct("!Icb")


def most_for(max_message: int, max_session: int) -> int:
    """Give the most bytes of a frame, of those of a message and those of a session."""
    return _PER_MESSAGE * max_message + _PER_SESSION * max_session + _MARGIN


def max_message_in(most: int) -> int:
    """Give the most bytes of a message of which there is room in a frame."""
    return (most - _MARGIN) // _PER_MESSAGE


def max_session_in(most: int) -> int:
    """Give the most bytes of a session of which there is room in a frame."""
    return (most - _MARGIN) // _PER_SESSION


def pack(kind: bytes, flags: int, *fields: bytes) -> bytes:
    """Give a frame."""
    parts = [b""]
    for field in fields:
        parts += (_LENGTH.pack(len(field)), field)
    body = sum(map(len, parts))
    parts[0] = _HEAD.pack(2 + body, kind, flags)
    return b"".join(parts)


def pack_control(said: str, **values: Any) -> bytes:
    """Give a frame that is not for other workers, with values that JSON has."""
    return pack(CONTROL, WAITS, json.dumps({"said": said, **values}).encode("ascii"))


def kind_of(frame: bytes) -> bytes:
    """Give a frame's kind."""
    return frame[4:5]


def flags_of(frame: bytes) -> int:
    """Give a frame's flags."""
    return frame[5]


def first_of(frame: bytes) -> bytes:
    """
    Give the first field alone.

    Raises:
        PacketError: there is none.
    """
    return next(_fields(frame))


def unpack(frame: bytes) -> list[bytes]:
    """
    Give the fields.

    Raises:
        PacketError: it has others than it says.
    """
    return list(_fields(frame))


def unpack_control(frame: bytes) -> dict[str, Any]:
    """
    Give what is said in a frame that is not for other workers.

    Raises:
        PacketError: it is something else.
    """
    try:
        control = json.loads(first_of(frame))
    except (ValueError, RecursionError) as exc:
        raise PacketError("it is not JSON") from exc
    if not isinstance(control, dict) or not isinstance(control.get("said"), str):
        raise PacketError("it says nothing")
    return control


def _fields(frame: bytes) -> Iterator[bytes]:
    at = _HEAD.size
    while True:
        start = at + 4
        if start > len(frame):
            break
        (length,) = _LENGTH.unpack_from(frame, at)
        at = start + length
        if at > len(frame):
            break
        yield frame[start:at]
        if at == len(frame):
            return
    raise PacketError("a frame ends within a field")


class FrameReader:
    """
    Makes frames of bytes as they come.

    Args:
        most: most bytes of one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Give the frames that are whole now.

        Raises:
            PacketError: one is longer than may be, or too short for one; nothing more can be read.
        """
        self._buffer += data
        at = 0
        try:
            while at + 4 <= len(self._buffer):
                (length,) = _LENGTH.unpack_from(self._buffer, at)
                if not 2 <= length <= self._most:
                    raise PacketError(f"a frame of {length} bytes, at most {self._most}")
                end = at + 4 + length
                if end > len(self._buffer):
                    break
                frame = bytes(memoryview(self._buffer)[at:end])
                at = end
                yield frame
        finally:
            del self._buffer[:at]
