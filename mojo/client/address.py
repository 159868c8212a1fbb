"""
Where a server is: a client's URL taken apart, and the URLs of its requests.

As in the official client, the path of the URL is a namespace, and the path of the
server's endpoint is an option: ``http://example.com/admin`` is the namespace ``/admin``
at ``http://example.com/socket.io/``.  Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_PROTOCOL_VERSION = "4"


@dataclass(frozen=True, slots=True)
class Address:
    """
    A server's address.

    Attributes:
        secure: whether to speak TLS.
        host: its name or IP address, an IPv6 one without brackets.
        port: its port.
        path: the endpoint's path, with a slash at the end.
        query: what each request's query holds beside the protocol's own fields.
        namespace: the namespace that the URL named, ``"/"`` if none.
    """

    secure: bool
    host: str
    port: int
    path: str
    query: tuple[tuple[str, str], ...]
    namespace: str

    def __str__(self) -> str:
        # For logs: without the query, where tokens are.
        return f"{self.netloc}{self.path}"

    @property
    def netloc(self) -> str:
        """Host and port, as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def root(self) -> str:
        """The URL of the host."""
        return f"{'https' if self.secure else 'http'}://{self.netloc}/"

    def resource(self, transport: str, eid: str | None) -> str:
        """Give path and query of a request."""
        fields = [*self.query, ("EIO", _PROTOCOL_VERSION), ("transport", transport)]
        if eid is not None:
            fields.append(("sid", eid))
        return f"{self.path}?{urlencode(fields)}"


def parse_url(url: str, path: str, query: Mapping[str, str]) -> Address:
    """
    Take a client's URL apart.

    Args:
        url: ``http``, ``https``, ``ws`` or ``wss``.
        path: the path of the server's endpoint.
        query: fields of the query, beside those of the URL and before them.
    Raises:
        ValueError: it is no such URL.  The message does not repeat it: a URL may hold
            a token.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError("a server's URL begins with http://, https://, ws:// or wss://")
    if not parts.hostname:
        raise ValueError("a server's URL names a host")
    if parts.username is not None:
        raise ValueError("a server's URL holds no user: give credentials as auth or as headers")
    fields = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **query}
    return Address(
        secure=parts.scheme in ("https", "wss"),
        host=parts.hostname.encode("idna").decode("ascii"),
        port=_PORTS[parts.scheme] if parts.port is None else parts.port,
        path=quote("/" + path.strip("/"), safe="/%").rstrip("/") + "/",
        query=tuple(fields.items()),
        namespace=parts.path or "/",
    )
