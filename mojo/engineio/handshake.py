"""
The facts of a request, read once: query, headers, cookies, address, origin.

They are taken from the twisted.web request and from nowhere else.  Autobahn would
parse the headers a second time, with other ideas about where a line ends, so what
it is given later is built anew by `mojo.engineio.transports.websocket` and holds
nothing that came from here unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from twisted.web.server import Request

from mojo.engineio.proxies import TrustedProxies
from mojo.errors import EngineError, EngineErrorCode

# A field value may hold no control character but the tab (RFC 9110 section 5.5).
# Several of these are line ends to str.splitlines, as is \x85; that one is also
# half of many UTF-8 letters, so it is refused only outside valid UTF-8.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_MAX_QUERY_FIELDS = 100


class Identity(NamedTuple):
    """
    Who a request's cookies say the visitor is.

    Attributes:
        session_id: the id in a good ``session_id`` cookie, or ``None``.
        user_id: the id in a good ``logged_in`` cookie, or ``None``.
    """

    session_id: str | None = None
    user_id: str | None = None


ANONYMOUS = Identity()

Cookies = Mapping[str, tuple[str, ...]]
Identify = Callable[[Cookies], Identity]


def identify_nobody(cookies: Cookies) -> Identity:
    """The `Identify` of a server that has no visitors' cookies."""
    return ANONYMOUS


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What any request says.

    Attributes:
        path: the URL path, still percent-encoded.
        query: the URL query's fields, each with its values in order.
        headers: header values by lower-case name.
        address: the client's IP address, or ``"unix"``.
        secure: whether the client came by https or wss.
        origin: the ``Origin`` header, or ``None`` (not a browser's cross-origin
            request); of a JSONP request, which has no such header, the page's as far
            as the browser tells it, else ``"null"``.
        host: the ``Host`` header, or ``""``.
    """

    path: str
    query: Mapping[str, tuple[str, ...]]
    headers: Mapping[str, tuple[str, ...]]
    address: str
    secure: bool
    origin: str | None
    host: str

    def get_query(self, name: str) -> str | None:
        """
        Give a query field's value, or ``None``.

        Raises:
            EngineError: the field comes more than once; we do not guess.
        """
        return _single(self.query, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake(Facts):
    """
    What is known of a client: the facts of the request that opened its connection.

    Attributes:
        cookies: cookie values by name; more than one means a planted double.
        session_id: see `Identity`.
        user_id: see `Identity`.
        issued: when the request came, in seconds of the server's clock.
        protocol: the version of Engine.IO, 4 or 3.
    """

    cookies: Cookies
    session_id: str | None
    user_id: str | None
    issued: float
    protocol: int = 4


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


def read_facts(request: Request, proxies: TrustedProxies) -> Facts:
    """
    Read a request.

    Raises:
        EngineError: a malformed URL, query or header.
    """
    headers = _read_headers(request)
    query = read_query(request.uri)
    peer = proxies.peer(request)
    origin = _single(headers, "origin")
    if origin is None and "j" in query:
        origin = _script_origin(headers)
    return Facts(
        path=_split_uri(request.uri)[0],
        query=query,
        headers=headers,
        address=peer.address,
        secure=peer.secure,
        origin=origin,
        host=_single(headers, "host") or "",
    )


def _script_origin(headers: Mapping[str, tuple[str, ...]]) -> str | None:
    """
    Tell which page a JSONP request comes from.

    Any page may load a script from anywhere, with its visitor's cookies and without an
    ``Origin``: what JSONP is for is what keeps other pages out of XMLHttpRequest.  So
    the request must show where it comes from in another way, or it is an unknown page's.
    """
    if _single(headers, "sec-fetch-site") == "same-origin":
        return None
    try:
        parts = urlsplit(_single(headers, "referer") or "")
    except ValueError:
        return "null"
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "null"


def check_origin(facts: Facts, origins: Origins) -> None:
    """
    Check that a page of that origin may connect.

    Raises:
        EngineError: it may not; the detail lists those that may.
    """
    if not origins.admits(facts.origin, facts.host, facts.secure):
        scheme = "https" if facts.secure else "http"
        expected = ", ".join((f"{scheme}://{facts.host}", *origins.listed))
        raise EngineError(
            EngineErrorCode.FORBIDDEN,
            message="Origin not allowed",
            detail=f"origin {facts.origin!r} is not one of {expected}",
        )


def open_handshake(
    facts: Facts, origins: Origins, identify: Identify, now: float, protocol: int
) -> Handshake:
    """
    Add to the facts of a request who the visitor is.

    The cookies of a page that is let in by ``"*"`` alone are not believed: they are
    its visitor's, but the page is anybody's.
    """
    cookies = read_cookies(facts.headers.get("cookie", ()))
    trusted = origins.trusts(facts.origin, facts.host, facts.secure)
    session_id, user_id = identify(cookies) if trusted else ANONYMOUS
    return Handshake(
        **{field.name: getattr(facts, field.name) for field in fields(facts)},
        cookies=cookies,
        session_id=session_id,
        user_id=user_id,
        issued=now,
        protocol=protocol,
    )


def read_query(uri: bytes) -> Mapping[str, tuple[str, ...]]:
    """
    Read the URL's query, and nothing of the body.

    ``request.args`` would not do: for a form-encoded POST twisted.web mixes the
    body's fields into it, and a body could then choose the session.

    Raises:
        EngineError: the URL is not ASCII, its escapes are not UTF-8, or it has
            more fields than any client sends.
    """
    try:
        fields = parse_qsl(
            _split_uri(uri)[1],
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_QUERY_FIELDS,
        )
    except ValueError as exc:
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail=f"malformed query: {exc}") from exc
    return _grouped(fields)


def read_cookies(headers: Iterable[str]) -> Cookies:
    """Split ``Cookie`` headers; a name that comes twice keeps both values."""
    pairs = (pair.strip().partition("=") for header in headers for pair in header.split(";"))
    return _grouped((name, value) for name, equals, value in pairs if equals and name)


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return MappingProxyType({name: tuple(values) for name, values in groups.items()})


def _read_headers(request: Request) -> Mapping[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {}
    for name, values in request.requestHeaders.getAllRawHeaders():
        for value in values:
            if _CONTROL.search(value) or (b"\x85" in value and not _is_utf8(value)):
                # The name is the peer's too, but twisted.web let only tokens pass.
                raise EngineError(
                    EngineErrorCode.BAD_REQUEST,
                    detail=f"control character in header {name.decode('latin-1')}",
                )
        headers[name.decode("latin-1").lower()] = tuple(v.decode("latin-1") for v in values)
    return MappingProxyType(headers)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _split_uri(uri: bytes) -> tuple[str, str]:
    try:
        path, _, query = uri.decode("ascii").partition("?")
    except UnicodeDecodeError as exc:
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail="URL is not ASCII") from exc
    return path, query


def _single(values_by_name: Mapping[str, tuple[str, ...]], name: str) -> str | None:
    values = values_by_name.get(name, ())
    if len(values) > 1:
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail=f"{name} comes more than once")
    return values[0] if values else None
