"""Two servers of one kind, and a Redis between them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import Missing
from bench.servers import Server, end, wait_for

_READY = re.compile(r"(Ready to accept connections)")


def find_redis() -> str:
    """
    Give the program.

    Raises:
        Missing: there is none.
    """
    redis = shutil.which("redis-server")
    if redis is None:
        raise Missing("redis-server is not installed, which the workloads of a cluster need")
    return redis


@contextmanager
def cluster(server: Server, adapter: str, cache: Path, core: set[int]) -> Iterator[dict[str, int]]:
    """
    Start a Redis and two servers, all of them on one processor; end them afterwards.

    Args:
        server: which.
        adapter: ``"pubsub"`` or ``"streams"``.
        cache: see `Server`.
        core: the processor.
    Returns:
        Where they are: options of the load generator.
    Raises:
        ServerFailed: something does not start.
    """
    assert server.joining is not None
    with _redis(cache, core) as url:
        more = server.joining(url, adapter)
        with (
            server.running(cache, core, more) as (pid, port),
            server.running(cache, core, more, f"{server.name}-2") as (other_pid, other_port),
        ):
            yield {"pid": pid, "port": port, "other-pid": other_pid, "other-port": other_port}


@contextmanager
def _redis(cache: Path, core: set[int]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = cache / "logs" / "redis.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [find_redis(), "--bind", "127.0.0.1", "--port", str(port), "--save", ""],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cache,
        )
    try:
        os.sched_setaffinity(process.pid, core)
        wait_for(_READY, process, log)
        yield f"redis://127.0.0.1:{port}"
    finally:
        end(process)
