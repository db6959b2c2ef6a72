"""Promtail's pipeline stages, in their order, and what takes the place of each.

Here the stages are fixed: the runtime's prefix, the access log, the keep rule, labels. A stage of Promtail becomes a
setting of one of these, or a note.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from shipper.fields import FIELD_OF, KEYS
from shipper.promtail import values
from shipper.promtail.draft import CLIENT, JOB, Draft
from shipper.promtail.job import Job, fix, forget, promote
from shipper.promtail.match import Selector, parse_selector
from shipper.promtail.node import Node
from shipper.promtail.relabel import exclude
from shipper.promtail.table import Table, changed, expected_list, lost, text, warned

Stage = Callable[[Draft, Job, Node], None]
_PATH: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*")  # the JMESPath expressions that are a path of keys
_RULE: Final = "`keep` alone decides which lines are shipped"


def pipeline(draft: Draft, job: Job, node: Node) -> None:
    """All stages of a job, and what is wrong with their order."""
    _stages(draft, job, node)
    if not job.has_cri:
        at = node if node.value is not None else job.node
        draft.warn(at, "no cri stage: with containerd each line has the runtime's prefix, so a json stage extracts "
                   "nothing; here the prefix is always read")  # fmt: skip


def _stages(draft: Draft, job: Job, node: Node) -> None:
    for item in expected_list(draft, node):
        if len(dict(item.items())) != 1:
            draft.warn(item, "a stage is a mapping with one key, its name; Promtail refuses any other")
        for name, stage in item.items():
            if convert := STAGES.get(name):
                convert(draft, job, stage)
            elif make_note := NOTED.get(name):
                make_note(draft, stage)
            else:
                draft.warn(stage, "no such stage is known; Promtail does not start with an unknown one")


# -- reading


def _cri(draft: Draft, job: Job, node: Node) -> None:
    job.has_cri = True
    job.labels["stream"] = ""
    draft.lost(node, "no label 'stream': stdout and stderr of a container are one stream here")
    for key, value in node.items():
        draft.changed(
            value, f"{key}: partial lines are joined per container and stream, up to limits_config.max_line_size"
        )


def _docker(draft: Draft, job: Job, node: Node) -> None:
    job.has_cri = True
    job.labels["stream"] = ""
    draft.warn(node, "Docker's own format is not read, only that of the CRI, which containerd and CRI-O write")


def _json(draft: Draft, job: Job, node: Node) -> None:
    if node.at("source").text:
        draft.lost(node.at("source"), "only the line itself is read as JSON")
    for name, expression in node.at("expressions").items():
        key = expression.text.strip('"') or name
        job.extracted[name] = FIELD_OF.get(key) or _mapped(draft, expression, name, key)


def _mapped(draft: Draft, node: Node, name: str, key: str) -> str:
    """The field that has the name of the extracted value, and is read from a key of another format; else empty."""
    ours = name if name in KEYS and name != "source_ip" else FIELD_OF.get(name, "")
    if not ours or not _PATH.fullmatch(key):
        return ""
    draft.put((*JOB, "fields", KEYS[ours]), key, node, "this format's own name of the key")
    return ours


def _other_format(draft: Draft, job: Job, node: Node) -> None:
    draft.lost(node, "two formats are read: Envoy's JSON, and with `keep: mtls` Istio's default text")
    job.extracted |= {name: "" for name, _ in node.at("mapping").items()}


# -- labels


def _labels(draft: Draft, job: Job, node: Node) -> None:
    for name, source in node.items():
        ours = _extracted(job, source.text or name)
        promote(draft, job, source, name, ours)
        if ours == "source_address":
            draft.warn(source, "an address with its port makes a stream of each connection; source_ip has no port")


def _extracted(job: Job, name: str) -> str:
    """Our field for a name that a stage has extracted, or that is a label so far."""
    return job.extracted.get(name) or job.labels.get(name, "")


def _static_labels(draft: Draft, job: Job, node: Node) -> None:
    for name, value in node.items():
        fix(draft, job, value, name, value.text)


def _labeldrop(draft: Draft, job: Job, node: Node) -> None:
    for item in expected_list(draft, node):
        forget(draft, job, item.text)


def _labelallow(draft: Draft, job: Job, node: Node) -> None:
    allowed = {item.text for item in expected_list(draft, node)}
    for name in set(job.labels) - allowed:
        forget(draft, job, name)


def _structured_metadata(draft: Draft, job: Job, node: Node) -> None:
    for name, source in node.items():
        ours = _extracted(job, source.text or name)
        job.labels.pop(name, None)  # a label of this name moves
        if ours:
            job.beside.append(ours)
        if ours != name:
            draft.lost(source, f"no metadata {values.one_line(name)!r}" + (f", but {ours!r}" if ours else ""))


# -- choosing lines


def _match(draft: Draft, job: Job, node: Node) -> None:
    selector, drops = parse_selector(node.at("selector").text), node.at("action").text == "drop"
    if selector is None:
        draft.warn(node, f"the selector is not understood; {_RULE}")
        return
    job.filters = job.filters or selector.means_timeouts(drops=drops)
    runs = _says_what_it_does(draft, job, node, selector, drops=drops)
    namespaces = _namespaces(job, selector) if drops else None
    if namespaces:
        exclude(draft, node, namespaces)
    elif drops and runs and not selector.means_timeouts(drops=True):
        draft.changed(node, f"lines are not dropped by a selector: {_RULE}")
    if runs and not drops:
        _stages(draft, job, node.at("stages"))


def _says_what_it_does(draft: Draft, job: Job, node: Node, selector: Selector, *, drops: bool) -> bool:
    """Warn of what a match does not do. Whether it does anything."""
    absent = selector.absent(job.labels)
    named = ", ".join(sorted({one.label for one in absent}))
    always = all(one.takes_absent for one in selector.matchers) and len(absent) == len(selector.matchers)
    never = any(not one.takes_absent for one in absent)
    if not drops:
        draft.warn(node, "`action: keep` filters nothing: lines that do not match pass on as they are")
        if not node.at("stages").each():
            draft.warn(node, "Promtail does not start with a keep that has no stages")
    if never:
        does = "drops nothing" if drops else "its stages never run"
        draft.warn(node, f"no earlier stage and no target sets the label {named}, so this never matches: {does}; "
                         "a value that is only extracted is no label")  # fmt: skip
    elif always and absent and drops and not selector.rest:
        draft.warn(node, f"no earlier stage and no target sets the label {named}, so every line matches and is dropped")
    if selector.means_timeouts(drops=drops):
        if drops and not absent:
            draft.changed(node, "this is what `keep: ut` does")
        else:
            draft.warn(node, "what was meant is `keep: ut`, which is set; it ships fewer lines than Promtail did")
    return not never


def _namespaces(job: Job, selector: Selector) -> tuple[str, ...] | None:
    """The namespaces that a match drops, and nothing else."""
    if len(selector.matchers) != 1 or selector.rest:
        return None
    only = selector.matchers[0]
    is_namespace = job.labels.get(only.label) == "namespace" and only.operator in ("=", "=~")
    return values.names(only.value) if is_namespace else None


def _drop(draft: Draft, _: Job, node: Node) -> None:
    longer = node.at("longer_than")
    if ours := values.size(longer.text):
        draft.put(("limits_config", "max_line_size"), ours, longer)
    if node.at("older_than").text:
        draft.lost(node.at("older_than"), "no line is dropped for its age; positions.look_back bounds the first start")
    if not {key for key, _ in node.items()} <= {"longer_than", "older_than", "drop_counter_reason"}:
        draft.warn(node, f"lines are not dropped by their content: {_RULE}")


# -- changing lines


def _template(draft: Draft, job: Job, node: Node) -> None:
    job.extracted[node.at("source").text] = ""
    draft.lost(node, "values are shipped as the access log has them")


def _tenant(draft: Draft, _: Job, node: Node) -> None:
    fixed = node.at("value")
    if fixed.text:
        text((*CLIENT, "tenant_id"))(draft, fixed)
    else:
        draft.lost(node, "all lines go to one tenant: clients[0].tenant_id")


STAGES: Final[Mapping[str, Stage]] = {
    "cri": _cri,
    "docker": _docker,
    "json": _json,
    **dict.fromkeys(("regex", "logfmt", "eventlogmessage"), _other_format),
    "labels": _labels,
    "static_labels": _static_labels,
    "labeldrop": _labeldrop,
    "labelallow": _labelallow,
    **dict.fromkeys(("structured_metadata", "non_indexed_labels"), _structured_metadata),
    "match": _match,
    "drop": _drop,
    **dict.fromkeys(("template", "geoip"), _template),
    "tenant": _tenant,
}
NOTED: Final[Table] = {  # have no effect on what follows
    "sampling": warned("no line is left out by chance: what is sent again after a crash must be the same"),
    "limit": lost("no rate limit: when Loki takes less, lines wait in their files and none is dropped"),
    "replace": warned("lines are shipped byte for byte: what this masks or cuts out will be in Loki"),
    **dict.fromkeys(("output", "decolorize"), lost("lines are shipped byte for byte")),
    "timestamp": changed("the time is the container runtime's, to the nanosecond; a line sent again has the same"),
    "metrics": lost("no metrics of one's own: see mtls_handshake_failures_total, or a recording rule in Loki"),
    "multiline": lost("each line of the access log is an entry; partial lines are joined"),
    "pack": lost("lines are shipped byte for byte; structured_metadata holds what shall be no label"),
}
