"""A service in memory, with pages made for a test."""

from __future__ import annotations

import html
import re
from pathlib import Path

from twisted.internet.task import Clock

from mojo import App, MojoRequestHandler, MojoService, MojoSessionMixin, Settings
from mojo.web.mixins import MojoAuthMixin
from tests.wire import Response, Wire

SECRET = "correct horse battery staple 0123456789"


def make_service(*apps: App, path: Path | None = None, now=None, clock=None, **settings):
    """Make a service on a clock; it listens nowhere."""
    return MojoService(
        clock or Clock(),
        Settings(**{"cookie_secret": SECRET, **settings}),
        apps,
        path=path,
        now=now or (lambda: 1_700_000_000.0),
    )


def stop_service(service: MojoService) -> None:
    """Stop a service whose clients do not answer the farewell."""
    service.stopService()
    service._reactor.pump([0, 0, 3])
    settle(service)
    service._reactor.pump([0])
    assert service._reactor.getDelayedCalls() == []


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


class Browser:
    """
    Someone with a jar of cookies.

    Args:
        service: the service.
        secure: whether by https.
    """

    def __init__(self, service, secure: bool = False, address: str = "198.51.100.7") -> None:
        self.service = service
        self.secure = secure
        self.address = address
        self.jar: dict[str, str] = {}

    def ask(self, method: str, uri: str, *, body=None, headers=None) -> Response:
        sent = dict(headers or {})
        if self.jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        wire = Wire(self.service.site, self.address, self.secure)
        wire.ask(method, uri, headers=sent, body=body)
        raw = wire.read()
        from tests.wire import parse_response

        response = parse_response(raw) if raw else None
        self.wire = wire
        if response is not None:
            self._keep(response)
        return response

    def _keep(self, response: Response) -> None:
        for header in response.headers.get("set-cookie", []):
            name, _, rest = header.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value

    def get(self, uri: str, **headers: str) -> Response:
        return self.ask("GET", uri, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, uri: str, fields: dict[str, str] | None = None, **headers: str) -> Response:
        from urllib.parse import urlencode

        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        return self.ask("POST", uri, body=urlencode(fields or {}).encode(), headers=sent)

    def submit(self, uri: str, form_at: str | None = None, **fields: str) -> Response:
        """Fill in the form of a page and send it."""
        token = token_in(self.get(form_at or uri))
        return self.post(uri, {**fields, "csrf_token": token})


def token_in(response: Response) -> str:
    """Find the token in a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', response.text)
    assert found is not None, response.text
    return html.unescape(found.group(1))
