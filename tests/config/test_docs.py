"""The documentation says what the sections say."""

from pathlib import Path
from typing import get_type_hints

import pytest
from msgspec import inspect

from shipper.config import GIB, KIB, MIB, Bytes, Config, LookBack, Seconds
from shipper.config.docs import default_text, reference
from shipper.config.units import look_back, seconds, size

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def sections(of: inspect.Type) -> list[inspect.StructType]:
    if isinstance(of, inspect.VarTupleType):
        return sections(of.item_type)
    if not isinstance(of, inspect.StructType):
        return []
    return [of, *(found for field in of.fields for found in sections(field.type))]


def test_the_document_is_what_the_sections_say() -> None:
    assert DOCUMENT.read_text() == reference(), "run: python -m shipper.config.docs > docs/configuration.md"


@pytest.mark.parametrize("section", sections(inspect.type_info(Config)), ids=lambda of: of.cls.__name__)
def test_every_value_has_a_row_with_its_meaning(section: inspect.StructType) -> None:
    hints = get_type_hints(section.cls, include_extras=True)
    for field in section.fields:
        if not sections(field.type):
            assert any(isinstance(note, str) for note in hints[field.name].__metadata__), field.name
            assert f"| `{field.name}` | " in reference()


def test_older_names_are_told_beside_the_newer() -> None:
    for key, older in (("max_in_flight_bytes", "in_flight"), ("max_in_flight_requests", "max_in_flight")):
        assert any(f"| `{key}` |" in row and f"older name: `{older}` |" in row for row in reference().splitlines())


@pytest.mark.parametrize("value", [0.001, 0.25, 1, 1.5, 60, 90, 3600, 86400, 604800])
def test_a_default_duration_is_written_as_it_is_read(value: float) -> None:
    assert seconds(default_text(Seconds(value))) == pytest.approx(value)


@pytest.mark.parametrize("value", [1, 1000, KIB, 256 * KIB, MIB, 3 * GIB])
def test_a_default_size_is_written_as_it_is_read(value: int) -> None:
    assert size(default_text(Bytes(value))) == value


def test_a_default_look_back_is_written_as_it_is_read() -> None:
    assert look_back(default_text(LookBack("inf"))) == LookBack("inf")
    assert default_text(LookBack(3600)) == "1h"
