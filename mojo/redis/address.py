"""Where a Redis is, as a URL says it.  Pure: it connects to nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from mojo.errors import SettingsError

_PORT = 6379


class RedisAddress:
    """
    Where a Redis is, and as whom it is spoken to.

    Args:
        url: ``redis://[[user]:password@]host[:port][/database]``, the same with
            ``rediss``, which is TLS, or ``unix://[[user]:password@]/path[?db=database]``.
        setting: what names it, for the error.
        options: what may be in the URL's query besides.
    Attributes:
        options: those of them that are there.
    Raises:
        SettingsError: it is none of these; the message does not have the URL.
    """

    def __init__(self, url: str, setting: str, options: Collection[str] = ()) -> None:
        self.options: Mapping[str, str] = {}
        try:
            parts = urlsplit(url)
            self.scheme = parts.scheme
            self.host, self.port = parts.hostname or "", parts.port or _PORT
            self.username = unquote(parts.username) if parts.username else None
            self.password = unquote(parts.password) if parts.password else None
            given = parse_qs(parts.query, keep_blank_values=True)
            query = {name: values[-1] for name, values in given.items()}
            if self.scheme == "unix":
                self.path, database = parts.path, query.pop("db", "0")
            else:
                self.path, database = "", parts.path.strip("/") or "0"
            self.database = int(database)
            # No option that somebody wrote there is passed over.
            unknown = sorted(query.keys() - set(options))
            good = bool(self.path if self.scheme == "unix" else self.host) and not parts.fragment
        except ValueError:
            good = False
        if not good or (unknown and not options) or self.scheme not in ("redis", "rediss", "unix"):
            forms = (
                "redis://[user:password@]host[:port][/db], rediss://... or "
                "unix://[user:password@]/path[?db=number]"
            )
            raise SettingsError([f"{setting} is no URL of a Redis: {forms}"])
        if unknown:
            known = ", ".join(options)
            raise SettingsError([f"{setting} has {unknown[0]!r} in its query; known are: {known}"])
        self.options = query

    def __repr__(self) -> str:
        return f"<RedisAddress {self}>"

    def __str__(self) -> str:
        # Without the password, and the name that it is of.
        if self.scheme == "unix":
            return f"unix://{self.path}?db={self.database}"
        return f"{self.scheme}://{self.host}:{self.port}/{self.database}"
