"""
The settings of a project: their names, their defaults, and what makes them wrong.

All problems are found at once, and each names its setting.  Times are in seconds and
sizes in bytes.  Pure: a mapping comes in, a `Settings` comes out.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

from mojo import checks
from mojo.checks import Check
from mojo.errors import SettingsError

_DEFAULT_LISTEN = "tcp:8000:interface=127.0.0.1"
_TRANSPORTS = ("polling", "websocket")
_OVERFLOWS = ("close", "drop_volatile", "drop_oldest")
# RFC 9110 section 5.6.2, which a cookie's name must be.
_COOKIE_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


_RECOVERY = {
    "max_disconnection": checks.number("seconds", above=0.001),
    "max_packets": checks.count("packets", least=1),
    "max_bytes": checks.count("bytes", least=1),
    "max_sessions": checks.count("sessions", least=1),
}


def _setting(default: Any, check: Check, *, shown: bool = True) -> Any:
    metadata = {"check": check}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata, repr=shown)


class _Checked:
    """Settings that are right from the start, also those that are made in code."""

    __slots__ = ()

    def __post_init__(self) -> None:
        problems: list[str] = []
        label = str.upper if isinstance(self, Settings) else _key_label
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            problem = _problem_of(f, value)
            if problem is not None:
                problems.append(f"{label(f.name)} {problem}")
            elif isinstance(value, list):
                object.__setattr__(self, f.name, tuple(value))
        if problems:
            raise SettingsError(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketIOSettings(_Checked):
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

    path: str = _setting("/socket.io/", checks.path)
    transports: Sequence[str] = _setting(
        _TRANSPORTS, checks.texts("transports", checks.one_of(*_TRANSPORTS), least=1)
    )
    ping_interval: float = _setting(25.0, checks.number("seconds", above=0.001))
    ping_timeout: float = _setting(20.0, checks.number("seconds", above=0.001))
    upgrade_timeout: float = _setting(10.0, checks.number("seconds", above=0.001))
    connect_timeout: float = _setting(45.0, checks.number("seconds", above=0.001))
    close_timeout: float = _setting(30.0, checks.number("seconds", above=0.001))
    max_payload: int = _setting(1_000_000, checks.count("bytes", least=1))
    max_buffered: int = _setting(16_000_000, checks.count("bytes", least=1))
    overflow: str = _setting("close", checks.one_of(*_OVERFLOWS))
    allow_upgrades: bool = _setting(True, checks.is_a(bool, "True or False"))
    http_compression: int = _setting(1024, checks.count("bytes", least=0))
    per_message_deflate: object = _setting(
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
    cookie: object = _setting(
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
    allow_request: object = _setting(None, checks.optional(checks.function))
    generate_id: object = _setting(None, checks.optional(checks.function))
    initial_headers: object = _setting(None, checks.optional(checks.function))
    headers: object = _setting(None, checks.optional(checks.function))
    connection_error: object = _setting(None, checks.optional(checks.function))
    allow_eio3: bool = _setting(False, checks.is_a(bool, "True or False"))
    max_attachments: int = _setting(10, checks.count("attachments", least=0))
    attachment_timeout: float = _setting(60.0, checks.number("seconds", above=0.001))
    max_unjoined: int = _setting(10_000, checks.count("clients", least=1))
    max_queued_events: int = _setting(100, checks.count("events", least=1))
    parser: object = _setting("json", checks.named("json", "msgpack"))
    encoder: object = _setting(None, checks.named("common"))
    max_namespaces: int = _setting(100, checks.count("namespaces", least=1))
    slow_handler: float = _setting(1.0, checks.number("seconds"))
    cleanup_empty_namespaces: bool = _setting(False, checks.is_a(bool, "True or False"))
    idempotency_window: float = _setting(600.0, checks.number("seconds", above=0.001))
    max_idempotent_events: int = _setting(10_000, checks.count("events", least=1))
    recovery: Mapping[str, float] | None = _setting(None, checks.optional(checks.table(_RECOVERY)))
    serve_client: bool = _setting(True, checks.is_a(bool, "True or False"))
    client_path: str | None = _setting(None, checks.optional(checks.is_a(str, "a path")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(_Checked):
    """
    A project's settings.  The attributes are their names in lower case.

    Attributes:
        debug: whether weak secrets are let pass and errors are shown to visitors.
        project_name: what the banner and the log call it; by default the folder's name.
        listen: endpoint strings: ``["tcp:8000", "unix:/run/mojo.sock"]``.
        listen_port: a port on all addresses, in place of ``listen``.
        cookie_secret: what the keys of the cookies are derived from.
        cookie_secret_fallbacks: earlier secrets, still good for opening.
        session_max_age: seconds that a ``session_id`` cookie is good.
        session_store: where what is kept of visitors is: ``"memory"``, ``"cookie"``, a URL
            of Redis, or a `SessionStore` or its dotted path.
        session_max_size: most bytes of one session's JSON.
        session_memory: most bytes of all sessions in memory.
        login_max_age: seconds that a ``logged_in`` cookie is good.
        installed_apps: the folders under ``Apps/`` that are served, in this order; by
            default all of them, by name.
        static_path: the folder of static files, in the project; ``None`` for none.
        template_path: the folder of the project's own templates, in the project;
            ``None`` for none.
        login_url: the path or URL where pages send who has to log in.
        trusted_proxies: whose ``X-Forwarded-*`` headers are believed.
        allowed_origins: other origins whose pages may connect.
        max_body: most bytes of a request to a page.
        socket_io: see `SocketIOSettings`.
    """

    debug: bool = _setting(False, checks.is_a(bool, "True or False"))
    project_name: str = _setting("", checks.is_a(str, "text"))
    listen: Sequence[str] = _setting((), checks.texts("endpoint strings"))
    listen_port: int | None = _setting(None, checks.optional(checks.count("port", least=0)))
    cookie_secret: str = _setting("", checks.is_a(str, "text"), shown=False)
    cookie_secret_fallbacks: Sequence[str] = _setting((), checks.texts("secrets"), shown=False)
    session_max_age: float = _setting(365 * 86400.0, checks.number("seconds", above=1))
    session_store: object = _setting("memory", checks.session_store, shown=False)
    session_max_size: int = _setting(64_000, checks.count("bytes", least=1))
    session_memory: int = _setting(64_000_000, checks.count("bytes", least=1))
    login_max_age: float = _setting(14 * 86400.0, checks.number("seconds", above=1))
    installed_apps: Sequence[str] | None = _setting(
        None, checks.optional(checks.texts("app names"))
    )
    static_path: str | None = _setting("static", checks.folder)
    template_path: str | None = _setting("templates", checks.folder)
    login_url: str = _setting("/login", checks.url)
    trusted_proxies: Sequence[str] = _setting((), checks.texts("proxies", checks.proxy))
    allowed_origins: Sequence[str] = _setting((), checks.texts("origins", checks.origin))
    max_body: int = _setting(10_000_000, checks.count("bytes", least=0))
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
    given = _checked(Settings, {name.lower(): upper[name] for name in upper}, str.upper, problems)
    if isinstance(socket_io, Mapping):
        sockets = _checked(SocketIOSettings, dict(socket_io), _key_label, problems, strict=True)
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
    # Where to listen has two names; the one that is given replaces both.
    if {"LISTEN", "LISTEN_PORT"} & {name for name, _ in overrides}:
        for name in ("LISTEN", "LISTEN_PORT"):
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


def _key_label(key: str) -> str:
    return f"SOCKET_IO[{key!r}]"


def _checked(
    kind: type,
    values: dict[str, Any],
    label: Callable[[str], str],
    problems: list[str],
    *,
    strict: bool = False,
) -> dict[str, Any]:
    """Take from the values those that are settings of a kind, and are good."""
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind)}
    good: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.8)
            hint = f"; did you mean {label(close[0])}?" if close else ""
            # A project may have upper-case names of its own, but a near miss is a slip.
            if strict or close:
                problems.append(f"{label(name)} is no setting of Mojo{hint}")
            continue
        problem = _problem_of(known[name], value)
        if problem is not None:
            problems.append(f"{label(name)} {problem}")
        else:
            good[name] = value
    return good


def _problem_of(f: Field[Any], value: Any) -> str | None:
    check: Check | None = f.metadata.get("check")
    return check(value) if check is not None else None


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
    if settings.debug:
        return
    if not settings.cookie_secret:
        yield "COOKIE_SECRET is not set (only with DEBUG = True is one made up at each start)"
    elif (weakness := weakness_of(settings.cookie_secret)) is not None:
        yield f"COOKIE_SECRET is too weak: it {weakness}"
    for number, secret in enumerate(settings.cookie_secret_fallbacks):
        if (weakness := weakness_of(secret)) is not None:
            yield f"COOKIE_SECRET_FALLBACKS[{number}] is too weak: it {weakness}"
