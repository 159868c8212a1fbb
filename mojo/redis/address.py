"""Where a Redis is, as a URL says it.  Pure: it connects to nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from urllib.parse import parse_qs, unquote, urlsplit

from mojo.errors import SettingsError

_PORT, _SENTINEL_PORT = 6379, 26379
_FORMS = (
    "redis://[user:password@]host[:port][/db], rediss://..., "
    "unix://[user:password@]/path[?db=number] "
    "or redis+sentinel://[user:password@]host[:port][,host[:port]...]/master[/db]"
)
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")


class RedisAddress:
    """
    Where a Redis is, and as whom it is spoken to.

    Args:
        url: ``redis://[[user]:password@]host[:port][/database]``, the same with
            ``rediss``, which is TLS, or ``unix://[[user]:password@]/path[?db=database]``; or
            ``redis+sentinel://[[user]:password@]host[:port][,...]/master[/database]``, with
            ``sentinel_username`` and ``sentinel_password`` in its query, and the same with
            ``rediss+sentinel``.
        setting: what names it, for the error.
        options: what may be in the URL's query besides.
    Attributes:
        scheme: ``"redis"``, ``"rediss"`` or ``"unix"``.
        master: what sentinels call the server; ``""`` where it is named by no sentinel.
        sentinels: where these are, if it is.
        options: those of the options that are there.
    Raises:
        SettingsError: it is none of these; the message does not have the URL.
    """

    def __init__(self, url: str, setting: str, options: Collection[str] = ()) -> None:
        self.options: Mapping[str, str] = {}
        self.master = ""
        self.sentinels: tuple[RedisAddress, ...] = ()
        try:
            unknown = self._read(url, options)
        except ValueError:
            unknown = None
        if unknown is None or (unknown and not options):
            raise SettingsError([f"{setting} is no URL of a Redis: {_FORMS}"])
        if unknown:
            known = ", ".join(options)
            raise SettingsError([f"{setting} has {unknown[0]!r} in its query; known are: {known}"])

    def _read(self, url: str, options: Collection[str]) -> list[str] | None:
        """Give what of its query is not known; ``None`` if it is no URL of a Redis."""
        scheme, separator, rest = url.partition("+sentinel://")
        hosts: list[str] = []
        if separator:
            # Of several hosts the first will do to read the rest.
            authority, slash, rest = rest.partition("/")
            login, at, listed = authority.rpartition("@")
            hosts = listed.split(",")
            url = f"{scheme}://{login}{at}{hosts[0]}{slash}{rest}"
        parts = urlsplit(url)
        self.scheme = parts.scheme
        self.host, self.port = parts.hostname or "", parts.port or _PORT
        self.username = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password) if parts.password else None
        given = parse_qs(parts.query, keep_blank_values=True)
        query = {name: values[-1] for name, values in given.items()}
        self.path, database = "", parts.path.strip("/") or "0"
        if hosts:
            self.master, database = _master_of(database)
        elif self.scheme == "unix":
            self.path, database = parts.path, query.pop("db", "0")
        self.database = int(database)
        if hosts:
            names = [query.pop(name, "") or None for name in _SENTINEL_OPTIONS]
            self.sentinels = tuple(self._sentinel(host, *names) for host in hosts)
        self.options = query
        good = (
            self.scheme in (("redis", "rediss") if hosts else ("redis", "rediss", "unix"))
            and bool(self.path if self.scheme == "unix" else self.host)
            and not parts.fragment
        )
        # No option that somebody wrote there is passed over.
        return sorted(query.keys() - set(options)) if good else None

    def _sentinel(self, host: str, username: str | None, password: str | None) -> RedisAddress:
        parts = urlsplit(f"//{host}")
        if not parts.hostname or parts.path or parts.username is not None:
            raise ValueError("no host")
        sentinel = self.at(parts.hostname, parts.port or _SENTINEL_PORT)
        sentinel.username, sentinel.password, sentinel.database = username, password, 0
        return sentinel

    def at(self, host: str, port: int) -> RedisAddress:
        """Give the address of the server that is there, spoken to in the same way."""
        found = copy(self)
        found.host, found.port, found.master, found.sentinels = host, port, "", ()
        return found

    def __repr__(self) -> str:
        return f"<RedisAddress {self}>"

    def __str__(self) -> str:
        # Without the password, and the name that it is of.
        if self.scheme == "unix":
            return f"unix://{self.path}?db={self.database}"
        if self.master:
            hosts = ",".join(f"{one.host}:{one.port}" for one in self.sentinels)
            return f"{self.scheme}+sentinel://{hosts}/{self.master}/{self.database}"
        return f"{self.scheme}://{self.host}:{self.port}/{self.database}"


def _master_of(path: str) -> tuple[str, str]:
    """
    Give the master's name and the database of ``master``, ``master/0`` or ``0/master``.

    Raises:
        ValueError: there is no name, or more than these two.
    """
    first, slash, second = path.partition("/")
    if not slash:
        second = "0"
    if not second.isdigit():
        # As python-socketio has it.
        first, second = second, first
    if not first or "/" in first or (first == "0" and not slash):
        raise ValueError("no master")
    return unquote(first), second
