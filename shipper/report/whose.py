"""Whose log it is: what a path tells, or what stands beside a line. Pure."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import PurePath

from shipper.reading.origin import Origin, Peer
from shipper.source.discovery.layouts import PodDirectory, fields_of, parse_link


def fields_of_path(path: str) -> dict[str, str]:
    """What the names of the directories above a log tell of it; empty for a path like any other."""
    parts = PurePath(path).parts
    stem = parts[-1].partition(".log")[0]
    if len(parts) > 2 and (pod := PodDirectory.parse(parts[-3])) and pod.has_uid:
        return pod.fields(parts[-2])
    if len(parts) > 3 and parts[-4] == "proxies":
        return fields_of(parts[-3], parts[-2], stem)
    return parse_link(stem) or {}


def pod_key(fields: Mapping[str, str]) -> str:
    """Names the container whose log it is; empty where its pod is not known."""
    return "/".join(fields.get(name, "") for name in ("namespace", "pod", "container")) if fields.get("pod") else ""


@lru_cache(maxsize=1024)
def fields_of_origin(origin: Origin) -> Mapping[str, str]:
    """What was told beside a line of the pod that wrote it; empty where no pod was named."""
    return fields_of(origin.namespace or "", origin.pod, origin.container or "") if origin.pod else {}


def fields_of_peer(peer: Peer) -> Mapping[str, str]:
    """What was told beside a line of who the peer was, as the agent's fields."""
    return {f"peer_{name}": value for name, value in asdict(peer).items() if value}
