"""Everyone in a namespace, and what belongs to the namespace itself: middleware, other servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from mojo.socketio.adapter import Gathered
from mojo.socketio.operator import BroadcastOperator, Place
from mojo.socketio.ports import Middleware
from mojo.socketio.presence import PresenceBoard
from mojo.socketio.presence_lists import PresenceList
from mojo.socketio.server_events import ServerListener, ServerListeners
from mojo.socketio.threads import run_in_reactor

_Listener = TypeVar("_Listener", bound=ServerListener)


class Operated(Place, Protocol):
    """The namespace."""

    name: str
    middleware: list[Middleware]
    presence: PresenceBoard
    server_listeners: ServerListeners


class NamespaceOperator(BroadcastOperator):
    """
    Everyone in a namespace.

    Args:
        namespace: the namespace.
    """

    def __init__(self, namespace: Operated) -> None:
        super().__init__(namespace)
        self._namespace = namespace

    def __str__(self) -> str:
        return self._namespace.name

    @property
    def name(self) -> str:
        """The namespace's name: ``"/ChatSocket"``."""
        return self._namespace.name

    def use(self, function: Middleware) -> Middleware:
        """
        Add middleware, which is asked before ``on_open``; usable as a decorator.

        Args:
            function: called with the handler; may be async.  It may return ``False`` or
                raise ``ConnectionRefused`` to refuse the client.
        """
        self._namespace.middleware.append(function)
        return function

    def presence(self, room: str = "") -> PresenceList:
        """
        Give the list of who is in a room, or in the app; see :doc:`presence`.

        Args:
            room: the room's name; ``""`` for the list of the app.
        """
        return PresenceList(self._namespace.presence, (self._namespace.name, room))

    # -- the other servers of a cluster ------------------------------------------

    def on_server(self, name: str) -> Callable[[_Listener], _Listener]:
        """
        Hear an event that another server of the cluster emits here: a decorator.

        The function is called with the event's arguments, and may be async; what it returns is
        the answer, if the other server asked for one.

        Args:
            name: the event's name.
        """

        def decorate(function: _Listener) -> _Listener:
            self._namespace.server_listeners.add(name, function)
            return function

        return decorate

    def server_side_emit(self, name: str, *args: Any) -> None:
        """
        Send an event to the other servers of the cluster; from any thread.

        Clients do not get it: whoever has said `on_server` does, not on this server.

        Args:
            name: the event's name.
            args: anything that JSON has.
        Raises:
            UnsendableError: an argument cannot be sent.
        """
        adapter = self._namespace.adapter
        run_in_reactor(self._namespace.clock, adapter.server_side_emit, name, args)

    def server_side_call(self, name: str, *args: Any) -> Deferred[Gathered[Any]]:
        """
        Send an event to the other servers of the cluster, and wait for their answers.

        Returns:
            A Deferred of their answers, in the order in which they came; the list's
            ``missing`` is how many servers gave none in five seconds.
        Raises:
            UnsendableError: an argument cannot be sent.
        """
        return self._namespace.adapter.server_side_call(name, args)
