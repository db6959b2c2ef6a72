"""A report as JSON, tables for a terminal, Markdown or a page of HTML: each output by its name."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Final, TextIO

import msgspec

from shipper.report.markdown import markdown
from shipper.report.model import Report
from shipper.report.page import page
from shipper.report.table import table
from shipper.terminal import shows_colors

NARROWEST, WIDEST, PIPED = 80, 200, 120  # columns


def as_json(report: Report, _: TextIO) -> str:
    """One line, all ASCII, which is safe for any terminal and encoding."""
    return json.dumps(msgspec.to_builtins(report), separators=(",", ":")) + "\n"


def as_table(report: Report, to: TextIO) -> str:
    """Tables as wide as the terminal; as wide as COLUMNS says, or 120, where there is none."""
    width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size((PIPED, 40)).columns))
    encoding = (to.encoding or "ascii").lower().replace("-", "")
    return table(report, width, color=shows_colors(to, os.environ), is_unicode=encoding == "utf8")


def as_markdown(report: Report, _: TextIO) -> str:
    """For a ticket."""
    return markdown(report)


def as_html(report: Report, _: TextIO) -> str:
    """One page that needs nothing else."""
    return page(report)


OUTPUTS: Final[Mapping[str, Callable[[Report, TextIO], str]]] = {
    "table": as_table,
    "json": as_json,
    "markdown": as_markdown,
    "html": as_html,
}
