"""What Loki refuses before it stores anything, with Loki's default limits, names of reasons and words.

Texts and defaults are those of Loki 3.4 (pkg/validation/validate.go, limits.go). Pure: no storage, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lab import label_text
from lab.answers import SECOND, rfc3339
from shipper.model import Entry

KIB, MIB = 1 << 10, 1 << 20

SERVICE_NAME_SOURCES = (
    *("service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container"),
    *("container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Loki's `limits_config`, its defaults; sizes in bytes, rates in bytes a second, times in seconds."""

    max_line_size: int = 256 * KIB
    max_label_names: int = 15
    max_label_name_length: int = 1024
    max_label_value_length: int = 2048
    max_metadata_size: int = 64 * KIB
    max_metadata_pairs: int = 128
    max_age: float = 7 * 86400  # reject_old_samples_max_age
    max_ahead: float = 600  # creation_grace_period
    max_behind: float = 3600  # half of max_chunk_age: how far behind the newest of its stream
    max_streams: int = 5000
    rate: float = 4 * MIB  # of the tenant
    burst: float = 6 * MIB
    stream_rate: float = 3 * MIB
    stream_burst: float = 15 * MIB
    max_message: int = 4 * MIB  # gRPC, from distributor to ingester, uncompressed
    discover_service_name: tuple[str, ...] = SERVICE_NAME_SOURCES  # empty: off


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is refused: Loki's name for the reason, and the words of its answer."""

    reason: str
    text: str


class RefusedError(Exception):
    """An answer other than 204; parts of the request may have been stored all the same."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def with_service_name(labels: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """The labels, and the `service_name` Loki adds when there is none."""
    if "service_name" in labels or not limits.discover_service_name:
        return dict(labels)
    found = next((labels[name] for name in limits.discover_service_name if name in labels), "unknown_service")
    return {**labels, "service_name": found}


def label_problem(labels: Mapping[str, str], limits: Limits) -> Problem | None:
    """Why no entry of this stream can be taken, or None."""
    stream = label_text.render(labels)
    if not labels:
        return Problem("missing_labels", "error at least one label pair is required per stream")
    count = len(labels) - ("service_name" in labels)  # Loki does not count the one it adds itself
    if count > limits.max_label_names:
        text = f"entry for stream '{stream}' has {count} label names; limit {limits.max_label_names}"
        return Problem("max_label_names_per_series", text)
    for name, value in labels.items():
        if len(name) > limits.max_label_name_length:
            return Problem("label_name_too_long", f"stream '{stream}' has label name too long: '{name}'")
        if len(value.encode()) > limits.max_label_value_length:
            return Problem("label_value_too_long", f"stream '{stream}' has label value too long: '{value}'")
    return None


def entry_problem(stream: str, entry: Entry, now: int, limits: Limits) -> Problem | None:
    """Why this entry can not be taken at `now` (nanoseconds since 1970), or None."""
    oldest = now - int(limits.max_age * SECOND)
    if entry.nanos < oldest:
        text = f"entry for stream '{stream}' has timestamp too old: {rfc3339(entry.nanos)}, "
        return Problem("greater_than_max_sample_age", f"{text}oldest acceptable timestamp is: {rfc3339(oldest)}")
    if entry.nanos > now + int(limits.max_ahead * SECOND):
        text = f"entry for stream '{stream}' has timestamp too new: {rfc3339(entry.nanos)}"
        return Problem("too_far_in_future", text)
    if len(entry.line) > limits.max_line_size:
        text = f"Max entry size '{limits.max_line_size}' bytes exceeded for stream '{stream}' "
        return Problem("line_too_long", f"{text}while adding an entry with length '{len(entry.line)}' bytes")
    return _metadata_problem(stream, entry, limits)


def _metadata_problem(stream: str, entry: Entry, limits: Limits) -> Problem | None:
    size, pairs = entry.size - len(entry.line), len(entry.metadata)
    if size > limits.max_metadata_size:
        text = f"stream '{stream}' has structured metadata too large: '{size}' bytes, "
        text += f"limit: '{limits.max_metadata_size}' bytes. {_please('max_structured_metadata_size')}"
        return Problem("structured_metadata_too_large", text)
    if pairs > limits.max_metadata_pairs:
        text = f"stream '{stream}' has too many structured metadata labels: '{pairs}', "
        text += f"limit: '{limits.max_metadata_pairs}'. {_please('max_structured_metadata_entries_count')}"
        return Problem("structured_metadata_too_many", text)
    return None


def _please(setting: str) -> str:
    return f"Please see `limits_config.{setting}` or contact your Loki administrator to increase it."
