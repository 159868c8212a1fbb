"""
The fields of a form in a request's body, within limits.

twisted.web reads a form before a resource hears of the request, with parsers that take
seconds for a few megabytes of nothing but separators, while everybody else waits.  Here a
form has a number of fields at most, and what is read is read in time that grows with
its length and no faster.

See: WHATWG URL Standard, "application/x-www-form-urlencoded"; RFC 7578 (multipart/form-data).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO
from urllib.parse import parse_qsl

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from mojo.errors import PacketError, PayloadTooLongError

#: Most fields of a form.
MAX_FIELDS = 1000
#: Most bytes of a form without files.
MAX_URLENCODED = 1_000_000

_BLOCK = 65536


def read_form(content_type: str, body: IO[bytes], length: int) -> Mapping[bytes, list[bytes]]:
    """
    Read a form.

    Args:
        content_type: the request's ``Content-Type`` header.
        body: the request's body, at its beginning.
        length: bytes of the body.
    Returns:
        The fields with all their values, as twisted.web's ``request.args`` has them:
        a file is a value like any other.  Nothing, if the body is no form.
    Raises:
        PacketError: the form is malformed.
        PayloadTooLongError: it has too many fields, or too many bytes without a file.
    """
    kind, options = parse_options_header(content_type)
    if kind == "application/x-www-form-urlencoded":
        return _read_urlencoded(body, length)
    if kind == "multipart/form-data":
        return _read_multipart(body, options.get("boundary", ""))
    return {}


def _read_urlencoded(body: IO[bytes], length: int) -> Mapping[bytes, list[bytes]]:
    if length > MAX_URLENCODED:
        raise PayloadTooLongError(f"a form of {length} bytes, at most {MAX_URLENCODED}")
    # Latin-1 there and back: bytes are bytes, whatever a client takes them for.
    text = body.read().decode("latin-1")
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS
        )
    except ValueError as exc:
        raise PayloadTooLongError(f"a form of more than {MAX_FIELDS} fields") from exc
    fields: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        fields.setdefault(name.encode("latin-1"), []).append(value.encode("latin-1"))
    return fields


def _read_multipart(body: IO[bytes], boundary: str) -> Mapping[bytes, list[bytes]]:
    if not boundary:
        raise PacketError("a multipart form without a boundary")
    fields: dict[bytes, list[bytes]] = {}
    pieces: list[bytes] = []
    name = ""
    try:
        with PushMultipartParser(boundary, max_segment_count=MAX_FIELDS) as parser:
            while not parser.closed and (block := body.read(_BLOCK)):
                for event in parser.parse(block):
                    if isinstance(event, MultipartSegment):
                        name, pieces = event.name, []
                    elif event is None:
                        fields.setdefault(name.encode("utf-8"), []).append(b"".join(pieces))
                    else:
                        pieces.append(bytes(event))
    except ParserLimitReached as exc:
        raise PayloadTooLongError(f"a form that is too large: {exc}") from exc
    except (MultipartError, UnicodeError) as exc:
        raise PacketError(f"a malformed form: {exc}") from exc
    return fields
