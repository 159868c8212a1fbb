"""
The visitor's half of a request handler: session, login, and proof that a form is ours.

Who a visitor is comes from the two cookies of `mojo.sessions.cookies` and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Sequence
from inspect import iscoroutine
from typing import Any, ClassVar, NamedTuple

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from mojo.auth.passwords import check_password, check_room
from mojo.calls import settled
from mojo.credential import Credential
from mojo.errors import HTTPError
from mojo.guards import Guard
from mojo.sessions.cookies import LOGGED_IN
from mojo.users import LoadedUser, user_key
from mojo.web import csrf
from mojo.web.host import Host
from mojo.web.session import SessionMethods

CSRF_COOKIE = "csrf_token"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = b"x-csrf-token"
_CSRF_MAX_AGE = 30 * 86400.0


class _Before(NamedTuple):
    """Who the visitor was before a login of this request."""

    session_id: str | None
    user_id: str | None
    credential: Credential | None


class VisitorMethods(SessionMethods):
    """
    Methods of `MojoRequestHandler` about the visitor.

    Attributes:
        guards: what ``@login_required`` and ``@require`` have put before the class.
    """

    guards: ClassVar[Sequence[Guard]] = ()

    def __init__(self, mojo: Host, request: Request) -> None:
        super().__init__(mojo, request)
        self._loaded: LoadedUser | None = None
        # Until it is certain that the response sets the login.
        self._before: _Before | None = None
        self._csrf_secret: bytes | None = None

    def get_current_user(self) -> Any:
        """
        Tell who is logged in; the user id by default.

        With ``LOAD_USER`` it is what that made of the id.  Override it to give something
        else.  It is asked where there is no waiting: what takes time belongs into
        ``LOAD_USER`` or `prepare`.
        """
        if not self.mojo.users.are_loaded:
            return self.user_id
        loaded = self._loaded
        return loaded.user if loaded is not None and loaded.user_id == self.user_id else None

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
            if iscoroutine(user):
                user.close()  # or Python says as well that nobody has awaited it
            raise TypeError(f"{type(self).__qualname__}.get_current_user must not be async")
        return user

    async def load_user(self) -> Any:
        """
        Load the user with ``LOAD_USER``; give `current_user`.

        It is done before `prepare`; do it again after `login`, or after a change.
        """
        await self.load_user_first()
        return self.current_user

    async def load_user_first(self) -> None:
        """Load the user, if there is a login and something to load."""
        user_id = self.user_id
        if user_id is not None and self.mojo.users.are_loaded:
            user = await settled(self.mojo.users.load(user_id))
            self._loaded = LoadedUser(user_id, user, 0.0)

    async def check_password(self, account: str, password: str, hashed: str | None) -> bool:
        """
        Tell whether a password is the right one, within ``LOGIN_TRIES``.

        Args:
            account: what the visitor typed, whether there is such an account or not.
            password: what the visitor typed.
            hashed: what `mojo.auth.hash_password` gave, or ``None`` if there is no such
                account, which takes as long.
        Raises:
            TooManyTries: it is answered 429, with the seconds to wait.
            TooManyWaiting: it is answered 503, and is no try.
        """
        check_room()
        address = self.mojo.proxies.peer(self.request).address
        self.mojo.login_tries.begin(account, address)
        if not await check_password(password, hashed):
            return False
        self.mojo.login_tries.succeeded(account, address)
        return True

    def login(self, user_id: str | int) -> None:
        """
        Log the visitor in: the response sets the ``logged_in`` cookie.

        A login belongs to a session: a visitor who has none gets one.  One that there is
        gets another id, which nobody can have known before, and the visitor's connections
        go along.  Those that the visitor has with another login lose it.

        All of it is done before the response is sent, if that gives the browser the cookies.

        Args:
            user_id: text or a whole number; checking who it is is yours.
        """
        key = user_key(user_id)
        self._identify()
        before = self._before or _Before(self._session_id, self._user_id, self._credential)
        self._renew_session_id()
        credential = self.mojo.cookies.new_login(key, self._session_id)
        self._set_login(credential)
        self._user_id, self._before = key, before

    def _login_stands(self) -> None:
        before, self._before = self._before, None
        if before is None or self._credential is None:
            return
        if before.session_id is not None:
            self.mojo.adopt_login(before.session_id, self._credential)
        if before.credential is not None:
            # After the visitor's own connections have the new one: who else has the former
            # login came with a copy of its cookie.
            self.mojo.end_login(before.credential, "login changed")
        self.mojo.log_out(
            before.session_id, before.user_id, reason="login changed", keep=self._user_id
        )

    def _undo_login(self) -> None:
        super()._undo_login()
        before, self._before = self._before, None
        if before is not None:
            self._user_id, self._credential = before.user_id, before.credential
            self.withdraw_own_cookie(LOGGED_IN)

    def logout(self, *, everywhere: bool = False) -> None:
        """
        Log the visitor out, here and on the visitor's live connections.

        The response takes the ``logged_in`` cookie away, and every copy of it, and of whatever
        else has logged the visitor in by ``LOGIN_FROM``, is worthless from now on;
        connections leave ``LOGGED_IN_SESSIONS``, lose their `user_id`, and their
        ``on_logout`` is called.  The session goes on under another id.

        Args:
            everywhere: whether the user is logged out of all browsers and devices.
        """
        self._identify()
        self.clear_own_cookie(LOGGED_IN)
        if everywhere and self._user_id is not None:
            self.mojo.revoke(user_id=self._user_id, reason="logout")
        for credential in self.mojo.cookies.logins(self.cookies):
            self.mojo.end_login(credential, "logout")
        # Whatever this request's cookies say of it now: a connection may have come with a
        # login that has run out since.
        before = self._before or self
        self.mojo.log_out(self._former_id or self._session_id, before.user_id, reason="logout")
        self._user_id = self._credential = self._before = None
        if self._session_id is not None:
            self._renew_session_id()

    def _set_login(self, credential: Credential) -> None:
        """Let the response set the cookie of a login, which connections then live by."""
        self._credential = credential
        cookies = self.mojo.cookies
        self.set_own_cookie(LOGGED_IN, cookies.seal_login(credential), cookies.ages.login)
        self.mojo.renew_login(credential)

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
                self.set_visitor_cookie(CSRF_COOKIE, text, _CSRF_MAX_AGE)
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
        opened = cookies.open_own(CSRF_COOKIE, self.cookies, _CSRF_MAX_AGE)
        if opened is None:
            return None, True
        try:
            secret = base64.urlsafe_b64decode(opened.value)
        except (binascii.Error, ValueError):
            return None, True
        if len(secret) != csrf.SECRET_BYTES:
            return None, True
        stale = cookies.is_stale(opened, _CSRF_MAX_AGE) or self.lacks_prefix(CSRF_COOKIE)
        return secret, stale


class _Html(str):
    """Text that a template need not escape."""

    __slots__ = ()

    def __html__(self) -> str:
        return self
