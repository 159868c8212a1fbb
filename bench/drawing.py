"""Pictures: bars and lines as SVG, written by hand, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def _ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    return [round(tick, 6) for tick in ticks if low <= tick <= high]


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">{_STYLE}\n' + "\n".join(parts) + "\n</svg>\n"
    )
