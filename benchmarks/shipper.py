"""What can be measured: a shipper, and how it is told what to do. The agent is one, its peers are others."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CONTAINER_LOGS = "*/istio-proxy/*.log"  # below the root


@dataclass(frozen=True, slots=True)
class Job:
    """What to ship, and where to."""

    root: Path  # laid out as the kubelet does
    url: str  # Loki's push endpoint
    state: Path  # a directory for configuration, positions and the like


@dataclass(frozen=True, slots=True)
class Shipper:
    """A program that does the job."""

    name: str
    command: Callable[[Job], list[str]]  # writes its configuration, and says how to start it
    ends: bool = False  # by itself, when all is delivered
    unlike: frozenset[str] = frozenset()  # labels that it does not give as the agent does


def agent(*, once: bool = True, client: Mapping[str, object] | None = None) -> Shipper:
    """The agent of this repository; `client` are settings of its client beside the URL."""

    def command(job: Job) -> list[str]:
        # Thousands of pods are more streams than one node should have: what is measured is reading them.
        config = {"limits_config": {"max_streams": 100_000}, "clients": [{"url": job.url, **(client or {})}]}
        path = job.state / "shipper.yaml"
        path.write_text(json.dumps(config), encoding="ascii")  # JSON is YAML
        return [
            *(sys.executable, "-m", "shipper", "run", *(("--once",) if once else ()), "--config.file", str(path)),
            *("--log-dir", str(job.root), "--positions.file", str(job.state / "positions.json")),
            *("--server.http-listen-port", "0", "--keep", "ut"),
        ]

    return Shipper("this agent", command, ends=once)
