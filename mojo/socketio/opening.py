"""Asking an app whether to let a client in, where there is more to it than ``on_open``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.python.failure import Failure

from mojo.calls import settled
from mojo.errors import ConnectionRefused, SessionMoved, SessionUnavailable
from mojo.socketio.ports import AppObject, Middleware
from mojo.socketio.request import SocketRequest


async def ask_app(
    handler: AppObject,
    middleware: Sequence[Middleware],
    request: SocketRequest,
    is_waiting: Callable[[], bool],
) -> Any:
    """
    Load the visitor's session, where the class wants it; ask middleware, and ``on_open``.

    Args:
        handler: the app's object.
        middleware: what is asked before it, in order.
        request: what ``on_open`` is told.
        is_waiting: whether the client still waits for the answer.
    Returns:
        What ``on_open`` gave, or ``False``.
    """
    if handler.loads_session:
        await handler.load_session()
    for function in middleware:
        if not is_waiting() or await settled(function(handler)) is False:
            return False
    return await settled(handler.on_open(request)) if is_waiting() else False


def refusal_for(failure: Failure) -> ConnectionRefused:
    """Give what a client is told: a refusal as it is, and of other failures no more than needed."""
    if isinstance(failure.value, ConnectionRefused):
        return failure.value
    away = failure.check(SessionUnavailable, SessionMoved) is not None
    return ConnectionRefused("Try again" if away else "Internal server error")
