"""
Sessions in the visitor's own cookie, encrypted: for small data, and nothing to run.

The cookie holds the session's id too, so that it is no good with another session.  What
a store on the server does and this cannot: a connection can read a session and not change
it, since only the answer to a page sets cookies; of two pages that are made at the same
moment the later answer wins; and a visitor who keeps an old cookie can bring it back.
"""

from __future__ import annotations

from mojo.sessions.cookies import VisitorCookies
from mojo.sessions.stores import Carrier, Stored

SESSION_DATA = "session_data"

#: Bytes of JSON that fit in a cookie of 4,096 bytes once they are sealed.
MAX_SIZE = 2700


class CookieStore:
    """
    A `SessionStore` in the visitors' cookies.

    Args:
        cookies: seals and opens them.
        max_size: most bytes of a session, which is `MAX_SIZE` or less.
    """

    pages_only = True

    def __init__(self, cookies: VisitorCookies, max_size: int = MAX_SIZE) -> None:
        self.max_size = min(max_size, MAX_SIZE)
        self._cookies = cookies

    def load(self, session_id: str, carrier: Carrier) -> Stored | None:
        """Give a session; see `SessionStore`."""
        max_age = self._cookies.ages.session
        opened = self._cookies.open_own(SESSION_DATA, carrier.cookies, max_age)
        if opened is None:
            return None
        version, data, whose = opened.value.split("\n", 2)
        if whose != session_id:
            return None
        stored = Stored(data, version)
        if carrier.answers and self._cookies.is_stale(opened, max_age):
            self._set(session_id, stored, carrier)
        return stored

    def save(self, session_id: str, stored: Stored, expected: str | None, carrier: Carrier) -> bool:
        """Keep a session; see `SessionStore`."""
        before = self.load(session_id, carrier)
        if (None if before is None else before.version) != expected:
            return False
        self._set(session_id, stored, carrier)
        return True

    def move(
        self,
        session_id: str,
        other: str,
        stored: Stored | None,
        expected: str | None,
        carrier: Carrier,
    ) -> bool:
        """Keep a session under another id; see `SessionStore`."""
        before = self.load(session_id, carrier)
        if (None if before is None else before.version) != expected:
            return False
        if stored is not None:
            self._set(other, stored, carrier)
        return True

    def close(self) -> None:
        """There is nothing to let go."""

    def _set(self, session_id: str, stored: Stored, carrier: Carrier) -> None:
        # Neither a version nor JSON has line ends.
        text = "\n".join((stored.version, stored.data, session_id))
        token = self._cookies.seal(SESSION_DATA, text)
        carrier.set_session_cookie(SESSION_DATA, token, self._cookies.ages.session)
