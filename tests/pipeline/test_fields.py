"""Each field of a line has its own way from the record: none falls back to another's."""

import pytest

from shipper.fields import FIELD_OF, FIELDS, KEYS, LINE_FIELDS, PEER_FIELDS, TARGET_FIELDS
from shipper.pipeline.failure import DOWNSTREAM, Failure
from shipper.pipeline.line_fields import getter

RECORD = {key: f"10.0.0.9:{at}" for at, key in enumerate(FIELD_OF, 1000)}
VERDICT = Failure("cert_expired", DOWNSTREAM)
PEER = {name: f"value of {name}" for name in PEER_FIELDS}


@pytest.mark.parametrize("field", LINE_FIELDS)
def test_each_field_gives_its_own_value(field: str) -> None:
    expected = {"source_ip": "10.0.0.9", "failure_reason": "cert_expired", "side": "downstream", **PEER}
    assert getter(field)(RECORD, VERDICT, PEER) == (expected.get(field) or RECORD[KEYS[field]])


@pytest.mark.parametrize("field", PEER_FIELDS)
def test_a_peers_fields_are_never_read_from_the_line(field: str) -> None:
    assert getter(field)(RECORD | {field: "claimed"}, VERDICT, {}) == ""


@pytest.mark.parametrize("field", [*TARGET_FIELDS, "any_unknown", ""])
def test_what_no_line_has_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="no field of a line"):
        getter(field)


def test_each_key_but_the_address_is_one_field() -> None:
    assert set(KEYS) - set(FIELD_OF.values()) == {"source_ip"}
    assert len(set(FIELDS)) == len(FIELDS)
