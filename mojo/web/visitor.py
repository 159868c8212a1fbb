"""
The visitor's half of a request handler: session, login, and proof that a form is ours.

Who a visitor is comes from the two cookies of `mojo.sessions.cookies` and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from mojo.errors import HTTPError
from mojo.sessions.cookies import LOGGED_IN, user_key
from mojo.web import csrf
from mojo.web.host import Host
from mojo.web.session import SessionMethods

CSRF_COOKIE = "csrf_token"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = b"x-csrf-token"
_CSRF_MAX_AGE = 30 * 86400.0


class VisitorMethods(SessionMethods):
    """Methods of `MojoRequestHandler` about the visitor."""

    def __init__(self, mojo: Host, request: Request) -> None:
        super().__init__(mojo, request)
        self._csrf_secret: bytes | None = None
        self._when_sent: Callable[[], None] | None = None

    def get_current_user(self) -> Any:
        """
        Tell who is logged in; the user id by default.

        Override it to give an object of yours.  It is asked where there is no waiting: what
        takes time belongs into `prepare`.
        """
        return self.user_id

    @property
    def user_id(self) -> str | None:
        """The login, or ``None``."""
        self._identify()
        return self._user_id

    @property
    def current_user(self) -> Any:
        """
        What `get_current_user` tells.

        Raises:
            TypeError: that is something to wait for, which would be taken for a user.
        """
        user = self.get_current_user()
        if iscoroutine(user) or isinstance(user, Deferred):
            raise TypeError(f"{type(self).__qualname__}.get_current_user must not be async")
        return user

    def login(self, user_id: str | int) -> None:
        """
        Log the visitor in: the response sets the ``logged_in`` cookie.

        A login belongs to a session: a visitor who has none gets one.  One that there is
        gets another id, which nobody can have known before, and the visitor's connections
        go along.  Those that the visitor has with another login lose it.

        Args:
            user_id: text or a whole number; checking who it is is yours.
        """
        key = user_key(user_id)
        self._identify()
        self._log_out_connections("login changed", keep=key)
        self._renew_session_id()
        self._user_id = key
        self.set_visitor_cookie(LOGGED_IN, key, self.mojo.cookies.ages.login)

    def logout(self) -> None:
        """
        Log the visitor out, here and on the visitor's live connections.

        The response takes the ``logged_in`` cookie away; connections leave
        ``LOGGED_IN_SESSIONS``, lose their `user_id`, and their ``on_logout`` is called.
        The session goes on under another id.
        """
        self._identify()
        self.clear_cookie(LOGGED_IN)
        self._log_out_connections("logout")
        self._user_id = None
        if self._session_id is not None:
            self._renew_session_id()

    def _log_out_connections(self, reason: str, keep: str | None = None) -> None:
        # Whatever this request's cookies say of it now: a connection may have come with a
        # login that has run out since.
        user_id = self._user_id
        self.mojo.log_out(self._session_id, user_id, reason=reason, keep=keep)
        # And once more when the browser has the answer: until then it may come back with
        # the old cookie.  The connections have the session's new id by then.
        self._when_sent = lambda: self.mojo.log_out(
            self._session_id, user_id, reason=reason, keep=keep
        )

    def end(self) -> None:
        """Called when the response was sent, or could not be."""
        if self._when_sent is not None:
            self._when_sent()

    # -- forgery ------------------------------------------------------------

    @property
    def csrf_token(self) -> str:
        """The token that a form of this page must send as ``csrf_token``."""
        if self._csrf_secret is None:
            secret, stale = self._read_csrf_secret()
            if secret is None:
                secret = secrets.token_bytes(csrf.SECRET_BYTES)
            if stale:
                text = base64.urlsafe_b64encode(secret).decode("ascii")
                self.set_secure_cookie(CSRF_COOKIE, text, max_age=_CSRF_MAX_AGE)
            self._csrf_secret = secret
        return csrf.mask(self._csrf_secret, secrets.token_bytes(csrf.SECRET_BYTES))

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
            raise HTTPError(403, f"a form of {origin!r}, expected {host!r}")
        fields = (self.request.args or {}).get(CSRF_FIELD.encode("ascii"))
        token = fields[-1] if fields else self.request.getHeader(CSRF_HEADER) or b""
        secret, _ = self._read_csrf_secret()
        if secret is None or not csrf.matches(secret, token.decode("latin-1").strip()):
            raise HTTPError(403, "missing or wrong CSRF token")

    def _read_csrf_secret(self) -> tuple[bytes | None, bool]:
        """Give the secret of the visitor's cookie, and whether that should be sealed anew."""
        cookies = self.mojo.cookies
        opened = cookies.open(CSRF_COOKIE, self.cookies, _CSRF_MAX_AGE)
        if opened is None:
            return None, True
        try:
            secret = base64.urlsafe_b64decode(opened.value)
        except (binascii.Error, ValueError):
            return None, True
        if len(secret) != csrf.SECRET_BYTES:
            return None, True
        return secret, cookies.is_stale(opened, _CSRF_MAX_AGE)


class _Html(str):
    """Text that a template need not escape."""

    __slots__ = ()

    def __html__(self) -> str:
        return self
