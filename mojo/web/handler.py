"""
Request handlers: one object per request, with what Tornado's handlers gave.

A subclass defines ``get``, ``post``, ``put``, ``delete``, ``patch``, ``head`` or
``options``; each may be sync, give a Deferred, or be a coroutine.  The response is what was
written when that is over.  How a handler is called is in `mojo.web.resource`.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any, overload
from urllib.parse import quote, urlencode

from twisted.python.failure import Failure
from twisted.web.server import Request

from mojo.errors import HTTPError
from mojo.guards import LOGIN_REQUIRED, Guard
from mojo.web.errors import error_page
from mojo.web.host import Host
from mojo.web.visitor import VisitorMethods


class _Required:
    """The default of an argument that has none."""


class MojoRequestHandler(VisitorMethods):
    """
    One request to a page.

    Attributes:
        mojo: the service that the page belongs to.
        request: twisted.web's request.
        app: the name of the page's app.
        csrf_protected: whether a POST, PUT, PATCH or DELETE needs a token; turn it off
            only for what browsers' cookies have no part in.
    """

    csrf_protected = True

    def __init__(self, mojo: Host, request: Request, app: str) -> None:
        super().__init__(mojo, request)
        self.app = app
        self.finished = False
        self._body: list[bytes] = []

    # -- hooks --------------------------------------------------------------

    def prepare(self) -> Any:
        """Called before the method; may be async, and may end the request."""

    def on_connection_close(self) -> None:
        """Called when the client has left without waiting for the answer."""

    def write_error(self, status: int, reason: str, failure: Failure | None) -> Any:
        """
        Write the page of an error; override it for pages of your own; may be async.

        Args:
            status: the HTTP status code.
            reason: its words.
            failure: what was raised.
        """
        detail = ""
        if self.mojo.settings.debug and failure is not None and status >= 500:
            detail = "".join(traceback.format_exception(failure.value))
        self.write(error_page(status, reason, detail))

    # -- the request --------------------------------------------------------

    @property
    def method(self) -> str:
        """``"GET"``, ``"POST"``, ..."""
        return self.request.method.decode("latin-1")

    @property
    def body(self) -> bytes:
        """The request's body."""
        assert self.request.content is not None
        self.request.content.seek(0)
        content: bytes = self.request.content.read()
        return content

    @overload
    def get_argument(self, name: str, *, strip: bool = True) -> str: ...
    @overload
    def get_argument(self, name: str, default: str, *, strip: bool = True) -> str: ...
    @overload
    def get_argument(self, name: str, default: None, *, strip: bool = True) -> str | None: ...
    def get_argument(self, name: str, default: Any = _Required, *, strip: bool = True) -> Any:
        """
        Give a field of the query or of the form, its last value if it has several.

        Args:
            name: the field.
            default: given when there is no such field.
            strip: whether white space around it is taken off.
        Raises:
            HTTPError: 400, when there is no such field and no default.
        """
        values = self.get_arguments(name, strip=strip)
        if values:
            return values[-1]
        if default is _Required:
            raise HTTPError(400, log_message=f"missing argument {name!r}")
        return default

    def get_arguments(self, name: str, *, strip: bool = True) -> list[str]:
        """
        Give all values of a field of the query and of the form.

        Raises:
            HTTPError: 400, when one of them is not UTF-8.
        """
        raw = (self.request.args or {}).get(name.encode("utf-8"), [])
        try:
            values = [value.decode("utf-8") for value in raw]
        except UnicodeDecodeError as exc:
            raise HTTPError(400, log_message=f"argument {name!r} is not UTF-8") from exc
        return [value.strip() for value in values] if strip else values

    # -- the response -------------------------------------------------------

    def set_status(self, status: int, reason: str | None = None) -> None:
        """Set the status; the words are the standard ones unless given."""
        message = None if reason is None else _header_text(reason)
        self.request.setResponseCode(status, message)

    def set_header(self, name: str, value: str | int) -> None:
        """
        Set a response header.

        Raises:
            ValueError: the value holds a line end.
        """
        self.request.setHeader(_header_text(name), _header_text(str(value)))

    def add_header(self, name: str, value: str | int) -> None:
        """Add a response header to those of its name."""
        self.request.responseHeaders.addRawHeader(_header_text(name), _header_text(str(value)))

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        """
        Add to the response.

        Args:
            chunk: text is sent as UTF-8, a dict as JSON.
        Raises:
            RuntimeError: the request is finished.
            TypeError: the chunk is something else.
        """
        if self.finished:
            raise RuntimeError("write() after finish(), redirect() or render()")
        if isinstance(chunk, dict):
            self.set_header("Content-Type", "application/json; charset=UTF-8")
            chunk = json.dumps(chunk)
        if isinstance(chunk, str):
            chunk = chunk.encode("utf-8")
        if not isinstance(chunk, bytes):
            raise TypeError(f"write() takes text, bytes or a dict, not {type(chunk).__name__}")
        self._body.append(chunk)

    def render(self, template: str, **context: Any) -> None:
        """Write a template and finish; see `render_string`."""
        self.finish(self.render_string(template, **context))

    def render_string(self, template: str, **context: Any) -> str:
        """
        Render a template of this app, or of the project.

        Beside what is given, a template knows ``handler``, ``request``,
        ``current_user``, ``session_id``, ``session`` (``None`` unless it is loaded),
        ``static_url``, ``csrf_field`` and ``project``.
        """
        names = {
            "handler": self,
            "request": self.request,
            "current_user": self.current_user,
            "session_id": self.session_id,
            "session": self._session,
            "static_url": self.static_url,
            "csrf_field": self.csrf_field,
            "project": self.mojo.project_name,
            **context,
        }
        return self.mojo.templates.render(self.app, template, names)

    def redirect(self, url: str, *, permanent: bool = False, status: int | None = None) -> None:
        """
        Send the browser elsewhere, and finish.

        Args:
            url: an address or a path; what is not ASCII is percent-encoded.
            permanent: 301 rather than 302.
            status: another status of redirection.
        """
        self.set_status(status or (301 if permanent else 302))
        self.set_header("Location", quote(url, safe="%/:=&?~#+!$,;'@()*[]"))
        self.finish()

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> None:
        """Add to the response, and say that it is complete."""
        if chunk is not None:
            self.write(chunk)
        self.finished = True

    def pass_guard(self, guard: Guard, call: Callable[[], Any]) -> Any:
        """
        Call something if the user may, or lead to the login.

        Raises:
            HTTPError: 403.
        """
        refusal = guard.refusal(self.current_user, self.mojo.users.roles_of)
        if refusal is None:
            return call()
        if refusal is not LOGIN_REQUIRED or self.method not in ("GET", "HEAD"):
            raise HTTPError(403, log_message=refusal.code)
        wanted = "/" + self.request.uri.decode("latin-1").lstrip("/")
        login = self.mojo.settings.login_url
        mark = "&" if "?" in login else "?"
        self.redirect(f"{login}{mark}{urlencode({'next': wanted})}")
        return None

    def next_url(self, default: str = "/") -> str:
        """
        Give the page that the visitor wanted before `login_required` asked for a login.

        Args:
            default: given when there is none, or it is not on this site: a link with a
                ``next`` of its own must not lead a visitor away after the login.
        """
        wanted = self.get_argument("next", "")
        local = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
        return wanted if local and wanted.isprintable() else default

    def static_url(self, path: str) -> str:
        """Give the address of a static file, which changes when the file does."""
        return self.mojo.static_files.url(path)

    def clear(self) -> None:
        """Forget what was written; cookies and headers stay."""
        self._body.clear()
        self.finished = False

    @property
    def response_body(self) -> bytes:
        """What was written."""
        return b"".join(self._body)


def _header_text(text: str) -> bytes:
    if any(character in text for character in "\r\n\0"):
        raise ValueError(f"a line end in a response header: {text[:40]!r}")
    return text.encode("utf-8")
