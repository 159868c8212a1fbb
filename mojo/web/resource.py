"""
From a request to a handler's method, and from what it wrote to the response.

Whatever a handler raises is answered here: an `HTTPError` with its status, anything else
with 500 and a line in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from mojo.calls import run
from mojo.errors import HTTPError
from mojo.web.errors import ErrorResource, not_found
from mojo.web.handler import MojoRequestHandler
from mojo.web.host import Host
from mojo.web.urls import Page

_log = Logger()

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_CHANGING = ("POST", "PUT", "DELETE", "PATCH")
_bad_request = ErrorResource(400, "Bad Request")


class PagesResource(Resource):
    """
    The pages of all apps.

    Args:
        host: the service.
        pages: the patterns, in order.
    """

    isLeaf = True

    def __init__(self, host: Host, pages: Sequence[Page]) -> None:
        super().__init__()
        self._host = host
        self._pages = tuple(pages)

    def find(self, path: str) -> tuple[Page, Sequence[Any], Mapping[str, Any]] | None:
        """Find the page at a path, and what its pattern's groups hold."""
        for page in self._pages:
            arguments = page.match(path)
            if arguments is not None:
                return (page, *arguments)
        return None

    def render(self, request: Request) -> int | bytes:
        """Serve one request."""
        try:
            path = unquote_to_bytes(request.path).decode("utf-8")
        except UnicodeDecodeError:
            return _bad_request.render(request)
        found = self.find(path)
        if found is None:
            return not_found.render(request)
        page, args, kwargs = found
        _Serving(page.handler(self._host, request, page.app), args, kwargs).begin()
        return NOT_DONE_YET


class _Serving:
    """One request being served by one handler."""

    def __init__(
        self, handler: MojoRequestHandler, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self._handler = handler
        self._request = handler.request
        self._args = args
        self._kwargs = kwargs
        self._gone = False
        self._request.setHeader(b"content-type", b"text/html; charset=UTF-8")
        self._request.setHeader(b"x-content-type-options", b"nosniff")
        self._request.notifyFinish().addErrback(self._client_gone)

    def begin(self) -> None:
        """Check the request, and ask the handler to prepare."""
        run(self._prepare, self._prepared, self._failed)

    def _prepare(self) -> Any:
        handler = self._handler
        if self._method() is None:
            handler.set_header("Allow", ", ".join(self._allowed()))
            raise HTTPError(405)
        handler.begin()
        if handler.csrf_protected and handler.method in _CHANGING:
            handler.check_csrf()
        return handler.prepare()

    def _prepared(self, _: Any) -> None:
        if self._handler.finished:
            self._send()
            return
        method = self._method()
        assert method is not None
        run(lambda: method(*self._args, **self._kwargs), lambda _: self._send(), self._failed)

    def _method(self) -> Any:
        name = self._handler.method
        if name not in _METHODS:
            return None
        method = getattr(self._handler, name.lower(), None)
        if method is None and name == "HEAD":
            method = getattr(self._handler, "get", None)
        return method

    def _allowed(self) -> list[str]:
        return [name for name in _METHODS if hasattr(self._handler, name.lower())]

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        handler = self._handler
        if isinstance(error, HTTPError):
            status, reason = error.status, error.reason
            _log.info(
                "{method} {path}: {error}",
                method=handler.method,
                path=self._request.path.decode("latin-1"),
                error=str(error),
            )
        else:
            status, reason = 500, "Internal Server Error"
            _log.failure(
                "{app}: {method} {path} failed",
                failure,
                app=handler.app,
                method=handler.method,
                path=self._request.path.decode("latin-1"),
            )
        handler.clear()
        handler.set_status(status, reason)
        try:
            handler.write_error(status, reason, failure)
        except Exception:
            _log.failure("{app}: write_error failed", app=handler.app)
        self._send()

    def _send(self) -> None:
        self._handler.finished = True
        if self._gone:
            return
        body = self._handler.response_body
        if self._request.code not in NO_BODY_CODES:
            self._request.setHeader(b"content-length", b"%d" % len(body))
            self._request.write(body)
        self._request.finish()

    def _client_gone(self, _: Failure) -> None:
        self._gone = True
