"""What is printed and kept of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.runs import Result


def ratios(results: Sequence[Result]) -> dict[tuple[str, str], float]:
    """Give the ratio to Node for each workload and server that has one."""
    medians = {(result.workload.name, result.server): result.median for result in results}
    found = {}
    for result in results:
        name = result.workload.name
        reference = medians.get((name, result.workload.reference))
        if reference and result.median is not None:
            found[name, result.server] = result.median / reference
    return found


def reached(result: Result, ratio: float) -> bool:
    """Tell whether a ratio is what the workload asks for."""
    target = result.workload.target
    return ratio <= target if result.workload.lower else ratio >= target


def table(results: Sequence[Result]) -> str:
    """Give the table of medians, ranges and ratios, as a reStructuredText table."""
    of_pair = ratios(results)
    rows = [("workload", "server", "median", "range", "unit", "to Node", "target", "server/load")]
    last = ""
    for result in results:
        workload = result.workload
        title, last = ("" if workload.title == last else workload.title), workload.title
        if result.overloaded > len(result.runs) or not result.runs:
            why = "does not keep up" if result.overloaded else "no good run"
            rows.append((title, result.server, why, "", "", "", "", ""))
            continue
        ratio = of_pair.get((workload.name, result.server))
        target = ""
        if result.server == "mojo":
            sign = "≤" if workload.lower else "≥"
            target = f"{sign} {workload.target:g}"
            if ratio is not None:
                target += " met" if reached(result, ratio) else " MISSED"
        spins = "spins" if result.runs[0]["spins"] else f"{result.share('own_cpu'):.0%}"
        figures = result.figures
        rows.append(
            (
                title,
                result.server,
                _number(result.median or 0.0),
                f"{_number(figures[0])} to {_number(figures[-1])}",
                workload.unit,
                "" if ratio is None else f"{ratio:.2f}",
                target,
                f"{result.share('server_cpu'):.0%}/{spins}",
            )
        )
    return _rst(rows)


def notes(results: Sequence[Result]) -> str:
    """Say what the table does not: the idle servers' processor time, the rate, what was lost."""
    lines = []
    for result in results:
        if result.workload.name == "idle" and result.runs:
            lines.append(
                f"{result.server}: {result.share('server_cpu'):.2%} of a core with "
                f"{result.runs[0]['connections']:,} idle connections"
            )
        if result.workload.name == "latency" and result.server == "node" and result.runs:
            lines.append(f"the rate was {result.runs[0]['rate']:,.0f} messages per second")
        if result.workload.adapter and result.workload.unit != "µs" and result.runs:
            rate = median(
                run["messages"] / run["connections"] / run["seconds"] for run in result.runs
            )
            lines.append(
                f"{result.server}: {rate:,.0f} messages per second in {result.workload.name}"
            )
        if result.workload.unit == "µs" and result.runs:
            p99 = median(run["p99"] for run in result.runs) * 1e6
            lines.append(f"{result.server}: p99 of {result.workload.name} {p99:,.0f} µs")
    lines += [
        f"DISCARDED: {result.workload.name} on {result.server}: {why}"
        for result in results
        for why in result.discarded
    ]
    return "\n".join(lines)


def write_json(
    path: Path,
    results: Sequence[Result],
    facts: Mapping[str, Any],
    curves: Mapping[str, Any],
) -> None:
    """Keep everything that was measured."""
    of_pair = ratios(results)
    path.write_text(
        json.dumps(
            {
                **facts,
                "results": [
                    {
                        "workload": result.workload.name,
                        "title": result.workload.title,
                        "unit": result.workload.unit,
                        "server": result.server,
                        "median": result.median,
                        "figures": result.figures,
                        "ratio": of_pair.get((result.workload.name, result.server)),
                        "overloaded": result.overloaded,
                        "discarded": result.discarded,
                        "runs": result.runs,
                    }
                    for result in results
                ],
                "curves": curves,
            },
            indent=1,
        )
        + "\n"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rst(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
    # An empty first cell would join the row to the one before it.
    lines = [f"\\{line[1:]}" if line.startswith("  ") and widths[0] > 1 else line for line in lines]
    return "\n".join(line.rstrip() for line in [rule, lines[0], rule, *lines[1:], rule])
