"""An open watch of an API server's stand-in, and what it is told."""

import asyncio
from dataclasses import dataclass, field

from lab.kubernetes_forms import Form, Object, bookmark, told
from lab.kubernetes_requests import Asked


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an object, and the version it has since."""

    version: int
    kind: str
    made: Object


@dataclass(slots=True, eq=False)
class Watch:
    """An open one."""

    asked: Asked
    form: Form
    since: int  # the version it began with
    queue: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    has_named: bool = False  # it has named the columns of its table

    def concerns(self, change: Change) -> bool:
        """Whether it asked for this."""
        return self.since < change.version and self.asked.selects(change.made)

    def tell(self, change: Change) -> None:
        """Send a change."""
        text = told(self.form, change.kind, change.made, change.version, names=not self.has_named)
        self.has_named = True
        self.queue.put_nowait(text)

    def bookmark(self, version: int) -> None:
        """Send a bookmark, unless it began with a version that is still to come."""
        if self.since <= version:
            self.queue.put_nowait(bookmark(self.form, self.asked.kind, version, names=not self.has_named))
            self.has_named = True
