"""Which of Loki's settings refuses an entry, by the reason.

Facts: grafana.com/docs/loki/latest/configure, pkg/validation/limits.go of Loki 3.4.
"""

from typing import Final

_LIMITS: Final = {
    "max_label_names_per_series": "limits_config.max_label_names_per_series",
    "label_name_too_long": "limits_config.max_label_name_length",
    "label_value_too_long": "limits_config.max_label_value_length",
    "missing_enforced_labels": "limits_config.enforced_labels",
    "greater_than_max_sample_age": "limits_config.reject_old_samples_max_age",
    "too_far_in_future": "limits_config.creation_grace_period",
    "line_too_long": "limits_config.max_line_size",
    "structured_metadata_disallowed": "limits_config.allow_structured_metadata",
    "structured_metadata_too_large": "limits_config.max_structured_metadata_size",
    "structured_metadata_too_many": "limits_config.max_structured_metadata_entries_count",
    "too_far_behind": "ingester.max_chunk_age, of which half may lie between entries of a stream",
    "out_of_order": "limits_config.unordered_writes",
}
_OTHERS: Final = {
    "duplicate_label_names": "a label stands twice in a stream: see labels and external_labels",
    "missing_labels": "a stream without labels",
    "invalid_labels": "labels that Loki cannot parse",
    "request_too_large": "a limit on the size of requests, of Loki's server or a gateway's",
    "refused": "an answer that is none of Loki's: see what stands in front of it",
}


def limit(reason: str) -> str:
    """What refuses entries for this reason."""
    return f"Loki's {_LIMITS[reason]}" if reason in _LIMITS else _OTHERS.get(reason, "unknown")
