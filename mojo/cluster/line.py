"""
What a namespace's adapter speaks to those of other servers by: a `Line`, and who is at its end.

The formats differ in how a message is written and in where it goes; what is said is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mojo.cluster.bus import Bus, Entry
from mojo.cluster.stats import ClusterStats
from mojo.cluster.wire import Broadcast
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import Carried

_log = Logger()


class Server(Protocol):
    """
    One server of a cluster, as its adapters see it.

    Attributes:
        uid: what it calls itself to the others.
        prefix: what the cluster's channels begin with.
        stats: what is counted.
    """

    uid: str
    prefix: str
    stats: ClusterStats

    @property
    def bus(self) -> Bus:
        """What carries messages."""

    @property
    def new_id(self) -> Callable[[], str]:
        """Makes the id of a request."""

    @property
    def names(self) -> Mapping[str, str]:
        """What people call the other servers of Mojo's, by what they call themselves."""

    def refuse(self, where: str, why: Exception) -> None:
        """Count a message that cannot be read, and log the first of its kind."""


Echo = Callable[[str], object]


class Taker(Protocol):
    """Who takes what comes by a line; each may raise `PacketError` or `UnsendableError`."""

    def concerns(self, rooms: Collection[str]) -> bool:
        """Tell whether what is for members of these rooms, or of none, is read at all."""

    def take_broadcast(self, sent: Broadcast, offset: str | None = None) -> None:
        """Take what is for clients, and its offset if it has one."""

    def take_request(self, request: dict[str, Any]) -> None:
        """Take what is asked of this server."""

    def take_response(self, response: dict[str, Any]) -> None:
        """Take what was answered to this server."""


class Line(Protocol):
    """A namespace's connection to those of the same name on the other servers."""

    def broadcast(
        self,
        packet: dict[str, Any],
        opts: dict[str, Any],
        *,
        waits: bool,
        echo: Echo | None = None,
    ) -> None:
        """
        Tell the others what is for clients of theirs.

        Args:
            packet: the event.
            opts: for whom.
            waits: see `Bus.publish`.
            echo: called once, with an offset, when its turn among all that is told is come.

        Raises:
            UnsendableError: something in it cannot be sent.
        """

    def request(self, request: dict[str, Any], *, waits: bool = True) -> None:
        """
        Ask something of the others.

        Raises:
            UnsendableError: something in it cannot be sent.
        """

    def respond(self, request: dict[str, Any], response: dict[str, Any]) -> None:
        """
        Answer what another server has asked.

        Raises:
            UnsendableError: something in it cannot be sent.
        """

    def will_come(self, entry: Entry) -> bool:
        """
        Tell whether clients here get an entry when its turn is come.

        Not if it is ours, and they were given it before because its turn was long in coming.
        """

    def count_servers(self) -> Deferred[int | None]:
        """Tell how many servers there are, with this one; ``None`` if that is not known."""

    def close(self) -> None:
        """Hear nothing any longer."""


#: Makes a line of a namespace; without a taker nothing comes by it.
MakeLine = Callable[[Server, Carried, Taker | None], Line]


@contextmanager
def refusing(server: Server, namespace: str, where: str) -> Iterator[None]:
    """Take what came; what cannot be read or done is counted, and raises nothing."""
    try:
        yield
    except (PacketError, UnsendableError, UnicodeDecodeError) as exc:
        server.refuse(where, exc)
    except RecursionError:
        server.refuse(where, PacketError("values in values, too deep"))
    except Exception:
        server.stats.refused += 1
        _log.failure("{app}: a {where} of another server", app=namespace, where=where)
