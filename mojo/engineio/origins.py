"""
Which pages may connect, by the ``Origin`` of their requests (RFC 6454).

Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from mojo.engineio.head import Fields, single


class Origins:
    """
    Which origins may connect, and whether their visitors' cookies count.

    Args:
        allowed: see `EngineOptions.allowed_origins`.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.listed = tuple(allowed)
        self._any = "*" in self.listed
        self._triples = frozenset(
            triple for entry in self.listed if (triple := _split_origin(entry)) is not None
        )
        self._null = "null" in self.listed

    def admits(self, origin: str | None, host: str, secure: bool) -> bool:
        """Tell whether a page of that origin may connect at all."""
        return self._any or self.trusts(origin, host, secure)

    def trusts(self, origin: str | None, host: str, secure: bool) -> bool:
        """
        Tell whether the request speaks for the visitor whose cookies it bears.

        Args:
            origin: the ``Origin`` header; ``None`` is a client that is no browser,
                or a browser's same-origin GET.
            host: the ``Host`` header.
            secure: whether the client came by https.
        """
        if origin is None:
            return True
        if origin == "null":
            return self._null
        triple = _split_origin(origin)
        if triple is None:
            return False
        return triple in self._triples or _is_own(triple, host, secure)


_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\\\s]+")


def _split_origin(origin: str) -> tuple[str, str, int | None] | None:
    """Split ``scheme://host[:port]``; anything else is no origin."""
    lowered = origin.lower()
    if not _ORIGIN.fullmatch(lowered):
        return None
    try:
        parts = urlsplit(lowered)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)


def _is_own(origin: tuple[str, str, int | None], host: str, secure: bool) -> bool:
    """
    Compare a page's origin with the host it asked for.

    A proxy that ends TLS but is not on the trusted list makes an https page look
    as if it had come by http.  Such a page of the same host is the same site; the
    opposite, a http page reaching a https host, is what a man in the middle sends.
    """
    scheme, name, port = origin
    if scheme not in ("http", "https") or (secure and scheme == "http"):
        return False
    own = _split_origin(f"{scheme}://{host}")
    return own is not None and own[1:] == (name, port)


def script_origin(fields: Fields) -> str | None:
    """
    Tell which page a JSONP request comes from.

    Any page may load a script from anywhere, with its visitor's cookies and without an
    ``Origin``: what JSONP is for is what keeps other pages out of XMLHttpRequest.  So
    the request must show where it comes from in another way, or it is an unknown page's.
    """
    if single(fields, "sec-fetch-site") == "same-origin":
        return None
    try:
        parts = urlsplit(single(fields, "referer") or "")
    except ValueError:
        return "null"
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "null"
