"""The log directory to targets: which container logs there are, and what their path tells of them.

The kubelet's layout is `<namespace>_<pod>_<uid>/<container>/<restart>.log`. A part of it is recognised too, and so are
its flat links and an unpacked `istioctl bug-report`; see `layouts`. In any other directory each `<name>.log` is a
target of its own. Reads names of directories and files, no content.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shipper.config import PodLogsConfig
from shipper.source.discovery.layouts import (
    BUG_REPORT,
    PodDirectory,
    fields_of,
    names_in,
    parse_link,
    why_none,
)
from shipper.source.tail.names import LogName

Watch = Callable[[str], object]
"""Called with each directory before it is listed."""


@dataclass(frozen=True, slots=True)
class Found:
    """A log to follow: the files in `directory`, of this stem only where it is given."""

    key: str
    directory: str
    stem: str | None
    fields: dict[str, str]  # namespace, pod, uid, container, app: as far as the path tells


def is_directory(path: str) -> bool:
    """Whether this is a directory; one that may not be examined counts as none."""
    return os.path.isdir(path)  # noqa: PTH112  # making a Path costs more


class Targets:
    """Finds logs below a root; each directory is watched before it is listed, so that none is missed."""

    def __init__(self, root: Path, config: PodLogsConfig) -> None:
        self.root, self._config = str(root), config
        self._root_pod = PodDirectory.parse(root.absolute().name)  # the root may be a part of the kubelet's layout
        self._root_container = PodDirectory.parse(root.absolute().parent.name)
        self._root_name = root.absolute().name
        self.unreadable: dict[str, OSError] = {}  # what could not be looked at, until the caller clears it

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
            yield from self._of_log(log)
        elif pod := PodDirectory.parse(name):
            yield from self._scan_pod(pod, f"{self.root}/{name}", watch)
        elif self._root_pod and name in self._config.containers:
            yield from self._scan_container(self._root_pod, name, f"{self.root}/{name}", watch)
        elif name in BUG_REPORT:
            yield from self._scan_bug_report(f"{self.root}/{BUG_REPORT[name]}", watch)

    def _of_log(self, log: LogName) -> Iterator[Found]:
        """What a log in the root itself belongs to."""
        container = self._root_name
        if link := parse_link(log.stem):
            if self._is_wanted(link["namespace"], link["container"]):
                yield Found(log.stem, self.root, log.stem, link)
        elif not log.stem.isdecimal():
            yield Found(log.stem, self.root, log.stem, {"app": log.stem})
        elif (pod := self._root_container) and (pod.has_uid or container in self._config.containers):
            yield Found(f"{pod.name}/{container}", self.root, None, pod.fields(container))
        else:  # `0.log`, a container's log that was copied without its path: a number is no app
            yield Found(log.stem, self.root, log.stem, {"app": container or log.stem})

    def _scan_pod(self, pod: PodDirectory, directory: str, watch: Watch) -> Iterator[Found]:
        """The wanted containers of one pod directory, as far as they are there."""
        if pod.namespace in self._config.exclude_namespaces:
            return
        watch(directory)
        for container in self._config.containers:
            yield from self._scan_container(pod, container, f"{directory}/{container}", watch)

    def _scan_container(self, pod: PodDirectory, container: str, directory: str, watch: Watch) -> Iterator[Found]:
        if self._is_there(directory):
            watch(directory)
            yield Found(f"{pod.name}/{container}", directory, None, pod.fields(container))

    def _scan_bug_report(self, proxies: str, watch: Watch) -> Iterator[Found]:
        """The wanted logs of `proxies/<namespace>/<pod>/<container>.log`."""
        for namespace in names_in(proxies):
            for pod in names_in(f"{proxies}/{namespace}"):
                directory = f"{proxies}/{namespace}/{pod}"
                for name in names_in(directory):
                    log = LogName.parse(name)
                    if log and self._is_wanted(namespace, log.stem):
                        watch(directory)
                        fields = fields_of(namespace, pod, log.stem)
                        yield Found(f"{namespace}/{pod}/{log.stem}", directory, log.stem, fields)

    def _is_wanted(self, namespace: str, container: str) -> bool:
        return container in self._config.containers and namespace not in self._config.exclude_namespaces

    def _is_there(self, directory: str) -> bool:
        try:
            return stat.S_ISDIR(os.stat(directory).st_mode)  # noqa: PTH116
        except PermissionError as error:
            self.unreadable[directory] = error
        except OSError:
            pass
        return False

    def still_has(self, key: str) -> bool:
        """Whether the log that had this key is there, though it is not wanted any more."""
        return os.path.lexists(f"{self.root}/{key}") or os.path.lexists(f"{self.root}/{key}.log")

    def why_none(self) -> str:
        """Why no log was found, for people: what was looked for, where, and what is there instead."""
        return why_none(self.root, self._config)
