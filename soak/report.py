"""One table: what was tried, the figures, and whether the promise was kept."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`is_fine` None: not done, and `lack` says what the machine lacks for it."""

    name: str
    figures: str
    is_fine: bool | None
    lack: str = ""

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "kept", False: "BROKEN", None: "not done"}[self.is_fine]


def table(rows: Sequence[Row]) -> str:
    """Markdown, so that it can be put into a page as it is."""
    lines = ["| What | Promise | Figures |", "|---|---|---|"]
    lines += [f"| {row.name} | {row.verdict} | {row.figures or row.lack} |" for row in rows]
    return "\n".join(lines)


def exit_code(rows: Sequence[Row]) -> int:
    """1 when a promise is broken. What was not done is in the table, and breaks none."""
    return int(any(row.is_fine is False for row in rows))
