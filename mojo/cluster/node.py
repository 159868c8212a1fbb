"""What a server is in a cluster: its name among the others, its bus and its adapters."""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mojo.cluster.adapter import ClusterAdapter
from mojo.cluster.line import MakeLine
from mojo.cluster.orders import Orders
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.redis_bus import RedisBus
from mojo.cluster.shared_recovery import SharedRecovery
from mojo.cluster.stats import ClusterStats
from mojo.cluster.streams import StreamsLine
from mojo.cluster.url import read_url
from mojo.socketio.adapter import Carried, LocalAdapter
from mojo.socketio.parser import Parser
from mojo.socketio.recovery import RecoveryOptions
from mojo.socketio.rooms import Room

_log = Logger()

# The most of a reason that is logged, in characters.
_MAX_TEXT = 200


class ClusterNode(Service):
    """
    A server that is one of many.

    Args:
        url: see `mojo.cluster.url`.
        reactor: makes connections and tells the time.
        new_id: makes the server's id, and those of requests.
        max_message: most bytes of a message.
        random: see `RedisConnection`.
    Raises:
        SettingsError: it is no URL of a Redis, or asks for another format.

    Attributes:
        uid: what it calls itself to the others.
        prefix: what the channels of the cluster begin with.
        bus: what carries messages.
        stats: what is counted.
    """

    def __init__(
        self,
        url: str,
        reactor: Any,
        new_id: Callable[[], str],
        *,
        max_message: int,
        random: Callable[[], float] = random,
    ) -> None:
        address, self.prefix, adapter = read_url(url, "REDIS")
        self.uid = new_id()
        self.new_id = new_id
        self.stats = ClusterStats()
        self.bus = RedisBus(
            address,
            reactor,
            self.stats,
            max_message=max_message,
            random=random,
            stream=self.prefix if adapter == "streams" else None,
        )
        self._keeps = adapter == "streams"
        self._make_line: MakeLine = StreamsLine if adapter == "streams" else PubSubLine
        self._refused: set[str] = set()

    def make_adapter(self, namespace: Carried, local: LocalAdapter) -> ClusterAdapter:
        """Make a namespace's adapter; see `mojo.socketio.adapter.MakeAdapter`."""
        return ClusterAdapter(self, namespace, local, self._make_line)

    def make_recovery(
        self,
        name: str,
        parser: Parser,
        options: RecoveryOptions,
        left: Callable[[Any, Room], object],
    ) -> SharedRecovery | None:
        """Make what keeps places where other servers find them; ``None`` if there is none."""
        return SharedRecovery(self.bus.kept, parser, name, options, left) if self._keeps else None

    def make_remote(self, namespace: Carried) -> ClusterAdapter:
        """Make the adapter to a namespace that is not here; see `MakeRemote`."""
        return ClusterAdapter(self, namespace, LocalAdapter(), self._make_line, listens=False)

    def carry_orders(self, perform: Callable[[str, list[Any]], None]) -> Orders:
        """Make the channel of what happens to visitors; see `Orders`."""
        return Orders(self, perform)

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
                "cluster: a {where} was passed over: {why}; more like it are only counted",
                where=where,
                why=text,
            )

    # -- IService -----------------------------------------------------------------

    def startService(self) -> None:
        """Connect to the others."""
        super().startService()  # type: ignore[no-untyped-call]
        self.bus.start()

    def stopService(self) -> Deferred[Any]:
        """Leave them."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self.bus.stop()
