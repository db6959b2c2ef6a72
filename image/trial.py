"""Runs the image's agent like the DaemonSet, on a node's logs, against strict stand-ins for Loki and the API."""

import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import trustme

from image import bundle, seccomp
from image.container import Container
from image.node import ROOT, TOKEN, Manifest, Node, changes, snapshot
from lab.kubernetes import ApiServer
from lab.loki import LokiReceiver
from soak.report import Row

PLACES: Final = ("/", "/dev", "/tmp", "/etc/shipper", "/opt/shipper", "/var/log/pods", "/var/lib/shipper")
STATE: Final = "/var/lib/shipper"
KEPT: Final = 500  # lines of each pod, three times
RIGHTS: Final = {
    "Uid": "10001\t10001\t10001\t10001",
    "Gid": "0\t0\t0\t0",
    "Groups": "",
    "CapInh": "0" * 16,
    "CapPrm": "0" * 16,
    "CapEff": "0" * 16,
    "CapBnd": "0" * 16,
    "CapAmb": "0" * 16,
    "NoNewPrivs": "1",
    "Seccomp": "2",
}
NO_BYTECODE: Final = {"PYTHONPYCACHEPREFIX": "/none"}  # Python then looks for it only there
VERBOSE: Final = {"PYTHONVERBOSE": "1"}  # Python prints where the code of each module comes from
_COMPILED = re.compile(r"^# code object from (/\S+\.py)$", re.MULTILINE)
_LOADED = re.compile(r"^# code object from '?/\S+\.pyc'?$", re.MULTILINE)


@dataclass(slots=True)
class Trial:
    """One node, one image; the runs share the node's state, like restarts of a container."""

    directory: Path
    node: Node
    loki: LokiReceiver
    made: bundle.Json
    image: Path  # its root file system
    _runs: int = 0

    def container(self, made: bundle.Json) -> Container:
        """Another container on this node."""
        self._runs += 1
        return Container(self.directory, made, f"run-{self._runs}")

    async def inside(self) -> dict[str, Any]:
        """What a program with the same rights finds in the image."""
        program = (ROOT / "image" / "inside.py").read_text()
        command = ["python3", "-c", program, *PLACES]
        async with self.container(bundle.with_command(self.made, command)) as container:
            code = await container.ends()
            if code:
                raise RuntimeError(f"inside the image: {container.said()[-2000:]}")
            found: dict[str, Any] = json.loads(container.said())
        self.node.state.joinpath("written").unlink()
        return found

    async def ships(self) -> list[Row]:
        """Ships lines written before the start, after it and after a rotation; then sends SIGTERM."""
        self.node.write(KEPT)
        image = snapshot(self.image)
        async with self.container(bundle.with_environment(self.made, VERBOSE)) as container:
            await container.ready(self._url)
            rows = rights(container.status(), container.writable())
            await self._more()
            self.node.rotate()
            await self._more()
            logs, peak = snapshot(self._logs), int(container.status()["VmHWM"].split()[0])
            code, seconds = await container.stop()
        verdict = self.node.written.judge(self.loki.stored())
        return [
            *rows,
            Row("delivered, labels from the API", str(verdict), verdict.is_fine and verdict.expected > 0),
            Row("SIGTERM to process 1", f"exit code {code} after {seconds:.2f} s", code == 0),
            *self._written(changes(image, snapshot(self.image)) + changes(logs, snapshot(self._logs))),
            bytecode(container.said()),
            Row("memory, at most", f"{peak / 1024:.0f} MiB of the manifest's {self._limit} MiB", True),
        ]

    async def _more(self) -> None:
        """Write more lines and wait until they are stored."""
        self.node.write(KEPT)
        await self.loki.entries(len(self.node.written.lines), within=30)

    def _written(self, changed: list[str]) -> list[Row]:
        """Files that it has changed, and those in its state volume."""
        state = {path.name: path.stat() for path in self.node.state.iterdir()}
        figures = ", ".join(f"{name} {stat.st_mode & 0o777:o}" for name, stat in sorted(state.items()))
        owned = bool(state) and all((stat.st_uid, stat.st_gid) == (10001, 0) for stat in state.values())
        return [
            Row("written to image or logs", " ".join(changed[:5]) or "nothing", not changed),
            Row("written to the state volume", figures, owned),
        ]

    async def start_up(self, times: int, environment: Mapping[str, str]) -> float:
        """Median of the seconds from the start of its process to /ready."""
        took = []
        for _ in range(times):
            async with self.container(bundle.with_environment(self.made, environment)) as container:
                took.append(await container.ready(self._url))
                await container.stop()
        return median(took)

    @property
    def _logs(self) -> Path:
        return self.node.directory / "logs"

    @property
    def _limit(self) -> int:
        return int(self.made["linux"]["resources"]["memory"]["limit"]) >> 20

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.node.port}/ready"


def rights(status: Mapping[str, str], writable: list[str]) -> list[Row]:
    """The rights that the kernel reports, not those of the configuration."""
    wrong = [f"{name} {status.get(name)!r}" for name, value in RIGHTS.items() if status.get(name) != value]
    if status["NSpid"].split()[-1] != "1":
        wrong.append("it is not process 1")
    told = "10001:0, no other group, no capability, no new privileges, seccomp"
    return [
        Row("rights of process 1", "; ".join(wrong) or told, not wrong),
        Row("mounts it may write to", " ".join(writable), writable == ["/dev", STATE]),  # /dev is root's
    ]


def bytecode(said: str) -> Row:
    """Where the code came from, as Python reports it."""
    compiled, loaded = _COMPILED.findall(said), len(_LOADED.findall(said))
    figures = f"{loaded} modules, compiled: {' '.join(compiled[:5]) or 'none'}"
    return Row("loaded from bytecode", figures, loaded > 0 and not compiled)


@asynccontextmanager
async def prepared(directory: Path, image: Path, configuration: bundle.Json) -> AsyncIterator[Trial]:
    """Start the stand-ins, lay out the node, and describe the manifest's container."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    manifest, node = Manifest.read(), Node(directory / "node")
    async with LokiReceiver() as loki, ApiServer(context=context, tokens={TOKEN}) as api:
        node.lay(manifest.configuration(loki.url, node.port), authority.cert_pem.bytes())
        for pod in node.pods:
            api.put(pod)
        host, port = api.address
        environment = {"NODE_NAME": "node-1", "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        made = bundle.spec(configuration, manifest.pod, node.volumes, str(image), environment, seccomp.profile())
        try:
            yield Trial(directory, node, loki, made, image)
        finally:
            node.close()
