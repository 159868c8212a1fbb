"""
The two cookies of a visitor: ``session_id`` says which, ``logged_in`` says who.

Both are sealed by the project's signer.  Whoever holds the signer may make them; a
cookie that is bad, expired, foreign, revoked or contradicts itself is as good as none.

What Mojo seals into ``logged_in`` is more than the user's id: the login's own id and
beginning, which stay when the cookie is sealed anew, and the session that it was made in.  By
them it can be revoked in every copy.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mojo.auth.readers import CookieReader, TokenReader
from mojo.credential import Credential, id_of
from mojo.engineio.handshake import Cookies, Identity
from mojo.sessions.revocations import Revocations
from mojo.sessions.signer import CookieSigner, Opened

SESSION_ID = "session_id"
LOGGED_IN = "logged_in"
#: Before the names of our cookies where the visitor comes by https: a browser takes such a
#: cookie from this host alone, by https, and for all paths (RFC 6265bis section 4.1.3.2).
HOST_PREFIX = "__Host-"

# Under which name our own ``logged_in`` cookies are sealed, with more in them than the
# user's id: no user's id, however it is chosen, can then be taken for one of them.
_LOGIN = "logged_in/2"


def new_session_id() -> str:
    """Make a visitor's id: 192 random bits."""
    return secrets.token_urlsafe(24)


def own_values(name: str, cookies: Cookies) -> tuple[str, ...]:
    """
    Give the values of a cookie that Mojo sets itself.

    Where one with the prefix came, one without it is not looked at, whether the other is
    good or not: a neighbouring host, or anybody by http, can have planted it.
    """
    return cookies.get(HOST_PREFIX + name) or cookies.get(name, ())


class OpenedLogin(NamedTuple):
    """
    A good ``logged_in`` cookie.

    Attributes:
        credential: what it says.
        is_stale: whether it should be sealed anew.
    """

    credential: Credential
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieAges:
    """
    How long the cookies are good.

    Attributes:
        session: seconds from the sealing of ``session_id``.
        login: seconds from the sealing of ``logged_in``.
    """

    session: float = 365 * 86400.0
    login: float = 14 * 86400.0


class VisitorCookies:
    """
    Reads and makes the cookies of visitors.

    Args:
        signer: the project's.
        now: gives the seconds since the epoch.
        ages: see `CookieAges`.
        readers: find logins that others have given out, where there is none of ours.

    Attributes:
        revocations: what is not to be believed.
    """

    def __init__(
        self,
        signer: CookieSigner,
        now: Callable[[], float],
        ages: CookieAges | None = None,
        readers: Iterable[CookieReader | TokenReader] = (),
    ) -> None:
        self.signer = signer
        self.ages = ages or CookieAges()
        self.revocations = Revocations(now, self.ages.login, self.ages.session)
        self._now = now
        readers = tuple(readers)
        self._cookie_readers = [r for r in readers if isinstance(r, CookieReader)]
        self._token_readers = [r for r in readers if isinstance(r, TokenReader)]

    def identify(self, cookies: Cookies) -> Identity:
        """Tell who a request's cookies say the visitor is; see `EngineServer`."""
        session = self.open_session(cookies)
        credential = next(self.logins(cookies), None)
        return Identity(
            session.value if session is not None else None,
            credential.user_id if credential is not None else None,
            credential,
        )

    def from_auth(self, auth: Mapping[str, Any]) -> Credential | None:
        """Give the login of a token with which a client joins a namespace."""
        if not self._token_readers:
            return None
        now = self._now()
        found = (reader.from_auth(auth, now) for reader in self._token_readers)
        return next((c for c in found if c is not None and not self.revocations.covers(c)), None)

    def logins(self, cookies: Cookies) -> Iterator[Credential]:
        """Give the logins that a request's cookies say, of which the first one counts."""
        login = self.open_login(cookies)
        if login is not None:
            yield login.credential
        for reader in self._cookie_readers:
            credential = reader.from_cookies(cookies, self._now())
            if credential is not None and not self.revocations.covers(credential):
                yield credential

    # -- each of the cookies ----------------------------------------------------

    def open(self, name: str, cookies: Cookies, max_age: float) -> Opened | None:
        """
        Open the cookie of a name.

        A cookie may come twice, and one of the two may have been planted from a
        neighbouring host name.  Doubles that do not open are passed over; two that
        open and differ are both refused, since nobody can tell which is the visitor's.
        An empty value is a cookie that was taken away.
        """
        now = self._now()
        found = {
            opened.value: opened
            for token in dict.fromkeys(cookies.get(name, ()))
            if (opened := self.signer.open(name, token, now=now, max_age=max_age)) is not None
        }
        if len(found) != 1:
            return None
        (opened,) = found.values()
        return opened if opened.value else None

    def open_own(self, name: str, cookies: Cookies, max_age: float) -> Opened | None:
        """Open a cookie that Mojo sets itself, in whichever form it came; see `own_values`."""
        return self.open(name, {name: own_values(name, cookies)}, max_age)

    def open_session(self, cookies: Cookies) -> Opened | None:
        """Open the ``session_id`` cookie."""
        opened = self.open_own(SESSION_ID, cookies, self.ages.session)
        if opened is None or self.revocations.covers_session(opened.value, opened.sealed):
            return None
        return opened

    def open_login(self, cookies: Cookies) -> OpenedLogin | None:
        """Open the ``logged_in`` cookie; see `open` for doubles."""
        found: dict[str, OpenedLogin] = {}
        for token in dict.fromkeys(own_values(LOGGED_IN, cookies)):
            opened = self._open_login_token(token)
            if opened is not None and not self.revocations.covers(opened.credential):
                found[opened.credential.user_id] = opened
        if len(found) != 1:
            return None
        (login,) = found.values()
        return login if login.credential.user_id else None

    def _open_login_token(self, token: str) -> OpenedLogin | None:
        now, max_age = self._now(), self.ages.login
        opened = self.signer.open(_LOGIN, token, now=now, max_age=max_age)
        if opened is not None:
            user_id, login, since, session_id = json.loads(opened.value)
        else:
            # Of somebody else who has the signer, and seals just the user's id.
            opened = self.signer.open(LOGGED_IN, token, now=now, max_age=max_age)
            if opened is None:
                return None
            user_id, login, since, session_id = opened.value, id_of(token), opened.sealed, None
        credential = Credential(
            user_id=user_id,
            id=login,
            since=since,
            expires=opened.sealed + max_age,
            session_id=session_id,
        )
        return OpenedLogin(credential, self.is_stale(opened, max_age))

    def new_login(self, user_id: str, session_id: str | None) -> Credential:
        """
        Make a login, which begins now.

        Args:
            user_id: who.
            session_id: the visitor's session.
        """
        return Credential(
            user_id=user_id,
            id=secrets.token_urlsafe(12),
            since=self.revocations.beginning(user_id),
            expires=int(self._now()) + self.ages.login,
            session_id=session_id,
        )

    def renewed(self, credential: Credential) -> Credential:
        """Give a login as it is when its cookie is sealed now."""
        return replace(credential, expires=int(self._now()) + self.ages.login)

    def seal_login(self, credential: Credential) -> str:
        """Seal the value of a ``logged_in`` cookie, as of now."""
        c = credential
        value = json.dumps([c.user_id, c.id, c.since, c.session_id], separators=(",", ":"))
        return self.seal(_LOGIN, value)

    def seal(self, name: str, value: str) -> str:
        """
        Seal a cookie's value, as of now.

        Raises:
            TypeError: the value is no text.
            ValueError: see `Signer.seal`.
        """
        if not isinstance(value, str):
            raise TypeError(f"a cookie's value is a str, not {type(value).__name__}")
        return self.signer.seal(name, value, now=self._now())

    def is_stale(self, opened: Opened, max_age: float) -> bool:
        """Tell whether a cookie should be sealed anew: past half its age, or an old secret's."""
        return not opened.current or self._now() - opened.sealed > max_age / 2


def session_key(session_id: object) -> str:
    """
    Give a session's id, if it can be one.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty.
    """
    if not isinstance(session_id, str):
        raise TypeError(f"a session id is a str, not {type(session_id).__name__}")
    if not session_id:
        raise ValueError("a session id cannot be empty")
    return session_id
