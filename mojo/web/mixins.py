"""
What pages mix in: a session for every visitor, a login that stays while it is used.

The seed's names: ``class Page(MojoSessionMixin, MojoAuthMixin, MojoRequestHandler)``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from mojo.errors import HTTPError
from mojo.sessions.cookies import LOGGED_IN, SESSION_ID, new_session_id
from mojo.web.cookies import Beginning
from mojo.web.handler import MojoRequestHandler

# Not subclasses of the handler, so that they may be named before it or after it.
if TYPE_CHECKING:
    _Mixin = MojoRequestHandler
else:
    _Mixin = Beginning

Method = TypeVar("Method", bound=Callable[..., Any])


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
        opened = cookies.open(SESSION_ID, self.cookies, cookies.ages.session)
        if opened is None:
            self._identify()
            self._begin_session(new_session_id())
        elif cookies.is_stale(opened, cookies.ages.session) and not self._is_retired():
            self.set_visitor_cookie(SESSION_ID, opened.value, cookies.ages.session)


class MojoAuthMixin(_Mixin):
    """
    Keeps the ``logged_in`` cookie of `login` fresh.

    A login that is used when it is past half its age is sealed anew.
    """

    def begin(self) -> None:
        """Do it before the method is called."""
        super().begin()
        cookies = self.mojo.cookies
        opened = cookies.open(LOGGED_IN, self.cookies, cookies.ages.login)
        if (
            opened is not None
            and cookies.is_stale(opened, cookies.ages.login)
            and not self._is_retired()
        ):
            self.set_visitor_cookie(LOGGED_IN, opened.value, cookies.ages.login)


def login_required(method: Method) -> Method:
    """
    Let only logged in visitors call a method of a request handler.

    Others are sent to ``LOGIN_URL`` with ``?next=`` and the page they wanted (see
    `MojoRequestHandler.next_url`), or, where that makes no sense, as after a POST, answered 403.
    """

    @functools.wraps(method)
    def check(self: MojoRequestHandler, *args: Any, **kwargs: Any) -> Any:
        if self.current_user:
            return method(self, *args, **kwargs)
        if self.method not in ("GET", "HEAD"):
            raise HTTPError(403, log_message="not logged in")
        wanted = "/" + self.request.uri.decode("latin-1").lstrip("/")
        login = self.mojo.settings.login_url
        mark = "&" if "?" in login else "?"
        self.redirect(f"{login}{mark}{urlencode({'next': wanted})}")
        return None

    return check  # type: ignore[return-value]
