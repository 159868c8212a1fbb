"""
The cookies of one client: its own, and those that its one server sets.

A load balancer finds a client's server by such a cookie.  All requests go to one host and
path, so what else a cookie says of itself does not matter, but for its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# More than any server needs; beyond it new ones are not kept.
_MOST_COOKIES = 100


class Cookies:
    """
    Cookies by name.

    Args:
        own: the client's.
    """

    def __init__(self, own: Mapping[str, str]) -> None:
        self._values = dict(own)

    def header(self) -> str:
        """Give the value of a ``Cookie`` header, ``""`` for none."""
        return "; ".join(f"{name}={value}" for name, value in self._values.items())

    def set(self, lines: Iterable[str]) -> None:
        """Take the values of a response's ``Set-Cookie`` headers (RFC 6265 section 5.2)."""
        for line in lines:
            pair, *attributes = line.split(";")
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or not name:
                continue
            if any(_is_over(attribute) for attribute in attributes):
                self._values.pop(name, None)
            elif name in self._values or len(self._values) < _MOST_COOKIES:
                self._values[name] = value


def _is_over(attribute: str) -> bool:
    """Tell whether an attribute ends its cookie now, as servers delete one."""
    name, _, value = attribute.partition("=")
    if name.strip().lower() != "max-age":
        return False
    value = value.strip()
    return value.startswith("-") or value.strip("0") == ""
