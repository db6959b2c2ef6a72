"""The keys and names that the importer knows are those of the agent."""

import re
from pathlib import Path

import pytest

from shipper.fields import FIELD_OF
from shipper.promtail import agent_wide, clients, stages
from shipper.promtail.table import Table
from tests.promtail.imported import SAMPLES, imported

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "promtail-migration.md").read_text()
TABLES = [
    agent_wide.POSITIONS,
    agent_wide.LIMITS,
    agent_wide.OTHERS,
    clients.CLIENT_KEYS,
    clients.BACKOFF_KEYS,
    dict.fromkeys((*stages.STAGES, *stages.NOTED), None),
]


def test_the_same_file_becomes_the_same_configuration() -> None:
    for file in SAMPLES.iterdir():
        assert imported(file.read_bytes()) == imported(file.read_bytes())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: next(iter(table)))
def test_every_key_that_is_known_is_in_the_documentation(table: Table) -> None:
    assert [key for key in table if not re.search(rf"[`.]{key}[`.]", DOCUMENT)] == []


def test_the_metrics_of_the_documentation_exist() -> None:
    source = "".join(file.read_text() for file in (ROOT / "shipper").rglob("*.py"))
    named = set(re.findall(r"`((?:shipper|mtls)_\w+)", DOCUMENT))
    assert len(named) > 10
    assert [name for name in named if f'"{name.removesuffix("_total")}"' not in source] == []


def test_the_fields_of_the_documentation_exist() -> None:
    assert [
        field for key, field in FIELD_OF.items() if f"`{key}`" not in DOCUMENT or f"`{field}`" not in DOCUMENT
    ] == []
