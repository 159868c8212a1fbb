"""
Request handlers: one object per request, with what Tornado's handlers gave.

A subclass defines ``get``, ``post``, ``put``, ``delete``, ``patch``, ``head`` or
``options``; each may be sync, give a Deferred, or be a coroutine.  The response is what was
written when that is over.  How a handler is called is in `mojo.web.resource`.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import traceback
from typing import Any, overload
from urllib.parse import quote

from twisted.python.failure import Failure
from twisted.web.server import Request

from mojo.errors import HTTPError
from mojo.sessions.cookies import LOGGED_IN, SESSION_ID, user_key
from mojo.web import csrf
from mojo.web.cookies import CookieMethods
from mojo.web.errors import error_page
from mojo.web.host import Host

CSRF_COOKIE = "csrf_token"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = b"x-csrf-token"
_CSRF_MAX_AGE = 30 * 86400.0


class _Required:
    """The default of an argument that has none."""


class MojoRequestHandler(CookieMethods):
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
        self.mojo = mojo
        self.request = request
        self.app = app
        self.finished = False
        self._body: list[bytes] = []
        self._session_id: str | None = None
        self._user_id: str | None = None
        self._identified = False
        self._csrf_secret: bytes | None = None

    # -- hooks --------------------------------------------------------------

    def prepare(self) -> Any:
        """Called before the method; may be async, and may end the request."""

    def write_error(self, status: int, reason: str, failure: Failure | None) -> None:
        """
        Write the page of an error; override it for pages of your own.

        Args:
            status: the HTTP status code.
            reason: its words.
            failure: what was raised.
        """
        detail = ""
        if self.mojo.settings.debug and failure is not None and status >= 500:
            detail = "".join(traceback.format_exception(failure.value))
        self.write(error_page(status, reason, detail))

    def get_current_user(self) -> Any:
        """Tell who is logged in; the user id by default."""
        return self.user_id

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

    # -- the visitor --------------------------------------------------------

    @property
    def session_id(self) -> str | None:
        """The visitor; with `MojoSessionMixin` every visitor has one."""
        self._identify()
        return self._session_id

    @property
    def user_id(self) -> str | None:
        """The login, or ``None``."""
        self._identify()
        return self._user_id

    @property
    def current_user(self) -> Any:
        """What `get_current_user` tells."""
        return self.get_current_user()

    def login(self, user_id: str | int) -> None:
        """
        Log the visitor in: the response sets the ``logged_in`` cookie.

        Args:
            user_id: text or a whole number; checking who it is is yours.
        """
        key = user_key(user_id)
        self._identify()
        self._user_id = key
        self.set_visitor_cookie(LOGGED_IN, key, self.mojo.cookies.ages.login)

    def logout(self) -> None:
        """
        Log the visitor out, here and on the visitor's live connections.

        The response takes the ``logged_in`` cookie away; connections leave
        ``LOGGED_IN_SESSIONS``, lose their `user_id`, and their ``on_logout`` is called.
        """
        self._identify()
        user_id, self._user_id = self._user_id, None
        self.clear_cookie(LOGGED_IN)
        if user_id is not None:
            self.mojo.log_out(self._session_id, user_id)

    def set_visitor_cookie(self, name: str, value: str, max_age: float) -> None:
        """Seal one of the visitor's two cookies."""
        self.set_secure_cookie(name, value, max_age=max_age)

    def _identify(self) -> None:
        if not self._identified:
            self._identified = True
            self._session_id, self._user_id = self.mojo.cookies.identify(self.cookies)

    def _begin_session(self, session_id: str) -> None:
        self._session_id = session_id
        self.set_visitor_cookie(SESSION_ID, session_id, self.mojo.cookies.ages.session)

    # -- forgery ------------------------------------------------------------

    @property
    def csrf_token(self) -> str:
        """The token that a form of this page must send as ``csrf_token``."""
        secret = self._csrf_secret or self._read_csrf_secret()
        if secret is None:
            secret = secrets.token_bytes(csrf.SECRET_BYTES)
            text = base64.urlsafe_b64encode(secret).decode("ascii")
            self.set_secure_cookie(CSRF_COOKIE, text, max_age=_CSRF_MAX_AGE)
        self._csrf_secret = secret
        return csrf.mask(secret, secrets.token_bytes(csrf.SECRET_BYTES))

    def csrf_field(self) -> str:
        """Make the hidden field of a form, for a template."""
        return _Html(f'<input type="hidden" name="{CSRF_FIELD}" value="{self.csrf_token}">')

    def check_csrf(self) -> None:
        """
        Refuse a request that a page of another site made the browser send.

        Raises:
            HTTPError: 403.
        """
        origin = (self.request.getHeader(b"origin") or b"").decode("latin-1") or None
        host = (self.request.getHeader(b"host") or b"").decode("latin-1")
        if not self.mojo.origins.trusts(origin, host, self.is_secure):
            raise HTTPError(403, log_message=f"a form of {origin!r}, expected {host!r}")
        token = self.get_argument(CSRF_FIELD, "") or (
            self.request.getHeader(CSRF_HEADER) or b""
        ).decode("latin-1")
        secret = self._read_csrf_secret()
        if secret is None or not csrf.matches(secret, token):
            raise HTTPError(403, log_message="missing or wrong CSRF token")

    def _read_csrf_secret(self) -> bytes | None:
        text = self.get_secure_cookie(CSRF_COOKIE, max_age=_CSRF_MAX_AGE)
        try:
            secret = base64.urlsafe_b64decode(text or "")
        except (binascii.Error, ValueError):
            return None
        return secret if len(secret) == csrf.SECRET_BYTES else None

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
        """
        if self.finished:
            raise RuntimeError("write() after finish(), redirect() or render()")
        if isinstance(chunk, dict):
            self.set_header("Content-Type", "application/json; charset=UTF-8")
            chunk = json.dumps(chunk)
        self._body.append(chunk.encode("utf-8") if isinstance(chunk, str) else bytes(chunk))

    def render(self, template: str, **context: Any) -> None:
        """Write a template and finish; see `render_string`."""
        self.finish(self.render_string(template, **context))

    def render_string(self, template: str, **context: Any) -> str:
        """
        Render a template of this app, or of the project.

        Beside what is given, a template knows ``handler``, ``request``,
        ``current_user``, ``session_id``, ``static_url``, ``csrf_field``,
        ``csrf_token`` and ``project``.
        """
        names = {
            "handler": self,
            "request": self.request,
            "current_user": self.current_user,
            "session_id": self.session_id,
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

    def static_url(self, path: str) -> str:
        """Give the address of a static file, which changes when the file does."""
        return self.mojo.static_files.url(path)

    def clear(self) -> None:
        """Forget what was written; cookies and headers stay, but for the content's type."""
        self._body.clear()
        self.finished = False
        self.set_header("Content-Type", "text/html; charset=UTF-8")

    @property
    def response_body(self) -> bytes:
        """What was written."""
        return b"".join(self._body)


class _Html(str):
    """Text that a template need not escape."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def _header_text(text: str) -> bytes:
    if any(character in text for character in "\r\n\0"):
        raise ValueError(f"a line end in a response header: {text[:40]!r}")
    return text.encode("utf-8")
