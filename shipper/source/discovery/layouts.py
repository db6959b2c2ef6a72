"""How directories of container logs are laid out, and what their names tell.

The kubelet writes `<namespace>_<pod>_<uid>/<container>/<restart>.log` below /var/log/pods and links each container's
log as `<pod>_<namespace>_<container>-<id>.log` in /var/log/containers. `istioctl bug-report` writes
`bug-report/proxies/<namespace>/<pod>/istio-proxy.log`.

Facts: kubernetes pkg/kubelet/kuberuntime (helpers.go, legacy.go), istio tools/bug-report/pkg/archive.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shipper.config import PodLogsConfig
from shipper.pod_names import app_of

BUG_REPORT: Final[Mapping[str, str]] = {"proxies": "proxies", "bug-report": "bug-report/proxies"}
"""Names that an unpacked bug report is known by, and where below the root its logs are."""

MOST_SHOWN: Final = 10  # names in a message
_UID: Final = re.compile(r"[0-9a-f-]{32,36}")  # of a static pod: the hash of its configuration
_LINK: Final = re.compile(r"(?P<pod>[^_]+)_(?P<namespace>[^_]+)_(?P<container>[^_]+)-[0-9a-f]{64}")


def fields_of(namespace: str, pod: str, container: str) -> dict[str, str]:
    """The fields of a container's log: namespace, pod, container, app."""
    return {"namespace": namespace, "pod": pod, "container": container, "app": app_of(pod)}


@dataclass(frozen=True, slots=True)
class PodDirectory:
    """The name of a pod's directory, taken apart."""

    name: str
    namespace: str
    pod: str
    uid: str

    @classmethod
    def parse(cls, name: str) -> "PodDirectory | None":
        """None when no pod's directory is called so, or when no label and no JSON could hold the name."""
        parts = name.split("_")
        if len(parts) != 3 or not all(parts) or not name.isprintable():
            return None
        return cls(name, *parts)

    @property
    def has_uid(self) -> bool:
        """Whether the uid looks like one: then nothing else is called so."""
        return bool(_UID.fullmatch(self.uid))

    def fields(self, container: str) -> dict[str, str]:
        """The fields of the log of one of its containers: also the pod's uid."""
        return {**fields_of(self.namespace, self.pod, container), "uid": self.uid}


def parse_link(stem: str) -> dict[str, str] | None:
    """The fields of a link in /var/log/containers; None when the name is none of those."""
    found = _LINK.fullmatch(stem)
    return fields_of(found["namespace"], found["pod"], found["container"]) if found else None


def names_in(directory: str) -> list[str]:
    """What a directory holds, sorted; nothing when it cannot be listed."""
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208  # names are all that is needed
    except OSError:
        return []


def why_none(root: str, config: PodLogsConfig) -> str:
    """Why no log was found below the root: what was looked for, where, and what is there instead."""
    names = names_in(root)
    wanted = " or ".join(config.containers)
    if links := [link for name in names if (link := parse_link(name.removesuffix(".log")))]:
        return f"no container {wanted} in {_count(len(links), 'link')} in {root}" + _seen(
            Counter(link["container"] for link in links)
        )
    if pods := [pod for name in names if (pod := PodDirectory.parse(name))]:
        read = [pod for pod in pods if pod.namespace not in config.exclude_namespaces]
        seen = Counter(container for pod in read for container in names_in(f"{root}/{pod.name}"))
        excluded = f", {len(pods) - len(read)} more are in excluded namespaces" if len(read) < len(pods) else ""
        return f"no container {wanted} in {_count(len(read), 'pod')} below {root}{excluded}{_seen(seen)}"
    if not names:
        return f"{root} is empty"
    if PodDirectory.parse(os.path.basename(os.path.abspath(root))):  # noqa: PTH100, PTH119
        return f"no container {wanted} in the pod's directory {root}{_seen(Counter(names))}"
    return f"{root} holds no <name>.log and no pod's directory (<namespace>_<pod>_<uid>){_seen(Counter(names))}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _seen(names: Counter[str]) -> str:
    """The most frequent names."""
    shown = [name for name, _ in names.most_common(MOST_SHOWN)]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"; seen: {', '.join(shown)}{more}" if shown else ""
