"""What a handler is told of the client: the handshake's facts and its ``auth`` payload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, overload

from mojo.engineio.handshake import Handshake


class Headers(Mapping[str, str]):
    """HTTP headers by name in any case; several of one name are joined with commas."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class SocketRequest:
    """
    The request behind a connection, as ``on_open`` gets it.

    The names are TornadIO2's and Node's: ``ip``, ``arguments``, ``cookies``,
    ``get_argument``, ``get_cookie``; ``query``, ``headers``, ``address``, ``auth``,
    ``secure``, ``issued``.

    Attributes:
        auth: what the client gave as ``auth``, an object; ``{}`` if nothing.  Of a
            Socket.IO 2 client, the query of the namespace's name.
        handshake: the facts behind the other attributes.
        recovered: whether the client has come back to the connection that it had.
        user_id: the login when the client connected here; ``None`` if it had logged out
            since the handshake.
    """

    __slots__ = ("_more_query", "auth", "handshake", "recovered", "user_id")

    def __init__(
        self,
        handshake: Handshake,
        auth: dict[str, Any],
        user_id: str | None,
        query: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._more_query = query
        self.handshake = handshake
        self.auth = auth
        self.recovered = False
        self.user_id = user_id

    def __repr__(self) -> str:
        # Neither auth nor cookies nor query: there are secrets among them.
        return f"<SocketRequest from {self.address} on {self.path}>"

    @property
    def facts(self) -> dict[str, Any]:
        """What may be told of the request elsewhere: nothing that may be secret."""
        return {
            "address": self.address,
            "issued": self.issued,
            "path": self.path,
            # Not a namespace's query, which is a Socket.IO 2 client's auth.
            "query": {name: values[-1] for name, values in self.handshake.query.items()},
            "secure": self.secure,
        }

    @property
    def path(self) -> str:
        """The URL path of the mount, such as ``"/socket.io/"``."""
        return self.handshake.path

    @property
    def address(self) -> str:
        """The client's IP address, past trusted proxies, or ``"unix"``."""
        return self.handshake.address

    ip = address

    @property
    def secure(self) -> bool:
        """Whether the client came by https or wss."""
        return self.handshake.secure

    @property
    def origin(self) -> str | None:
        """The ``Origin`` header of the page, if it sent one."""
        return self.handshake.origin

    @property
    def issued(self) -> float:
        """When the client came, in seconds of the server's clock."""
        return self.handshake.issued

    @property
    def session_id(self) -> str | None:
        """The visitor, as the handshake's cookies had it."""
        return self.handshake.session_id

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return Headers(self.handshake.headers)

    @property
    def arguments(self) -> Mapping[str, tuple[str, ...]]:
        """The URL query's fields with all their values."""
        query = self.handshake.query
        # In Socket.IO 2 the namespace's query came with the URL's.
        return {**query, **self._more_query} if self._more_query else query

    @property
    def query(self) -> dict[str, str]:
        """The URL query's fields, each with its last value."""
        return {name: values[-1] for name, values in self.arguments.items()}

    @property
    def cookies(self) -> dict[str, str]:
        """The raw cookies, each with its first value."""
        return {name: values[0] for name, values in self.handshake.cookies.items()}

    @overload
    def get_argument(self, name: str) -> str | None: ...
    @overload
    def get_argument(self, name: str, default: str) -> str: ...
    def get_argument(self, name: str, default: str | None = None) -> str | None:
        """Give a field of the URL's query, its last value if it has several."""
        values = self.arguments.get(name)
        return values[-1] if values else default

    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """Give a raw cookie."""
        values = self.handshake.cookies.get(name)
        return values[0] if values else default
