"""
What an application adds to the headers of responses: a cookie with the session's id, and its own.

The cookie is for load balancers that cannot read the URL; Mojo itself never reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from mojo.engineio.handshake import Facts
from mojo.engineio.options import EngineOptions

_log = Logger()

HeaderPairs = list[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_COOKIE_TEXT = re.compile(r"[\x21-\x3a\x3c-\x7e]+")
# What says where the response ends or what it is, is not the application's.
_OURS = re.compile(
    r"connection|upgrade|transfer-encoding|content-(length|encoding|type)|sec-websocket-.*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCookie:
    """
    The cookie that holds a session's id.

    Attributes:
        name: its name.
        path: the path below which browsers send it.
        http_only: whether scripts cannot read it.
        same_site: ``"lax"``, ``"strict"`` or ``"none"``; the last needs https.
        secure: whether it is sent over https alone; ``None`` is for clients that came so.
        max_age: seconds that it stays; ``None`` is until the browser closes.
        domain: the domain whose hosts all get it; ``None`` is our host alone.
    Raises:
        ValueError: a value would end the cookie's attribute.
    """

    name: str = "io"
    path: str = "/"
    http_only: bool = True
    same_site: str = "lax"
    secure: bool | None = None
    max_age: int | None = None
    domain: str | None = None

    def __post_init__(self) -> None:
        for text in (self.path, self.same_site, self.domain):
            if text is not None and not _COOKIE_TEXT.fullmatch(text):
                raise ValueError(f"{text!r} cannot stand in a cookie")
        if not _TOKEN.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no cookie's name")

    def header(self, eid: str, *, came_securely: bool) -> str:
        """Give the value of ``Set-Cookie``."""
        parts = [f"{self.name}={eid}", f"Path={self.path}"]
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.http_only:
            parts.append("HttpOnly")
        if came_securely if self.secure is None else self.secure:
            parts.append("Secure")
        parts.append(f"SameSite={self.same_site.capitalize()}")
        return "; ".join(parts)


def read_cookie(value: str | Mapping[str, Any] | None) -> EngineCookie | None:
    """Read the option ``cookie``: none, a name, or the attributes."""
    if value is None:
        return None
    return EngineCookie(name=value) if isinstance(value, str) else EngineCookie(**value)


class ResponseHeaders:
    """
    Gives the headers of an endpoint's responses.

    Args:
        options: the endpoint's.

    Attributes:
        are_asked_for: whether the application has something to say about every response.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._cookie = read_cookie(options.cookie)
        self._initial = options.initial_headers
        self._every = options.headers
        self.are_asked_for = self._every is not None

    def of(self, facts: Facts, new_eid: str | None = None) -> HeaderPairs:
        """
        Give the headers of the response to a request.

        Args:
            facts: the request's.
            new_eid: the id of the session that it opened; ``None`` if it opened none.
        """
        pairs: HeaderPairs = []
        headers: dict[str, str | list[str]] = {}
        if new_eid is not None:
            if self._cookie is not None:
                cookie = self._cookie.header(new_eid, came_securely=facts.secure)
                pairs.append(("set-cookie", cookie))
            _ask(self._initial, "initial_headers", headers, facts)
        _ask(self._every, "headers", headers, facts)
        return [*pairs, *_checked(headers)]


def _ask(
    hook: Callable[[MutableMapping[str, Any], Any], Any] | None,
    name: str,
    headers: dict[str, str | list[str]],
    facts: Facts,
) -> None:
    if hook is not None:
        try:
            hook(headers, facts)
        except Exception:
            _log.failure("{hook} failed for {address}", hook=name, address=facts.address)


def _checked(headers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, values in headers.items():
        lowered = str(name).lower()
        if not _TOKEN.fullmatch(lowered) or _OURS.fullmatch(lowered):
            _log.error("headers: {name!r} cannot be set", name=name)
            continue
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str) and _VALUE.fullmatch(value):
                yield lowered, value
            else:
                _log.error("headers: a value of {name!r} cannot stand in a header", name=name)
