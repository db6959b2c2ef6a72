"""A Kubernetes API server in a process of its own, with a whole cluster whose pods come and go on command.

Of ten changes five say nothing that the directory wants to know, such as a probe that failed, and five replace a pod:
terminating, deleted, created, scheduled, running with the address of the one before.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.api import ANNOTATIONS, serve
from lab.kubernetes import ApiServer
from lab.kubernetes_forms import Node
from lab.pods import Pod

HASH: Final = "7d4b9c6f5d"
NAMESPACES, APPS = 200, 4000


def address(place: int) -> str:
    """The address of the pods that have this place, one after the other."""
    return f"10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}"


def place_of(name: str) -> int:
    """The place that a pod of this name has."""
    return int(name.rsplit("-", 2)[1])


def pod(place: int, nodes: int, generation: int = 0) -> Pod:
    """A pod of a Deployment, with a sidecar: 7 kB of metadata."""
    app = f"service-{place % APPS}"
    labels = {
        "app": app,
        "pod-template-hash": HASH,
        "security.istio.io/tlsMode": "istio",
        "service.istio.io/canonical-name": app,
        "service.istio.io/canonical-revision": "v1",
        "version": "v1",
    }
    return Pod(
        f"team-{place % NAMESPACES}",
        f"{app}-{HASH}-{place}-{generation}",
        f"gke-prod-pool-{place % nodes}",
        f"{generation:08x}-7d4b-4c6f-9d5d-{place:012x}",
        labels,
        ANNOTATIONS,
        ("ReplicaSet", f"{app}-{HASH}"),
        address(place),
    )


class _Cluster:
    """The pods of all nodes, and their changes."""

    def __init__(self, api: ApiServer) -> None:
        self._api, self._pods, self._nodes = api, list[Pod](), 0
        self._replaced = 0
        self._changes = self._some_of_each()

    def add(self, pods: float, nodes: float) -> int:
        self._nodes = int(nodes)
        for number in range(self._nodes):
            self._api.put(
                Node(f"gke-prod-pool-{number}", f"172.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}")
            )
        self._pods = [self._api.put(pod(place, self._nodes)) for place in range(int(pods))]
        return len(self._pods)

    async def change(self, rate: float, seconds: float) -> int:
        begun, told = time.monotonic(), 0
        while (due := begun + told / rate) < begun + seconds:
            await asyncio.sleep(due - time.monotonic())
            next(self._changes)
            told += 1
        return told

    async def replace(self, pods: float, rate: float) -> int:
        """Replace so many pods a second, by two changes each."""
        begun = time.monotonic()
        for number in range(int(pods)):
            await asyncio.sleep(begun + number / rate - time.monotonic())
            old, new = self._next()
            self._api.delete(old)
            self._api.put(new)
        return int(pods)

    def watches(self) -> int:
        return self._api.watching

    def _next(self) -> tuple[Pod, Pod]:
        generation, place = divmod(self._replaced, len(self._pods))
        self._replaced += 1
        old, new = self._pods[place], pod(place, self._nodes, generation + 1)
        self._pods[place] = new
        return old, new

    def _some_of_each(self) -> Iterator[None]:
        for number in count():
            for _ in self._one_after_the_other(*self._next()):
                yield
                place = (len(self._pods) // 2 + 7919 * number) % len(self._pods)
                self._api.put(self._pods[place])
                yield

    def _one_after_the_other(self, old: Pod, new: Pod) -> Iterator[None]:
        """Replace a pod, a change with each turn."""
        pending = replace(new, address="", phase="Pending")
        self._api.put(replace(old, deleting="2026-11-23T10:31:00Z"))
        yield
        self._api.delete(old)
        yield
        for now in (replace(pending, node=""), pending, new):
            self._api.put(now)
            yield


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), _Cluster, cluster_wide=True))
