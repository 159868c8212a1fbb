"""
The facts of a request: query, headers, cookies, address, origin.

They are taken from the request that was checked and from nowhere else.  Autobahn would
parse the headers a second time, with other ideas about where a line ends, so what
it is given is built anew by `mojo.engineio.transports.opening` and holds nothing that
came from here unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import NamedTuple
from urllib.parse import parse_qsl

from mojo.credential import Credential
from mojo.engineio.head import Fields, read_fields, single
from mojo.engineio.origins import script_origin
from mojo.errors import EngineError, EngineErrorCode

_MAX_QUERY_FIELDS = 100

# A query with nothing to decode, as most are; see `read_query`.
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9_.~=&:/,-]*")


class Identity(NamedTuple):
    """
    Who a request's cookies say the visitor is.

    Attributes:
        session_id: the id in a good ``session_id`` cookie, or ``None``.
        user_id: the id in a good ``logged_in`` cookie, or ``None``.
        credential: what that login rests on, if whoever identifies knows.
    """

    session_id: str | None = None
    user_id: str | None = None
    credential: Credential | None = None

    def __repr__(self) -> str:
        # Without the session's id, which is nobody else's business.
        return f"<Identity of {self.user_id!r}>"


ANONYMOUS = Identity()

Cookies = Mapping[str, tuple[str, ...]]
Identify = Callable[[Cookies], Identity]


def identify_nobody(cookies: Cookies) -> Identity:
    """The `Identify` of a server that has no visitors' cookies."""
    return ANONYMOUS


class Facts:
    """
    What any request says; never changed once it was made.

    The URL and the headers are kept as the bytes that they came as, and read when they are
    asked for: an idle connection keeps its handshake for ever, and this way it is a
    seventh of the size (`mojo.engineio.head`).

    Attributes:
        uri: the request's target, as it came.
        head: its header fields, see `read_fields`.
        address: the client's IP address, or ``"unix"``.
        secure: whether the client came by https or wss.
    """

    __slots__ = ("address", "head", "secure", "uri")

    def __init__(self, uri: bytes, head: bytes, address: str, secure: bool) -> None:
        self.uri = uri
        self.head = head
        self.address = address
        self.secure = secure

    def __repr__(self) -> str:
        # Neither query nor headers: there are secrets among them.
        return f"<{type(self).__name__} from {self.address} on {self.path}>"

    @property
    def path(self) -> str:
        """The URL path, still percent-encoded."""
        return _split_uri(self.uri)[0]

    @property
    def query(self) -> Fields:
        """The URL query's fields, each with its values in order."""
        return read_query(self.uri)

    @property
    def headers(self) -> Fields:
        """The header values by lower-case name."""
        return read_fields(self.head)

    @property
    def origin(self) -> str | None:
        """
        The ``Origin`` header, or ``None`` (not a browser's cross-origin request).

        Of a JSONP request, which has no such header, the page's as far as the browser tells
        it, else ``"null"``.
        """
        headers = self.headers
        origin = single(headers, "origin")
        return script_origin(headers) if origin is None and "j" in self.query else origin

    @property
    def host(self) -> str:
        """The ``Host`` header, or ``""``."""
        return single(self.headers, "host") or ""

    def get_query(self, name: str) -> str | None:
        """
        Give a query field's value, or ``None``.

        Raises:
            EngineError: the field comes more than once; we do not guess.
        """
        return single(self.query, name)


class Handshake(Facts):
    """
    What is known of a client: the facts of the request that opened its connection.

    Attributes:
        session_id: see `Identity`.
        user_id: see `Identity`.
        credential: see `Identity`.
        issued: when the request came, in seconds of the server's clock.
        protocol: the version of Engine.IO, 4 or 3.
    """

    __slots__ = ("credential", "issued", "protocol", "session_id", "user_id")

    def __init__(
        self,
        uri: bytes,
        head: bytes,
        address: str,
        secure: bool,
        *,
        identity: Identity,
        issued: float,
        protocol: int = 4,
    ) -> None:
        super().__init__(uri, head, address, secure)
        self.session_id, self.user_id, self.credential = identity
        self.issued = issued
        self.protocol = protocol

    @property
    def identity(self) -> Identity:
        """Who the visitor is."""
        return Identity(self.session_id, self.user_id, self.credential)

    def moved(self, session_id: str) -> Handshake:
        """Give the same for a visitor who has another id by now."""
        other = copy(self)
        other.session_id = session_id
        return other

    @property
    def cookies(self) -> Cookies:
        """Cookie values by name; more than one means a planted double."""
        return read_cookies(self.headers.get("cookie", ()))


def read_query(uri: bytes) -> Fields:
    """
    Read the URL's query, and nothing of the body.

    ``request.args`` would not do: for a form-encoded POST twisted.web mixes the
    body's fields into it, and a body could then choose the session.

    Raises:
        EngineError: the URL is not ASCII, its escapes are not UTF-8, or it has
            more fields than any client sends.
    """
    query = _split_uri(uri)[1]
    if _PLAIN_QUERY.fullmatch(query) and query.count("&") < _MAX_QUERY_FIELDS:
        # What `parse_qsl` would do without anything to decode, in a third of its 9 µs.
        plain = [field.partition("=") for field in query.split("&") if field]
        groups = {name: (value,) for name, _, value in plain}
        if len(groups) == len(plain):
            return groups
        return _grouped((name, value) for name, _, value in plain)
    try:
        fields = parse_qsl(
            query,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_QUERY_FIELDS,
        )
    except ValueError as exc:
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail=f"malformed query: {exc}") from exc
    return _grouped(fields)


def read_cookies(headers: Iterable[str]) -> Cookies:
    """Split ``Cookie`` headers; a name that comes twice keeps both values."""
    # Spaces and tabs alone (RFC 6265 section 5.2): str.strip would make of a name with \x85 or
    # \xa0 before it, which any host of the domain can set, one with the prefix ``__Host-``.
    cookies: dict[str, tuple[str, ...]] = {}
    for header in headers:
        for pair in header.split(";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if equals and name:
                before = cookies.get(name)
                cookies[name] = (value,) if before is None else (*before, value)
    return cookies


def _grouped(pairs: Iterable[tuple[str, str]]) -> Fields:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in groups.items()}


def _split_uri(uri: bytes) -> tuple[str, str]:
    try:
        path, _, query = uri.decode("ascii").partition("?")
    except UnicodeDecodeError as exc:
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail="URL is not ASCII") from exc
    return path, query
