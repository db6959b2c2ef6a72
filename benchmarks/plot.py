"""Draws how the cost depends on size, files and share kept: one SVG, written by hand.

Knows numbers and where they go on the paper; nothing of how they came about.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 330, 260  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 48, 46  # margins within it
COLOURS = ("#1f5fa8", "#c4532b", "#3c8c4c", "#8a6bbe", "#777777")
LETTER = 6  # width of a letter, about
INK, GRID = "#333333", "#dddddd"


@dataclass(frozen=True, slots=True)
class Series:
    """A line: points from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """A diagram. The axis upwards begins at nothing, unless it is logarithmic."""

    title: str
    across: str  # what the axis to the right means
    upwards: str
    series: Sequence[Series]
    labels: Callable[[float], str]  # of a value on the axis to the right
    logarithmic: bool = False  # the axis upwards; that to the right always is


def svg(panels: Sequence[Panel]) -> str:
    """The panels side by side."""
    width = WIDTH * len(panels)
    drawn = (
        f'<g transform="translate({at * WIDTH},0)">{"".join(_panel(panel))}</g>' for at, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="{INK}">\n'
        f'<rect width="{width}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _panel(panel: Panel) -> Iterable[str]:
    places = sorted({across for series in panel.series for across, _ in series.points})
    values = [value for series in panel.series for _, value in series.points]
    across = _scale(places[0], places[-1], LEFT, WIDTH - RIGHT, logarithmic=True)
    low = min(values) / 1.5 if panel.logarithmic else 0.0
    up = _scale(low, max(values) * 1.15, HEIGHT - BOTTOM, TOP, logarithmic=panel.logarithmic)
    yield _text(LEFT, 16, panel.title, weight="bold")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, panel.across, anchor="middle")
    yield _text(WIDTH - RIGHT, 16, panel.upwards, anchor="end")
    for value in _ticks(low, max(values) * 1.15, logarithmic=panel.logarithmic):
        yield f'<path d="M{LEFT} {up(value):.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>'
        yield _text(LEFT - 6, up(value) + 4, f"{value:g}", anchor="end")
    for place in places:
        yield _text(across(place), HEIGHT - BOTTOM + 16, panel.labels(place), anchor="middle")
    named = LEFT
    for at, series in enumerate(panel.series):
        colour = COLOURS[at % len(COLOURS)]
        yield _text(named, TOP - 8, series.name, colour=colour)
        named += LETTER * len(series.name) + 14
        yield from _line(series, across, up, colour)


def _line(series: Series, across: Callable[[float], float], up: Callable[[float], float], colour: str) -> Iterable[str]:
    points = [(across(place), up(value)) for place, value in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _scale(low: float, high: float, begin: float, end: float, *, logarithmic: bool) -> Callable[[float], float]:
    """From values to places on the paper; a single value stands in the middle."""
    map_value = math.log if logarithmic else float
    first, last = map_value(low), map_value(high)
    if first == last:
        return lambda _: (begin + end) / 2
    return lambda value: begin + (map_value(value) - first) / (last - first) * (end - begin)


def _ticks(low: float, high: float, *, logarithmic: bool) -> list[float]:
    """Some round values between both."""
    if logarithmic:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        return [value for power in powers for part in (1, 3) if low <= (value := part * 10.0**power) <= high]
    step = 10.0 ** math.floor(math.log10(high / 2))
    step *= next(times for times in (1, 2, 5, 10) if high / (step * times) <= 6)
    return [round(step * at, 10) for at in range(int(high / step) + 1)]


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", colour: str = INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
