"""
The tree of URLs: mounts of Socket.IO, resources by prefix, static files, pages.

Every path has one owner: what two parts of a project claim is a mistake that ends the
start, rather than a page that is never reached.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from twisted.web.resource import IResource
from twisted.web.server import Request

from mojo import dotted
from mojo.engineio.handshake import Identify
from mojo.engineio.options import EngineOptions
from mojo.engineio.resource import EngineResource
from mojo.engineio.routes import Signpost, follow
from mojo.errors import ProjectError
from mojo.health import Place
from mojo.project.app import App
from mojo.settings import Settings, SocketIOSettings
from mojo.socketio.options import SocketOptions
from mojo.socketio.server import SocketServer
from mojo.web import static
from mojo.web.client_files import DIST, client_files
from mojo.web.errors import not_found
from mojo.web.host import Host
from mojo.web.resource import PagesResource
from mojo.web.urls import Page, Prefix, read_patterns


class MountResource(Signpost):
    """
    A mount of Socket.IO and the client's files beside it.

    Args:
        engine: what is at the path itself, with or without a slash at its end.
        files: what is below it.
    """

    def __init__(self, engine: EngineResource, files: Mapping[bytes, IResource]) -> None:
        super().__init__()
        self.engine = engine
        for name, resource in files.items():
            self.putChild(name, resource)

    def getChild(self, name: bytes, request: Request) -> IResource:
        """Find what is below the path; the files were found before."""
        return self.engine if name == b"" and not request.postpath else not_found

    def render(self, request: Request) -> Any:
        """Serve the path without a slash at its end."""
        return self.engine.render(request)

    def follow(self, segments: Sequence[bytes]) -> IResource | None:
        """Find what everybody finds; see `Signpost`."""
        return self.engine if tuple(segments) in ((), (b"",)) else None


class Root(Signpost):
    """
    The root of a site.

    Args:
        prefixes: resources by path, such as ``{"/static": ...}``; the longest wins.
        pages: what has none of the prefixes.
        fallback: what is no page either.
    """

    def __init__(
        self,
        prefixes: Mapping[str, IResource],
        pages: PagesResource,
        fallback: IResource | None = None,
    ) -> None:
        super().__init__()
        self._prefixes = {
            tuple(path.strip("/").encode("utf-8").split(b"/")): resource
            for path, resource in prefixes.items()
        }
        self._longest = max((len(segments) for segments in self._prefixes), default=0)
        self._pages = pages
        self._fallback = fallback

    def getChildWithDefault(self, name: bytes, request: Request) -> IResource:
        """Find the resource of a path, and leave it what is below its own."""
        assert request.prepath is not None
        assert request.postpath is not None
        segments = (name, *request.postpath[: self._longest - 1])
        for length in range(len(segments), 0, -1):
            resource = self._prefixes.get(segments[:length])
            if resource is not None:
                for _ in range(length - 1):
                    request.prepath.append(request.postpath.pop(0))
                return resource
        if self._fallback is None or self._pages.serves(request):
            return self._pages
        if self._fallback.isLeaf:
            request.postpath.insert(0, request.prepath.pop())
            return self._fallback
        found: IResource = self._fallback.getChildWithDefault(name, request)
        return found

    def follow(self, segments: Sequence[bytes]) -> IResource | None:
        """Follow a path with a prefix; see `Signpost`."""
        for length in range(min(len(segments), self._longest), 0, -1):
            resource = self._prefixes.get(tuple(segments[:length]))
            if resource is not None:
                return follow(resource, segments[length:])
        return None


def make_mounts(
    sockets: SocketServer,
    settings: Settings,
    apps: Collection[App],
    identify: Identify,
    folder: Path,
    generated_prefix: str = "",
) -> dict[str, MountResource]:
    """
    Make the resources that speak Socket.IO: the shared path, and one for each app.

    Args:
        sockets: the server, which has the apps' namespaces.
        settings: the project's.
        apps: the apps.
        identify: tells from cookies who a visitor is.
        folder: the project's, where the browser's client is looked for.
        generated_prefix: see `EngineOptions`.
    Raises:
        ProjectError: an app's path is the shared path.
        SettingsError: a function that the settings name cannot be imported.
    """
    options = take_options(
        EngineOptions,
        settings,
        allowed_origins=tuple(settings.allowed_origins),
        trusted_proxies=tuple(settings.trusted_proxies),
        generated_prefix=generated_prefix,
    )
    options = replace(options, **_load_hooks(settings.socket_io))
    shared = settings.socket_io.path.rstrip("/")
    files: Mapping[bytes, IResource] = {}
    if settings.socket_io.serve_client:
        files = client_files(folder / (settings.socket_io.client_path or DIST))
    engine = sockets.add_mount(options, identify)
    mounts = {shared: MountResource(EngineResource(engine), files)}
    for app in apps:
        if app.handler is not None and app.name:
            if app.namespace == shared:
                raise ProjectError(f"{app.origin}: {shared}/ is SOCKET_IO['path'] already")
            engine = sockets.add_mount(options, identify, below=app.namespace)
            mounts[app.namespace] = MountResource(EngineResource(engine), {})
    return mounts


def make_tree(
    host: Host,
    mounts: Mapping[str, IResource],
    apps: Collection[App],
    probes: Collection[Place],
) -> IResource:
    """
    Make the root of a service's own tree.

    Args:
        host: the service.
        mounts: the resources that speak Socket.IO, by path.
        apps: the apps, whose pages are matched in this order.
        probes: where it is said how the service is.
    Raises:
        ProjectError: a pattern is wrong, or two parts claim the same path.
    """
    pages: list[Page] = []
    prefixes: dict[str, IResource] = {}
    owners: dict[str, str] = {}

    def claim(path: str, owner: str) -> None:
        if path in owners:
            raise ProjectError(f"{owner}: {path!r} is taken by {owners[path]}")
        owners[path] = owner

    for path, mount in mounts.items():
        claim(path, "Socket.IO")
        prefixes[path] = mount
    for path, setting, probe in probes:
        claim(path, setting)
        prefixes[path] = probe
    static_prefix = static.PREFIX.rstrip("/")
    claim(static_prefix, "STATIC_PATH")
    prefixes[static_prefix] = host.static_files.resource()
    for app in apps:
        source = str(app.source / "urls.py") if app.source is not None else app.origin
        for entry in read_patterns(app.urlpatterns, app.name, source):
            if isinstance(entry, Prefix):
                claim(entry.path, source)
                prefixes[entry.path] = entry.resource
            else:
                claim(entry.pattern.pattern, source)
                pages.append(entry)
    for page in pages:
        for prefix in prefixes:
            if prefix and page.pattern.pattern.startswith(f"{prefix}/"):
                raise ProjectError(
                    f"{page.source}: {page.pattern.pattern!r} is never reached: everything below "
                    f"{prefix!r} is for {owners[prefix]}"
                )
    return Root(prefixes, PagesResource(host, pages), prefixes.pop("", None))


_HOOKS = ("allow_request", "generate_id", "initial_headers", "headers", "connection_error")


def _load_hooks(settings: SocketIOSettings) -> dict[str, Any]:
    """Import the functions that settings name by their dotted paths."""
    return {
        name: dotted.load_function(getattr(settings, name), f"SOCKET_IO[{name!r}]")
        for name in _HOOKS
    }


Options = TypeVar("Options", EngineOptions, SocketOptions)


def take_options(kind: type[Options], settings: Settings, **others: Any) -> Options:
    """Take the options of a layer from ``SOCKET_IO``, where they have the same names."""
    names = {field.name for field in fields(kind)}
    given = {
        field.name: getattr(settings.socket_io, field.name)
        for field in fields(settings.socket_io)
        if field.name in names
    }
    return kind(**given, **others)
