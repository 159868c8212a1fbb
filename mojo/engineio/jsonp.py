"""
JSONP: long-polling by ``<script>`` and ``<form>``, for browsers without XMLHttpRequest level 2.

A GET with ``j=<number>`` is answered with a script that calls a function of the page, and
a POST brings its payload as the form field ``d``.  Both carry the payloads of the session's
version, as text.  The number is the only thing of the client's in the script, and it is digits.

Which pages may do so is judged in `mojo.engineio.handshake`: the browser asks nobody
before it runs a script.  Pure: no I/O.

See: Engine.IO protocol v3, "JSONP".
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl

from mojo.errors import EngineError, EngineErrorCode, PacketError

_INDEX = re.compile(r"[0-9]{1,10}")
_MAX_FIELDS = 10
# A form may turn a line end into two characters, so the client sends a backslash and an n,
# and puts another backslash before those that were there.
_ESCAPED_LINE_END = re.compile(r"(\\)?\\n")


def check_index(text: str) -> None:
    """
    Check the ``j`` of a query.

    Raises:
        EngineError: it is no number; it would stand in a script.
    """
    if not _INDEX.fullmatch(text):
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail="j is no number")


def wrap(index: str, body: bytes) -> bytes:
    """
    Make the script that hands a text payload to the page.

    Args:
        index: what passed `check_index`.
        body: the payload, UTF-8.
    """
    literal = json.dumps(body.decode("utf-8"), ensure_ascii=False)
    # Line ends in a script, though not in JSON.
    literal = literal.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"___eio[{index}]({literal});".encode()


def unwrap(body: bytes) -> bytes:
    """
    Take the payload out of a form.

    Raises:
        PacketError: it is no form with one field ``d``.
    """
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as exc:
        raise PacketError("a JSONP body that is no form") from exc
    values = [value for name, value in fields if name == "d"]
    if len(values) != 1:
        raise PacketError("a JSONP body without its one field d")
    return _ESCAPED_LINE_END.sub(_unescape, values[0]).encode("utf-8")


def _unescape(match: re.Match[str]) -> str:
    return "\\n" if match[1] else "\n"
