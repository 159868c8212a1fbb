"""
A visitor's session as the app has it: a dict, whose changes are its own until they are saved.

What is stored is one `Record` for each visitor, which all who use that session in this
process share; a `Session` is one user of it, a page or a connection.  So whatever one of
them saves or loads the others see at once, and what one of them has not saved is seen by
nobody else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any
from weakref import WeakSet

from twisted.internet.defer import DeferredLock

from mojo.errors import SessionError, SessionTooLargeError
from mojo.sessions.stores import Carrier, Stored
from mojo.sessions.values import FrozenDict, decode, encode, freeze, same


class _Deleted:
    """The change of a key that was deleted."""


_DELETED = _Deleted()


class _Change:
    """The change of a key; each is another object, so that it can be told from a later one."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


Changes = Mapping[str, _Change]


class Record:
    """
    What is known here of a visitor's stored session.

    Args:
        session_id: whose it is.

    Attributes:
        session_id: see above; another one after a login.
        version: of what is known; ``None`` if nothing is stored.
        values: what is stored.
        lock: held while it is saved.
        sessions: those who use it.
    """

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.version: str | None = None
        self.values: Mapping[str, Any] = FrozenDict()
        self.lock = DeferredLock()
        self.sessions: WeakSet[Session] = WeakSet()

    def __repr__(self) -> str:
        return f"<Record with {len(self.values)} keys>"

    def learn(self, stored: Stored | None) -> None:
        """
        Note what is stored.

        Raises:
            ValueError: it cannot be read.
        """
        if stored is None:
            self.version, self.values = None, FrozenDict()
        elif stored.version != self.version:
            self.version, self.values = stored.version, decode(stored.data)

    def with_changes(self, changes: Changes, max_size: int) -> Stored:
        """
        Give what is to be stored when some keys are changed.

        Raises:
            SessionTooLargeError: it is too much.
        """
        data = encode(_apply(self.values, changes))
        if len(data) > max_size:
            raise SessionTooLargeError(
                f"a session of {len(data)} bytes of JSON; its store takes {max_size}"
            )
        return Stored(data, secrets.token_hex(8))

    def copy(self) -> Record:
        """Give another one, which the sessions of this one do not use."""
        other = Record(self.session_id)
        other.version, other.values = self.version, self.values
        return other


class Session(MutableMapping[str, Any]):
    """
    A visitor's session: a dict of JSON values by text.

    Values are copied when they are set, and those that come out cannot be changed in
    place: assign a new one.  To be used in the reactor's thread.

    Args:
        record: what is stored.
        carrier: what brought the session's cookie.
        max_size: most bytes of its JSON.
        changed: called when something was changed.
        refusal: why it cannot be changed; ``""`` if it can.
    """

    def __init__(
        self,
        record: Record,
        carrier: Carrier,
        *,
        max_size: int,
        changed: Callable[[Session], object] = lambda session: None,
        refusal: str = "",
    ) -> None:
        self.record = record
        self.carrier = carrier
        record.sessions.add(self)
        self._changes: dict[str, _Change] = {}
        self._max_size = max_size
        self._changed = changed
        self._refusal = refusal

    def __repr__(self) -> str:
        # Neither whose it is nor what is in it.
        return f"<Session with {len(self)} keys>"

    # Each is itself: they are kept in sets, and compared as dicts only by dict(session).
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __getitem__(self, key: str) -> Any:
        change = self._changes.get(key)
        if change is None:
            return self.record.values[key]
        if change.value is _DELETED:
            raise KeyError(key)
        return change.value

    def __iter__(self) -> Iterator[str]:
        return iter(_apply(self.record.values, self._changes))

    def __len__(self) -> int:
        return len(_apply(self.record.values, self._changes))

    def __setitem__(self, key: str, value: Any) -> None:
        """
        Set a value.

        Raises:
            SessionError: the session cannot be changed here, the key is no text, or the
                value is no JSON.
            SessionTooLargeError: the session would be more than its store takes.
        """
        if not isinstance(key, str):
            raise SessionError(f"a session's keys are text, not {type(key).__name__}")
        value = freeze(key, value)
        if key in self and same(self[key], value):
            return
        self._change(key, value)

    def __delitem__(self, key: str) -> None:
        """
        Delete a key.

        Raises:
            KeyError: there is none.
            SessionError: the session cannot be changed here.
        """
        if key not in self:
            raise KeyError(key)
        self._change(key, _DELETED)

    def _change(self, key: str, value: Any) -> None:
        if self._refusal:
            raise SessionError(self._refusal)
        change = _Change(value)
        values = _apply(self.record.values, {**self._changes, key: change})
        size = len(encode(values))
        if value is not _DELETED and size > self._max_size:
            raise SessionTooLargeError(
                f"with session[{key!r}] of {len(encode({key: value}))} bytes the session would "
                f"have {size} bytes of JSON; its store takes {self._max_size}"
            )
        self._changes[key] = change
        self._changed(self)

    # -- for who saves it ---------------------------------------------------

    @property
    def changes(self) -> Changes:
        """What was changed since it was saved."""
        return dict(self._changes)

    def saved(self, changes: Changes) -> None:
        """Note that some changes are saved; what was changed meanwhile is not."""
        for key, change in changes.items():
            if self._changes.get(key) is change:
                del self._changes[key]

    def forget_changes(self) -> None:
        """Be as it was when it was saved last."""
        self._changes.clear()

    def leave_record(self) -> None:
        """Share what is known of the session with nobody any more."""
        self.record.sessions.discard(self)
        self.record = self.record.copy()
        self.record.sessions.add(self)


def _apply(values: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    changed = {**values, **{key: change.value for key, change in changes.items()}}
    return {key: value for key, value in changed.items() if value is not _DELETED}
