"""What the kubelet would tell the runtime: image and manifest in, the runtime's format out. Pure.

Rights and mounts are those of `deploy/daemonset.yaml`. Two things differ from a pod: the network is the machine's,
because the stand-ins for Loki and the API are on its loopback, and there is no /dev/shm, so that only the state volume
can be written.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = dict[str, Any]

CAPABILITIES: Final = ("bounding", "effective", "inheritable", "permitted", "ambient")
NAMESPACES: Final = ("pid", "mount", "ipc", "uts")
HIDDEN: Final = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
                 "/proc/scsi", "/proc/timer_list", "/proc/timer_stats")  # fmt: skip
UNITS: Final = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def spec(
    image: Json, pod: Json, volumes: Mapping[str, str], root: str, environment: Mapping[str, str], seccomp: Json
) -> Json:
    """The pod's one container; `volumes` maps the path of each mount in the container to its source."""
    (container,) = pod["containers"]
    rights, owner = container["securityContext"], pod["securityContext"]
    if rights["capabilities"] != {"drop": ["ALL"]}:
        raise ValueError("the manifest asks for capabilities, which this check does not support")
    read_only = {mount["mountPath"]: bool(mount.get("readOnly")) for mount in container["volumeMounts"]}
    return {
        "ociVersion": "1.0.0",
        "hostname": "node-1",
        "root": {"path": root, "readonly": rights["readOnlyRootFilesystem"]},
        "process": {
            "args": [*image["Entrypoint"], *container["args"]],
            "env": [*image["Env"], *(f"{name}={value}" for name, value in environment.items())],
            "cwd": image["WorkingDir"],
            "user": {"uid": owner["runAsUser"], "gid": owner["runAsGroup"]},
            "capabilities": {kind: [] for kind in CAPABILITIES},
            "noNewPrivileges": not rights["allowPrivilegeEscalation"],
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
            *(_bind(source, target, read_only.get(target, True)) for target, source in volumes.items()),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in NAMESPACES],
            "maskedPaths": list(HIDDEN),
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            "resources": {"memory": {"limit": size(container["resources"]["limits"]["memory"])}},
            "seccomp": seccomp,
        },
    }


def with_command(made: Json, arguments: Sequence[str]) -> Json:
    """The same container with another program."""
    return {**made, "process": {**made["process"], "args": list(arguments)}}


def with_environment(made: Json, environment: Mapping[str, str]) -> Json:
    """The same container with more environment variables."""
    added = [f"{name}={value}" for name, value in environment.items()]
    return {**made, "process": {**made["process"], "env": [*made["process"]["env"], *added]}}


def size(quantity: str) -> int:
    """`192Mi` in bytes."""
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def _bind(source: str, target: str, read_only: bool) -> Json:
    options = ["rbind", "nosuid", "nodev", "noexec", "ro" if read_only else "rw"]
    return {"destination": target, "type": "bind", "source": source, "options": options}


def complaints(image: Json) -> list[str]:
    """Errors in the image's configuration."""
    entrypoint = image.get("Entrypoint") or []
    found = {
        f"the user is {image.get('User')!r}, not a number": image.get("User") != "10001:0",
        f"a shell or nothing is process 1: {entrypoint}": not entrypoint or entrypoint[0].endswith("sh"),
        "bytecode would be written at run time": "PYTHONDONTWRITEBYTECODE=1" not in image.get("Env", []),
        "there is a HEALTHCHECK": bool(image.get("Healthcheck")),
        "there is a volume": bool(image.get("Volumes")),
    }
    return [complaint for complaint, holds in found.items() if holds]
