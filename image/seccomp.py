"""The system calls that a container may make: the engine's default profile, in runc's format.

buildah comes with podman's profile. Its format is Docker's, and its list is, in all but details, that of Docker and
containerd, which Kubernetes calls RuntimeDefault.
"""

import json
import platform
from pathlib import Path
from typing import Any, Final

PROFILE: Final = Path("/usr/share/containers/seccomp.json")
ARCHITECTURES: Final = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}


def profile() -> dict[str, Any]:
    """The profile for this machine and a container without capabilities."""
    return convert(json.loads(PROFILE.read_text()), platform.machine())


def convert(engine: dict[str, Any], machine: str) -> dict[str, Any]:
    """The rules that apply on this architecture to a process without capabilities."""
    name, architecture = ARCHITECTURES[machine]
    return {
        "defaultAction": engine["defaultAction"],
        "defaultErrnoRet": engine.get("defaultErrnoRet", 1),
        "architectures": next(
            [architecture, *each["subArchitectures"]]
            for each in engine["archMap"]
            if each["architecture"] == architecture
        ),
        "syscalls": [_rule(rule) for rule in engine["syscalls"] if _holds(rule, name)],
    }


def _holds(rule: dict[str, Any], architecture: str) -> bool:
    wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
    if wanted.get("caps") or architecture in unwanted.get("arches", ()):
        return False
    return architecture in wanted.get("arches", (architecture,))


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    return {key: rule[key] for key in ("names", "action", "errnoRet", "args") if rule.get(key) is not None}
