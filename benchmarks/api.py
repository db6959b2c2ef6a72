"""A Kubernetes API server in a process of its own, with pods and changes on command.

It serves HTTPS as in a cluster; its directory is the service account of a pod. Commands are lines on its standard
input, and it answers each with a line.
"""

import asyncio
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.kubernetes import ApiServer
from lab.pods import Pod
from lab.service_account import ServiceAccount, environment

NODE = "node-1"
START_WITHIN = 20.0  # seconds
ANSWER_WITHIN = 60.0  # seconds beyond what a command takes by itself
TOKEN = "benchmark"
ANNOTATIONS = {
    "istio.io/rev": "default",
    "kubectl.kubernetes.io/default-container": "app",
    "kubectl.kubernetes.io/default-logs-container": "app",
    "prometheus.io/path": "/stats/prometheus",
    "prometheus.io/port": "15020",
    "prometheus.io/scrape": "true",
    "sidecar.istio.io/status": '{"initContainers":["istio-init","istio-proxy"],"containers":null,"volumes":["envoy"]}',
}


def pod(number: int) -> Pod:
    """The pod of this number."""
    app = f"service-{number % 200}"
    labels = {
        "app": app,
        "pod-template-hash": "7d4b9c6f5d",
        "security.istio.io/tlsMode": "istio",
        "service.istio.io/canonical-name": app,
        "service.istio.io/canonical-revision": "v1",
        "version": "0",
    }
    name = f"{app}-7d4b9c6f5d"
    owner = "ReplicaSet", name
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    return Pod("shop", f"{name}-{number}", NODE, f"uid-{number}", labels, ANNOTATIONS, owner, address)


class Api:
    """The server's process, from outside; a context."""

    def __init__(self, directory: Path, served: str = "benchmarks.api", before: Sequence[str] = ()) -> None:
        """`served`: the module that calls `serve`. `before`: what its command begins with, such as taskset."""
        self._directory = directory
        self._command = [*before, sys.executable, "-m", served, str(directory)]

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        self._port = int(self._read(START_WITHIN))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def agent(self, *arguments: str) -> list[str]:
        """The command that starts `shipper` with these arguments in a pod of its cluster."""
        variables = {"NODE_NAME": NODE, **environment(("127.0.0.1", self._port))}
        assigned = [f"{name}={value}" for name, value in variables.items()]
        return ["env", *assigned, sys.executable, "-m", "benchmarks.in_pod", str(self._directory), *arguments]

    def add(self, count: int) -> None:
        """Add `count` pods to the node."""
        self.ask(f"add {count}")

    def change(self, rate: float, seconds: float) -> int:
        """Change labels at an even pace, one pod after the other; how many changes were sent to a watch."""
        return self.ask(f"change {rate} {seconds}", seconds)

    def watches(self) -> int:
        """The number of open watches."""
        return self.ask("watches")

    def ask(self, command: str, takes: float = 0.0) -> int:
        """Have a command done, which takes so many seconds; its number."""
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        return int(self._read(takes + ANSWER_WITHIN))

    def _read(self, within: float) -> str:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], within)[0]:
            raise TimeoutError("the API server says nothing")
        return self._process.stdout.readline()


# -- in the process


class _Node:
    """The pods of the node, and their changes."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._pods: list[Pod] = []

    def add(self, count: float) -> int:
        for number in range(len(self._pods), len(self._pods) + int(count)):
            self._pods.append(self._api.put(pod(number)))
        return len(self._pods)

    async def change(self, rate: float, seconds: float) -> int:
        begun, told = time.monotonic(), 0
        while (due := begun + told / rate) < begun + seconds:
            await asyncio.sleep(due - time.monotonic())
            self._api.label(self._pods[told % len(self._pods)], version=str(told))
            told += self._api.watching
        return told

    def watches(self) -> int:
        return self._api.watching


async def serve(directory: Path, make: Callable[[ApiServer], object], *, cluster_wide: bool = False) -> None:
    """Serve, and call the methods that are named on standard input, of what is made with the server."""
    account = ServiceAccount(directory, TOKEN)
    async with ApiServer(context=account.context(), tokens={TOKEN}, cluster_wide=cluster_wide) as api:
        made = make(api)
        print(api.address[1], flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, *numbers = line.split()
            answer = getattr(made, name)(*map(float, numbers))
            print(await answer if asyncio.iscoroutine(answer) else answer, flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), _Node))
