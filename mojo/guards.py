"""
What only some may do: ``@login_required`` and ``@require``.

One decorator is for pages, for whole handler classes, and for single events.  It asks a
`Guard`; what comes of a refusal is the handler's business: a page leads to the login, a
namespace refuses the client, an event is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

Target = TypeVar("Target", bound=Callable[..., Any])

Role = str | Callable[[Any], Any]


class Refusal(NamedTuple):
    """
    Why somebody may not.

    Attributes:
        code: ``"login_required"`` or ``"forbidden"``.
        message: the same for people.
    """

    code: str
    message: str

    @property
    def data(self) -> dict[str, str]:
        """What a client is told beside the message."""
        return {"code": self.code}


LOGIN_REQUIRED = Refusal("login_required", "Please log in")
FORBIDDEN = Refusal("forbidden", "Not allowed")


class Guard:
    """
    Lets some users pass.

    Args:
        roles: those of which a user must have one, or functions that are asked with the
            user; none lets in whoever is logged in.
    """

    def __init__(self, roles: Sequence[Role] = ()) -> None:
        self._roles = roles

    def refusal(self, user: Any, roles_of: Callable[[Any], Iterable[str]]) -> Refusal | None:
        """
        Tell why a user may not pass; ``None`` for one who may.

        Args:
            user: the user; what counts as nobody in Python is nobody.
            roles_of: gives a user's roles.
        """
        if not user:
            return LOGIN_REQUIRED
        if not self._roles:
            return None
        has = roles_of(user)
        if any(role(user) if callable(role) else role in has for role in self._roles):
            return None
        return FORBIDDEN


class Guarded(Protocol):
    """An object whose methods may be guarded."""

    guards: ClassVar[Sequence[Guard]]

    def pass_guard(self, guard: Guard, call: Callable[[], Any]) -> Any:
        """Call something if the user may, or do what is to be done if not."""


def login_required(target: Target) -> Target:
    """
    Let only logged in visitors call a method, or connect to a namespace.

    Of a page: others are sent to ``LOGIN_URL`` with ``?next=`` and the page they wanted (see
    `MojoRequestHandler.next_url`), or, where that makes no sense, as after a POST,
    answered 403.  Of a class of pages: all its methods.

    Of a socket handler's class: others are refused before ``on_open``, with the data
    ``{"code": "login_required"}``, and whoever loses the login is disconnected.  Of an event:
    the event is refused, with the same.
    """
    return _guard(Guard(), target)


def require(*roles: Role) -> Callable[[Target], Target]:
    """
    Let only users with a role call a method, or connect to a namespace.

    It is as `login_required`; who is logged in and has none of the roles is answered 403,
    or refused with the data ``{"code": "forbidden"}``.

    Args:
        roles: those of which one is enough; a function in place of one is asked with the
            user.  Two decorators ask for both.
    Raises:
        TypeError: no role is given, or something else than one.
    """
    if not roles or not all(map(_is_role, roles)):
        raise TypeError("@require takes roles: @require('admin')")
    return functools.partial(_guard, Guard(roles))


def _is_role(role: object) -> bool:
    # ``@require`` without roles is called with what it decorates: a class, or a method.
    if not callable(role):
        return isinstance(role, str)
    code = getattr(role, "__code__", None)
    return not isinstance(role, type) and (code is None or code.co_varnames[:1] != ("self",))


def _guard(guard: Guard, target: Target) -> Target:
    if isinstance(target, type):
        guards = getattr(target, "guards", None)
        if guards is None:
            raise TypeError(f"{target.__qualname__} is no handler class")
        target.guards = (*guards, guard)  # type: ignore[attr-defined]
        return target
    if not callable(target):
        raise TypeError(f"a guard is for methods and classes, not for {type(target).__name__}")

    @functools.wraps(target)
    def guarded(self: Guarded, *args: Any, **kwargs: Any) -> Any:
        return self.pass_guard(guard, functools.partial(target, self, *args, **kwargs))

    return guarded  # type: ignore[return-value]
