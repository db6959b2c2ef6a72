"""The reference of the configuration, made from the sections: `python -m shipper.config.docs`.

Only the layout is decided here; names, types, defaults and meanings are those of the sections.
"""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Final

from msgspec import NODEFAULT, inspect

from shipper.config.document import joined
from shipper.config.file import FLAGS
from shipper.config.types import WHOLE, aliases, expected, meanings
from shipper.config.units import Bytes, Seconds, quantity_text
from shipper.fields import FIELDS

_INTRODUCTION: Final = """\
# Configuration

A YAML file, given with `--config.file`. Everything but a client's `url` has a default, so an empty file will do.
`shipper check --config.file agent.yaml` says what is wrong with it: one line, exit code 2.

* **Strict**: an unknown key, a key given twice or a value of a wrong type is an error with its place and, where there
  is one, the nearest name: `agent.yaml:12: clients[0].batchwiat: unknown key, did you mean batchwait?`
* **Durations**: `250ms`, `1s`, `5m`, `1h`, `7d`, and together, `1m30s`. A bare number means seconds.
* **Sizes**: `64KiB`, `1MiB`, `1GiB`. A bare number means bytes. Decimal units (`1MB`) are an error.
* **Environment**: `${VAR}` is replaced in values, not in keys and comments. A variable that is not set is an error,
  `${VAR:-x}` is `x` when it is not set or empty, `$$` is a `$`. A plain value may become
  a number by that; a value in quotes stays text.
* **Secrets** come from files, which are read again when they change.
* A section with nothing below it means its defaults. Numbers are decimal: `010` and `12:30` are text.

Flags win over the file:

| Flag | Sets |
|---|---|
"""
_COLUMNS: Final = "| Name | Type | Default | Meaning |\n|---|---|---|---|\n"


def reference() -> str:
    """The whole document, Markdown."""
    flags = "".join(f"| `{flag}` | `{joined(path)}` |\n" for flag, path in FLAGS.items())
    names = ", ".join(f"`{name}`" for name in FIELDS)
    ending = f"\n## Fields\n\nWhat `labels` and `structured_metadata` may name: {names}.\n"
    return f"{_INTRODUCTION}{flags}{''.join(_sections(WHOLE, ''))}{ending}"


def _sections(of: inspect.Type, path: str) -> Iterator[str]:
    """A table for each section that has values of its own, in the order of the file."""
    if isinstance(of, inspect.VarTupleType):
        yield from _sections(of.item_type, f"{path}[]")
    if not isinstance(of, inspect.StructType):
        return
    if rows := "".join(_rows(of)):
        yield f"\n## {path}\n\n{cleandoc(of.cls.__doc__ or '')}\n\n{_COLUMNS}{rows}"
    for field in of.fields:
        yield from _sections(field.type, f"{path}.{field.name}".removeprefix("."))


def _rows(of: inspect.StructType) -> Iterator[str]:
    known, older = meanings(of), {key: name for name, key in aliases(of).items()}
    for field in of.fields:
        if field.name in known:
            default = "required" if field.required else f"`{default_text(default_of(field))}`"
            meaning = known[field.name] + (f"; older name: `{older[field.name]}`" if field.name in older else "")
            yield f"| `{field.name}` | {expected(field.type)} | {default} | {meaning} |\n"


def default_of(field: inspect.Field) -> object:
    """A field's default, also one that each section makes anew."""
    return field.default_factory() if field.default is NODEFAULT else field.default


def default_text(value: object) -> str:
    """A value as a file would have it."""
    match value:
        case Seconds() | Bytes():
            return quantity_text(value)
        case bool():
            return str(value).lower()
        case tuple():
            return f"[{', '.join(value)}]"
        case "":
            return '""'
        case _:
            return str(value)


if __name__ == "__main__":
    print(reference(), end="")
