"""The cookie half of a request handler: plain cookies, and sealed ones."""

from __future__ import annotations

import re
from typing import overload

from twisted.web.server import Request

from mojo.engineio.handshake import Cookies, read_cookies
from mojo.sessions.cookies import HOST_PREFIX
from mojo.web.host import Host

# RFC 6265 section 4.1.1: what may be in a name and in a value.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_ATTRIBUTE = re.compile(r"[!-:<-~]+")
_SAME_SITE = {"lax": "Lax", "strict": "Strict", "none": "None"}

_DAY = 86400.0


class Beginning:
    """The root of request handlers and of what is mixed into them, in whatever order."""

    def begin(self) -> None:
        """Called before anything else; mixins extend it, handlers override ``prepare``."""

    async def ready(self) -> None:
        """Called before ``prepare``, for what has to be waited for."""


class CookieMethods(Beginning):
    """Methods of `MojoRequestHandler` about cookies."""

    def __init__(self, mojo: Host, request: Request) -> None:
        self.mojo = mojo
        self.request = request
        self._cookies: Cookies | None = None
        self._cookies_set: dict[tuple[str, str, str | None], bytes] = {}

    @property
    def is_secure(self) -> bool:
        """Whether the visitor came by https, past trusted proxies."""
        return self.mojo.proxies.peer(self.request).secure

    @property
    def cookies(self) -> Cookies:
        """The request's cookies by name; one that comes twice has both values."""
        if self._cookies is None:
            raw = self.request.requestHeaders.getRawHeaders(b"cookie", [])
            self._cookies = read_cookies(value.decode("latin-1") for value in raw)
        return self._cookies

    @overload
    def get_cookie(self, name: str) -> str | None: ...
    @overload
    def get_cookie(self, name: str, default: str) -> str: ...
    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """Give a plain cookie of the request."""
        values = self.cookies.get(name)
        return values[0] if values else default

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: float | None = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        httponly: bool = True,
        samesite: str = "Lax",
    ) -> None:
        """
        Set a plain cookie, which the visitor can read and change.

        Args:
            name: letters, digits and ``!#$%&'*+-.^_`|~``.
            value: printable ASCII without spaces, commas, semicolons, backslashes and
                double quotes.
            max_age: seconds to keep it; by default until the browser is closed.
            path: below which it is sent.
            domain: to whose hosts it is sent; by default to this host alone.
            secure: whether it is only sent by https; by default if the visitor came so.
            httponly: whether scripts of the page cannot see it.
            samesite: ``"Lax"``, ``"Strict"`` or ``"None"``.
        Raises:
            ValueError: one of these cannot stand in a header.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a cookie's name")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of cookie {name!r} cannot stand in a header")
        if samesite.lower() not in _SAME_SITE:
            raise ValueError(f"samesite of cookie {name!r} cannot be {samesite!r}")
        if secure is None:
            secure = self.is_secure
        if samesite.lower() == "none" and not secure:
            raise ValueError(f"cookie {name!r} is SameSite=None, which browsers take by https only")
        parts = [f"{name}={value}"]
        for attribute, text in (("Path", path), ("Domain", domain)):
            if text is not None:
                if not _ATTRIBUTE.fullmatch(text):
                    raise ValueError(f"{attribute} of cookie {name!r} cannot be {text!r}")
                parts.append(f"{attribute}={text}")
        if max_age is not None:
            parts.append(f"Max-Age={int(max_age)}")
        if secure:
            parts.append("Secure")
        if httponly:
            parts.append("HttpOnly")
        parts.append(f"SameSite={_SAME_SITE[samesite.lower()]}")
        # One header for each cookie: what was set before in this request is replaced.
        which = (name, path, domain)
        if which in self._cookies_set:
            self.request.cookies.remove(self._cookies_set[which])
        self._cookies_set[which] = "; ".join(parts).encode("ascii")
        self.request.cookies.append(self._cookies_set[which])

    def clear_cookie(self, name: str, *, path: str = "/", domain: str | None = None) -> None:
        """Take a cookie from the browser."""
        self.set_cookie(name, "", max_age=0, path=path, domain=domain)

    def withdraw_cookie(self, name: str, *, path: str = "/", domain: str | None = None) -> None:
        """Let the response say nothing of a cookie that was set."""
        header = self._cookies_set.pop((name, path, domain), None)
        if header is not None:
            self.request.cookies.remove(header)

    # -- Mojo's own: see `mojo.sessions.cookies.HOST_PREFIX` --------------------

    def own_name(self, name: str) -> str:
        """
        Give the name under which a cookie of Mojo's own is set.

        Who has one with the prefix got it by https, whatever a proxy says of this request;
        one without it would not be looked at.
        """
        prefixed = HOST_PREFIX + name
        return prefixed if self.is_secure or prefixed in self.cookies else name

    def set_own_cookie(self, name: str, token: str, max_age: float) -> None:
        """Set a cookie of Mojo's own, in place of one without the prefix."""
        own = self.own_name(name)
        self.set_cookie(own, token, max_age=max_age, secure=True if own != name else None)
        if own != name and name in self.cookies:
            self.clear_cookie(name)

    def clear_own_cookie(self, name: str) -> None:
        """Take a cookie of Mojo's own from the browser, in either form."""
        self.set_own_cookie(name, "", 0)

    def withdraw_own_cookie(self, name: str) -> None:
        """Let the response say nothing of a cookie of Mojo's own."""
        for form in (HOST_PREFIX + name, name):
            self.withdraw_cookie(form)

    def lacks_prefix(self, name: str) -> bool:
        """Tell whether a cookie of Mojo's own came by https without the prefix."""
        return self.own_name(name) not in self.cookies and name in self.cookies

    # -- sealed ones --------------------------------------------------------

    def get_secure_cookie(self, name: str, *, max_age: float = 31 * _DAY) -> str | None:
        """
        Give what a sealed cookie holds.

        Args:
            name: the cookie's name.
            max_age: seconds from its sealing for which it is good.
        Returns:
            ``None`` for a cookie that is not there, forged, of another name, or too old.
        """
        opened = self.mojo.cookies.open(name, self.cookies, max_age)
        return opened.value if opened is not None else None

    def set_secure_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: float | None = 30 * _DAY,
        path: str = "/",
        domain: str | None = None,
        samesite: str = "Lax",
    ) -> None:
        """
        Set a cookie that the visitor can neither read nor change.

        Args:
            name: the cookie's name; a value sealed under one is no good under another.
            value: any text of up to about 3,000 bytes.
            max_age: see `set_cookie`.
            path: see `set_cookie`.
            domain: see `set_cookie`.
            samesite: see `set_cookie`.
        Raises:
            ValueError: see `set_cookie`; or the value is too long.
        """
        sealed = self.mojo.cookies.seal(name, value)
        self.set_cookie(name, sealed, max_age=max_age, path=path, domain=domain, samesite=samesite)
