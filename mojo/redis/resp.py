"""
Redis's protocol, RESP2: commands become bytes, and bytes become replies.

A reply is ``bytes``, ``None``, an ``int``, a list of replies, or a `RespError`, which is given
and not raised.  A bulk that is longer than the limit is passed over as it comes, and
`TOO_LONG` is in its place: who publishes it costs no memory, and the connection goes on.

See: https://redis.io/docs/latest/develop/reference/protocol-spec/.
"""

from __future__ import annotations

from typing import Any, Final

from mojo.errors import MojoError

# The longest line, which is a number, a status or an error; and the most lists in lists.
_MAX_LINE = 65_536
_MAX_DEPTH = 8


class RespError(MojoError):
    """What Redis answered instead, such as ``"NOAUTH Authentication required."``."""


class BrokenRespError(MojoError):
    """What came is not RESP2: the connection is of no use any more."""


class _TooLong:
    def __repr__(self) -> str:
        return "TOO_LONG"


#: Stands for a bulk that was longer than the limit.
TOO_LONG: Final = _TooLong()


def command(*parts: str | bytes) -> bytes:
    """
    Give a command's bytes.

    Args:
        parts: its name and arguments.  Half characters, which JavaScript lets be, are
            written as they would be if they were whole.
    """
    pieces = [b"*%d\r\n" % len(parts)]
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        pieces += (b"$%d\r\n" % len(data), data, b"\r\n")
    return b"".join(pieces)


class RespReader:
    """
    Reads replies from a stream.

    Args:
        max_bulk: most bytes of a bulk.
    """

    def __init__(self, max_bulk: int) -> None:
        self._max_bulk = max_bulk
        self._buffer = bytearray()
        # The bytes of the bulk under way with its line end, and whether it is passed over.
        self._bulk = 0
        self._skips = False
        # The lists under way: how many items each still lacks, and those it has.
        self._lists: list[tuple[list[int], list[Any]]] = []

    def feed(self, data: bytes) -> list[Any]:
        """
        Take some of the stream; give the replies that are complete now.

        Raises:
            BrokenRespError: it is no RESP2.
        """
        kept = self._buffer
        # What comes is mostly whole: it is then read where it is.
        buffer: bytes | bytearray = data
        if kept:
            kept += data
            buffer = kept
        replies: list[Any] = []
        at = 0
        while True:
            if self._skips:
                taken = min(self._bulk, len(buffer) - at)
                at += taken
                self._bulk -= taken
                if self._bulk:
                    break
                self._skips = False
                self._add(TOO_LONG, replies)
            elif self._bulk:
                end = at + self._bulk
                if len(buffer) < end:
                    break
                bulk = bytes(buffer[at : end - 2])
                at = end
                self._bulk = 0
                self._add(bulk, replies)
            else:
                end = buffer.find(b"\r\n", at)
                if end < 0:
                    if len(buffer) - at > _MAX_LINE:
                        raise BrokenRespError("a line without an end")
                    break
                line = bytes(buffer[at:end])
                at = end + 2
                if line[:1] == b"$":
                    # Nearly every line there is.
                    length = _number(line[1:])
                    if length < 0:
                        self._add(None, replies)
                    else:
                        self._bulk = length + 2
                        self._skips = length > self._max_bulk
                else:
                    self._take(line, replies)
        if buffer is kept:
            del kept[:at]
        else:
            kept += data[at:]
        return replies

    def _take(self, line: bytes, replies: list[Any]) -> None:
        kind, rest = line[:1], line[1:]
        if kind == b"*":
            length = _number(rest)
            if length > 0:
                if len(self._lists) >= _MAX_DEPTH:
                    raise BrokenRespError("lists in lists, too deep")
                self._lists.append(([length], []))
            else:
                self._add([] if length == 0 else None, replies)
        elif kind == b":":
            self._add(_number(rest), replies)
        elif kind == b"+":
            self._add(rest, replies)
        elif kind == b"-":
            self._add(RespError(rest.decode("utf-8", "replace")), replies)
        else:
            raise BrokenRespError("a line that begins no reply")

    def _add(self, value: Any, replies: list[Any]) -> None:
        while self._lists:
            left, items = self._lists[-1]
            items.append(value)
            left[0] -= 1
            if left[0]:
                return
            self._lists.pop()
            value = items
        replies.append(value)


def _number(digits: bytes) -> int:
    try:
        return int(digits)
    except ValueError:
        raise BrokenRespError("a number that is none") from None
