"""A worker as a node of the cluster of its siblings."""

from __future__ import annotations

from collections.abc import Callable

from mojo.cluster.node import ClusterNode
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.streams import StreamsLine
from mojo.workers.bus import WorkerBus
from mojo.workers.link import Link


def worker_node(
    link: Link, new_id: Callable[[], str], *, max_message: int, recovers: bool
) -> ClusterNode:
    """
    Make a node of the cluster that the workers of a parent are.

    Args:
        link: leads to the parent.
        new_id: makes the node's id, and those of requests.
        max_message: most bytes of a message.
        recovers: whether clients may find their connection again, at whatever worker: then
            there is a stream.
    """
    bus = WorkerBus(link, max_message)
    node = ClusterNode(
        bus,
        link.stats,
        new_id,
        make_line=StreamsLine if recovers else PubSubLine,
        kept=bus if recovers else None,
    )
    # The parent knows at once of a worker that is killed: nobody has to wait for its beats.
    link.told["gone"] = lambda control: node.server_ended(control["uid"])
    link.tell("uid", uid=node.uid)
    return node
