"""What a namespace needs of whatever keeps the places of clients that are away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from mojo.socketio.adapter import Recipient, Target
from mojo.socketio.message import Message
from mojo.socketio.parser import Parser
from mojo.socketio.places import Identity, Place
from mojo.socketio.recovery import RecoveryOptions, Restored
from mojo.socketio.rooms import Room


class Recovery(Protocol):
    """
    The connections of a process whose clients may come back; it is a `LocalAdapter` as well.

    Attributes:
        is_shared: whether they may come back to another server: what is sent to one of them
            goes by the cluster's adapter then, and `recall` must be asked.
    """

    is_shared: bool

    @property
    def position(self) -> Any:
        """Where in what is sent we are."""

    @property
    def waits(self) -> bool:
        """Whether there is a client here that may come back."""

    def save(
        self,
        pid: str,
        connection: Recipient,
        *,
        identity: Identity,
        data: dict[str, Any],
        since: Any,
        lists: Any = None,
    ) -> None:
        """Keep the place of a connection that is about to go."""

    def restore(self, pid: str, offset: object, identity: Identity) -> Restored | None:
        """Give a place that is kept here again, once."""

    def recall(
        self, pid: object, offset: object, identity: Identity
    ) -> Deferred[Restored | None] | None:
        """Give a place that is kept elsewhere again, once; ``None`` if there is no elsewhere."""

    def broadcast(self, message: Message, target: Target) -> None:
        """Send a message to those of this process; see `Adapter`."""

    def take_place(self, connection: Recipient, place: Place) -> None:
        """Put a connection into the rooms of a place."""

    def forget_identities(
        self, of: Callable[[Identity], bool], session_id: str | None, user_id: str | None
    ) -> None:
        """Give up the places of some visitors."""

    def rename_visitor(self, former: str, session_id: str, room: Room, other: Room) -> None:
        """Keep what there is for a visitor with another id."""

    def clear(self) -> None:
        """Give up every place, and the timer."""


#: Makes what keeps places where other servers find them; ``None`` if they cannot.
MakeRecovery = Callable[[str, Parser, RecoveryOptions, Callable[[Any, Room], object]], Any]
