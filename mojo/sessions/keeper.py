"""
Between the sessions that the app has and the store that keeps them.

Two tabs may change one session at the same moment, in one process or in two.  What is
saved is therefore the keys that were changed, put into whatever the session is by then;
and if another one was faster, once more.  Of a key that both changed, the later change stays.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mojo.calls import settled
from mojo.errors import MojoError, SessionMoved, SessionUnavailable
from mojo.sessions.data import Record, Session
from mojo.sessions.stores import Carrier, Sender, SessionStore, Stored

_log = Logger()

#: Seconds in which a browser may still send the cookie that a login replaced.
GRACE_SECONDS = 30.0
#: How often a session is saved anew because another one was faster.
TRIES = 20

Result = TypeVar("Result")


class SessionKeeper:
    """
    Loads, saves and moves sessions.

    Args:
        store: where they are kept.
        clock: tells how long ago an id was given up.
    """

    def __init__(self, store: SessionStore, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock
        self._records: WeakValueDictionary[str, Record] = WeakValueDictionary()
        # Ids that were given up a moment ago, and when; the oldest first.
        self._retired: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<SessionKeeper of {self._store!r}>"

    @property
    def pages_only(self) -> bool:
        """Whether connections can only read sessions."""
        return self._store.pages_only

    def is_retired(self, session_id: str | None) -> bool:
        """
        Tell whether an id was given up a moment ago.

        A browser may not know yet, and send it once more; it will send the new one next.
        """
        return self.retired_for(session_id) is not None

    def retired_for(self, session_id: str | None) -> float | None:
        """Tell how many seconds ago an id was given up, if that was a moment ago."""
        since = None if session_id is None else self._retired.get(session_id)
        if since is None:
            return None
        ago = self._clock.seconds() - since
        return ago if ago < GRACE_SECONDS else None

    async def load(
        self,
        session_id: str,
        carrier: Carrier,
        changed: Callable[[Session], object] = lambda session: None,
        refusal: str = "",
    ) -> Session:
        """
        Give a visitor's session.

        Args:
            session_id: whose.
            carrier: what brought the cookie.
            changed: called when something was changed.
            refusal: why it cannot be changed.
        Raises:
            SessionMoved: it has another id by now.
            SessionUnavailable: the store does not answer.
        """
        record = await self._load_record(session_id, carrier)
        return Session(
            record, carrier, max_size=self._store.max_size, changed=changed, refusal=refusal
        )

    async def reload(self, session: Session) -> None:
        """
        Let a session be as it is stored, with the changes that it has on top.

        Raises:
            SessionMoved: see `load`.
            SessionUnavailable: see `load`.
        """
        if session.carrier.answers or not self._store.pages_only:
            await self._learn(session.record, session.carrier)

    async def save(self, session: Session) -> None:
        """
        Save what was changed in a session.

        Raises:
            SessionMoved: see `load`.
            SessionUnavailable: see `load`; the changes are kept for another try.
            SessionTooLargeError: with what another one has put into it, it is too large.
        """
        if not session.changes:
            return
        lock = session.record.lock
        await lock.acquire()
        try:
            await self._try(session, self._save_once)
        finally:
            lock.release()

    async def move(
        self,
        session: Session,
        session_id: str,
        is_theirs: Callable[[Sender], bool],
    ) -> None:
        """
        Give a session another id, save it, and give up the one that it had.

        Args:
            session: the session.
            session_id: the new id.
            is_theirs: tells from where something comes whether it is the visitor's without
                any doubt.  Who else uses the session in this moment can do nothing more with it.
        Raises:
            SessionMoved: see `load`.
            SessionUnavailable: see `load`.
        """
        record = session.record
        await record.lock.acquire()
        try:
            former = record.session_id
            await self._try(session, lambda s: self._move_once(s, session_id))
        finally:
            record.lock.release()
        shared = self._records.pop(former, record)
        self._records[session_id] = shared
        for moved in {record, shared}:
            for other in list(moved.sessions):
                if other is not session and not is_theirs(other.carrier.sender):
                    other.leave_record()
            moved.session_id = session_id
        self._retire(former, 0.0)

    async def close(self) -> None:
        """Let the store go."""
        await settled(self._store.close())

    # -- within -------------------------------------------------------------

    async def _load_record(self, session_id: str, carrier: Carrier) -> Record:
        ago = self.retired_for(session_id)
        if ago is not None:
            raise SessionMoved(ago)
        if self._store.pages_only:
            return await self._load_cookie(session_id, carrier)
        stored = await self._ask(self._store.load, session_id, carrier)
        record = self._records.get(session_id)
        if record is None:
            record = self._records[session_id] = Record(session_id)
        self._note(record, stored)
        return record

    async def _load_cookie(self, session_id: str, carrier: Carrier) -> Record:
        """
        Give a record of a session that is in a cookie.

        The cookies of two requests may differ, so each page has a record of its own.
        Connections share one, since theirs are as old as they are; pages tell it what they save.
        """
        shared = self._records.get(session_id)
        if not carrier.answers and shared is not None:
            return shared
        record = Record(session_id)
        self._note(record, await self._ask(self._store.load, session_id, carrier))
        if not carrier.answers:
            self._records[session_id] = record
        return record

    async def _try(
        self, session: Session, once: Callable[[Session], Coroutine[Any, Any, bool]]
    ) -> None:
        for _ in range(TRIES):
            if await once(session):
                return
            await self._learn(session.record, session.carrier)
        raise SessionUnavailable(f"a session was changed by others {TRIES} times in a row")

    async def _save_once(self, session: Session) -> bool:
        record, changes = session.record, session.changes
        stored = record.with_changes(changes, self._store.max_size)
        good: bool = await self._ask(
            self._store.save, record.session_id, stored, record.version, session.carrier
        )
        if good:
            self._saved(session, changes, stored)
        return good

    async def _move_once(self, session: Session, session_id: str) -> bool:
        record, changes = session.record, session.changes
        stored: Stored | None = None
        if changes or record.version is not None:
            stored = record.with_changes(changes, self._store.max_size)
        good: bool = await self._ask(
            self._store.move, record.session_id, session_id, stored, record.version, session.carrier
        )
        if good:
            self._saved(session, changes, stored)
        return good

    def _saved(self, session: Session, changes: Any, stored: Stored | None) -> None:
        record = session.record
        record.learn(stored)
        session.saved(changes)
        shared = self._records.get(record.session_id)
        if shared is not None and shared is not record:
            shared.learn(stored)

    async def _learn(self, record: Record, carrier: Carrier) -> None:
        self._note(record, await self._ask(self._store.load, record.session_id, carrier))

    def _note(self, record: Record, stored: Stored | None) -> None:
        try:
            record.learn(stored)
        except ValueError as exc:
            raise SessionUnavailable("a session in the store cannot be read") from exc

    async def _ask(self, method: Callable[..., Any], *args: Any) -> Any:
        """Ask the store, whose mistakes are no better than its silence."""
        try:
            return await settled(method(*args))
        except SessionMoved as exc:
            self._retire(args[0], exc.ago)
            raise
        except MojoError:
            raise
        except Exception as exc:
            _log.failure("the session store failed in {method}", method=method.__name__)
            raise SessionUnavailable("the session store failed") from exc

    def _retire(self, session_id: str, ago: float) -> None:
        if ago >= GRACE_SECONDS:
            return
        now = self._clock.seconds()
        self._retired.pop(session_id, None)
        self._retired[session_id] = now - ago
        for retired, since in list(self._retired.items()):
            if since + GRACE_SECONDS > now:
                break
            del self._retired[retired]
