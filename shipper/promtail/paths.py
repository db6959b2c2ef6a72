"""Promtail's `__path__`, a pattern of files, to our directory and containers."""

import re
from typing import Final

from shipper.promtail import values
from shipper.promtail.draft import JOB, Draft
from shipper.promtail.node import Node

POD_LOGS: Final = "/var/log/pods"
_ROOT: Final = (*JOB, "pod_logs", "root")
_CONTAINERS: Final = (*JOB, "pod_logs", "containers")
_WILD = re.compile(r"[*?\[{$]")


def take_path(draft: Draft, node: Node, pattern: str) -> None:
    """Set the directory that is read for this pattern; note the parts of the pattern that have no counterpart."""
    below = pattern.removeprefix(f"{POD_LOGS}/")
    if below != pattern:
        draft.put(_ROOT, POD_LOGS, node)
        _pods(draft, node, below.split("/"))
    elif "/containers/" in pattern:
        draft.put(_ROOT, POD_LOGS, node)
        draft.changed(node, f"/var/log/containers holds links into {POD_LOGS}, which is read here")
    else:
        _elsewhere(draft, node, pattern)


def _pods(draft: Draft, node: Node, parts: list[str]) -> None:
    pods, container = parts[0], parts[1] if len(parts) > 2 else "*"
    if not _WILD.search(container):
        draft.put(_CONTAINERS, [container], node)
    elif (listed := values.names(container.strip("{}").replace(",", "|"))) and container.startswith("{"):
        draft.put(_CONTAINERS, list(listed), node)
    if pods.strip("*") and "$" not in pods:
        draft.warn(node, f"all pods are read, not only those that match {values.one_line(pods)!r}")


def _elsewhere(draft: Draft, node: Node, pattern: str) -> None:
    fixed = _WILD.split(pattern, maxsplit=1)[0]
    directory = fixed.rpartition("/")[0] or "/"
    if not pattern.startswith("/") or directory == "/":
        draft.warn(node, f"the path {values.one_line(pattern)!r} names no directory: {POD_LOGS} is read")
        return
    draft.put(_ROOT, directory, node, "not the kubelet's directory: each <name>.log in it is one app")
    draft.warn(node, f"not below {POD_LOGS}: namespace, pod and container are not known from such a path, and only "
                     "the directory's own *.log files are read")  # fmt: skip
