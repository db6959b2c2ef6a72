"""Colours for the demo's tables. Pure: a cell in, the same cell with a terminal's colours out."""

from collections.abc import Callable, Mapping
from typing import Final, TextIO

from shipper.terminal import shows_colors

Ink = Callable[[str, str], str]
"""The column's name and a cell as it stands in it; HEAD for the names themselves."""

HEAD: Final = ""

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"

_BY_VALUE: Final = {
    "what it saw": {"200": _GREEN, "504": _YELLOW},
    "flags": {"-": _DIM, "UT": _YELLOW},
    "response_flags": {"-": _DIM, "UT": _YELLOW},
    "failure_reason": {"upstream_timeout": _YELLOW},
    "failure": {"": _BOLD, "sum": _BOLD},
    "failed": {"1": _GREEN, "-": _RED},
    "Envoy logged": {"1": _GREEN, "-": _RED},
    "keep: ut": {"1": _GREEN, "-": _RED},
    "keep: mtls": {"1": _GREEN, "-": _RED},
}
_ELSE: Final = {
    **dict.fromkeys(("what it saw", "flags", "response_flags", "failure_reason", "failure"), _RED),
    **dict.fromkeys(("failed", "Envoy logged", "keep: ut", "keep: mtls"), _BOLD),
    **dict.fromkeys(("line", "log"), _DIM),
}


def plain(_: str, cell: str) -> str:
    """As it is."""
    return cell


def coloured(column: str, cell: str) -> str:
    """Red for what fails or is missing, yellow for what is late, green for what is well."""
    if column == HEAD:
        return _paint(_BOLD, cell)
    colour = _BY_VALUE.get(column, {}).get(cell.strip(), _ELSE.get(column))
    return _paint(colour, cell) if colour and cell.strip() else cell


def chosen(stream: TextIO, environ: Mapping[str, str]) -> Ink:
    """Colours for a terminal that can show them, unless NO_COLOR is set (https://no-color.org)."""
    return coloured if shows_colors(stream, environ) else plain


def _paint(colour: str, cell: str) -> str:
    return f"\x1b[{colour}m{cell}\x1b[0m"
