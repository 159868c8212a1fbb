"""Runs of workloads, interleaved, and what they come to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.servers import SERVERS, Server, ServerFailed
from bench.servers.cluster import cluster
from bench.workloads import WORKLOADS, Workload

#: Share of Node's best load at which latencies are measured.
LOAD = 0.7


@dataclass(slots=True)
class Result:
    """
    The runs of one workload on one server.

    Attributes:
        runs: what the load generator printed, for each good run.
        discarded: why the others were not good.
        overloaded: how many runs had to be given up: the server did not keep up.
    """

    workload: Workload
    server: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    overloaded: int = 0

    @property
    def figures(self) -> list[float]:
        """The figure of each run, the least first."""
        return sorted(self.workload.figure(run) for run in self.runs)

    @property
    def median(self) -> float | None:
        """The median, if there was a good run."""
        return median(self.figures) if self.runs else None

    def share(self, key: str) -> float:
        """Give how much of its processor the server or the load generator used: the median."""
        return median(run[key] / run["seconds"] for run in self.runs)


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is measured."""

    load: Path
    cache: Path
    cookies: Path
    server_core: set[int]
    seconds: float
    warmup: float
    idle_seconds: float
    rounds: int

    def run(self, workload: Workload, server: Server, rate: float = 0) -> dict[str, Any]:
        """
        Run once, against a server that was just started.

        Raises:
            ServerFailed: something was wrong, and nothing was measured.
        """
        seconds = self.idle_seconds if workload.name == "idle" else self.seconds
        with self._running(workload, server) as where:
            options = {
                **workload.options,
                **where,
                "cookies": self.cookies,
                "seconds": seconds,
                "warmup": self.warmup,
                "rate": rate,
            }
            words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
            try:
                done = subprocess.run(
                    [str(self.load), *words],
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=seconds + self.warmup + 180,
                )
            except subprocess.TimeoutExpired as exc:
                raise ServerFailed("the load generator did not come to an end") from exc
            if done.returncode:
                raise ServerFailed(done.stderr.strip() or f"status {done.returncode}")
            run: dict[str, Any] = json.loads(done.stdout)
            return run

    @contextmanager
    def _running(self, workload: Workload, server: Server) -> Iterator[dict[str, int]]:
        if workload.adapter:
            with cluster(server, workload.adapter, self.cache, self.server_core) as where:
                yield where
        else:
            with server.running(self.cache, self.server_core) as (pid, port):
                yield {"pid": pid, "port": port}


def measure(
    plan: Plan, workloads: Sequence[Workload], servers: Sequence[str], tell: Callable[[str], None]
) -> list[Result]:
    """
    Run everything: for each workload, the servers take turns.

    Args:
        plan: how.
        workloads: what.
        servers: the names of whom.
        tell: called with a line for each run.
    """
    results: list[Result] = []
    for workload in workloads:
        names = [name for name in servers if workload.is_for(SERVERS[name])]
        if workload.reference not in names and "node" in names:
            names.insert(names.index("node") + 1, workload.reference)
        if workload.reference == "node":
            names = [name for name in names if name != "node-bufferutil"]
        of_name = {name: Result(workload, name) for name in names}
        results += of_name.values()
        rate = LOAD * _best_load(plan, results, tell) if workload.name == "latency" else 0
        for number in range(plan.rounds):
            for name, result in of_name.items():
                _run_once(plan, result, rate, f"{number + 1}/{plan.rounds} {name}", tell)
    return results


def _run_once(
    plan: Plan, result: Result, rate: float, label: str, tell: Callable[[str], None]
) -> None:
    workload = result.workload
    try:
        run = plan.run(workload, SERVERS[result.server], rate)
    except ServerFailed as exc:
        result.discarded.append(str(exc))
        sys.stderr.write(f"*** DISCARDED: {workload.name} {label}: {exc}\n")
        return
    if run.get("overloaded"):
        result.overloaded += 1
        tell(f"{workload.name:13} {label:20} does not keep up with {rate:,.0f}/s")
        return
    run["rate"] = rate
    result.runs.append(run)
    tell(
        f"{workload.name:13} {label:20} {workload.figure(run):12,.1f} {workload.unit}; "
        f"server {run['server_cpu'] / run['seconds']:.0%}, "
        f"load {run['own_cpu'] / run['seconds']:.0%}{' (spins)' if run['spins'] else ''}"
    )


def _best_load(plan: Plan, results: Sequence[Result], tell: Callable[[str], None]) -> float:
    """Give the most echoes per second (of the wall clock) that Node answers."""
    workload = WORKLOADS["ack-1"]
    for result in results:
        if result.workload is workload and result.server == "node" and result.runs:
            break
    else:
        result = Result(workload, "node")
        for number in range(min(plan.rounds, 3)):
            _run_once(plan, result, 0, f"best load {number + 1}", tell)
        if not result.runs:
            raise ServerFailed("Node's best load is not known, so there is no rate")
    return median(run["messages"] / run["seconds"] for run in result.runs)
