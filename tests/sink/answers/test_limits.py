"""Each reason names what refuses."""

import pytest

from shipper.sink.answers.limits import limit
from shipper.sink.answers.rules import LOKI_RULES

OF_STREAMS = (
    "max_label_names_per_series",
    "label_name_too_long",
    "label_value_too_long",
    "duplicate_label_names",
    "missing_enforced_labels",
    "missing_labels",
    "invalid_labels",
)


@pytest.mark.parametrize(
    "reason", [*LOKI_RULES, *OF_STREAMS, "too_far_behind", "out_of_order", "request_too_large", "refused"]
)
def test_every_reason_has_one(reason: str) -> None:
    assert limit(reason) != "unknown"


def test_a_limit_is_named_as_in_lokis_configuration() -> None:
    assert limit("greater_than_max_sample_age") == "Loki's limits_config.reject_old_samples_max_age"
