"""
Who is present, in which lists: of this node and of others, without any I/O.

A list has keys, such as user ids, and under each key an entry for every tab or device.
Entries belong to the node that put them there, so that what another node tells can be
taken in beside what is known here, and goes with that node.  What has changed is gathered
until it is asked for: who came and went meanwhile has not changed anything.

The model is ``Phoenix.Tracker``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

#: A list: the name of a namespace, and the list's own name there.
Topic = tuple[str, str]

#: The users who are online, in whatever app; no namespace has such a name.
USERS: Topic = ("", "users")

# What tells an entry from all others of its list: node, key and ref.
_Id = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One connection in a list.

    Attributes:
        node: whose it is; ``""`` where there is one node.
        key: who it is.
        ref: what tells it from others of that node.
        meta: what the app says of it; not to be changed.
    """

    node: str
    key: str
    ref: str
    meta: Mapping[str, Any]

    @property
    def id(self) -> _Id:
        """What tells it from all others of its list."""
        return (self.node, self.key, self.ref)


class Change:
    """
    What has changed in a list.

    An entry that changed its ``meta`` has left with the former one, and joined with the new.
    """

    __slots__ = ("_first", "_last")

    def __init__(self) -> None:
        # How each entry was at the beginning, and how it is now.
        self._first: dict[_Id, Entry | None] = {}
        self._last: dict[_Id, Entry | None] = {}

    def note(self, entry_id: _Id, before: Entry | None, after: Entry | None) -> None:
        """Note that an entry is another, or is there, or is not."""
        self._first.setdefault(entry_id, before)
        self._last[entry_id] = after

    @property
    def joins(self) -> list[Entry]:
        """The entries that are there now, and were not before."""
        return [last for last in self._last.values() if last and last != self._first[last.id]]

    @property
    def leaves(self) -> list[Entry]:
        """The entries that were there before, and are not now."""
        return [first for first in self._first.values() if first and first != self._last[first.id]]

    @property
    def keys(self) -> Collection[str]:
        """The keys of the entries that were touched, each once."""
        return {key: None for _, key, _ in self._last}


Changes = Mapping[Topic, Change]


class Roster:
    """
    The entries of all lists.

    Args:
        changed: called with each change, whose `take_changes` is then due.

    Attributes:
        node: this process among others: to be set before there is an entry.
    """

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self.node = ""
        self._changed = changed
        self._lists: dict[Topic, dict[str, dict[_Id, Entry]]] = {}
        self._changes: dict[Topic, Change] = {}
        self._refs = 0

    def __len__(self) -> int:
        return len(self._lists)

    def new_ref(self) -> str:
        """Make what tells an entry of this node from all others, of whatever node."""
        self._refs += 1
        return f"{self.node}-{self._refs}" if self.node else str(self._refs)

    # -- entries ------------------------------------------------------------

    def put(self, topic: Topic, entry: Entry) -> None:
        """Add an entry to a list, or give it another ``meta``."""
        entries = self._lists.setdefault(topic, {}).setdefault(entry.key, {})
        before = entries.get(entry.id)
        if before != entry:
            entries[entry.id] = entry
            self._note(topic, entry.id, before, entry)

    def remove(self, topic: Topic, entry: Entry) -> None:
        """Take an entry out of a list, whatever its ``meta`` is by now."""
        keys = self._lists.get(topic, {})
        entries = keys.get(entry.key, {})
        before = entries.pop(entry.id, None)
        if before is None:
            return
        if not entries:
            del keys[entry.key]
        if not keys:
            del self._lists[topic]
        self._note(topic, entry.id, before, None)

    def remove_node(self, node: str) -> None:
        """Take out all entries of a node that is gone."""
        for topic, entry in self.entries_of(node):
            self.remove(topic, entry)

    def entries_of(self, node: str) -> list[tuple[Topic, Entry]]:
        """Give all entries of a node, as another one needs them that has just come."""
        return [
            (topic, entry)
            for topic in tuple(self._lists)
            for entry in self._entries(topic)
            if entry.node == node
        ]

    def current(self, topic: Topic, entry: Entry) -> Entry | None:
        """Give an entry as it is by now; ``None`` if it is not there any more."""
        return self._lists.get(topic, {}).get(entry.key, {}).get(entry.id)

    def clear(self) -> None:
        """Forget everything, without a word."""
        self._lists.clear()
        self._changes.clear()

    def take_changes(self) -> Changes:
        """Give what has changed in each list since the last time."""
        changes, self._changes = self._changes, {}
        return changes

    # -- who is there: from any thread ------------------------------------------

    def has(self, topic: Topic, key: str) -> bool:
        """Tell whether somebody is in a list."""
        return key in self._lists.get(topic, ())

    def keys(self, topic: Topic) -> tuple[str, ...]:
        """Give the keys of a list."""
        return tuple(self._lists.get(topic, ()))

    def metas(self, topic: Topic, key: str) -> list[dict[str, Any]]:
        """Give what is said of somebody in a list, of each entry; copies."""
        entries = tuple(self._lists.get(topic, {}).get(key, {}).values())
        return [deepcopy(dict(entry.meta)) for entry in entries]

    def listing(self, topic: Topic) -> dict[str, Any]:
        """Give a whole list in the form in which clients get it; not to be changed."""
        return as_listing(self._entries(topic))

    def _entries(self, topic: Topic) -> Iterator[Entry]:
        # Each dict is read in one step: other threads may look while this one changes it.
        for entries in tuple(self._lists.get(topic, {}).values()):
            yield from tuple(entries.values())

    def _note(self, topic: Topic, entry_id: _Id, before: Entry | None, after: Entry | None) -> None:
        change = self._changes.get(topic)
        if change is None:
            change = self._changes[topic] = Change()
        change.note(entry_id, before, after)
        self._changed()


def as_listing(entries: Iterator[Entry] | Collection[Entry]) -> dict[str, Any]:
    """Give entries by their keys: ``{"ada": {"metas": [{"ref": "1"}]}}``."""
    listing: dict[str, Any] = {}
    for entry in entries:
        listing.setdefault(entry.key, {"metas": []})["metas"].append(entry.meta)
    return listing
