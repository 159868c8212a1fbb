"""A service in memory, with pages made for a test."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock

from mojo import App, MojoRequestHandler, MojoService, MojoSessionMixin, Settings
from mojo.web.mixins import MojoAuthMixin

SECRET = "correct horse battery staple 0123456789"


def make_service(*apps: App, path: Path | None = None, now=None, clock=None, **settings):
    """Make a service on a clock; it listens nowhere."""
    return MojoService(
        clock or Clock(),
        Settings(**{"cookie_secret": SECRET, "drain_seconds": 0, **settings}),
        apps,
        path=path,
        now=now or (lambda: 1_700_000_000.0),
    )


def stop_service(service: MojoService) -> None:
    """Stop a service whose clients do not answer the farewell."""
    service.stopService()
    service.reactor.pump([0, 0, 3])
    settle(service)
    service.reactor.pump([0])
    assert service.reactor.getDelayedCalls() == []


def settle(service: MojoService) -> None:
    """Let the connections that were broken off be gone, as in a later turn."""
    for channel in tuple(service.site.channels):
        channel.transport.settle()


def pages(**patterns) -> MojoService:
    """Make a service whose app ``Test`` has pages: ``get`` methods by path."""
    return make_service(app_of(patterns))


def app_of(patterns, bases=(MojoRequestHandler,), name="Test", **attributes) -> App:
    """Make an app of handler classes, or of functions that are their ``get``."""
    urlpatterns = [
        (
            path,
            target
            if isinstance(target, type)
            else type("Page", bases, {"get": target, **attributes}),
        )
        for path, target in patterns.items()
    ]
    return App(name=name, urlpatterns=urlpatterns)


class VisitorPage(MojoSessionMixin, MojoAuthMixin, MojoRequestHandler):
    """What most pages are."""
