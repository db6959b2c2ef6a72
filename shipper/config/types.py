"""The types of the sections in words, for messages and for the documentation."""

from collections.abc import Iterator
from typing import Final, get_type_hints

from msgspec import inspect

from shipper.config.document import Path
from shipper.config.sections import Alias, Config
from shipper.config.units import DURATION, LOOK_BACK, SIZE, Bytes, LookBack, Seconds

WHOLE: Final = inspect.type_info(Config)
_QUANTITIES: Final[dict[type, str]] = {Seconds: DURATION, LookBack: LOOK_BACK, Bytes: SIZE}


def expected(of: inspect.Type) -> str:
    """What is allowed: `an integer from 0 to 65535`, `ut or mtls`, `a list of text`."""
    match of:
        case inspect.IntType(le=None):
            return f"an integer of at least {of.ge}"
        case inspect.IntType():
            return f"an integer from {of.ge} to {of.le}"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            *others, last = map(str, of.values)
            return f"{', '.join(others)} or {last}" if others else last
        case inspect.CustomType():
            return _QUANTITIES[of.cls]
        case inspect.VarTupleType(max_length=None):
            return f"a list of {expected(of.item_type)}"
        case inspect.VarTupleType():
            return f"a list of {'at most' if of.min_length is None else 'exactly'} one mapping"
        case inspect.DictType():
            return "a mapping of text to text"
        case inspect.StructType():
            return "a mapping"
        case _:
            return "text"


def aliases(of: inspect.StructType) -> dict[str, str]:
    """The keys of a section by their older names."""
    return {note.name: key for key, note in _notes(of) if isinstance(note, Alias)}


def meanings(of: inspect.StructType) -> dict[str, str]:
    """The meaning of each key of a section; sections below it have none."""
    return {key: note for key, note in _notes(of) if isinstance(note, str)}


def _notes(of: inspect.StructType) -> Iterator[tuple[str, object]]:
    for key, hint in get_type_hints(of.cls, include_extras=True).items():
        yield from ((key, note) for note in getattr(hint, "__metadata__", ()))


def fields(of: inspect.StructType) -> dict[str, inspect.Type]:
    """The keys of a section, each with its type."""
    return {field.name: field.type for field in of.fields}


def type_at(path: Path) -> inspect.Type:
    """The type of the value at a path that exists."""
    of = WHOLE
    for step in path:
        if isinstance(of, inspect.StructType):
            of = fields(of)[str(step)]
        elif isinstance(of, inspect.VarTupleType):
            of = of.item_type
        elif isinstance(of, inspect.DictType):
            of = of.value_type
    return of


def is_text(of: inspect.Type) -> bool:
    """Whether a text is taken as it stands, whatever it looks like."""
    return isinstance(of, inspect.StrType | inspect.LiteralType)


def is_heading(of: inspect.Type) -> bool:
    """Whether it holds other values."""
    return isinstance(of, inspect.StructType | inspect.VarTupleType | inspect.DictType)
