"""What a service is made of by its settings: the signer, the store, folders, its banner."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from secrets import token_bytes
from socket import gethostname
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.web.server import Request

from mojo import dotted
from mojo.auth.tries import LoginTries
from mojo.engineio.handshake import Cookies, Identify, Identity
from mojo.engineio.proxies import TrustedProxies
from mojo.engineio.server import new_id
from mojo.errors import EngineError, EngineErrorCode, ProjectError, SettingsError
from mojo.health import Health, Place
from mojo.project.app import App
from mojo.secret_files import new_secret, read_secrets
from mojo.sessions.cookies import VisitorCookies
from mojo.sessions.memory_store import MemoryStore
from mojo.sessions.online import Hook, OnlineUsers
from mojo.sessions.signer import CookieSigner, Signer, weakness_of
from mojo.sessions.stores import SessionStore, Troubled
from mojo.settings import Settings, check_secrets
from mojo.users import Users
from mojo.visitor_acts import VisitorActs
from mojo.web.templates import Templates

if TYPE_CHECKING:
    from mojo.cluster.node import ClusterNode
    from mojo.cluster.orders import Orders
    from mojo.workers.link import Link

_log = Logger()


def make_signer(settings: Settings, project: Path) -> CookieSigner:
    """
    Make the signer of a project's cookies; with ``DEBUG`` it may have a made-up secret.

    Args:
        settings: the project's.
        project: its folder, in which the file of secrets is.
    Raises:
        SettingsError: without ``DEBUG`` the secret is weak, or there is none; or there is
            no such file or signer.
    """
    check_secrets(settings, weakness_of)
    signer = settings.cookie_signer
    if isinstance(signer, str):
        signer = dotted.load(signer, "COOKIE_SIGNER")
    if signer is not None:
        if isinstance(signer, type) or not isinstance(signer, CookieSigner):
            wanted = "an object with the methods seal and open"
            raise SettingsError([f"COOKIE_SIGNER must be {wanted}, not {type(signer).__name__}"])
        return signer
    if settings.cookie_secret_file is None:
        secret = settings.cookie_secret or new_secret()
        return Signer(secret, settings.cookie_secret_fallbacks, token_bytes=token_bytes)
    found = read_secrets(project / settings.cookie_secret_file)
    for number, secret in enumerate(found if not settings.debug else ()):
        if (weakness := weakness_of(secret)) is not None:
            problem = f"secret {number + 1} of {settings.cookie_secret_file} is too weak"
            raise SettingsError([f"COOKIE_SECRET_FILE: {problem}: it {weakness}"])
    return Signer(found[0], found[1:], token_bytes=token_bytes)


def make_users(settings: Settings) -> Users:
    """
    Make what loads the project's users.

    Raises:
        SettingsError: a function that the settings name cannot be imported.
    """
    return Users(
        dotted.load_function(settings.load_user, "LOAD_USER"),
        dotted.load_function(settings.load_roles, "LOAD_ROLES"),
        settings.user_max_age,
    )


def follow_users(
    online: OnlineUsers, service: Any, settings: Settings, now: Callable[[], float]
) -> None:
    """
    Tell the project's hooks which users are online.

    Args:
        online: knows who is.
        service: what the hooks are called with, after the user's id.
        settings: the project's.
        now: gives the seconds since the epoch.
    Raises:
        SettingsError: a function that the settings name cannot be imported.
    """
    online.now = now
    online.most = settings.max_last_seen
    online.hooks = (
        _with(service, dotted.load_function(settings.on_user_online, "ON_USER_ONLINE")),
        _with(service, dotted.load_function(settings.on_user_offline, "ON_USER_OFFLINE")),
    )


def _with(service: Any, hook: Callable[..., Any] | None) -> Hook | None:
    return None if hook is None else lambda user_id: hook(user_id, service)


def make_tries(settings: Settings, reactor: Any) -> LoginTries:
    """Make the limit on tries at passwords."""
    return LoginTries(reactor, **settings.login_tries)  # type: ignore[arg-type]


def make_store(
    settings: Settings, reactor: Any, cookies: VisitorCookies, link: Link | None = None
) -> SessionStore:
    """
    Make the store that ``SESSION_STORE`` names.

    Args:
        settings: the project's.
        reactor: the reactor.
        cookies: opens and seals what is in cookies.
        link: leads to a worker's parent, which has the memory of all workers.
    Raises:
        SettingsError: there is no such store.
    """
    # Stores are imported where they are named: who has no Redis need not wait for it.
    store = settings.session_store
    if store == "memory" and link is not None:
        from mojo.workers.store import ParentStore  # noqa: PLC0415

        # The parent goes by the settings of its start, and a worker by those of now.
        return ParentStore(link, min(settings.session_max_size, link.max_session))
    if store == "memory":
        return MemoryStore(
            reactor,
            max_age=settings.session_max_age,
            max_size=settings.session_max_size,
            max_bytes=settings.session_memory,
        )
    if store == "cookie":
        from mojo.sessions.cookie_store import CookieStore  # noqa: PLC0415

        return CookieStore(cookies, settings.session_max_size)
    if isinstance(store, str) and "://" in store:
        from mojo.sessions.redis_store import RedisStore  # noqa: PLC0415

        return RedisStore.at(
            store,
            reactor,
            max_age=settings.session_max_age,
            max_size=settings.session_max_size,
        )
    if isinstance(store, str):
        store = dotted.load(store, "SESSION_STORE")
    if isinstance(store, type) or not isinstance(store, SessionStore):
        wanted = "an object that is a mojo.sessions.stores.SessionStore"
        raise SettingsError([f"SESSION_STORE must be {wanted}, not {type(store).__name__}"])
    return store


def make_cluster(settings: Settings, reactor: Any, link: Link | None = None) -> ClusterNode | None:
    """
    Make the service's part in a cluster: of ``REDIS`` if that names one, else of workers.

    Args:
        settings: the project's.
        reactor: the reactor.
        link: leads to a worker's parent.
    Raises:
        SettingsError: it is no URL of a Redis, or a package is not installed.
    """
    # What no client could be sent would be of no use to the others.
    most = settings.socket_io.max_buffered
    try:
        # Here, since who is alone need not have what the others are spoken to with.
        if settings.redis is not None:
            from mojo.cluster.redis_node import redis_node  # noqa: PLC0415

            return redis_node(settings.redis, reactor, new_id, max_message=most)
        if link is not None:
            from mojo.workers.node import worker_node  # noqa: PLC0415

            recovers = settings.socket_io.recovery is not None
            # See make_store.
            most = min(most, link.max_message)
            return worker_node(link, new_id, max_message=most, recovers=recovers)
    except ModuleNotFoundError as exc:
        setting = "WORKERS" if settings.redis is None else "REDIS"
        raise SettingsError(
            [f"{setting} needs the package msgpack: pip install 'mojo[cluster]'"]
        ) from exc
    return None


def join_cluster(
    cluster: ClusterNode, acts: VisitorActs, online: OnlineUsers, settings: Settings
) -> Orders:
    """
    Let what is done here be done in the whole cluster; before there is a namespace.

    Args:
        cluster: the service's part in it.
        acts: does what happens to visitors, and knows the server that they are clients of.
        online: knows which users are online.
        settings: the project's.
    Returns:
        What tells the others what happens to visitors.
    """
    sockets = acts.sockets
    sockets.make_adapter = cluster.make_adapter
    sockets.make_remote = cluster.make_remote
    sockets.make_recovery = cluster.make_recovery
    cluster.carry_presence(
        sockets.clock,
        sockets.presence,
        online,
        # What people call this process: "web-2:4711".
        name=f"{gethostname()}:{os.getpid()}",
        every=settings.cluster_heartbeat,
    )
    cluster.carry_revocations(sockets.clock, acts.revocations, acts.learnt)
    return cluster.carry_orders(acts.names, acts.perform)


def identify_unless(is_retired: Callable[[str | None], bool], identify: Identify) -> Identify:
    """
    Make the `Identify` of the mounts, which refuses a session's id that was given up.

    The client comes again in a moment, and with the new one; let in as nobody, or as a
    visitor without a past, it would stay that.

    Args:
        is_retired: tells whether an id was given up a moment ago.
        identify: tells who the visitor is.
    """

    def identify_client(cookies: Cookies) -> Identity:
        identity = identify(cookies)
        if is_retired(identity.session_id):
            raise EngineError(EngineErrorCode.FORBIDDEN, message="The session has changed")
        return identity

    return identify_client


def make_health(
    trouble: Callable[[], str | None],
    cluster: ClusterNode | None,
    store: SessionStore,
    settings: Settings,
) -> Health:
    """
    Make what knows whether a service is ready.

    Args:
        trouble: says why the service itself is not.
        cluster: its part in a cluster, if there is one.
        store: where its sessions are.
        settings: the project's.
    """
    health = Health()
    health.add("service", trouble)
    if cluster is not None:
        health.add("cluster", cluster.trouble, is_needed=not settings.ready_without_cluster)
    if isinstance(store, Troubled):
        # All servers have the same one: none would be left to send clients to.
        health.add("sessions", store.trouble, is_needed=False)
    return health


def make_access_log(proxies: TrustedProxies, probes: Iterable[Place]) -> Callable[[Request], None]:
    """
    Make what logs an answered request.

    Args:
        proxies: tell whom it came from.
        probes: what is asked for every second or so, for ever, and not logged.
    """
    unlogged = frozenset(probe.path.encode("utf-8") for probe in probes)

    def log(request: Request) -> None:
        if request.path.rstrip(b"/") not in unlogged:
            _log.info(
                "{address} {method} {path} {status} {size}",
                address=proxies.peer(request).address,
                method=request.method.decode("latin-1"),
                path=request.path.decode("latin-1"),
                status=request.code,
                size=request.sentLength,
            )

    return log


def static_folder(settings: Settings, project: Path) -> Path | None:
    """
    Give the folder of static files.

    Raises:
        ProjectError: whatever is in it can be had by everybody, and in that one the
            project's own code and secrets are.
    """
    setting = settings.static_path
    if setting is None:
        return None
    folder = (project / setting).resolve()
    apps = project / "Apps"
    if apps.is_relative_to(folder) or folder.parent == apps:
        raise ProjectError(f"STATIC_PATH = {setting!r} would serve the project's own files")
    return folder


def make_templates(settings: Settings, project: Path, apps: Collection[App]) -> Templates:
    """Make the templates of a project and of its apps."""
    setting = settings.template_path
    return Templates(
        None if setting is None else project / setting,
        {app.name: app.templates for app in apps if app.templates is not None},
        reload=settings.debug,
    )


def make_banner(
    project: str, settings: Settings, apps: Iterable[App], addresses: Iterable[str]
) -> str:
    """
    Say what is served, where, and whether the cookies are safe.

    Args:
        project: its name.
        settings: its settings.
        apps: what is served.
        addresses: where.
    """
    lines = [f"Mojo serves {project}"]
    shared = settings.socket_io.path
    for app in apps:
        name = app.name or "(project)"
        if app.handler is not None:
            own = f" and path {app.namespace}/" if app.name else ""
            lines.append(f"  {name}: namespace {app.namespace} on {shared}{own}")
        else:
            lines.append(f"  {name}: pages")
    lines += [f"  on {address}" for address in addresses]
    has_secret = settings.cookie_secret or settings.cookie_secret_file or settings.cookie_signer
    secret = "the project's secret" if has_secret else "a secret made up for this run"
    lines.append(f"  cookies: sealed with {secret}, Secure where the visitor comes by https")
    if settings.debug:
        lines.append("  DEBUG is on: visitors see errors")
    return "\n".join(lines)
