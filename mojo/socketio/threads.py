"""
Calls that may come from any thread.

Sockets, rooms and queues belong to the reactor's thread.  What an application does to
them from elsewhere (``deferToThread``, a WSGI page) is carried there, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

from twisted.python import threadable

Parameters = ParamSpec("Parameters")


def in_reactor_thread() -> bool:
    """Tell whether this is the reactor's thread; before it runs, every thread is."""
    return threadable.ioThread in (None, threadable.getThreadID())


def run_in_reactor(
    reactor: Any,
    function: Callable[Parameters, object],
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> None:
    """
    Call a function in the reactor's thread: now if this is it, else soon.

    The reactor gives ``callFromThread``; a test's ``Clock`` has none and needs none.  The
    function's result is dropped.
    """
    if in_reactor_thread():
        function(*args, **kwargs)
    else:
        reactor.callFromThread(function, *args, **kwargs)
