"""One scrape job while its stages are read: the labels of its lines so far, and where they come from.

`labels` and `extracted` have the names that Promtail would have; the value is our field of the same meaning, or empty
where there is none.
"""

from dataclasses import dataclass, field

from shipper.fields import FIELDS, TARGET_FIELDS
from shipper.promtail import values
from shipper.promtail.draft import JOB, Draft
from shipper.promtail.node import Node


@dataclass(slots=True)
class Job:
    """The job's labels, extracted values, and how its targets are chosen."""

    node: Node
    labels: dict[str, str] = field(default_factory=lambda: {"filename": ""})  # the tailer sets it
    extracted: dict[str, str] = field(default_factory=dict)
    beside: list[str] = field(default_factory=list)  # fields that are structured metadata
    has_path: bool = False
    has_cri: bool = False
    filters: bool = False  # a stage means to keep lines flagged UT
    listed: list[str] = field(default_factory=list)  # containers that are kept


def promote(draft: Draft, job: Job, node: Node, name: str, ours: str) -> None:
    """Each line has this label from here on; `ours` is the field of its value."""
    job.labels[name] = ours
    if not ours:
        draft.lost(node, f"no label {values.one_line(name)!r}: it is no field of a line here")
    elif ours != name:
        draft.changed(node, f"the label {values.one_line(name)!r} is called {ours!r} here: queries must say so")


def fix(draft: Draft, job: Job, node: Node, name: str, value: str) -> None:
    """Each line has this label from here on, with the same value."""
    job.labels[name] = ""
    draft.put((*JOB, "job_name") if name == "job" else (*JOB, "static_labels", name), value, node)


def forget(draft: Draft, job: Job, name: str) -> None:
    """No line has this label any more."""
    job.labels.pop(name, None)
    for section in ("static_labels", "pod_labels", "pod_annotations"):
        draft.settings.pop((*JOB, section, name), None)


def finish(draft: Draft, job: Job) -> None:
    """Set the labels and metadata that all stages together make."""
    promoted = {ours for ours in job.labels.values() if ours}
    labels = [name for name in FIELDS if name in promoted]
    draft.put((*JOB, "labels"), labels, job.node, "job and service_name (= app) are always there too")
    beside = [name for name in FIELDS if name in job.beside and name not in promoted]
    if beside:
        draft.put((*JOB, "structured_metadata"), beside, job.node, "Loki must allow it: schema v13")
    if "filename" in job.labels:
        draft.lost(job.node, "no label 'filename': it would be another stream for each restart of a container")
    if "app" not in promoted and not promoted.isdisjoint(TARGET_FIELDS):
        draft.changed(job.node, "without the label app there is no service_name, so Loki chooses one")
