"""A report as one page of HTML that needs nothing else: no script, no other file, no network.

All that a line or a peer has said goes through the template, which escapes it, after its control characters.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from shipper import __version__
from shipper.explain.render import safe
from shipper.report import sentences, words
from shipper.report.model import Report, Side
from shipper.report.names import ShortNames
from shipper.report.plot import COLORS, Series, spark, stacked

if TYPE_CHECKING:
    from markupsafe import Markup

MOST_RADII: Final = 10


def page(report: Report) -> str:
    """The whole page."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined,
                              finalize=lambda value: safe(value) if type(value) is str else value)  # fmt: skip
    names, day = ShortNames(report), sentences.day_of(report)
    colors = {(one.reason, one.side): at for at, one in enumerate(report.reasons)}
    template = environment.from_string((files("shipper.report") / "page.html").read_text("utf-8"))
    text: str = template.render(
        report=report,
        version=__version__,
        sentences=sentences,
        words=words,
        day=day,
        name=names.of,
        trust_domain=names.trust_domain,
        color=lambda one: colors[one.reason, one.side] % COLORS,
        spark=lambda row: Markup(spark(row.trend, colors[row.reason, row.side])),  # numbers alone
        radius_spark=lambda radius: Markup(spark(radius.trend, 0)),
        plots=[_plot(report, side, colors) for side in report.seen],
        most_radii=MOST_RADII,
    )
    return text


class _Plot(NamedTuple):
    """All reasons of one side over time."""

    side: Side
    svg: "Markup"  # numbers and words of ours
    highest: int  # connections in one step


def _plot(report: Report, side: Side, colors: Mapping[tuple[str, Side], int]) -> _Plot:
    from markupsafe import Markup

    series = [Series(one.trend, colors[one.reason, side]) for one in report.reasons if one.side == side]
    highest = max((sum(column) for column in zip(*(one.counts for one in series), strict=True)), default=0)
    return _Plot(side, Markup(stacked(series, f"failed connections over time, by reason, {side}")), highest)
