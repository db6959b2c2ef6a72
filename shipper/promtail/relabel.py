"""Promtail's relabel_configs to ours: which containers and namespaces are read, and what their labels are called.

Relabelling is a language of its own. The usual steps are understood by their meaning; the report names the others.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from shipper.promtail import values
from shipper.promtail.draft import JOB, Draft
from shipper.promtail.job import Job, fix, forget, promote
from shipper.promtail.node import Node
from shipper.promtail.paths import take_path
from shipper.promtail.table import expected_list

META: Final = {
    "__meta_kubernetes_namespace": "namespace",
    "__meta_kubernetes_pod_name": "pod",
    "__meta_kubernetes_pod_container_name": "container",
    "__meta_kubernetes_pod_node_name": "node",
    "__meta_kubernetes_pod_uid": "uid",
}
_POD_LABEL: Final = "__meta_kubernetes_pod_label_"
_ANNOTATION: Final = "__meta_kubernetes_pod_annotation_"
_ASKED: Final = "pod labels come from the API: needs NODE_NAME and the right to get, list and watch pods"
_OWN_NODE: Final = ("__meta_kubernetes_pod_node_name", "__host__")
_KEYS: Final = ("source_labels", "separator", "regex", "modulus", "target_label", "replacement", "action")
_WHOLE: Final = ("", "(.*)", "(.+)", ".*", ".+")
_FIRST_THAT_IS_SET = re.compile(r"\^?;\*\(\[\^;\]\+\)\(;\.\*\)\?\$?")  # as the chart writes it


@dataclass(frozen=True, slots=True)
class Step:
    """One relabelling step, with Promtail's defaults; `regex` is empty if it is not given."""

    node: Node
    sources: tuple[str, ...]
    action: str
    regex: str
    target: str
    replacement: str

    @property
    def is_constant(self) -> bool:
        """Whether each target gets the same value."""
        return "$" not in self.replacement and (not self.sources or self.regex in _WHOLE)

    @property
    def takes_whole(self) -> bool:
        """Whether the value of one source is taken as it is."""
        return len(self.sources) == 1 and self.regex in _WHOLE and self.replacement in ("$1", "${1}")


def relabel(draft: Draft, job: Job, node: Node) -> None:
    """All steps in their order."""
    for item in expected_list(draft, node):
        for key, value in item.items():
            if key not in _KEYS:
                draft.lost(value, "unknown key")
        step = _step(item)
        if rule := _ACTIONS.get(step.action):
            rule(draft, job, step)
        else:
            draft.lost(item, f"the action {values.one_line(step.action)!r} is not understood")


def _step(item: Node) -> Step:
    replacement = item.at("replacement")
    return Step(
        item,
        tuple(source.text for source in item.at("source_labels").each()),
        item.at("action").text.lower() or "replace",
        item.at("regex").text,
        item.at("target_label").text,
        "$1" if replacement.value is None else replacement.text,
    )


def _replace(draft: Draft, job: Job, step: Step) -> None:
    target, source = step.target, step.sources[0] if step.sources else ""
    if target == "__path__":
        job.has_path = True
        take_path(draft, step.node, step.replacement)
    elif target == "__path_exclude__":
        draft.lost(step.node, "logs cannot be excluded by path; use pod_logs.exclude_namespaces")
    elif target.startswith("__"):
        return  # a value for the steps that follow, or the node, whose own directory is all that is read
    elif step.is_constant:
        fix(draft, job, step.node, target, step.replacement)
    elif target == "job":
        job.labels[target] = ""
        draft.lost(step.node, "the label job is the same for all streams here: job_name")
    elif target == "app":
        _app(draft, job, step)
    elif step.takes_whole and source in META:
        promote(draft, job, step.node, target, META[source])
    elif source.startswith((_POD_LABEL, _ANNOTATION)) and (step.takes_whole or _takes_first(step)):
        _of_pod(draft, job, step)
    else:
        job.labels[target] = ""
        draft.lost(step.node, f"no label {values.one_line(target)!r}: a label cannot be composed of others")


def _of_pod(draft: Draft, job: Job, step: Step) -> None:
    """A label from a pod's label or annotation; of several sources the first."""
    source = step.sources[0]
    section, prefix = ("pod_labels", _POD_LABEL) if source.startswith(_POD_LABEL) else ("pod_annotations", _ANNOTATION)
    named = source.removeprefix(prefix)
    job.labels[step.target] = ""
    draft.put((*JOB, "kubernetes"), value=True, source=step.node, why=_ASKED)
    draft.put((*JOB, section, step.target), values.pod_label(named), step.node, _spelling([named]))
    if len(step.sources) > 1:
        draft.changed(step.node, f"only the first of these becomes the label {values.one_line(step.target)!r}")


def _takes_first(step: Step) -> bool:
    return _FIRST_THAT_IS_SET.fullmatch(step.regex) is not None


def _app(draft: Draft, job: Job, step: Step) -> None:
    """The app: the first pod label that is set, else from the pod's name."""
    job.labels["app"] = "app"
    named = [source.removeprefix(_POD_LABEL) for source in step.sources if source.startswith(_POD_LABEL)]
    if named:
        draft.put((*JOB, "kubernetes"), value=True, source=step.node, why=_ASKED)
        draft.put((*JOB, "app_label"), [values.pod_label(name) for name in named], step.node, _spelling(named))
    if not step.takes_whole and not _takes_first(step):
        draft.changed(
            step.node, "app is the pod's label unchanged, or taken from the pod's name; no pattern is applied"
        )
    elif not named:
        draft.changed(step.node, "app is the pod's name without the suffix that Kubernetes generated")


def _spelling(named: list[str]) -> str:
    unsure = [name for name in named if "_" in name and values.pod_label(name) == name]
    return "an underscore may stand for a dot, a slash or a hyphen of the pod's label: correct it" if unsure else ""


def _keep(draft: Draft, job: Job, step: Step) -> None:
    found = values.names(step.regex)
    if step.sources == ("__meta_kubernetes_pod_container_name",):
        if found is None:
            draft.lost(step.node, f"containers are listed by name: write pod_logs.containers for {_pattern(step)}")
        else:
            job.listed = [name for name in found if not job.listed or name in job.listed]
    elif not set(step.sources) & set(_OWN_NODE):
        what = "namespaces" if step.sources == ("__meta_kubernetes_namespace",) else "pods"
        draft.warn(step.node, f"all {what} are read, not only these: more may be shipped than before")


def _drop(draft: Draft, _: Job, step: Step) -> None:
    found = values.names(step.regex)
    if step.sources == ("__meta_kubernetes_namespace",) and found is not None:
        exclude(draft, step.node, found)
    elif step.sources == ("__meta_kubernetes_namespace",):
        draft.warn(step.node, f"namespaces are listed by name: write pod_logs.exclude_namespaces for {_pattern(step)}")
    elif step.sources == ("__meta_kubernetes_pod_container_name",):
        draft.changed(step.node, "only the containers in pod_logs.containers are read, so none needs to be excluded")
    else:
        draft.warn(step.node, "these pods are read too: more may be shipped than before")


def exclude(draft: Draft, node: Node, namespaces: tuple[str, ...]) -> None:
    """Exclude pods of these namespaces, beside those excluded before."""
    path = (*JOB, "pod_logs", "exclude_namespaces")
    before = draft.value(path)
    draft.put(path, list(dict.fromkeys([*(before if isinstance(before, list) else []), *namespaces])), node)


def _pattern(step: Step) -> str:
    return repr(values.one_line(step.regex))


def _labels_by_pattern(draft: Draft, job: Job, step: Step, *, keeps: bool) -> None:
    listed = set(step.regex.strip("^$()").split("|"))
    if all(re.fullmatch(r"\w+", name) for name in listed):
        for name in [name for name in job.labels if (name in listed) is not keeps and name != "filename"]:
            forget(draft, job, name)
    else:
        draft.lost(step.node, f"labels are listed by name: correct `labels` for {_pattern(step)}")


def _transform(draft: Draft, job: Job, step: Step) -> None:
    if not step.target.startswith("__"):
        job.labels[step.target] = ""
        draft.lost(step.node, f"no label {values.one_line(step.target)!r}: values cannot be changed")


def _compare(draft: Draft, _: Job, step: Step) -> None:
    draft.warn(step.node, "targets cannot be chosen by comparing labels: more may be shipped than before")


_ACTIONS: Final[Mapping[str, Callable[[Draft, Job, Step], None]]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "labelmap": lambda draft, _, step: draft.lost(
        step.node, "name each label in `pod_labels`; a pattern cannot choose them"
    ),
    "labeldrop": partial(_labels_by_pattern, keeps=False),
    "labelkeep": partial(_labels_by_pattern, keeps=True),
    **dict.fromkeys(("hashmod", "lowercase", "uppercase"), _transform),
    **dict.fromkeys(("keepequal", "dropequal"), _compare),
}
