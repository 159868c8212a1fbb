"""What a server is in a cluster: its name among the others, its bus and its adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import random
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mojo.cluster.adapter import ClusterAdapter
from mojo.cluster.bus import Bus, Kept
from mojo.cluster.channel import MojoChannel
from mojo.cluster.line import MakeLine, Server
from mojo.cluster.marks import MarkSource, SiblingMarks
from mojo.cluster.orders import Orders
from mojo.cluster.peers import BEAT_SECONDS, Peers
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.shared_presence import Online, SharedPresence
from mojo.cluster.shared_recovery import SharedRecovery
from mojo.cluster.shared_revocations import SharedRevocations
from mojo.cluster.stats import ClusterStats
from mojo.cluster.wire import PREFIX
from mojo.sessions.revocations import Mark, Revocations
from mojo.socketio.adapter import Carried, LocalAdapter
from mojo.socketio.parser import Parser
from mojo.socketio.presence import PresenceBoard
from mojo.socketio.recovery import RecoveryOptions
from mojo.socketio.rooms import Room

if TYPE_CHECKING:
    from mojo.cluster.bridge import Bridge

_log = Logger()

# The most of a reason that is logged, in characters.
_MAX_TEXT = 200


class NodeBus(Bus, Protocol):
    """A bus that lives as long as its node runs."""

    def start(self) -> object:
        """Connect."""

    def stop(self) -> Deferred[Any]:
        """Let the connections go, after what was published has left."""


#: Makes what keeps revocations, of how long they are needed and a clock of the epoch.
MakeMarks = Callable[[Mapping[str, float], Callable[[], float]], MarkSource]


class ClusterNode(Service):
    """
    A server that is one of many.

    Args:
        bus: what carries messages.
        stats: what it counts.
        new_id: makes the server's id, and those of requests.
        prefix: what the channels of the cluster begin with.
        make_line: makes what is spoken by.
        kept: what is kept for all servers, if something is.
        make_marks: makes what keeps revocations for those that are started later; by default
            the others are asked for them.
        make_bridge: makes the bridge to servers of python-socketio, where there is one.

    Attributes:
        uid: what it calls itself to the others.
        prefix: what the channels of the cluster begin with.
        bus: what carries messages.
        stats: what is counted.
        channel: what it tells Mojo's servers alone.
        peers: which of these there are; ``None`` before `carry_presence`.
    """

    def __init__(
        self,
        bus: NodeBus,
        stats: ClusterStats,
        new_id: Callable[[], str],
        *,
        prefix: str = PREFIX,
        make_line: MakeLine = PubSubLine,
        kept: Kept | None = None,
        make_marks: MakeMarks | None = None,
        make_bridge: Callable[[Server], Bridge] | None = None,
    ) -> None:
        self.uid = new_id()
        self.new_id = new_id
        self.prefix = prefix
        self.stats = stats
        self.bus = bus
        self._kept = kept
        self._make_line = make_line
        self._refused: set[str] = set()
        self.channel = MojoChannel(self)
        self.peers: Peers | None = None
        # Namespaces that were made on demand come and go.
        self._adapters: WeakSet[ClusterAdapter] = WeakSet()
        self._make_marks = make_marks
        self._bridge = None if make_bridge is None else make_bridge(self)
        self._presence: SharedPresence | None = None
        self._revocations: SharedRevocations | None = None

    def make_adapter(self, namespace: Carried, local: LocalAdapter) -> ClusterAdapter:
        """Make a namespace's adapter; see `mojo.socketio.adapter.MakeAdapter`."""
        adapter: ClusterAdapter
        if self._bridge is None:
            adapter = ClusterAdapter(self, namespace, local, self._make_line)
        else:
            adapter = self._bridge.make_adapter(namespace, local, self._make_line)
        self._adapters.add(adapter)
        return adapter

    def make_recovery(
        self,
        name: str,
        parser: Parser,
        options: RecoveryOptions,
        left: Callable[[Any, Room], object],
    ) -> SharedRecovery | None:
        """Make what keeps places where other servers find them; ``None`` if there is none."""
        if self._kept is None:
            return None
        return SharedRecovery(self._kept, parser, name, options, left)

    def make_remote(self, namespace: Carried) -> ClusterAdapter:
        """Make the adapter to a namespace that is not here; see `MakeRemote`."""
        if self._bridge is not None:
            return self._bridge.make_remote(namespace, self._make_line)
        return ClusterAdapter(self, namespace, LocalAdapter(), self._make_line, listens=False)

    def carry_orders(
        self, acts: Iterable[str], perform: Callable[[str, list[Any]], object]
    ) -> Orders:
        """Carry what happens to visitors; see `Orders`."""
        return Orders(self.channel, acts, perform, self.keep)

    def carry_presence(
        self,
        clock: IReactorTime,
        board: PresenceBoard,
        online: Online,
        *,
        name: str,
        every: float = BEAT_SECONDS,
        random: Callable[[], float] = random,
    ) -> None:
        """
        Carry who is present, and know which servers there are.

        Args:
            clock: tells the time.
            board: the presence lists.
            online: tells the hooks of users.
            name: what people call this server.
            every: seconds between two beats.
            random: see `Peers`.
        """
        shared = self._presence = SharedPresence(
            self.uid, self.channel, clock, board, online, lambda: self.bus.is_up
        )
        self.peers = Peers(self, self.channel, clock, shared, name=name, every=every, random=random)
        shared.follow(self.peers)
        self.peers.gone = self._peer_gone

    @property
    def names(self) -> Mapping[str, str]:
        """What people call the other servers of Mojo's; see `Peers.names`."""
        return {} if self.peers is None else self.peers.names

    def server_ended(self, uid: str) -> None:
        """Know of another server that it is gone; see `Peers.ended`."""
        if self.peers is not None:
            self.peers.ended(uid)

    def _peer_gone(self, uid: str) -> None:
        for adapter in list(self._adapters):
            adapter.server_gone(uid)

    def carry_revocations(
        self,
        clock: IReactorTime,
        revocations: Revocations,
        learnt: Callable[[Sequence[Mark]], object],
    ) -> None:
        """
        Know what was revoked while this server was not there; after `carry_presence`.

        Args:
            clock: tells the time.
            revocations: what is known here.
            learnt: see `SharedRevocations`.
        """
        assert self.peers is not None
        source: MarkSource
        if self._make_marks is None:
            source = SiblingMarks(self.channel, clock, self.peers, revocations.marks)
        else:
            source = self._make_marks(revocations.ages, revocations.now)
        self._revocations = SharedRevocations(revocations, source, clock, learnt)
        self.peers.connected = self._revocations.look

    def keep(self, marks: Sequence[Mark]) -> None:
        """Let servers that are not there now learn later of what was revoked."""
        if self._revocations is not None:
            self._revocations.keep(marks)

    def know(self) -> Deferred[None]:
        """Give what fires when new clients may come; see `SharedRevocations.known`."""
        return succeed(None) if self._revocations is None else self._revocations.known()

    def leave(self) -> Deferred[None]:
        """
        Tell the others that our clients are about to leave.

        Returns:
            What fires when that is said, and it is heard who else is leaving.
        """
        presence = self._presence
        if self.peers is None or presence is None:
            return succeed(None)
        return self.peers.leave().addCallback(lambda _: presence.leave())

    def trouble(self) -> str | None:
        """Say in a word why the others are not reached; ``None`` if they are; see `Health`."""
        return None if self.stats.up else "away"

    def refuse(self, where: str, why: Exception) -> None:
        """Count a message that cannot be read, and log the first of its kind."""
        self.stats.refused += 1
        # It may have the name of an event, which others choose.
        text = str(why)[:_MAX_TEXT]
        kind = f"{where}: {text}"
        # Not more of them than a log can bear, whatever others make up.
        if kind not in self._refused and len(self._refused) < 100:
            self._refused.add(kind)
            _log.warn(
                "cluster: {where} was passed over: {why}; more like it are only counted",
                where=f"{'an' if where[0] in 'aeiou' else 'a'} {where}",
                why=text,
            )

    # -- IService -----------------------------------------------------------------

    def startService(self) -> None:
        """Connect to the others."""
        super().startService()  # type: ignore[no-untyped-call]
        self.bus.start()
        if self.peers is not None:
            self.peers.start()
        if self._revocations is not None:
            self._revocations.start()

    def stopService(self) -> Deferred[Any]:
        """Leave them."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self.peers is not None and self._presence is not None:
            self.peers.stop()
            self._presence.stop()
        stopping = [self.bus.stop()]
        if self._revocations is not None:
            stopping.append(Deferred.fromCoroutine(self._revocations.stop()))
        return gatherResults(stopping)
