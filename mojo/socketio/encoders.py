"""
Encoders: what a server does with values of types that its parser does not know.

An encoder is a function that takes such a value and gives something that can be sent in its
place, which may again hold values of such types, and bytes.  For what it does not know itself
it raises `TypeError`.  A project names its own as ``SOCKET_IO["encoder"]``; without
one nothing but what JSON has, and bytes, can be sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

Encoder = Callable[[Any], Any]


def encode_common(value: Any) -> Any:
    """
    Encode the types that most projects have; it is ``SOCKET_IO["encoder"] = "common"``.

    A ``datetime``, ``date`` or ``time`` becomes ISO 8601 text; a ``Decimal`` and a ``UUID`` the
    text that they were made from, so that no digit is lost; an ``Enum`` its value; a ``set``
    a list, in no order; and a dataclass a dict of its fields.

    Paths are left out: where a server keeps its files is rarely a client's business.

    Raises:
        TypeError: it is none of these.
    """
    match value:
        case date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case Enum():
            return value.value
        case set() | frozenset():
            return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # Not asdict(), which would copy what the parser is about to look at anyway.
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} cannot be sent")
