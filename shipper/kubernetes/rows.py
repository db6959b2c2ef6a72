"""The API's responses about a resource: pages of a list and lines of a watch, as rows.

A server that is asked for a Table says beside an object's metadata what `kubectl get` shows of it: of a pod its address
and node, without the 6 to 12 kB of the whole pod. A watch names the columns in its first events only.

Pure: the API's JSON in, rows out. Decodes only what is used.
Facts: kubernetes.io/docs/reference/using-api/api-concepts, "Receiving resources as Tables"; kubernetes
pkg/printers/internalversion/printers.go, apiserver pkg/endpoints/handlers/response.go.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from shipper.kubernetes.metadata import ObjectMeta

NONE: Final = "<none>"  # how a table says that there is none


@dataclass(frozen=True, slots=True)
class Row:
    """An object: its metadata, and a cell for each column that was asked for.

    A cell is empty where the object has no such value, and None where the server does not say.
    """

    metadata: ObjectMeta
    cells: tuple[str | None, ...] = ()
    completed: bool = False  # a pod that has ended, with its address released; never known without a Table


class ListMetadata(msgspec.Struct, frozen=True, gc=False):
    """The part of `ListMeta` that is used."""

    version: str = msgspec.field(name="resourceVersion")
    rest: str = msgspec.field(name="continue", default="")  # where the next page begins; empty: this is the last


class Column(msgspec.Struct, frozen=True, gc=False):
    """One of `columnDefinitions`."""

    name: str = ""


class Condition(msgspec.Struct, frozen=True, gc=False):
    """Of a table's row."""

    type: str = ""
    status: str = ""


class Item(msgspec.Struct, frozen=True, gc=False):
    """An object."""

    metadata: ObjectMeta


class TableRow(msgspec.Struct, frozen=True, gc=False):
    """A row of a Table."""

    object: Item
    cells: list[Any]
    conditions: list[Condition] | None = None

    @property
    def completed(self) -> bool:
        """Whether it stands for a pod that has ended."""
        return any(one.type == "Completed" and one.status == "True" for one in self.conditions or ())


class Page(msgspec.Struct, frozen=True, gc=False):
    """A list or a part of one. Its items are decoded one by one, so that one that cannot be does not cost the others.

    It has either rows and their columns, or items.
    """

    metadata: ListMetadata
    items: list[msgspec.Raw] | None = None
    rows: list[msgspec.Raw] | None = None
    columns: list[Column] | None = msgspec.field(name="columnDefinitions", default=None)


class Subject(msgspec.Struct, frozen=True, gc=False):
    """The object of an event: an object, a Table with one row, or a Status with an error."""

    metadata: ObjectMeta = ObjectMeta()  # a Table's has only the version
    code: int = 0
    message: str = ""
    rows: list[TableRow] | None = None
    columns: list[Column] | None = msgspec.field(name="columnDefinitions", default=None)


class WatchEvent(msgspec.Struct, frozen=True, gc=False):
    """A line of a watch."""

    type: str
    object: Subject


# Each raises msgspec.MsgspecError or UnicodeDecodeError.
decode_page: Final = msgspec.json.Decoder(Page).decode
_decode_item: Final = msgspec.json.Decoder(Item).decode
_decode_table_row: Final = msgspec.json.Decoder(TableRow).decode
_decode_event: Final = msgspec.json.Decoder(WatchEvent).decode

# `managedFields`, which say who has set what, are six sevenths of an event and the last of its metadata. No string can
# hold these bytes: they begin with a quote that is not escaped.
_MANAGED: Final = b',"managedFields":['
_ENDS: Final = (b"}}}]}}", b"}}}")  # of an event with nothing after the metadata of its only row, or of its object


def decode_event(text: bytes, start: int = 0, end: int | None = None) -> WatchEvent:
    """The event that is a part of a text, decoded without its `managedFields`.

    They are neither copied nor decoded, because that costs 11 of 18 µs: at 1,000 events/s, with the change of a pod and
    7 kB each, 1.1 of the 2 % of a core that the benchmark allows.
    """
    end = len(text) if end is None else end
    managed = text.find(_MANAGED, start, end)
    if managed >= 0:
        for last in _ENDS:
            if text.endswith(b"]" + last, start, end):
                return _decode_event(text[start:managed] + last)
    return _decode_event(text[start:end])


class RowReader:
    """Reads the rows of one response: of a page, or of all events of a watch."""

    def __init__(self, columns: Sequence[str]) -> None:
        """`columns`: names of those whose cells are wanted."""
        self._columns = columns
        self._unknown: tuple[str | None, ...] = (None,) * len(columns)
        self._places: list[int] | None = None  # of the wanted cells in a row; -1: the table has no such column
        self.lacks_table = False  # columns are wanted, and there was an object without

    def rows(self, page: Page) -> Iterator[Row | Exception]:
        """A page's objects, or why one cannot be decoded: MsgspecError or UnicodeDecodeError."""
        self.define(page.columns or ())
        for raw in page.rows or page.items or ():
            try:
                yield self._row(_decode_table_row(raw)) if page.rows else self._alone(_decode_item(raw).metadata)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                yield error

    def row(self, subject: Subject) -> Row:
        """An event's object; see `define`."""
        return self._row(subject.rows[0]) if subject.rows else self._alone(subject.metadata)

    def define(self, columns: Sequence[Column]) -> None:
        """Take the columns as they are named from now on, which a watch does in its first events, be they bookmarks."""
        names = [column.name for column in columns]
        self._places = [names.index(name) if name in names else -1 for name in self._columns] if names else None

    def _row(self, row: TableRow) -> Row:
        if self._places is None:
            return Row(row.object.metadata, self._unknown, row.completed)
        cells = row.cells
        found = [_text(cells[at]) if 0 <= at < len(cells) else None for at in self._places]
        return Row(row.object.metadata, tuple(found), row.conditions is not None and row.completed)

    def _alone(self, metadata: ObjectMeta) -> Row:
        self.lacks_table = bool(self._columns)
        return Row(metadata, self._unknown)


def _text(cell: Any) -> str | None:
    if isinstance(cell, str):
        return "" if cell == NONE else cell
    return None if cell is None else str(cell)
