"""The workloads, with the target that Mojo has in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.servers import Server

#: Bytes of the binary message; the servers' limit for a message is the same.
BLOB = 1_000_000


@dataclass(frozen=True, slots=True)
class Workload:
    """
    Something that the load generator does.

    Attributes:
        name: what ``--only`` calls it.
        title: what the tables call it.
        unit: of its figure.
        target: what the ratio to Node must reach, or stay below.
        options: of the load generator.
        lower: whether less is better.
        polls: whether it takes long-polling.
        reference: whom the ratio is to.
        adapter: what two servers of a cluster speak by: the first connection is at the first of
            them, and all others at the second; ``""`` for one server.
    """

    name: str
    title: str
    unit: str
    target: float
    options: Mapping[str, str | int] = field(default_factory=dict)
    lower: bool = False
    polls: bool = False
    reference: str = "node"
    adapter: str = ""

    def is_for(self, server: Server) -> bool:
        """Tell whether a server has what it takes."""
        return (server.polls or not self.polls) and (server.joining is not None or not self.is_hop)

    @property
    def is_hop(self) -> bool:
        """Whether it is of a cluster, or what is compared with one."""
        return bool(self.adapter) or self.name == "no-hop"

    def figure(self, run: Mapping[str, Any]) -> float:
        """Give a run's figure; see `unit`."""
        if self.name == "idle":
            return float(run["rss_after"] - run["rss_before"]) / run["connections"]
        if self.name == "latency":
            return float(run["p99"]) * 1000
        if self.unit == "µs":
            return float(run["p50"]) * 1e6
        # Less than a tick of the clock was used: the run was too short to say anything.
        figure = run["messages"] / max(run["server_cpu"], 0.01)
        return figure * BLOB / 1e6 if self.name == "binary" else figure


_PER_SECOND = "messages per CPU-second"
_OF_BOTH = "deliveries per CPU-second of both"

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            "ack-1", "emit and acknowledgement, 100 connections, 1 outstanding", _PER_SECOND, 1.5,
            {"workload": "ack", "connections": 100, "outstanding": 1},
        ),
        Workload(
            "ack-10", "emit and acknowledgement, 100 connections, 10 outstanding", _PER_SECOND,
            2.5, {"workload": "ack", "connections": 100, "outstanding": 10},
        ),
        Workload(
            "broadcast-1", "broadcast to 1,000, one at a time", "deliveries per CPU-second", 1.6,
            {"workload": "broadcast", "connections": 1000, "outstanding": 1},
        ),
        Workload(
            "broadcast-16", "broadcast to 1,000, 16 in flight", "deliveries per CPU-second", 8.0,
            {"workload": "broadcast", "connections": 1000, "outstanding": 16},
        ),
        Workload(
            "rooms", "1,000 connections in 100 rooms of 10", "deliveries per CPU-second", 1.5,
            {"workload": "rooms", "connections": 1000, "rooms": 100, "outstanding": 1},
        ),
        Workload(
            "polling", "long-polling round trip, 100 clients", "round trips per CPU-second", 1.5,
            {"workload": "polling", "connections": 100}, polls=True,
        ),
        Workload(
            "binary", "binary echo, 1 MB", "MB per CPU-second", 1.0,
            {"workload": "binary", "connections": 4, "size": BLOB}, reference="node-bufferutil",
        ),
        Workload(
            "connect", "new connections, WebSocket", "connections per CPU-second", 1.5,
            {"workload": "connect", "connections": 50},
        ),
        Workload(
            "upgrade", "new connections, polling and then upgrade", "connections per CPU-second",
            1.0, {"workload": "upgrade", "connections": 50}, polls=True,
        ),
        Workload(
            "idle", "memory per idle connection, 10,000 of them", "kB", 0.5,
            {"workload": "idle", "connections": 10_000}, lower=True,
        ),
        Workload(
            "latency", "p99 latency at 70 % of Node's best load", "ms", 1.0,
            {"workload": "rate", "connections": 100}, lower=True,
        ),
        Workload(
            "cluster-1", "from one server to a client of another, 16 in flight", _OF_BOTH, 1.0,
            {"workload": "broadcast", "connections": 2, "outstanding": 16}, adapter="pubsub",
        ),
        Workload(
            "cluster-100", "from one server to 100 clients of another, 16 in flight", _OF_BOTH, 1.0,
            {"workload": "broadcast", "connections": 101, "outstanding": 16}, adapter="pubsub",
        ),
        Workload(
            "cluster-1-streams", "to a client of another, by a stream", _OF_BOTH, 1.0,
            {"workload": "broadcast", "connections": 2, "outstanding": 16}, adapter="streams",
        ),
        Workload(
            "cluster-100-streams", "to 100 clients of another, by a stream", _OF_BOTH, 1.0,
            {"workload": "broadcast", "connections": 101, "outstanding": 16}, adapter="streams",
        ),
        Workload(
            "no-hop", "from one client to another of the same server: median", "µs", 1.0,
            {"workload": "broadcast", "connections": 2, "outstanding": 1}, lower=True,
        ),
        Workload(
            "hop", "from a client of one server to one of another: median", "µs", 1.0,
            {"workload": "broadcast", "connections": 2, "outstanding": 1}, lower=True,
            adapter="pubsub",
        ),
        Workload(
            "hop-streams", "the same by a stream: median", "µs", 1.0,
            {"workload": "broadcast", "connections": 2, "outstanding": 1}, lower=True,
            adapter="streams",
        ),
    )
}  # fmt: skip
