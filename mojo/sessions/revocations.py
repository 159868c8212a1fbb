"""
What is worthless although it is sealed well: the revocations.

A sealed cookie cannot be taken back, so it is remembered what is not to be believed: for
a user, a session, or one login, a moment; what began at that moment or before it is
worthless.  A mark is kept for as long as a cookie of that time could be good, and there is
a most of them: when one has to go before its time, all that began before it becomes
worthless, since forgetting a revocation would bring somebody back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import NamedTuple

from mojo.credential import Credential

#: Most marks of each kind, and most logins of one user that are remembered one by one.
MAX_MARKS = 100_000
MAX_LOGINS = 1000

# What a new login begins after the revocation that came before it, in seconds: more than
# what a float can tell of a time of this century.
_TICK = 1e-6


#: The kinds of marks.
USER, SESSION, LOGIN = KINDS = ("user", "session", "login")


class Mark(NamedTuple):
    """
    That something is worthless, as others are told of it.

    Attributes:
        kind: of what; one of `KINDS`.
        key: its id; ``""`` is everything of the kind.
        at: what began until then is worthless.
        user_id: whose it is, of a login.
    """

    kind: str
    key: str
    at: float
    user_id: str = ""

    def __repr__(self) -> str:
        # Without the ids, which may be a visitor's secret.
        return f"<Mark of a {self.kind}>"


class _Marks:
    """
    Moments by key, the oldest first.

    Args:
        now: gives the seconds since the epoch.
        max_age: seconds after which a mark is needed no longer.
        most: most marks.
    """

    def __init__(self, now: Callable[[], float], max_age: float, most: int) -> None:
        self._now = now
        self._max_age = max_age
        self._most = most
        self._at: OrderedDict[str, float] = OrderedDict()
        #: What began until then is worthless whatever its key.
        self.floor = -inf

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: str) -> bool:
        return key in self._at

    def items(self) -> Iterator[tuple[str, float]]:
        """Give all of them, and the floor as that of no key."""
        if self.floor > -inf:
            yield "", self.floor
        yield from self._at.items()

    def set(self, key: str, at: float) -> None:
        """Make what began until then worthless."""
        self._at[key] = max(at, self._at.get(key, at))
        self._at.move_to_end(key)
        oldest = self._now() - self._max_age
        while self._at:
            first, at = next(iter(self._at.items()))
            if at >= oldest and len(self._at) <= self._most:
                break
            del self._at[first]
            if at >= oldest:
                self.floor = max(self.floor, at)

    def drop(self, key: str) -> None:
        """Forget a mark whose work another one does."""
        self._at.pop(key, None)

    def at(self, key: str) -> float:
        """Give the moment until which what began is worthless."""
        return max(self._at.get(key, -inf), self.floor)


class Revocations:
    """
    Which logins and sessions are not to be believed.

    Args:
        now: gives the seconds since the epoch.
        login_age: seconds for which a login is good.
        session_age: seconds for which a session is.
        max_marks: most users, sessions and logins that are remembered, each.

    Attributes:
        ages: seconds for which a mark is needed, by its kind.
        now: see above.
    """

    def __init__(
        self,
        now: Callable[[], float],
        login_age: float,
        session_age: float,
        max_marks: int = MAX_MARKS,
    ) -> None:
        self.now = now
        self._latest = -inf
        # A little longer, for cookies of machines whose clocks are ahead.
        login_age, session_age = login_age + 120, session_age + 120
        self.ages = {USER: login_age, SESSION: session_age, LOGIN: login_age}
        self._users = _Marks(now, login_age, max_marks)
        self._logins = _Marks(now, login_age, max_marks)
        self._sessions = _Marks(now, session_age, max_marks)
        self._by_kind = {USER: self._users, SESSION: self._sessions, LOGIN: self._logins}
        # Who keeps logging in and out must not fill the memory of all.
        self._logins_of: OrderedDict[str, list[str]] = OrderedDict()

    def revoke_user(self, user_id: str, at: float | None = None) -> Mark:
        """
        Make all logins of a user worthless that there are now.

        Args:
            user_id: whose.
            at: when that was, if it was at another server.
        """
        self._logins_of.pop(user_id, None)
        # No earlier than a login that was made in this very moment.
        moment = self.beginning(user_id) if at is None else at
        self._users.set(user_id, moment)
        return Mark(USER, user_id, moment)

    def revoke_session(self, session_id: str) -> Mark:
        """Make a session worthless, and the logins that were made in it."""
        moment = self._moment()
        self._sessions.set(session_id, moment)
        return Mark(SESSION, session_id, moment)

    def revoke_login(self, credential: Credential) -> Mark:
        """Make one login worthless, in every copy of its cookie, sealed when ever."""
        mark = Mark(LOGIN, credential.id, max(self._moment(), credential.since), credential.user_id)
        self._mark_login(mark)
        return mark

    def _mark_login(self, mark: Mark) -> None:
        self._logins.set(mark.key, mark.at)
        logins = self._logins_of.setdefault(mark.user_id, [])
        self._logins_of.move_to_end(mark.user_id)
        if mark.key not in logins:
            logins.append(mark.key)
        if len(logins) > MAX_LOGINS:
            first = logins.pop(0)
            self._users.set(mark.user_id, self._logins.at(first))
            self._logins.drop(first)
        while len(self._logins_of) > len(self._logins):
            # Their marks went, each in its time.
            self._logins_of.popitem(last=False)

    def marks(self) -> Iterator[Mark]:
        """Give all that is worthless, for others that do not know of it."""
        whose = {login: user for user, logins in self._logins_of.items() for login in logins}
        for kind, of_kind in self._by_kind.items():
            for key, at in of_kind.items():
                yield Mark(kind, key, at, whose.get(key, "") if kind == LOGIN else "")

    def learn(self, marks: Iterable[Mark]) -> list[Mark]:
        """
        Take in what others know to be worthless.

        Returns:
            What was not known here.
        """
        news = []
        for mark in sorted(marks, key=lambda mark: mark.at):
            of_kind = self._by_kind[mark.kind]
            known = of_kind.at(mark.key) if mark.key in of_kind else of_kind.floor
            if known >= mark.at:
                continue
            news.append(mark)
            if not mark.key:
                of_kind.floor = mark.at
            elif mark.kind == LOGIN:
                self._mark_login(mark)
            else:
                of_kind.set(mark.key, mark.at)
        return news

    def covers(self, credential: Credential) -> bool:
        """Tell whether a login is worthless."""
        since = credential.since
        session_id = credential.session_id
        return (
            since <= self._users.at(credential.user_id)
            or since <= self._logins.at(credential.id)
            or (session_id is not None and self.covers_session(session_id, since))
        )

    def covers_session(self, session_id: str, at: float) -> bool:
        """
        Tell whether a session is worthless.

        Args:
            session_id: its id, which nobody is given again: whatever the clock was when its
                cookie was sealed, it stays worthless.
            at: when that was, for sessions whose revocation had to be forgotten.
        """
        return session_id in self._sessions or at <= self._sessions.floor

    def beginning(self, user_id: str) -> float:
        """Give the moment at which a login that is made now begins."""
        marks = (self._users.at(user_id), self._logins.floor, self._sessions.floor)
        return max(self._moment(), max(marks) + _TICK)

    def _moment(self) -> float:
        """Give the time, which stands still while a clock that was put back catches up."""
        self._latest = max(self._latest, self.now())
        return self._latest
