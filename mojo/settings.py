"""
The settings of a project: their names, their defaults, and what makes them wrong.

All problems are found at once, and each names its setting.  Times are in seconds and
sizes in bytes.  Pure: a mapping comes in, a `Settings` comes out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from mojo import checks
from mojo.checked import Checked, setting, take_good
from mojo.errors import SettingsError

_DEFAULT_LISTEN = "tcp:8000:interface=127.0.0.1"
_TRANSPORTS = ("polling", "websocket")
_OVERFLOWS = ("close", "drop_volatile", "drop_oldest")
# RFC 9110 section 5.6.2, which a cookie's name must be.
_COOKIE_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Ids stand in URLs and in proxies' patterns.
_SID_PREFIX = r"[A-Za-z0-9._-]{0,50}"


_RECOVERY = {
    "max_disconnection": checks.number("seconds", above=0.001),
    "max_packets": checks.count("packets", least=1),
    "max_bytes": checks.count("bytes", least=1),
    "max_sessions": checks.count("sessions", least=1),
}


_TRIES = {
    "account": checks.count("tries", least=1),
    "address": checks.count("tries", least=1),
    "window": checks.number("seconds", above=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketIOSettings(Checked):
    """
    The ``SOCKET_IO`` setting.  The attributes are its keys, in the reference's names.

    Attributes:
        path: the shared URL path.
        transports: which transports are served.
        ping_interval: seconds from one heartbeat to the next.
        ping_timeout: seconds to answer a heartbeat.
        upgrade_timeout: seconds for a move from long-polling to WebSocket.
        connect_timeout: seconds to join a first namespace.
        close_timeout: seconds to fetch what is owed after a close.
        max_payload: most bytes of a message.
        max_buffered: most bytes that wait for a client to take them.
        overflow: what happens then: ``"close"``, ``"drop_volatile"``, ``"drop_oldest"``.
        allow_upgrades: whether long-polling may move to WebSocket.
        http_compression: least bytes of a response that is compressed; 0 is never.
        per_message_deflate: whether WebSocket messages may be compressed: ``True``,
            ``False``, or a dict of the extension's options.
        cookie: the name of a cookie with the id of the Engine.IO session, or a dict of its
            attributes; ``None`` for none.
        sid_prefix: how the ids of Engine.IO sessions begin, for a proxy.
        allow_request: a function that may refuse a client before it connects.
        generate_id: a function that makes the ids of Engine.IO sessions.
        initial_headers: a function that adds headers to the answer to a handshake.
        headers: a function that adds headers to every answer.
        connection_error: a function that learns of refused requests.
        allow_eio3: whether Socket.IO 2 clients are served too.
        max_attachments: most binary attachments of a packet.
        attachment_timeout: seconds from one attachment to the next.
        max_unjoined: most clients that have joined no namespace yet.
        max_queued_events: events of a connection that wait before it is not read.
        parser: the format of the packets: ``"json"``, ``"msgpack"``, or a parser or the
            dotted path of one.
        encoder: makes something that can be sent of what cannot: ``"common"``, or a function
            or its dotted path; ``None`` for none.
        max_namespaces: most namespaces of one client.
        slow_handler: seconds after which the handling of an event is logged; 0 is never.
        cleanup_empty_namespaces: whether a namespace made on demand goes when it is empty.
        idempotency_window: seconds for which an event that is handled once is remembered.
        max_idempotent_events: most of them that a namespace remembers.
        recovery: whether clients that come back find their connection again, and what that may
            cost: a dict with ``max_disconnection`` (seconds), ``max_packets``, ``max_bytes`` and
            ``max_sessions``, any of them; ``None`` for no.
        serve_client: whether the browser's client is served below ``path``.
        client_path: the folder of ``socket.io.js``; by default the project's
            ``node_modules/socket.io-client/dist``.
    """

    label: ClassVar[Callable[[str], str]] = "SOCKET_IO[{!r}]".format

    path: str = setting("/socket.io/", checks.path)
    transports: Sequence[str] = setting(
        _TRANSPORTS, checks.texts("transports", checks.one_of(*_TRANSPORTS), least=1)
    )
    ping_interval: float = setting(25.0, checks.number("seconds", above=0.001))
    ping_timeout: float = setting(20.0, checks.number("seconds", above=0.001))
    upgrade_timeout: float = setting(10.0, checks.number("seconds", above=0.001))
    connect_timeout: float = setting(45.0, checks.number("seconds", above=0.001))
    close_timeout: float = setting(30.0, checks.number("seconds", above=0.001))
    max_payload: int = setting(1_000_000, checks.count("bytes", least=1))
    max_buffered: int = setting(16_000_000, checks.count("bytes", least=1))
    overflow: str = setting("close", checks.one_of(*_OVERFLOWS))
    allow_upgrades: bool = setting(True, checks.is_a(bool, "True or False"))
    http_compression: int = setting(1024, checks.count("bytes", least=0))
    per_message_deflate: object = setting(
        False,
        checks.either(
            bool,
            checks.keys(
                "True, False or a dict",
                threshold=checks.count("bytes", least=0),
                server_no_context_takeover=checks.flag,
                client_no_context_takeover=checks.flag,
                server_max_window_bits=checks.within("bits", 9, 15),
                client_max_window_bits=checks.within("bits", 9, 15),
                mem_level=checks.within("levels", 1, 9),
            ),
        ),
    )
    cookie: object = setting(
        None,
        checks.optional(
            checks.either(
                str,
                checks.keys(
                    "a name, a dict or None",
                    name=checks.matching(_COOKIE_NAME, "a cookie's name"),
                    path=checks.matching(r"/[\x21-\x3a\x3c-\x7e]*", "a path"),
                    http_only=checks.flag,
                    same_site=checks.matching("lax|strict|none", "'lax', 'strict' or 'none'"),
                    secure=checks.optional(checks.flag),
                    max_age=checks.optional(checks.count("seconds", least=0)),
                    domain=checks.optional(checks.matching(r"[A-Za-z0-9.-]+", "a domain")),
                ),
                of_first=checks.matching(_COOKIE_NAME, "a cookie's name"),
            )
        ),
    )
    sid_prefix: str = setting(
        "", checks.matching(_SID_PREFIX, "up to 50 letters, digits, dots, dashes or underscores")
    )
    allow_request: object = setting(None, checks.optional(checks.function))
    generate_id: object = setting(None, checks.optional(checks.function))
    initial_headers: object = setting(None, checks.optional(checks.function))
    headers: object = setting(None, checks.optional(checks.function))
    connection_error: object = setting(None, checks.optional(checks.function))
    allow_eio3: bool = setting(False, checks.is_a(bool, "True or False"))
    max_attachments: int = setting(10, checks.count("attachments", least=0))
    attachment_timeout: float = setting(60.0, checks.number("seconds", above=0.001))
    max_unjoined: int = setting(10_000, checks.count("clients", least=1))
    max_queued_events: int = setting(100, checks.count("events", least=1))
    parser: object = setting("json", checks.named("json", "msgpack"))
    encoder: object = setting(None, checks.named("common"))
    max_namespaces: int = setting(100, checks.count("namespaces", least=1))
    slow_handler: float = setting(1.0, checks.number("seconds"))
    cleanup_empty_namespaces: bool = setting(False, checks.is_a(bool, "True or False"))
    idempotency_window: float = setting(600.0, checks.number("seconds", above=0.001))
    max_idempotent_events: int = setting(10_000, checks.count("events", least=1))
    recovery: Mapping[str, float] | None = setting(None, checks.optional(checks.table(_RECOVERY)))
    serve_client: bool = setting(True, checks.is_a(bool, "True or False"))
    client_path: str | None = setting(None, checks.optional(checks.is_a(str, "a path")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Checked):
    """
    A project's settings.  The attributes are their names in lower case.

    Attributes:
        debug: whether weak secrets are let pass and errors are shown to visitors.
        project_name: what the banner and the log call it; by default the folder's name.
        listen: endpoint strings: ``["tcp:8000", "unix:/run/mojo.sock"]``.
        listen_port: a port on all addresses, in place of ``listen``.
        cookie_secret: what the keys of the cookies are derived from.
        cookie_secret_fallbacks: earlier secrets, still good for opening.
        cookie_secret_file: a file in the project with a secret in each line, the newest
            first, in place of both.
        cookie_signer: what seals and opens the cookies in place of a `Signer`, see
            `CookieSigner`, or its dotted path.
        session_max_age: seconds that a ``session_id`` cookie is good.
        session_store: where what is kept of visitors is: ``"memory"``, ``"cookie"``, a URL
            of Redis, or a `SessionStore` or its dotted path.
        session_max_size: most bytes of one session's JSON.
        session_memory: most bytes of all sessions in memory.
        login_max_age: seconds that a ``logged_in`` cookie is good.
        login_from: readers of logins that others have given out, see `mojo.auth`.
        login_tries: how often a password may be tried: a dict with ``account`` and
            ``address`` (tries) and ``window`` (seconds), any of them.
        load_user: a function that makes a user of a user id, or its dotted path.
        load_roles: a function that gives a user's roles, or its dotted path.
        user_max_age: seconds after which a connection's user is loaded again.
        on_user_online: a function that learns of a user who has come, or its dotted path.
        on_user_offline: a function that learns of a user who has gone, or its dotted path.
        presence_grace: seconds for which somebody whose connection broke is not gone.
        max_last_seen: most users who are not online, of whom is known when they were.
        installed_apps: the folders under ``Apps/`` that are served, in this order; by
            default all of them, by name.
        static_path: the folder of static files, in the project; ``None`` for none.
        template_path: the folder of the project's own templates, in the project;
            ``None`` for none.
        login_url: the path or URL where pages send who has to log in.
        trusted_proxies: whose ``X-Forwarded-*`` headers are believed.
        allowed_origins: other origins whose pages may connect.
        max_body: most bytes of a request to a page.
        drain_seconds: seconds over which the clients of a stopping service leave.
        health_path: the URL path where it is said that the service lives; ``None`` for none.
        ready_path: the URL path where it is said whether new clients are welcome, likewise.
        ready_without_cluster: whether they are while the other servers of the cluster cannot be
            reached.
        redis: the URL of the Redis through which this server and others are one cluster; see
            `mojo.cluster`.
        workers: how many processes ``twistd mojo`` serves the project by; ``"auto"`` for one
            on each processor.
        worker_timeout: seconds after which a worker whose reactor does not turn is ended, and
            followed by another one; ``None`` for never.
        cluster_heartbeat: seconds between two signs of life to the other servers.
        socket_io: see `SocketIOSettings`.
    """

    debug: bool = setting(False, checks.is_a(bool, "True or False"))
    project_name: str = setting("", checks.is_a(str, "text"))
    listen: Sequence[str] = setting((), checks.texts("endpoint strings"))
    listen_port: int | None = setting(None, checks.optional(checks.count("port", least=0)))
    cookie_secret: str = setting("", checks.is_a(str, "text"), shown=False)
    cookie_secret_fallbacks: Sequence[str] = setting((), checks.texts("secrets"), shown=False)
    cookie_secret_file: str | None = setting(None, checks.optional(checks.is_a(str, "a path")))
    cookie_signer: object = setting(None, checks.optional(checks.named()), shown=False)
    session_max_age: float = setting(365 * 86400.0, checks.number("seconds", above=1))
    session_store: object = setting("memory", checks.session_store, shown=False)
    session_max_size: int = setting(64_000, checks.count("bytes", least=1))
    session_memory: int = setting(64_000_000, checks.count("bytes", least=1))
    login_max_age: float = setting(14 * 86400.0, checks.number("seconds", above=1))
    login_from: Sequence[Any] = setting((), checks.having("from_cookies", "from_auth"))
    login_tries: Mapping[str, float] = setting({}, checks.table(_TRIES))
    load_user: object = setting(None, checks.optional(checks.function))
    load_roles: object = setting(None, checks.optional(checks.function))
    user_max_age: float = setting(60.0, checks.number("seconds"))
    on_user_online: object = setting(None, checks.optional(checks.function))
    on_user_offline: object = setting(None, checks.optional(checks.function))
    presence_grace: float = setting(10.0, checks.number("seconds"))
    max_last_seen: int = setting(100_000, checks.count("users", least=0))
    installed_apps: Sequence[str] | None = setting(None, checks.optional(checks.texts("app names")))
    static_path: str | None = setting("static", checks.folder)
    template_path: str | None = setting("templates", checks.folder)
    login_url: str = setting("/login", checks.url)
    trusted_proxies: Sequence[str] = setting((), checks.texts("proxies", checks.proxy))
    allowed_origins: Sequence[str] = setting((), checks.texts("origins", checks.origin))
    max_body: int = setting(10_000_000, checks.count("bytes", least=0))
    drain_seconds: float = setting(5.0, checks.number("seconds"))
    health_path: str | None = setting(None, checks.optional(checks.path))
    ready_path: str | None = setting(None, checks.optional(checks.path))
    ready_without_cluster: bool = setting(True, checks.is_a(bool, "True or False"))
    redis: str | None = setting(None, checks.optional(checks.redis_url), shown=False)
    workers: int | str = setting(
        1,
        checks.either(
            str,
            checks.within("processes", 1, 1000),
            of_first=checks.matching("auto", "a number of processes or 'auto'"),
        ),
    )
    worker_timeout: float | None = setting(60.0, checks.optional(checks.number("seconds", above=1)))
    cluster_heartbeat: float = setting(5.0, checks.number("seconds", above=1))
    socket_io: SocketIOSettings = field(default_factory=SocketIOSettings)

    @property
    def endpoints(self) -> Sequence[str]:
        """Where to listen, as endpoint strings."""
        if self.listen:
            return self.listen
        return (_DEFAULT_LISTEN,) if self.listen_port is None else (f"tcp:{self.listen_port}",)


def read_settings(
    values: Mapping[str, Any],
    overrides: Iterable[tuple[str, Any]] = (),
    *,
    source: str = "",
    weakness_of: Callable[[str], str | None] = lambda _: None,
) -> Settings:
    """
    Make the settings from a project's upper-case names.

    Args:
        values: a module's names and their values; names that are not all upper-case
            are the project's own business.
        overrides: names and values that replace them; ``SOCKET_IO.path`` is one key.
        source: the file they came from, for the error.
        weakness_of: says what is wrong with a secret.
    Raises:
        SettingsError: with every problem there is.
    """
    problems: list[str] = []
    upper = {name: value for name, value in values.items() if name.isupper() and name[0] != "_"}
    _override(upper, overrides, problems)
    socket_io = upper.pop("SOCKET_IO", {})
    given = take_good(Settings, {name.lower(): upper[name] for name in upper}, problems)
    if isinstance(socket_io, Mapping):
        sockets = take_good(SocketIOSettings, dict(socket_io), problems, strict=True)
        given["socket_io"] = SocketIOSettings(**sockets)
    else:
        problems.append(f"SOCKET_IO must be a dict, not {checks.kind_of(socket_io)}")
    settings = Settings(**given)
    problems += _secret_problems(settings, weakness_of)
    if settings.listen and settings.listen_port is not None:
        problems.append("LISTEN and LISTEN_PORT cannot both be set")
    if settings.listen_port is not None and settings.listen_port > 65535:
        problems.append(f"LISTEN_PORT must be a port, not {settings.listen_port}")
    if problems:
        raise SettingsError(problems, source)
    return settings


def parse_override(text: str) -> tuple[str, Any]:
    """
    Read ``NAME=VALUE`` of the command line.

    Args:
        text: the value is a Python literal, or else plain text; a name such as
            ``SOCKET_IO.ping_interval`` is one key of a dict.
    Raises:
        SettingsError: there is no ``=``, or no name before it.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SettingsError([f"{text!r} is not NAME=VALUE"])
    try:
        return name.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return name.strip(), value


def _override(
    values: dict[str, Any], overrides: Iterable[tuple[str, Any]], problems: list[str]
) -> None:
    known = {f.name.upper() for f in fields(Settings)}
    overrides = list(overrides)
    # What has two names: the one that is given replaces both.
    for names in ({"LISTEN", "LISTEN_PORT"}, {"COOKIE_SECRET", "COOKIE_SECRET_FILE"}):
        if names & {name for name, _ in overrides}:
            for name in names:
                values.pop(name, None)
    for name, value in overrides:
        outer, dot, key = name.partition(".")
        if outer not in known and outer not in values:
            problems.append(f"{outer} is no setting of Mojo")
        elif not dot:
            values[name] = value
        elif isinstance(values.setdefault(outer, {}), Mapping):
            values[outer] = {**values[outer], key: value}
        else:
            problems.append(f"{outer} is no dict that could have a key {key!r}")


def check_secrets(settings: Settings, weakness_of: Callable[[str], str | None]) -> None:
    """
    Check that the cookies are safe.

    Raises:
        SettingsError: without ``DEBUG`` a secret is weak, or there is none.
    """
    problems = list(_secret_problems(settings, weakness_of))
    if problems:
        raise SettingsError(problems)


def _secret_problems(settings: Settings, weakness_of: Callable[[str], str | None]) -> Iterable[str]:
    if settings.cookie_secret_file and (settings.cookie_secret or settings.cookie_secret_fallbacks):
        yield "COOKIE_SECRET_FILE is in place of COOKIE_SECRET: they cannot both be set"
    if settings.debug:
        return
    if settings.cookie_secret:
        if (weakness := weakness_of(settings.cookie_secret)) is not None:
            yield f"COOKIE_SECRET is too weak: it {weakness}"
    elif settings.cookie_secret_file is None and settings.cookie_signer is None:
        yield "COOKIE_SECRET is not set (only with DEBUG = True is one made up at each start)"
    for number, secret in enumerate(settings.cookie_secret_fallbacks):
        if (weakness := weakness_of(secret)) is not None:
            yield f"COOKIE_SECRET_FALLBACKS[{number}] is too weak: it {weakness}"
