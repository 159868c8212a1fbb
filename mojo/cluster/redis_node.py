"""A server of a cluster whose messages go through Redis."""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import TYPE_CHECKING, Any

from mojo.cluster.line import Server
from mojo.cluster.node import ClusterNode
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.redis_bus import RedisBus
from mojo.cluster.redis_marks import RedisMarks
from mojo.cluster.stats import ClusterStats
from mojo.cluster.streams import StreamsLine
from mojo.cluster.url import read_url
from mojo.redis.link import RedisLink

if TYPE_CHECKING:
    from mojo.cluster.bridge import Bridge


def redis_node(
    url: str,
    reactor: Any,
    new_id: Callable[[], str],
    *,
    max_message: int,
    random: Callable[[], float] = random,
) -> ClusterNode:
    """
    Make a server that is one of those of a Redis.

    Args:
        url: see `mojo.cluster.url`.
        reactor: makes connections and tells the time.
        new_id: makes the server's id, and those of requests.
        max_message: most bytes of a message.
        random: see `RedisConnection`.
    Raises:
        SettingsError: see there.
    """
    address, prefix, adapter, python_socketio = read_url(url, "REDIS")
    stats = ClusterStats()
    streams = adapter == "streams"
    bus = RedisBus(
        address,
        reactor,
        stats,
        max_message=max_message,
        random=random,
        stream=prefix if streams else None,
    )
    return ClusterNode(
        bus,
        stats,
        new_id,
        prefix=prefix,
        make_line=StreamsLine if streams else PubSubLine,
        kept=bus.kept if streams else None,
        make_marks=lambda ages, now: RedisMarks(RedisLink(address, reactor), prefix, ages, now),
        make_bridge=None if python_socketio is None else _bridge_to(python_socketio),
    )


def _bridge_to(channel: str) -> Callable[[Server], Bridge]:
    from mojo.cluster.bridge import Bridge  # noqa: PLC0415

    return lambda server: Bridge(server, channel)
