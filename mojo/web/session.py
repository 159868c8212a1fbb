"""
The visitor's session in a request handler: who the visitor is, and what is kept of it.

A session is loaded before the method is called where the class asks for it, or when the
method does, and saved before the response is sent: a visitor who reads that something was
done can rely on it.  Its id changes at each login and logout, so that nobody who knew it
before, or planted it, has any part in what comes after.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, ClassVar

from twisted.web.server import Request

from mojo.credential import Credential
from mojo.engineio.handshake import Cookies
from mojo.errors import HTTPError, SessionMoved, SessionUnavailable
from mojo.sessions.cookies import SESSION_ID, new_session_id
from mojo.sessions.data import Session
from mojo.sessions.stores import Sender
from mojo.socketio.session_methods import not_loaded
from mojo.web.cookies import CookieMethods
from mojo.web.host import Host


class AskAgain(Exception):
    """
    The browser should ask once more, with the cookie that it has by then.

    Nothing is done for the cookie that it sent, which somebody else may know, and nothing
    is taken from a visitor who has another one already or will in a moment.

    Args:
        ago: how many seconds ago that cookie was replaced.
    """

    def __init__(self, ago: float) -> None:
        super().__init__(ago)
        self.ago = ago


class PageCarrier:
    """
    The `Carrier` of a page's session.

    Args:
        page: the page.
    """

    answers = True

    def __init__(self, page: CookieMethods) -> None:
        self._page = page
        self._set: dict[str, str] = {}
        headers = page.request.requestHeaders.getRawHeaders(b"user-agent", [])
        self.sender = Sender(
            page.mojo.proxies.peer(page.request).address,
            tuple(value.decode("latin-1") for value in headers),
        )

    @property
    def cookies(self) -> Cookies:
        """The request's cookies, and those that the response sets."""
        return {**self._page.cookies, **{name: (token,) for name, token in self._set.items()}}

    def set_session_cookie(self, name: str, token: str, max_age: float) -> None:
        """Set a cookie; see `Carrier`."""
        self._set[self._page.own_name(name)] = token
        self._page.set_own_cookie(name, token, max_age)


class SessionMethods(CookieMethods):
    """
    Methods of `MojoRequestHandler` about the visitor's session.

    Attributes:
        loads_session: whether `session` is loaded before ``prepare`` and the method are
            called.  While it cannot be, the page is answered 503.
    """

    loads_session: ClassVar[bool] = False

    def __init__(self, mojo: Host, request: Request) -> None:
        super().__init__(mojo, request)
        self._session_id: str | None = None
        self._user_id: str | None = None
        self._credential: Credential | None = None
        self._identified = False
        self._session: Session | None = None
        # The id that the visitor came with, if another one takes its place.
        self._former_id: str | None = None
        self._is_new = False

    @property
    def session_id(self) -> str | None:
        """The visitor; with `MojoSessionMixin` every visitor has one."""
        self._identify()
        return self._session_id

    @property
    def session(self) -> MutableMapping[str, Any]:
        """
        The visitor's session, a dict of JSON values that socket handlers have too.

        What is changed is saved before the response is sent, unless the method raised
        something that is no `HTTPError`.

        Raises:
            SessionError: it is not loaded: see `loads_session` and `load_session`.
        """
        if self._session is None:
            raise not_loaded(self)
        return self._session

    async def load_session(self) -> MutableMapping[str, Any]:
        """
        Load the session, or load it anew; give `session`.

        Raises:
            HTTPError: 503, while the store does not answer; 409, when the visitor has got
                another session since the request came.
        """
        self._identify()
        if self._session_id is None:
            self._begin_session(new_session_id())
        try:
            return await self._load()
        except SessionUnavailable as exc:
            raise self._unavailable(exc) from exc
        except SessionMoved as exc:
            raise HTTPError(409, str(exc)) from exc

    async def save_session(self) -> None:
        """
        Save what was changed now rather than before the response is sent.

        Raises:
            HTTPError: see `load_session`.
        """
        if self._session is None:
            raise not_loaded(self)
        try:
            if self._former_id is not None:
                await self._move()
            else:
                await self.mojo.session_keeper.save(self._session)
        except SessionUnavailable as exc:
            raise self._unavailable(exc) from exc
        except SessionMoved as exc:
            raise HTTPError(409, str(exc)) from exc

    def get_session_key(self, key: str, default: Any = None) -> Any:
        """Give a value of `session`; the first Mojo's name of ``session.get``."""
        return self.session.get(key, default)

    def set_session_key(self, key: str, value: Any) -> None:
        """Set a value of `session`; the first Mojo's name of ``session[key] = value``."""
        self.session[key] = value

    # -- for who serves the request -----------------------------------------

    def begin(self) -> None:
        """
        Look at who the visitor is.

        Raises:
            AskAgain: the browser sent a cookie that was replaced a moment ago.
        """
        super().begin()
        self._check_retired()

    async def ready(self) -> None:
        """
        Load the session, if the class wants it loaded.

        Raises:
            AskAgain: see `begin`.
            HTTPError: 503, while the store does not answer.
        """
        if self.loads_session:
            try:
                await self._load()
            except SessionUnavailable as exc:
                raise self._unavailable(exc) from exc
            except SessionMoved:
                self._check_retired()
                # The browser never learned of the new id: what was kept is not its own.
                self._begin_session(new_session_id())
                await self.load_session()

    async def conclude(self, *, crashed: bool, gone: bool) -> None:
        """
        Save what is to be saved before the response is sent.

        Args:
            crashed: whether the method failed: what it changed in the session is not
                saved, but a login or a logout stands.
            gone: whether the client has left: what was done is saved, but who does not get
                the cookies of another id, or of a login, has none.
        Raises:
            HTTPError: it could not be done; a login is then none.
            AskAgain: another login was faster.
        """
        if crashed and self._session is not None:
            self._session.forget_changes()
        if gone:
            self._undo_login()
        try:
            if self._former_id is not None:
                await self._move()
            elif self._session is not None:
                await self.mojo.session_keeper.save(self._session)
        except SessionUnavailable as exc:
            self._undo_login()
            raise self._unavailable(exc) from exc
        except SessionMoved as exc:
            if self._former_id is None:
                raise HTTPError(409, str(exc)) from exc
            # Two logins at once: the other was faster, and this one is done once more.
            self._undo_login()
            raise AskAgain(exc.ago) from exc
        except Exception:
            self._undo_login()
            raise
        self._login_stands()

    # -- within -------------------------------------------------------------

    def _identify(self) -> None:
        if not self._identified:
            self._identified = True
            identity = self.mojo.cookies.identify(self.cookies)
            self._session_id, self._user_id, self._credential = identity

    def _is_retired(self) -> bool:
        """Tell whether the visitor's cookie was replaced a moment ago."""
        return self.mojo.session_keeper.is_retired(self.session_id)

    def _check_retired(self) -> None:
        ago = self.mojo.session_keeper.retired_for(self.session_id)
        if ago is not None:
            raise AskAgain(ago)

    def _begin_session(self, session_id: str) -> None:
        """Give the visitor an id that nobody had before."""
        self._session_id = session_id
        self._session = None
        self._is_new = True
        self.set_visitor_cookie(SESSION_ID, session_id, self.mojo.cookies.ages.session)

    def _renew_session_id(self) -> None:
        """Give the visitor another id, before the response is sent."""
        self._identify()
        if self._session_id is None:
            self._begin_session(new_session_id())
        elif not self._is_new:
            self._former_id = self._former_id or self._session_id
            self._session_id = new_session_id()
            self.set_visitor_cookie(SESSION_ID, self._session_id, self.mojo.cookies.ages.session)

    def set_visitor_cookie(self, name: str, value: str, max_age: float) -> None:
        """Seal one of the visitor's two cookies."""
        self.set_own_cookie(name, self.mojo.cookies.seal(name, value), max_age)

    async def _load(self) -> Session:
        keeper = self.mojo.session_keeper
        if self._session is not None:
            await keeper.reload(self._session)
            return self._session
        self._identify()
        session_id = self._former_id or self._session_id
        if session_id is None:
            self._begin_session(new_session_id())
            session_id = self._session_id
        assert session_id is not None
        self._session = await keeper.load(session_id, PageCarrier(self))
        return self._session

    async def _move(self) -> None:
        """Move the session, and the visitor's connections with it, to the new id."""
        session = await self._load() if self._session is None else self._session
        former, session_id, sender = self._former_id, self._session_id, session.carrier.sender
        assert former is not None
        assert session_id is not None
        await self.mojo.session_keeper.move(session, session_id, sender.__eq__)
        self._former_id = None
        self._is_new = True
        # While the visitor's connections are still known by the former id.
        self._login_stands()
        self.mojo.move_visitor(former, session_id, sender)

    def _login_stands(self) -> None:
        """Let a login take effect, where there is one."""

    def _undo_login(self) -> None:
        """Undo what the response would say of a new id, and of a login."""
        if self._former_id is not None:
            self._session_id, self._former_id = self._former_id, None
            self.withdraw_own_cookie(SESSION_ID)

    def _unavailable(self, error: SessionUnavailable) -> HTTPError:
        return HTTPError(503, str(error))
