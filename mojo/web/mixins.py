"""
What pages mix in: a session for every visitor, a login that stays while it is used.

The seed's names: ``class Page(MojoSessionMixin, MojoAuthMixin, MojoRequestHandler)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mojo.sessions.cookies import LOGGED_IN, SESSION_ID, new_session_id
from mojo.web.cookies import Beginning
from mojo.web.handler import MojoRequestHandler

# Not subclasses of the handler, so that they may be named before it or after it.
if TYPE_CHECKING:
    _Mixin = MojoRequestHandler
else:
    _Mixin = Beginning


class MojoSessionMixin(_Mixin):
    """
    Gives every visitor a ``session_id`` cookie.

    A visitor without a good one gets a new one with the response, and `session_id` has
    it at once; one that is past half its age is sealed anew, so that it does not run out
    for whoever keeps coming; so is one that was sealed with an earlier secret.  What is
    kept of the visitor is `session`, if the class has ``loads_session = True``.
    """

    def begin(self) -> None:
        """Do it before the method is called."""
        super().begin()
        cookies = self.mojo.cookies
        opened = cookies.open_session(self.cookies)
        if opened is None:
            self._identify()
            self._begin_session(new_session_id())
        elif (
            cookies.is_stale(opened, cookies.ages.session) or self.lacks_prefix(SESSION_ID)
        ) and not self._is_retired():
            self.set_visitor_cookie(SESSION_ID, opened.value, cookies.ages.session)


class MojoAuthMixin(_Mixin):
    """
    Keeps the ``logged_in`` cookie of `login` fresh.

    A login that is used when it is past half its age is sealed anew, and the visitor's
    connections live on with it.
    """

    def begin(self) -> None:
        """Do it before the method is called."""
        super().begin()
        opened = self.mojo.cookies.open_login(self.cookies)
        if (
            opened is not None
            and (opened.is_stale or self.lacks_prefix(LOGGED_IN))
            and not self._is_retired()
        ):
            self._set_login(self.mojo.cookies.renewed(opened.credential))
