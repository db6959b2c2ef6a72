"""Plots as SVG, made of numbers alone: nothing that a peer has chosen gets into one.

Colours are classes `c0` to `c7`, which the page gives; the order is that of the reasons.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

COLORS: Final = 8
WIDE, HIGH = 720, 160  # of the large plot, in units of its view box
_SMALL_WIDE, _SMALL_HIGH = 120, 24


class Series(NamedTuple):
    """Counts in equal steps, and the number of their colour."""

    counts: Sequence[int]
    color: int


def stacked(series: Sequence[Series], label: str) -> str:
    """Bars over each other, the first series below; `label` is ours, for those who hear the page."""
    columns = list(zip(*(one.counts for one in series), strict=True))
    highest = max(map(sum, columns), default=0)
    parts = []
    for at, column in enumerate(columns):
        below = 0
        for one, count in zip(series, column, strict=True):
            parts.append(_bar(at, len(columns), below, count, highest, one.color, (WIDE, HIGH)))
            below += count
    lines = "".join(f'<path class="grid" d="M0 {y}H{WIDE}"/>' for y in (0.5, HIGH / 2, HIGH - 0.5))
    return _svg("plot", (WIDE, HIGH), label, lines + "".join(parts))


def spark(counts: Sequence[int], color: int) -> str:
    """One row's bars, small."""
    highest, size = max(counts, default=0), (_SMALL_WIDE, _SMALL_HIGH)
    bars = (_bar(at, len(counts), 0, count, highest, color, size) for at, count in enumerate(counts))
    base = f'<path class="grid" d="M0 {_SMALL_HIGH - 0.5}H{_SMALL_WIDE}"/>'
    return _svg("spark", size, "trend", base + "".join(bars))


def _bar(at: int, columns: int, below: int, count: int, highest: int, color: int, size: tuple[int, int]) -> str:
    if not count:
        return ""
    wide, high = size
    tall = max(1.0, high * count / highest)
    y = high - high * below / highest - tall
    gap = 0.15 * wide / columns
    x, breadth = at * wide / columns + gap / 2, wide / columns - gap
    return (
        f'<rect class="c{color % COLORS}" x="{x:.1f}" y="{max(0.0, y):.1f}" width="{breadth:.1f}" height="{tall:.1f}"/>'
    )


def _svg(name: str, size: tuple[int, int], label: str, inside: str) -> str:
    return (
        f'<svg class="{name}" viewBox="0 0 {size[0]} {size[1]}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{inside}</svg>'
    )
