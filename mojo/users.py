"""The project's users: what its ``LOAD_USER`` makes of a user id, and their roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred


class LoadedUser(NamedTuple):
    """
    A user, as loaded.

    Attributes:
        user_id: whose login it was.
        user: what ``LOAD_USER`` made of it; ``None`` if there is no such user any more.
        at: when, in seconds of the server's clock.
    """

    user_id: str
    user: Any
    at: float


class Users:
    """
    Makes users of user ids.

    Args:
        load: makes a user of a user id, or ``None`` if there is none; may be async.
            Without it a user is the id.
        roles: gives a user's roles; by default what the user has as ``roles``, an
            attribute or a key.
        max_age: seconds after which a connection's user is loaded again.
    """

    def __init__(
        self,
        load: Callable[[str], Any] | None = None,
        roles: Callable[[Any], Iterable[str]] | None = None,
        max_age: float = 60.0,
    ) -> None:
        self._load = load
        self._roles = roles
        self.max_age = max_age

    @property
    def are_loaded(self) -> bool:
        """Whether there is something to load."""
        return self._load is not None

    def load(self, user_id: str) -> Any:
        """Give a user, or something to wait for."""
        return user_id if self._load is None else self._load(user_id)

    def roles_of(self, user: Any) -> frozenset[str]:
        """
        Give a user's roles.

        Raises:
            TypeError: they are no collection of texts.
        """
        if self._roles is not None:
            roles = self._roles(user)
        elif isinstance(user, Mapping):
            roles = user.get("roles", ())
        else:
            roles = getattr(user, "roles", ())
        if isinstance(roles, str | Deferred) or not isinstance(roles, Iterable):
            found = type(roles).__name__
            raise TypeError(f"the roles of a user are a collection of texts, not {found}")
        return frozenset(roles)


def user_key(user_id: object) -> str:
    """
    Give the text that stands for a user id: ids may be numbers, keys are text.

    Raises:
        TypeError: it is neither text nor a whole number.
        ValueError: it is empty.
    """
    if isinstance(user_id, bool) or not isinstance(user_id, str | int):
        raise TypeError(f"a user id is a str or an int, not {type(user_id).__name__}")
    key = str(user_id)
    if not key:
        raise ValueError("a user id cannot be empty")
    return key
