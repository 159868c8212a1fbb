"""
The service: a project, or some apps made in code, as one Twisted service.

It owns everything and is owned by nobody: the Socket.IO server, the registry, the
signer, the tree of URLs, and the ports.  Any resource that was given it can broadcast.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import IResource

from mojo.draining import GOODBYE_SECONDS, Drain
from mojo.engineio.origins import Origins
from mojo.engineio.proxies import TrustedProxies
from mojo.engineio.site import EngineSite
from mojo.engineio.transports.websocket import load_autobahn
from mojo.errors import EventTableError, ProjectError
from mojo.health import make_probes
from mojo.listening import Guest, Listening, at_once
from mojo.parts import (
    follow_users,
    identify_unless,
    join_cluster,
    make_access_log,
    make_banner,
    make_cluster,
    make_health,
    make_signer,
    make_store,
    make_templates,
    make_tries,
    make_users,
    static_folder,
)
from mojo.patience import Patience
from mojo.project.app import App, by_name
from mojo.project.loader import Project
from mojo.sessions import current
from mojo.sessions.cookies import CookieAges, VisitorCookies
from mojo.sessions.keeper import SessionKeeper
from mojo.sessions.live import LiveSessions
from mojo.sessions.registry import Registry
from mojo.settings import Settings
from mojo.site import make_mounts, make_tree, take_options
from mojo.socketio.formats import make_parser
from mojo.socketio.namespace_operator import NamespaceOperator
from mojo.socketio.operator import AllAnswered, BroadcastOperator
from mojo.socketio.options import SocketOptions
from mojo.socketio.server import SocketServer
from mojo.stats import ServiceStats
from mojo.visitor_acts import VisitorActs
from mojo.visitors import Visitors
from mojo.warm_up import WarmUp
from mojo.web.static import StaticFiles

if TYPE_CHECKING:
    from mojo.workers.link import Link
    from mojo.workers.place import Place

_log = Logger()

#: Seconds for saving what is not saved of sessions when all clients have left.
SAVE_SECONDS = 3.0


class MojoService(MultiService, Visitors, BroadcastOperator):
    """
    A project that runs.

    Args:
        reactor: the reactor; in a test, a ``Clock``.
        settings: the settings.
        apps: the apps, in order.
        project_name: what the banner and the log call it.
        path: the project's folder, if it is one on disk.
        endpoints: where to listen, as endpoint strings; nowhere, for a service whose
            `mounts` are put into another site.
        now: gives the seconds since the epoch, for the cookies.
        place: its place among the workers that serve the project; ``None`` if it is alone.
        link: leads to their parent, likewise.
        listens_by: a reactor that opens the ports, if that is another one.

    Raises:
        ProjectError: the apps, their patterns or paths contradict each other.
        SettingsError: without ``DEBUG`` the secret is weak, or there is none; or the
            parser or encoder cannot be had.

    Attributes:
        reactor: the reactor, from which apps whose tests are on a ``Clock`` take the time.
        mounts: the resources that speak Socket.IO, by path: ``"/socket.io"`` and one for
            each app, such as ``"/ChatSocket"``.
        resource: the root of the service's own tree of URLs.
        site: a Site for it.
        cookies: makes and reads the visitors' cookies.
        users: makes users of user ids.
        login_tries: the limit on tries at passwords.
        session_keeper: loads and saves their sessions.
        stats: what is counted; see `ServiceStats`.
        stopping: whether it stops, or was stopped.
        health: whether it is ready; parts of your own may have a say in it.
        cluster: its part in a cluster; ``None`` if it is alone.
        place: its place among workers; ``None`` if it is alone.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Settings | None = None,
        apps: Iterable[App] = (),
        *,
        project_name: str = "",
        path: Path | None = None,
        endpoints: Sequence[str] = (),
        now: Callable[[], float] = time.time,
        place: Place | None = None,
        link: Link | None = None,
        listens_by: Any = None,
    ) -> None:
        MultiService.__init__(self)
        settings = settings or Settings()
        self.settings = settings = settings if place is None else place.settle(settings)
        self.place = place
        self.project_name = project_name or settings.project_name or "mojo"
        self._path = (path or Path.cwd()).resolve()
        self.project_prefix = f"{self._path}{os.sep}" if path is not None else ""
        self.reactor = reactor
        self._apps = by_name(apps)
        self.cookies = VisitorCookies(
            make_signer(settings, self._path),
            now,
            CookieAges(session=settings.session_max_age, login=settings.login_max_age),
            settings.login_from,
        )
        self.users = make_users(settings)
        self.login_tries = make_tries(settings, reactor)
        self.proxies = TrustedProxies(settings.trusted_proxies)
        self.origins = Origins(settings.allowed_origins)
        self.static_files = StaticFiles(static_folder(settings, self._path))
        self.templates = make_templates(settings, self._path, self._apps.values())
        parser = make_parser(settings.socket_io.parser, settings.socket_io.encoder)
        self._sockets = SocketServer(
            reactor,
            take_options(SocketOptions, settings),
            owner=self,
            parser=parser,
            now=now,
            presence_grace=settings.presence_grace,
        )
        self._sockets.users = self.users
        self._sockets.logins.from_auth = self.cookies.from_auth
        self.stats = ServiceStats(reactor, self._sockets.engine_stats, self._sockets.stats)
        self.stats.setServiceParent(self)
        WarmUp(reactor, load_autobahn).setServiceParent(self)
        self._acts = VisitorActs(self._sockets, self.cookies.revocations)
        self._orders = None
        self.cluster = make_cluster(settings, reactor, link)
        store = make_store(settings, reactor, self.cookies, link)
        self.session_keeper = SessionKeeper(store, reactor)
        self._live_sessions = LiveSessions(self.session_keeper, reactor)
        self._sockets.sessions = self._live_sessions
        self._registry = self._sockets.observer = Registry(self._sockets)
        follow_users(self._registry.online, self, settings, now)
        if self.cluster is not None:
            self.cluster.setServiceParent(self)
            self.stats.cluster = self.cluster.stats
            self._orders = join_cluster(self.cluster, self._acts, self._registry.online, settings)
        BroadcastOperator.__init__(self, self._sockets)
        for app in self._apps.values():
            if app.handler is not None:
                try:
                    self._sockets.add_namespace(app.namespace, app.handler, app.name)
                except EventTableError as exc:
                    raise ProjectError(f"{app.origin}: {exc}") from exc
        self.mounts = make_mounts(
            self._sockets,
            settings,
            self._apps.values(),
            identify_unless(self.session_keeper.is_retired, self.cookies.identify),
            self._path,
            "" if place is None else place.sid_prefix,
        )
        self.health = make_health(self._trouble, self.cluster, store, settings)
        probes = make_probes(self.health, settings.health_path, settings.ready_path)
        self._log_request = make_access_log(self.proxies, probes)
        self.resource = make_tree(self, self.mounts, self._apps.values(), probes)
        self.site = self.site_for(self.resource)
        handover = None
        if place is not None:
            from mojo.workers.handover import Handover  # noqa: PLC0415

            handover = Handover(reactor, place, self.site)
            self.stats.workers = handover.stats
        self._listening = Listening(
            listens_by or Guest(reactor),
            endpoints,
            self.site,
            handover,
            at_once if self.cluster is None else self.cluster.know,
        )
        self._patience = Patience(reactor)
        self._drain = Drain(
            reactor,
            self._patience,
            settings.drain_seconds,
            self._sockets,
            tuple(self.mounts.values()),
            self.site,
            self._listening,
        )
        self.stopping = False
        current.declare(self)

    @classmethod
    def from_project(
        cls,
        reactor: Any,
        project: Project,
        *,
        endpoints: Sequence[str] | None = None,
        **of_worker: Any,
    ) -> MojoService:
        """
        Make the service of a project on disk.

        Args:
            reactor: the reactor.
            project: the project.
            endpoints: where to listen, in place of what the settings say.
            of_worker: what a worker has more.
        Raises:
            ProjectError: the apps, their patterns or paths contradict each other.
        """
        return cls(
            reactor,
            project.settings,
            project.apps,
            project_name=project.name,
            path=project.path,
            endpoints=project.settings.endpoints if endpoints is None else endpoints,
            **of_worker,
        )

    # -- for resources and handlers, from any thread ---------------------------

    def app(self, name: str) -> NamespaceOperator:
        """
        Give everyone in an app, to send to.

        Raises:
            LookupError: there is no app of that name with a handler.
        """
        app = self._apps.get(name)
        if app is None or app.handler is None:
            known = ", ".join(repr(a.name) for a in self._apps.values() if a.handler)
            raise LookupError(f"no app {name!r} has a socket handler; those that have: {known}")
        return self._sockets.namespaces[app.namespace].operator

    def of(self, name: str) -> BroadcastOperator:
        """
        Give everyone in a namespace, or in all that are made of one declaration.

        Args:
            name: as it is known or as it was declared: ``"/DocsSocket/doc/<id>"``.
        Raises:
            LookupError: there is none.
        """
        return self._sockets.of(name)

    def emit(
        self, name: str, *args: Any, ack: AllAnswered | None = None, app: str | None = None
    ) -> None:
        """
        Send an event to everyone in an app, or in all of them; from any thread.

        Args:
            name: the event's name.
            args: its arguments.
            ack: see `BroadcastOperator.emit`.
            app: the app's name; every app, and every namespace below one, by default.
        Raises:
            UnsendableError: the name is reserved, or an argument cannot be sent.
            LookupError: there is no such app.
        """
        if app is None:
            super().emit(name, *args, ack=ack)
        else:
            self.app(app).emit(name, *args, ack=ack)

    def site_for(self, root: IResource) -> EngineSite:
        """
        Make a Site for a tree of yours in which `mounts` are.

        A plain ``twisted.web.server.Site`` serves them too, but takes a request's body
        in before it asks whether that is too long.
        """
        return EngineSite(
            root,
            {path.encode("utf-8"): mount.engine for path, mount in self.mounts.items()},
            self.reactor,
            max_body=self.settings.max_body,
            log_request=self._log_request,
        )

    # -- IService -----------------------------------------------------------

    def privilegedStartService(self) -> None:
        """
        Open the ports, while that may still be allowed.

        Raises:
            ListenError: one of them cannot be opened; the others are closed again.
        """
        self._listening.open()
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Start.

        Raises:
            ListenError: see `privilegedStartService`.
        """
        self._listening.open()
        self.stopping = False
        self._sockets.reopen()
        current.bind(self)
        try:
            super().startService()
        except BaseException:
            current.unbind(self)
            Deferred.fromCoroutine(self._listening.close())
            raise
        if self._listening.addresses and self.place is None:
            _log.info("{banner}", banner=self.banner())

    def stopService(self) -> Deferred[Any]:
        """
        Refuse new clients, let those who are here leave, and stop what is below.

        They have ``DRAIN_SECONDS``, and `mojo.draining.GOODBYE_SECONDS` to say goodbye.
        Nothing is left when the Deferred fires: no connection and no timer.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.stopping = True
        self._patience.renew()
        if self.cluster is not None:
            await self._patience.allow("the cluster", self.cluster.leave(), None)
        try:
            await self._drain.run()
            hooks = Deferred.fromCoroutine(self._registry.online.close(GOODBYE_SECONDS))
            await self._patience.allow("presence", hooks, None)
            # After the handlers' on_close: that may change a session too.
            sessions = Deferred.fromCoroutine(self._save_sessions())
            await self._patience.allow("saving sessions", sessions, SAVE_SECONDS)
        finally:
            current.unbind(self)
            # Not the children's own Deferred: if that is cancelled, each of them is blamed.
            children: Deferred[Any] = Deferred()
            super().stopService().addBoth(children.callback)
            await self._patience.allow("a child", children, None)

    async def _save_sessions(self) -> None:
        await self._live_sessions.close()
        await self.session_keeper.close()

    async def stop_listening(self) -> None:
        """Let new connections go to other workers; who is here stays, until we are stopped."""
        await self._listening.close_ports()

    def hurry(self) -> None:
        """Let a stop that is under way wait for nothing any more."""
        self._patience.hurry()

    def _trouble(self) -> str | None:
        """Say why new clients should go elsewhere; see `Health`."""
        if self.stopping:
            return "stopping"
        return None if self.running and self._listening.complete else "starting"

    def banner(self) -> str:
        """Say what is served, where, and whether the cookies are safe."""
        return make_banner(
            self.project_name, self.settings, self._apps.values(), self._listening.addresses
        )
