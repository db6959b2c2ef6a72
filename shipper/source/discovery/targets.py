"""The log directory to targets: which container logs there are, and what their path tells of them.

The kubelet's layout is `<namespace>_<pod>_<uid>/<container>/<restart>.log`. Any other directory works too: each
`<name>.log` in it is a target of its own. Reads directory names, no file.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shipper.config import PodLogsConfig
from shipper.source.tail.names import LogName

# What Kubernetes makes generated names of: no vowels, and nothing that looks like one.
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
_GENERATED = re.compile(
    rf"-{_RANDOM}{{7,10}}-{_RANDOM}{{5}}"  # Deployment: template hash and suffix
    rf"|-\d{{8,10}}-{_RANDOM}{{5}}"  # CronJob: scheduled minute and suffix
    rf"|-\d+-{_RANDOM}{{5}}"  # indexed Job
    rf"|-{_RANDOM}{{5}}"  # DaemonSet, Job
    r"|-\d+"  # StatefulSet
)


Watch = Callable[[str], object]
"""Called with each directory before it is listed."""


@dataclass(frozen=True, slots=True)
class Found:
    """A log to follow: the files in `directory`, of this stem only where it is given."""

    key: str
    directory: str
    stem: str | None
    fields: dict[str, str]  # namespace, pod, uid, container, app: as far as the path tells


def app_of(pod: str) -> str:
    """The pod's name without what Kubernetes generated: `checkout-7d4b9c6f5d-x2x7k` is of `checkout`."""
    for found in _GENERATED.finditer(pod):
        if found.end() == len(pod) and found.start():
            return pod[: found.start()]
    return pod


def is_directory(path: str) -> bool:
    """Whether this is a directory; one that may not be examined counts as none."""
    return os.path.isdir(path)  # noqa: PTH112  # making a Path costs more


class Targets:
    """Finds logs below a root; each directory is watched before it is listed, so that none is missed."""

    def __init__(self, root: Path, config: PodLogsConfig) -> None:
        self.root, self._config = str(root), config

    def scan(self, watch: Watch) -> Iterator[Found]:
        """All there are now. Raises OSError when the root cannot be listed."""
        watch(self.root)
        with os.scandir(self.root) as entries:
            names = [entry.name for entry in entries]
        for name in sorted(names):
            yield from self.scan_name(name, watch)

    def scan_name(self, name: str, watch: Watch) -> Iterator[Found]:
        """The logs of this name in the root; the same log may be found under several."""
        if log := LogName.parse(name):
            yield Found(log.stem, self.root, log.stem, {"app": log.stem})
        else:
            yield from self._scan_pod(name, watch)

    def _scan_pod(self, name: str, watch: Watch) -> Iterator[Found]:
        """The wanted containers of one pod directory, as far as they are there."""
        parts = name.split("_")
        if len(parts) != 3 or not all(parts) or not name.isprintable() or parts[0] in self._config.exclude_namespaces:
            return
        namespace, pod, uid = parts
        directory = f"{self.root}/{name}"
        watch(directory)
        for container in self._config.containers:
            logs = f"{directory}/{container}"
            if is_directory(logs):
                watch(logs)
                fields = {"namespace": namespace, "pod": pod, "uid": uid, "container": container, "app": app_of(pod)}
                yield Found(f"{name}/{container}", logs, None, fields)
