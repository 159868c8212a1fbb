"""
What a session may hold: JSON values, which cannot be changed behind its back.

A list that is changed in place would be a change that nobody notices and nobody saves.
So what goes in is copied, and what comes out refuses to be changed and says what to do
instead.  Pure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NoReturn

from mojo.errors import SessionError

#: How deep lists and dicts may be in one another.
MAX_DEPTH = 50
# Longer numbers cannot be read again: see sys.set_int_max_str_digits.
_MAX_BITS = 4096

_ADVICE = "assign a new one: session[key] = [*session[key], item], or {**session[key], name: item}"


def _refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
    raise SessionError(f"what a session holds cannot be changed in place; {_ADVICE}")


class FrozenList(list[Any]):
    """A list of a session."""

    __slots__ = ()

    def __deepcopy__(self, memo: object) -> list[Any]:
        return [deepcopy(item) for item in self]

    append = extend = insert = pop = remove = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse


class FrozenDict(dict[str, Any]):
    """A dict of a session."""

    __slots__ = ()

    def __deepcopy__(self, memo: object) -> dict[str, Any]:
        return {name: deepcopy(item) for name, item in self.items()}

    pop = popitem = clear = update = setdefault = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse


def freeze(key: str, value: Any, depth: int = 0) -> Any:
    """
    Copy a value into what cannot be changed.

    Args:
        key: the session's key, for the message; the value is in none.
        value: text, numbers, booleans, ``None``, lists, tuples, and dicts with text for keys.
        depth: how deep it is in what the key has.
    Raises:
        SessionError: it is something else, or too deep.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and value.bit_length() <= _MAX_BITS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth >= MAX_DEPTH:
        raise SessionError(f"session[{key!r}] is more than {MAX_DEPTH} levels deep")
    if isinstance(value, list | tuple):
        return FrozenList(freeze(key, item, depth + 1) for item in value)
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise SessionError(
                    f"session[{key!r}] holds a dict with a {type(name).__name__} for a key, "
                    "where JSON has text"
                )
        return FrozenDict({name: freeze(key, item, depth + 1) for name, item in value.items()})
    what = "a number that JSON has not" if isinstance(value, int | float) else "no JSON value"
    raise SessionError(f"session[{key!r}] would hold {type(value).__name__}: {what}")


def encode(values: Mapping[str, Any]) -> str:
    """Give the JSON of a session: ASCII, so that its length is its size."""
    return json.dumps(values, separators=(",", ":"), allow_nan=False)


def decode(data: str) -> Mapping[str, Any]:
    """
    Read the JSON of a session.

    Raises:
        ValueError: it is not that of a session.
    """
    try:
        values = json.loads(data)
        if not isinstance(values, dict):
            raise ValueError("a session that is no object")
        return FrozenDict({key: freeze(key, value) for key, value in values.items()})
    except (RecursionError, SessionError) as exc:
        raise ValueError("a session that cannot be read") from exc


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON: 1 is neither ``True`` nor 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
