"""Pictures: bars and lines as SVG, written by hand, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from bench.report import ratios
from bench.runs import Result

COLOURS = {
    "mojo": "#d9480f",
    "node": "#2f9e44",
    "node-bufferutil": "#82c91e",
    "uvicorn": "#1971c2",
    "aiohttp": "#74c0fc",
    "autobahn": "#868e96",
}
_CURVE_COLOURS = {
    "broadcast": "#d9480f",
    "join": "#1971c2",
    "leave": "#2f9e44",
    "disconnect": "#868e96",
    "heartbeat": "#ae3ec9",
}
_STYLE = (
    "<style>text{font:12px sans-serif;fill:#333}.t{font-weight:bold}.g{stroke:#bbb}"
    ".n{stroke:#333;stroke-dasharray:4 3}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.n{stroke:#ddd}.g{stroke:#555}}</style>"
)


def draw_ratios(results: Sequence[Result]) -> str:
    """
    Draw how many times Node's each server does, on a logarithmic scale.

    Where less is better the inverse is drawn, so that longer is always better.
    """
    of_pair = ratios(results)
    rows: list[tuple[str, str, str, float]] = []
    for result in results:
        ratio = of_pair.get((result.workload.name, result.server))
        if ratio:
            better = 1 / ratio if result.workload.lower else ratio
            rows.append((result.workload.name, result.workload.title, result.server, better))
    if not rows:
        return _svg(400, 40, ['<text x="8" y="24">nothing to compare</text>'])
    left, width, line = 20, 700, 15
    low = min(0.1, *(row[3] for row in rows))
    high = max(10.0, *(row[3] for row in rows))

    def x(value: float) -> float:
        return left + width * (math.log(value) - math.log(low)) / math.log(high / low)

    parts: list[str] = []
    y = 34
    last = ""
    for name, title, server, better in rows:
        if name != last:
            y += 24
            parts.append(f'<text class="t" x="{left}" y="{y - 4}">{escape(title)}</text>')
            last = name
        parts.append(
            f'<rect x="{left}" y="{y}" width="{max(x(better) - left, 1):.1f}" height="{line - 3}" '
            f'fill="{COLOURS[server]}"/>'
            f'<text x="{x(better) + 5:.1f}" y="{y + 10}">{server} {better:.2f}</text>'
        )
        y += line
    rules = []
    for tick in _ticks(low, high):
        kind = "n" if tick == 1 else "g"
        rules.append(
            f'<line class="{kind}" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="30" y2="{y}"/>'
            f'<text x="{x(tick):.1f}" y="24" text-anchor="middle">{tick:g} x</text>'
        )
    return _svg(left + width + 150, y + 10, rules + parts)


def draw_curves(curves: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]) -> str:
    """
    Draw what an operation costs for some sizes: one panel for each kind of size.

    Args:
        curves: microseconds by size, for each operation and kind of size.
    """
    costs = [cost for panel in curves.values() for line in panel.values() for _, cost in line]
    low, high = min(0.5, *costs), max(50.0, *costs)
    width, height, top = 330, 240, 40
    parts: list[str] = []

    def y(cost: float) -> float:
        return top + height * math.log(high / cost) / math.log(high / low)

    for number, (kind, panel) in enumerate(curves.items()):
        left = 50 + number * (width + 110)
        sizes = [size for line in panel.values() for size, _ in line]
        span = math.log(max(sizes) / min(sizes))

        def x(size: int, left: int = left, first: int = min(sizes), span: float = span) -> float:
            return left + width * math.log(size / first) / span

        parts.append(f'<text class="t" x="{left}" y="20">µs, by number of {escape(kind)}</text>')
        parts += [
            f'<line class="g" x1="{left}" x2="{left + width}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text x="{left - 6}" y="{y(tick) + 4:.1f}" '
            f'text-anchor="end">{tick:g}</text>'
            for tick in _ticks(low, high)
        ]
        parts += [
            f'<text x="{x(size):.1f}" y="{top + height + 18}" text-anchor="middle">{size:,}</text>'
            for size in sorted(set(sizes))
        ]
        below = 0.0
        for name, line in sorted(panel.items(), key=lambda item: -item[1][-1][1]):
            points = " ".join(f"{x(size):.1f},{y(cost):.1f}" for size, cost in line)
            # Labels of lines that end together are put below each other.
            below = max(y(line[-1][1]) + 4, below + 13)
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{_CURVE_COLOURS[name]}" '
                f'stroke-width="2"/><text x="{left + width + 6}" y="{below:.1f}">{name}</text>'
            )
    return _svg(len(curves) * (width + 110) + 40, top + height + 30, parts)


def _ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    return [round(tick, 6) for tick in ticks if low <= tick <= high]


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">{_STYLE}\n' + "\n".join(parts) + "\n</svg>\n"
    )
