"""
What an Engine.IO server wants to know of a URL's query.

The official client writes it in one order, with nothing to decode: that is read by one
pattern in 2 µs, and any other by `read_query` in 8.  Pure: no I/O.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mojo.engineio.handshake import read_query
from mojo.engineio.head import single

_CACHE_BUSTER = rb"(?:&t=[0-9A-Za-z_.~-]*)?"
# No field that is read can come twice in it.  The official client's ``t``, which only defeats
# caches, comes before the id, which it learns with the first answer; others write it last.
_USUAL = re.compile(
    rb"[!->@-~]+\?EIO=4&transport=(polling|websocket)"
    + _CACHE_BUSTER
    + rb"(?:&sid=([0-9A-Za-z_.~-]+))?"
    + _CACHE_BUSTER
)


class Terms(NamedTuple):
    """
    The fields of a query that say what is asked for, each ``None`` if it is not there.

    Attributes:
        transport: the name of one.
        sid: the session's id.
        version: the version of the protocol, ``EIO``.
        script: of a JSONP request, the number of the page's function, ``j``.
        base64: of a version 3 client that takes no bytes, something, ``b64``.
    """

    transport: str | None
    sid: str | None
    version: str | None
    script: str | None = None
    base64: str | None = None


def read_terms(uri: bytes) -> Terms:
    """
    Read a URL's query.

    Raises:
        EngineError: see `read_query`, or one of the fields comes more than once.
    """
    usual = _USUAL.fullmatch(uri)
    if usual is not None:
        transport, sid = usual.groups()
        return Terms(transport.decode("ascii"), None if sid is None else sid.decode("ascii"), "4")
    query = read_query(uri)
    return Terms(
        single(query, "transport"),
        single(query, "sid"),
        single(query, "EIO"),
        single(query, "j"),
        single(query, "b64"),
    )
