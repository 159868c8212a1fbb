"""
The two cookies of a visitor: ``session_id`` says which, ``logged_in`` says who.

Both are sealed by the project's signer.  Whoever holds the signer may make them; a
cookie that is bad, expired, foreign or contradicts itself is as good as none.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from mojo.engineio.handshake import Cookies, Identity
from mojo.sessions.signer import Opened, Signer

SESSION_ID = "session_id"
LOGGED_IN = "logged_in"


def new_session_id() -> str:
    """Make a visitor's id: 192 random bits."""
    return secrets.token_urlsafe(24)


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
    """

    def __init__(
        self, signer: Signer, now: Callable[[], float], ages: CookieAges | None = None
    ) -> None:
        self.signer = signer
        self.ages = ages or CookieAges()
        self._now = now

    def identify(self, cookies: Cookies) -> Identity:
        """Tell who a request's cookies say the visitor is; see `EngineServer`."""
        session = self.open(SESSION_ID, cookies, self.ages.session)
        login = self.open(LOGGED_IN, cookies, self.ages.login)
        return Identity(
            session.value if session is not None else None,
            login.value if login is not None else None,
        )

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

    def seal(self, name: str, value: str) -> str:
        """Seal a cookie's value, as of now."""
        return self.signer.seal(name, value, now=self._now())

    def is_stale(self, opened: Opened, max_age: float) -> bool:
        """Tell whether a cookie should be sealed anew: past half its age, or an old secret's."""
        return not opened.current or self._now() - opened.sealed > max_age / 2


def user_key(user_id: object) -> str:
    """
    Give the text that stands for a user id: ids may be numbers, keys are text.

    Raises:
        TypeError: it is neither text nor a whole number.
        ValueError: it is empty.
    """
    if isinstance(user_id, bool) or not isinstance(user_id, str | int):
        raise TypeError(f"a user id is a str or an int, not {type(user_id).__name__}")
    key = str(user_id)
    if not key:
        raise ValueError("a user id cannot be empty")
    return key
