"""
How presence is written between servers: entries of lists, in messages of a bounded size.  Pure.

An entry is ``[namespace, list, key, ref, meta]``; one that is gone is the first four of that.
Whose it is says the message that it is in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from mojo.errors import PacketError
from mojo.socketio.roster import Entry, Topic

#: Roughly the most characters of entries in one message: a single one may be longer.
MAX_PART = 32_000

Listed = tuple[Topic, Entry]


def write_entry(topic: Topic, entry: Entry) -> list[Any]:
    """Give an entry as messages have it."""
    return [*topic, entry.key, entry.ref, dict(entry.meta)]


def write_gone(topic: Topic, entry: Entry) -> list[Any]:
    """Give an entry that is gone as messages have it."""
    return [*topic, entry.key, entry.ref]


def read_entries(node: str, value: Any) -> list[Listed]:
    """
    Give entries of a node.

    Raises:
        PacketError: they are none.
    """
    return [_read(node, item, 5) for item in _list(value)]


def read_gone(node: str, value: Any) -> list[Listed]:
    """
    Give entries of a node that are gone, without their metas.

    Raises:
        PacketError: they are none.
    """
    return [_read(node, item, 4) for item in _list(value)]


def in_parts(items: Iterable[list[Any]]) -> Iterator[list[list[Any]]]:
    """Give what is written in as many lists as it takes for none to be long; at least one."""
    part: list[list[Any]] = []
    size = 0
    for item in items:
        length = len(json.dumps(item))
        if part and size + length > MAX_PART:
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    yield part


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PacketError("entries are a list")
    return value


def _read(node: str, item: Any, length: int) -> Listed:
    if not isinstance(item, list) or len(item) != length:
        raise PacketError("an entry of presence has its list, its key and its ref")
    namespace, name, key, ref, *more = item
    if not all(isinstance(text, str) for text in (namespace, name, key, ref)):
        raise PacketError("an entry of presence with what is no text")
    meta = more[0] if more else {}
    if not isinstance(meta, dict):
        raise PacketError("a meta is a map")
    return (namespace, name), Entry(node, key, ref, meta)
