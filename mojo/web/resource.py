"""
From a request to a handler's method, and from what it wrote to the response.

Whatever a handler raises is answered here: an `HTTPError` with its status, anything else
with 500 and a line in the log.  A page of an error has none of the headers that were meant
for the page itself; cookies stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from mojo.calls import settled
from mojo.errors import HTTPError, TooManyTries
from mojo.web.errors import ErrorResource, not_found
from mojo.web.handler import MojoRequestHandler
from mojo.web.host import Host
from mojo.web.session import AskAgain
from mojo.web.urls import Page

_log = Logger()

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_CHANGING = ("POST", "PUT", "DELETE", "PATCH")
# Seconds for which a browser waits at most before it is told to ask again.
_LONGEST_PAUSE = 5.0
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

    def serves(self, request: Request) -> bool:
        """Tell whether there is a page at a request's path."""
        try:
            return self.find(_path_of(request)) is not None
        except UnicodeDecodeError:
            return False

    def render(self, request: Request) -> int | bytes:
        """Serve one request."""
        try:
            path = _path_of(request)
        except UnicodeDecodeError:
            return _bad_request.render(request)
        found = self.find(path)
        if found is None:
            return not_found.render(request)
        page, args, kwargs = found
        _Serving(self._host, request, page).begin(args, kwargs)
        return NOT_DONE_YET


def _path_of(request: Request) -> str:
    return unquote_to_bytes(request.path).decode("utf-8")


class _Serving:
    """
    One request being served by one handler.

    Whatever goes wrong, in the handler or in what it does about its own errors, the
    request is answered.
    """

    def __init__(self, host: Host, request: Request, page: Page) -> None:
        self._host = host
        self._request = request
        self._page = page
        self._handler: MojoRequestHandler | None = None
        self._gone = False
        self._pausing: Deferred[Any] | None = None
        request.setHeader(b"content-type", b"text/html; charset=UTF-8")
        request.setHeader(b"x-content-type-options", b"nosniff")
        # What the page of an error has of headers, whatever the handler set before it.
        self._first_headers = list(request.responseHeaders.getAllRawHeaders())
        request.notifyFinish().addErrback(self._client_gone)

    def begin(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Serve the request; ``args`` and ``kwargs`` are the method's."""
        Deferred.fromCoroutine(self._serve(args, kwargs))

    async def _serve(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        try:
            try:
                await self._call(args, kwargs)
            except AskAgain as exc:
                await self._pause(exc.ago)
                self._ask_again()
            except Exception as exc:
                await self._write_error(exc)
            self._send()
        except Exception:
            self._log_failure("cannot be answered")
            self._give_up()

    async def _call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        handler = self._handler = self._page.handler(self._host, self._request, self._page.app)
        method = _method_of(handler)
        if method is None:
            raise HTTPError(405)
        handler.begin()
        if handler.csrf_protected and handler.method in _CHANGING:
            handler.check_csrf()
        await handler.ready()
        try:
            await handler.load_user_first()
            await settled(handler.prepare())
            if not handler.finished:
                call: Callable[[], Any] = partial(method, *args, **kwargs)
                for guard in handler.guards:
                    call = partial(handler.pass_guard, guard, call)
                result = await settled(call())
                if result is not None:
                    raise TypeError(
                        f"{type(handler).__qualname__}.{handler.method.lower()} returned "
                        f"{type(result).__name__}: a page is what it gives to write() or render()"
                    )
        except HTTPError:
            await handler.conclude(crashed=False, gone=self._gone)
            raise
        except Exception:
            await self._conclude_crash(handler)
            raise
        await handler.conclude(crashed=False, gone=self._gone)

    async def _conclude_crash(self, handler: MojoRequestHandler) -> None:
        try:
            await handler.conclude(crashed=True, gone=self._gone)
        except (HTTPError, AskAgain):
            self._log_failure("failed, and then its login or logout")

    async def _pause(self, ago: float) -> None:
        """
        Wait as long again as the browser's cookie has been replaced.

        One that never got the new cookie asks again and again until the former one is an
        old one: a dozen times, so, and not until it gives up.
        """
        if ago > 0 and not self._gone:
            self._pausing = deferLater(self._host.reactor, min(ago, _LONGEST_PAUSE))
            with suppress(CancelledError):
                await self._pausing

    def _ask_again(self) -> None:
        handler = self._handler
        assert handler is not None
        handler.clear()
        self._reset_headers()
        handler.set_header("Cache-Control", "no-store")
        uri = "/" + self._request.uri.decode("latin-1").lstrip("/")
        # With the same method and body; what a browser sends then is the newest cookie.
        handler.redirect(uri, status=307)

    async def _write_error(self, error: Exception) -> None:
        if isinstance(error, HTTPError):
            status, reason = error.status, error.reason
            _log.info(
                "{method} {path}: {error}",
                method=self._request.method.decode("latin-1"),
                path=self._request.path.decode("latin-1"),
                error=str(error),
            )
        else:
            status, reason = 500, "Internal Server Error"
            self._log_failure("failed")
        handler = self._handler
        if handler is None:
            self._give_up()
            return
        handler.clear()
        self._reset_headers()
        if status == 405:
            handler.set_header("Allow", ", ".join(_methods_of(handler)))
        if isinstance(error, TooManyTries):
            handler.set_header("Retry-After", error.retry_after)
        handler.set_status(status, reason)
        try:
            await settled(handler.write_error(status, reason, Failure(error)))
        except Exception:
            self._log_failure("failed in write_error")

    def _reset_headers(self) -> None:
        """Forget what the handler meant for the page that it did not come to write."""
        request = self._request
        for name, _ in list(request.responseHeaders.getAllRawHeaders()):
            request.responseHeaders.removeHeader(name)
        for name, values in self._first_headers:
            request.responseHeaders.setRawHeaders(name, values)
        request.etag = request.lastModified = None

    def _send(self) -> None:
        if self._gone or self._handler is None:
            return
        self._handler.finished = True
        body = self._handler.response_body
        if self._request.code not in NO_BODY_CODES:
            self._request.setHeader(b"content-length", b"%d" % len(body))
            self._request.write(body)
        self._request.finish()

    def _give_up(self) -> None:
        """Answer with the least there is."""
        if self._gone or self._request.finished:
            return
        if self._request.startedWriting:
            self._request.loseConnection()
            return
        self._reset_headers()
        self._request.setResponseCode(500)
        self._request.setHeader(b"content-length", b"0")
        self._request.finish()

    def _log_failure(self, what: str) -> None:
        _log.failure(
            "{app}: {method} {path} {what}",
            app=self._page.app,
            method=self._request.method.decode("latin-1"),
            path=self._request.path.decode("latin-1"),
            what=what,
        )

    def _client_gone(self, _: Failure) -> None:
        self._gone = True
        if self._pausing is not None:
            self._pausing.cancel()
        if self._handler is not None:
            try:
                self._handler.on_connection_close()
            except Exception:
                self._log_failure("failed in on_connection_close")


def _method_of(handler: MojoRequestHandler) -> Any:
    name = handler.method
    if name not in _METHODS:
        return None
    method = getattr(handler, name.lower(), None)
    if method is None and name == "HEAD":
        method = getattr(handler, "get", None)
    return method


def _methods_of(handler: MojoRequestHandler) -> list[str]:
    found = [name for name in _METHODS if hasattr(handler, name.lower())]
    return [*found, "HEAD"] if "GET" in found and "HEAD" not in found else found
