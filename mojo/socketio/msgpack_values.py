"""
Values as MessagePack, with the extensions of the official JavaScript package.

This module alone needs the package ``msgpack``, and is imported where it is asked for.  What is
read has text for keys, as in JSON; what is written has it too, since a client or another server
may be JavaScript.

See: notepack.io 3.0, and `mojo.socketio.msgpack_extensions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgpack

from mojo.errors import PacketError
from mojo.socketio.encoders import Encoder
from mojo.socketio.msgpack_extensions import formats_of_extensions, read_extension, write_date

# The client's library counts half characters as JavaScript does; they are passed on.
_SURROGATES = "surrogatepass"
# The buffer that the package makes for each call is 256 KB unless it is told.
_BUFFER = 512


def unpack(data: bytes) -> Any:
    """
    Read one value.

    Raises:
        PacketError: it is not MessagePack, or has an extension or a key that JavaScript has not.
    """
    # Read at the first extension type that needs it, and then on.
    formats: Iterator[int] | None = None

    def extension(code: int, content: bytes) -> Any:
        nonlocal formats
        if code != 0:
            raise PacketError(f"unknown extension type {code}")
        if formats is None:
            formats = formats_of_extensions(data)
        return read_extension(next(formats), content)

    try:
        return msgpack.unpackb(
            data,
            timestamp=3,
            unicode_errors=_SURROGATES,
            ext_hook=extension,
            object_hook=_check_keys,
        )
    except (ValueError, TypeError, OverflowError, RecursionError):
        # The package's own words may show what was sent.
        raise PacketError("packet is not MessagePack") from None


def _check_keys(value: dict[Any, Any]) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise PacketError("a key of a map is no text")
    return value


def with_text_keys(value: Any) -> Any:
    """Copy what holds others, with the keys that JSON would have: a client may be JavaScript."""
    if isinstance(value, dict):
        return {
            key if type(key) is str else _text_key(key): with_text_keys(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [item if type(item) is str else with_text_keys(item) for item in value]
    return value


def _text_key(key: Any) -> str:
    match key:
        case str():
            return key
        case True | False | None:
            return {True: "true", False: "false", None: "null"}[key]
        case int():
            return int.__repr__(key)
        case float():
            return float.__repr__(key)
    raise TypeError(f"a key is a str, not {type(key).__name__}")


def array_header(count: int) -> bytes:
    """Give what a list of so many items begins with."""
    header: bytes = msgpack.Packer(buf_size=_BUFFER).pack_array_header(count)
    return header


def pack(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """
    Write one value.

    Args:
        value: with text for keys.
        default: makes something that can be written of what cannot; see `make_default`.
    Raises:
        TypeError, ValueError, OverflowError: it cannot be written.
    """
    packed: bytes = msgpack.packb(
        value, default=default, unicode_errors=_SURROGATES, buf_size=_BUFFER
    )
    return packed


def write_as_date(value: datetime) -> msgpack.ExtType:
    """Give a ``datetime`` as the ``Date`` of MessagePack for JavaScript."""
    return msgpack.ExtType(0, write_date(value))


def make_default(
    encoder: Encoder | None, write_datetime: Callable[[datetime], Any] = write_as_date
) -> Callable[[Any], Any]:
    """
    Make the ``default`` of `pack` for a project, or that of `json.dumps`.

    Args:
        encoder: the project's.
        write_datetime: makes something that can be written of a ``datetime`` that the encoder
            does not take, and that has a time zone.
    """

    def default(value: Any) -> Any:
        if encoder is not None:
            try:
                return with_text_keys(encoder(value))
            except TypeError:
                if not isinstance(value, datetime):
                    raise
        if isinstance(value, datetime) and value.tzinfo is not None:
            return write_datetime(value)
        raise TypeError(f"{type(value).__name__} cannot be sent")

    return default
