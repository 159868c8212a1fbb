"""
What may be wrong with a value of a setting.

A check is a function that takes the value and gives ``None``, or what is wrong as the rest of
a sentence that begins with the setting's name: ``"must be a number of seconds, not str"``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

Check = Callable[[Any], str | None]

_REDIS = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
_NO_HOST = re.compile(r"[*@\\\s]")


def is_a(kind: type, what: str) -> Check:
    """Check that a value is of a type."""

    def check(value: Any) -> str | None:
        good = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        return None if good else f"must be {what}, not {kind_of(value)}"

    return check


def number(what: str, *, above: float = 0.0) -> Check:
    """Check a number, whole or not."""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number of {what}, not {kind_of(value)}"
        if not above <= value < float("inf"):
            return f"must be {above:g} {what} or more, not {value!r}"
        return None

    return check


def count(what: str, *, least: int) -> Check:
    """Check a whole number."""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number of {what}, not {kind_of(value)}"
        return None if value >= least else f"must be {least} {what} or more, not {value}"

    return check


def texts(what: str, check_item: Check = lambda _: None, *, least: int = 0) -> Check:
    """Check a list of texts."""

    def check(value: Any) -> str | None:
        if isinstance(value, str) or not isinstance(value, Sequence):
            return f"must be a list of {what}, not {kind_of(value)}"
        for item in value:
            if not isinstance(item, str):
                return f"must be a list of {what}, but holds {kind_of(item)}"
            problem = check_item(item)
            if problem is not None:
                return f"holds {item!r}, which {problem}"
        return None if len(value) >= least else f"must hold one of the {what} at least"

    return check


def table(checks: Mapping[str, Check]) -> Check:
    """Check a dict that may have some keys, each with a check of its own."""

    def check(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return f"must be a dict, not {kind_of(value)}"
        for key, item in value.items():
            if key not in checks:
                return f"has the key {key!r}; there are {', '.join(map(repr, checks))}"
            problem = checks[key](item)
            if problem is not None:
                return f"[{key!r}] {problem}"
        return None

    return check


def optional(check: Check) -> Check:
    """Let ``None`` pass too."""
    return lambda value: None if value is None else check(value)


def proxy(entry: str) -> str | None:
    """Check an entry of ``TRUSTED_PROXIES``."""
    if entry == "unix":
        return None
    try:
        ip_network(entry, strict=False)
    except ValueError:
        return "is no IP address, network or 'unix'"
    return None


def origin(entry: str) -> str | None:
    """Check an entry of ``ALLOWED_ORIGINS``."""
    if entry in ("*", "null"):
        return None
    try:
        parts = urlsplit(entry)
        complete = parts.scheme and parts.hostname and (parts.port or not entry.endswith(":"))
    except ValueError:
        complete = False
    if not complete or entry.partition("://")[2] != parts.netloc or _NO_HOST.search(parts.netloc):
        return "is no origin, such as 'https://example.com' or 'https://example.com:8443'"
    return None


def url(value: Any) -> str | None:
    """Check a path, or a whole URL."""
    if not isinstance(value, str):
        return f"must be a URL, not {kind_of(value)}"
    if not value.startswith(("/", "http://", "https://")) or not value.isprintable():
        return f"must be a path such as '/login', or a whole URL, not {value!r}"
    return None


def folder(value: Any) -> str | None:
    """Check the name of a folder."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        return "must be a folder's name below the project, or None"
    return None


def one_of(*choices: str) -> Check:
    """Check an entry of a list that may hold these alone."""
    return lambda entry: None if entry in choices else f"is none of {', '.join(map(repr, choices))}"


def named(*names: str) -> Check:
    """Check one of some names, or an object of the project's own or its dotted path."""

    def check(value: Any) -> str | None:
        if not isinstance(value, str) or value in names or "." in value.strip("."):
            return None
        known = "".join(f"{name!r}, " for name in names) + ("or " if names else "")
        return f"must be {known}an object of yours or its dotted path, not {value!r}"

    return check


def session_store(value: Any) -> str | None:
    """Check what names a store of sessions; a URL may hold a password, and is not shown."""
    if not isinstance(value, str):
        return None
    if value in ("memory", "cookie"):
        return None
    scheme, colon, rest = value.partition("://")
    if (scheme in _REDIS and rest) if colon else "." in value.strip("."):
        return None
    return (
        "must be 'memory', 'cookie', a URL such as 'redis://localhost', or an object of yours "
        "or its dotted path"
    )


def redis_url(value: Any) -> str | None:
    """Check a URL of a Redis, which may hold a password, and is not shown."""
    scheme, _, rest = value.partition("://") if isinstance(value, str) else ("", "", "")
    if scheme in _REDIS and rest:
        return None
    return "must be a URL such as 'redis://localhost', 'rediss://...' or 'unix:///path', or None"


def having(*methods: str) -> Check:
    """Check a list of objects, each of which has one of some methods at least."""

    def check(value: Any) -> str | None:
        if isinstance(value, str) or not isinstance(value, Sequence):
            return f"must be a list of objects, not {kind_of(value)}"
        for item in value:
            if isinstance(item, type) or not any(hasattr(item, method) for method in methods):
                named = item.__name__ if isinstance(item, type) else kind_of(item)
                return f"holds {named}, which is no object with {' or '.join(methods)}"
        return None

    return check


def flag(value: Any) -> str | None:
    """Check a switch."""
    return None if isinstance(value, bool) else f"must be True or False, not {kind_of(value)}"


def function(value: Any) -> str | None:
    """Check a function, or the dotted path of one."""
    if callable(value) or (isinstance(value, str) and "." in value.strip(".")):
        return None
    return f"must be a function, or its dotted path such as 'hooks.allow', not {value!r}"


def matching(pattern: str, what: str) -> Check:
    """Check a text by a regular expression."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str | None:
        good = isinstance(value, str) and compiled.fullmatch(value)
        return None if good else f"must be {what}, not {value!r}"

    return check


def within(what: str, least: int, most: int) -> Check:
    """Check a whole number between two."""
    check_count = count(what, least=least)

    def check(value: Any) -> str | None:
        problem = check_count(value)
        if problem is None and value > most:
            return f"must be {most} {what} or less, not {value}"
        return problem

    return check


def either(first: type, second: Check, *, of_first: Check = lambda _: None) -> Check:
    """Check that a value is of a type, or else something more."""
    return lambda value: of_first(value) if isinstance(value, first) else second(value)


def keys(what: str, **checks: Check) -> Check:
    """
    Check a dict that may have some keys.

    Args:
        what: what else the setting may be, for the message: ``"True, False or a dict"``.
        checks: how their values are checked.
    """

    def check(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return f"must be {what}, not {kind_of(value)}"
        for key, item in value.items():
            if key not in checks:
                return f"has no key {key!r}; those that it may have: {', '.join(checks)}"
            problem = checks[key](item)
            if problem is not None:
                return f"has {key!r}, which {problem}"
        return None

    return check


def path(value: Any) -> str | None:
    """Check the path of a mount."""
    if not isinstance(value, str):
        return f"must be a URL path, not {kind_of(value)}"
    if not value.startswith("/") or not value.strip("/") or any(c in value for c in "?# "):
        return f"must be a URL path such as '/socket.io/', not {value!r}"
    return None


def kind_of(value: Any) -> str:
    """Name a value's type, for a message."""
    return "None" if value is None else type(value).__name__
