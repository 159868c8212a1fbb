"""
The header fields of a request, as they are kept: the bytes, read again when somebody asks.

A session outlives the request that opened it, and most applications never ask for its
headers: ten of them are 400 bytes as they came, and 2,200 as a dict of tuples of strings.

Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mojo.errors import EngineError, EngineErrorCode

# A field value may hold no control character but the tab (RFC 9110 section 5.5).
# Several of these are line ends to str.splitlines, as is \x85; that one is also
# half of many UTF-8 letters, so it is refused only outside valid UTF-8.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

Fields = Mapping[str, tuple[str, ...]]


def write_head(fields: Iterable[tuple[bytes, Iterable[bytes]]]) -> bytes:
    """
    Join header fields to the bytes that `read_fields` reads.

    Args:
        fields: names, which are tokens, each with its values.
    Returns:
        ``name: value`` and a line end for each.
    Raises:
        EngineError: a value holds a character that some readers take for a line's end.
    """
    lines = []
    for name, values in fields:
        for value in values:
            if _CONTROL.search(value) or (b"\x85" in value and not _is_utf8(value)):
                # The name is the peer's too, but twisted.web let only tokens pass.
                raise EngineError(
                    EngineErrorCode.BAD_REQUEST,
                    detail=f"control character in header {name.decode('latin-1')}",
                )
            lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


def read_fields(head: bytes) -> dict[str, tuple[str, ...]]:
    """
    Read header fields.

    Args:
        head: lines whose names are tokens and whose values were checked, each with its
            end; what stands at a value's ends of spaces and tabs is no part of it.
    Returns:
        The values by lower-case name, in order.
    """
    fields: dict[str, tuple[str, ...]] = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            name = name.lower()
            value = value.strip(" \t")
            before = fields.get(name)
            fields[name] = (value,) if before is None else (*before, value)
    return fields


def single(fields: Fields, name: str) -> str | None:
    """
    Give the value of a field of headers or a query, or ``None``.

    Raises:
        EngineError: the field comes more than once; we do not guess.
    """
    values = fields.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail=f"{name} comes more than once")
    return values[0]


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
