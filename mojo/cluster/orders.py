"""
What a server of Mojo's tells the others of its kind of visitors and logins.

Rooms carry what is sent to them; that a login ends, or that a visitor has another id, concerns
clients that may be in no namespace at all, and cookies that are yet to come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from mojo.cluster.channel import MojoChannel
from mojo.sessions.revocations import Mark


class Orders:
    """
    The orders of a server to the others, and theirs to it.

    Args:
        channel: what they are told by.
        acts: the names of what can be done.
        perform: does what another one has done; raises `PacketError` if that cannot be.
        keep: lets servers that are not there now learn later of what was revoked.
    """

    def __init__(
        self,
        channel: MojoChannel,
        acts: Iterable[str],
        perform: Callable[[str, list[Any]], object],
        keep: Callable[[Sequence[Mark]], object] = lambda marks: None,
    ) -> None:
        self._channel = channel
        self._perform = perform
        self._keep = keep
        for act in acts:
            channel.takers[act] = partial(self._take, act)

    def __repr__(self) -> str:
        return "<Orders>"

    def tell(self, act: str, args: Sequence[Any], marks: Sequence[Mark] = ()) -> None:
        """Tell the others of an act, whose arguments are what JSON has, and what it revoked."""
        self._channel.tell(act, args, lasts=True)
        if marks:
            self._keep(marks)

    def _take(self, act: str, uid: str, args: list[Any]) -> None:
        self._perform(act, args)
