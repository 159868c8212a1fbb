"""``python -m bench``: see README.rst."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from secrets import token_bytes

from bench.drawing import draw_curves, draw_ratios
from bench.machine import (
    Missing,
    compile_load,
    default_cache,
    describe,
    install_node,
    install_python,
    raise_limits,
    two_cores,
    versions,
)
from bench.report import notes, table, write_json
from bench.runs import Plan, measure
from bench.scaling import curves
from bench.servers import PROJECT, SERVERS
from bench.servers.cluster import find_redis
from bench.workloads import WORKLOADS
from mojo.project.loader import load_project
from mojo.sessions.cookies import SESSION_ID, new_session_id
from mojo.sessions.signer import Signer

VISITORS = 10_000
#: What ``--only`` calls the curves of `bench.scaling`.
CURVES = "curves"


def main() -> int:
    """Measure what the command line asks for."""
    options = _options()
    try:
        load = compile_load(options.cache)
        server_core, load_core = two_cores()
        raise_limits(11_000)
        # The load generator inherits it, and this process waits meanwhile.
        os.sched_setaffinity(0, load_core)
        node = install_node(options.cache) if _needs(options, "node") else None
        if any(WORKLOADS[name].adapter for name in options.only if name != CURVES):
            find_redis()
        python = install_python(options.cache) if _needs(options, "uvicorn", "aiohttp") else None
    except Missing as exc:
        sys.stderr.write(f"bench: {exc}\n")
        return 2
    plan = Plan(
        load=load,
        cache=options.cache,
        cookies=_bake(options.cache),
        server_core=server_core,
        seconds=options.seconds,
        warmup=options.warmup,
        idle_seconds=options.idle_seconds,
        rounds=options.rounds,
    )
    facts = {
        "machine": describe(),
        "versions": versions(node, python),
        "command": ["python", "-m", "bench", *sys.argv[1:]],
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    workloads = [WORKLOADS[name] for name in options.only if name != CURVES]
    results = measure(plan, workloads, options.servers, _tell)
    grown = curves(_tell) if CURVES in options.only else {}
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "bench.json", results, facts, grown)
    if results:
        (options.output / "ratios.svg").write_text(draw_ratios(results))
    if grown:
        (options.output / "curves.svg").write_text(draw_curves(grown))
    if results:
        print(f"\n{table(results)}\n{notes(results)}")
    print(f"kept in {options.output}")
    return 1 if any(result.discarded for result in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    add = parser.add_argument
    names = [*WORKLOADS, CURVES]
    add("--only", nargs="+", choices=names, default=names, metavar="WORKLOAD",
        help=f"some workloads: {', '.join(names)}")  # fmt: skip
    add("--servers", nargs="+", choices=SERVERS, metavar="SERVER",
        default=["mojo", "node", "uvicorn", "aiohttp", "autobahn"],
        help=f"some servers: {', '.join(SERVERS)}")  # fmt: skip
    add("--rounds", type=int, default=5, help="runs of each workload on each server")
    add("--seconds", type=float, default=5.0, help="measured seconds of a run")
    add("--warmup", type=float, default=1.5, help="seconds before them")
    add("--idle-seconds", type=float, default=30.0,
        help="measured seconds of 'idle': more than one heartbeat's 25")  # fmt: skip
    add("--cache", type=Path, default=default_cache(),
        help="where packages are installed and the load generator is compiled")  # fmt: skip
    add("--output", type=Path, help="where bench.json and the pictures go; the cache by default")
    options = parser.parse_args()
    options.cache = options.cache.resolve()
    options.output = options.output or options.cache / "results"
    return options


def _needs(options: argparse.Namespace, *names: str) -> bool:
    return any(server.startswith(name) for server in options.servers for name in names)


def _bake(cache: Path) -> Path:
    """Make a cookie for each of many visitors, as the project's own pages would."""
    signer = Signer(load_project(PROJECT).settings.cookie_secret, token_bytes=token_bytes)
    now = time.time()
    path = cache / "cookies.txt"
    with path.open("w") as file:
        for _ in range(VISITORS):
            file.write(f"{SESSION_ID}={signer.seal(SESSION_ID, new_session_id(), now=now)}\n")
    return path


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
