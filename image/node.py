"""A node as the agent's pod sees it: the kubelet's logs, a service account, a configuration, an empty state volume."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import yaml

from lab.containerd import LogWriter
from lab.lines import healthy, timed_out
from lab.pods import Pod
from soak.written import Written

ROOT: Final = Path(__file__).parents[1]
ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN: Final = "token-of-this-check"
NAMES: Final = ("checkout-7d4b9c6f5d-x2x7k", "ledger-5c9d8f7b6d-q8w4z", "payment-service-7d4b9c6f5d-x2x7k")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The pod and its configuration in `deploy/daemonset.yaml`."""

    pod: dict[str, Any]
    config: dict[str, Any]

    @classmethod
    def read(cls) -> "Manifest":
        documents = yaml.safe_load_all((ROOT / "deploy" / "daemonset.yaml").read_text())
        by_kind = {document["kind"]: document for document in documents}
        (text,) = by_kind["ConfigMap"]["data"].values()
        return cls(by_kind["DaemonSet"]["spec"]["template"]["spec"], yaml.safe_load(text))

    def configuration(self, loki: str, port: int) -> str:
        """The manifest's, with another address of Loki and a port on this machine's loopback."""
        server = {**self.config["server"], "http_listen_address": "127.0.0.1", "http_listen_port": port}
        clients = [{**client, "url": loki} for client in self.config["clients"]]
        return yaml.safe_dump({**self.config, "server": server, "clients": clients})


@dataclass(slots=True)
class Node:
    """The node's files, below a directory of this machine."""

    directory: Path
    written: Written = field(default_factory=Written)
    pods: list[Pod] = field(default_factory=list)
    port: int = field(default_factory=lambda: free_port())
    _logs: list[LogWriter] = field(default_factory=list)
    _count: int = 0

    @property
    def volumes(self) -> dict[str, str]:
        """Path of each mount in the container -> its source."""
        return {target: str(self.directory / name) for target, name in MOUNTS.items()}

    @property
    def state(self) -> Path:
        """The only writable volume."""
        return self.directory / "state"

    def lay(self, configuration: str, authority: bytes) -> None:
        """Make all directories, and the files that the kubelet provides."""
        for name in MOUNTS.values():
            (self.directory / name).mkdir(parents=True)
        self.state.chmod(0o777)  # the kubelet's mode of an emptyDir
        (self.directory / "config" / "config.yaml").write_text(configuration)
        (self.directory / "account" / "ca.crt").write_bytes(authority)
        (self.directory / "account" / "token").write_text(TOKEN)
        (self.directory / "account" / "namespace").write_text("mtls-shipper")
        for name in NAMES:
            pod = Pod("shop", name, uid=str(uuid4()), labels={"app": f"{name.split('-')[0]}-by-label"})
            self.pods.append(pod)
            self._logs.append(LogWriter(self.directory / "logs", namespace="shop", pod=name, uid=pod.uid))

    def write(self, kept: int) -> None:
        """Write lines of every pod: `kept` lines that are kept, each followed by a healthy one."""
        for pod, log in zip(self.pods, self._logs, strict=True):
            for _ in range(kept):
                self._count += 1
                line = timed_out(self._count, pod=pod.name)
                labels = {"namespace": pod.namespace, "pod": pod.name, "app": pod.labels["app"], "response_flags": "UT"}
                self.written.note(line, log.write(line), labels)
                log.write(healthy(self._count))
        self._guard()

    def rotate(self) -> None:
        """Rotate every log."""
        for log in self._logs:
            log.rotate()
        self._guard()

    def _guard(self) -> None:
        """Set the mode and owner that containerd's logs have: 0640 root:root."""
        for path in self.directory.joinpath("logs").rglob("*.*"):
            path.chmod(0o640)
            os.chown(path, 0, 0)

    def close(self) -> None:
        """Close the logs; their files stay."""
        for log in self._logs:
            log.close()


MOUNTS: Final = {"/etc/shipper": "config", "/var/lib/shipper": "state", "/var/log/pods": "logs", ACCOUNT: "account"}


def free_port() -> int:
    """An unused port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def snapshot(directory: Path) -> dict[str, tuple[int, int, int, int]]:
    """Every file below a directory, with what a write changes: mode, size, mtime, ctime."""
    return dict(_entries(directory))


def _entries(directory: Path) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    for path in directory.rglob("*"):
        found = path.lstat()
        yield str(path.relative_to(directory)), (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def changes(before: dict[str, tuple[int, int, int, int]], after: dict[str, tuple[int, int, int, int]]) -> list[str]:
    """Names that are new, gone or changed."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
