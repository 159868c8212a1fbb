"""Calling an application, whose methods may be sync, give a Deferred, or be coroutines."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


def run(
    call: Callable[[], Any], done: Callable[[Any], Any], failed: Callable[[Failure], Any]
) -> Deferred[Any] | None:
    """
    Call an application, and hand its result on, now or when it comes.

    Args:
        call: the call.
        done: gets its result.
        failed: gets its failure.
    Returns:
        ``None`` if it is over, else a Deferred that fires when it is.
    """
    try:
        result = call()
    except Exception:
        failed(Failure())
        return None
    result = begun(result)
    if not isinstance(result, Deferred):
        done(result)
        return None
    return result.addCallbacks(done, failed)


#: Types of results that nobody has to wait for, and that need not be asked what they are.
AT_ONCE = frozenset((type(None), bool, int, float, str, bytes, list, tuple, dict))


def begun(result: Any) -> Any:
    """Let a coroutine begin, and give its Deferred; anything else as it is."""
    if type(result) not in AT_ONCE and iscoroutine(result):
        return Deferred.fromCoroutine(result)
    return result


async def settled(result: Any) -> Any:
    """Wait for what an application returned, if it is something to wait for."""
    return await result if iscoroutine(result) or isinstance(result, Deferred) else result


def ignore(result: object) -> None:
    """Drop the result of something that is asked for none."""
