"""The documented schema is that of the output."""

import json
import sys
from pathlib import Path

import jsonschema
import pytest

from shipper import cli
from shipper.report.docs import reference, schema
from shipper.report.model import Report
from shipper.report.outputs import as_json
from tests.report.hostile import hostile
from tests.report.test_table import nothing

DOCS = Path(__file__).parents[2] / "docs"


def closed(part: object) -> object:
    """The schema, which knows no field that it does not name."""
    if isinstance(part, dict):
        part = {key: closed(value) for key, value in part.items()}
        return part | {"additionalProperties": False} if "properties" in part else part
    return [closed(one) for one in part] if isinstance(part, list) else part


def check(text: str) -> None:
    jsonschema.validate(json.loads(text), closed(schema()))


def test_the_documents_are_made_of_the_model() -> None:
    assert (DOCS / "report.md").read_text() == reference(), "run: python -m shipper.report.docs > docs/report.md"
    said = json.loads((DOCS / "report.schema.json").read_text())
    assert said == schema(), "run: python -m shipper.report.docs schema > docs/report.schema.json"


def test_real_output_is_as_the_schema_says(pods: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "-o", "json", str(pods)]) == 0
    check(capsys.readouterr().out)


def test_whatever_is_in_it(report: Report) -> None:
    for one in (report, hostile(report), nothing()):
        check(as_json(one, sys.stdout))


@pytest.mark.parametrize("change", [{"version": "1"}, {"more": 1}, {"sides": {"downstream": {"connections": 1}}}])
def test_the_schema_refuses_what_is_otherwise(report: Report, change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(json.dumps(json.loads(as_json(report, sys.stdout)) | change))


def test_every_field_is_documented() -> None:
    for name, part in schema()["$defs"].items():
        assert part["description"], name
    assert "| `goes_on` |" in reference()
