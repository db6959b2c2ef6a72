"""After a kill at any moment, what was pushed is sent again under the same labels: what those depend on was saved.

Loki looks at the positions with each push that comes: there, and not later, a kill could strike.
"""

import asyncio
import contextlib
import gc
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.containerd import LogWriter
from lab.faults import Arrival
from lab.lines import timed_out
from lab.loki import LokiReceiver
from shipper.agent import Agent, Options
from shipper.config.file import parse
from shipper.metrics import Metrics
from shipper.pipeline.labels import label_text
from shipper.source.positions.file import Positions

Step = tuple[Any, ...]
STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 5), st.lists(st.integers(0, 5), min_size=1, max_size=4)),
    st.tuples(st.just("write"), st.integers(0, 5), st.lists(st.integers(0, 5), min_size=1, max_size=4)),
    st.tuples(st.just("rotate"), st.integers(0, 5)),
    st.tuples(st.just("breathe"), st.sampled_from([0.0, 0.001, 0.01, 0.05])),
    st.tuples(st.just("kill")),
)


class Witness:
    """Sees at each push what a restart would know."""

    def __init__(self, positions: Path) -> None:
        self._positions = positions
        self.surprises: list[str] = []
        self.pushes = 0

    async def __call__(self, arrival: Arrival) -> None:
        self.pushes += 1
        self.surprises += set(arrival.labels) - self._labels()

    def _labels(self) -> set[str]:
        """All label sets that follow from what is saved."""
        return {
            label_text({
                "job": "kubernetes-pods-istio-proxy",
                "service_name": target.fields["app"],
                **{name: target.fields[name] for name in ("namespace", "app", "pod")},
                **stream,
            })
            for target in Positions(self._positions, Metrics()).load().values()
            for stream in target.streams
        }  # fmt: skip


async def live(steps: list[Step], directory: Path, batchwait: str) -> Witness:
    witness = Witness(directory / "positions.json")
    root = directory / "pods"
    root.mkdir()
    async with contextlib.AsyncExitStack() as stack:
        loki = await stack.enter_async_context(LokiReceiver())
        loki.fault = witness
        text = f"""
server: {{http_listen_port: 0}}
positions: {{filename: {directory}/positions.json}}
clients: [{{url: "{loki.url}", batchwait: {batchwait}}}]
scrape_configs: [{{pod_logs: {{root: {root}}}}}]
limits_config: {{max_streams: 12, max_label_values: 4}}
"""
        logs = [stack.enter_context(LogWriter(root, pod=f"pod-{number}")) for number in range(6)]

        def start() -> asyncio.Task[int]:
            return asyncio.create_task(Agent(parse(text.encode(), "test.yaml", {}), Options()).run())

        async def kill() -> None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        running = start()
        try:
            written = 0
            for name, *arguments in steps:
                if name == "write":
                    for caller in arguments[1]:
                        logs[arguments[0]].write(timed_out(written, downstream_peer_uri_san=f"spiffe://a/{caller}"))
                        written += 1
                elif name == "rotate":
                    logs[arguments[0]].rotate()
                elif name == "breathe":
                    await asyncio.sleep(arguments[0])
                else:
                    await kill()
                    running = start()
            await loki.entries(written)
        finally:
            await kill()
        lines = [entry.line for entry in loki.stored()]
        assert len(lines) == len(set(lines)) == written
    return witness


@pytest.mark.parametrize("batchwait", ["0s", "20ms"])
@settings(max_examples=25, deadline=None)
@given(steps=st.lists(STEPS, max_size=20))
def test_what_a_label_set_depends_on_is_saved_before_its_first_push(batchwait: str, steps: list[Step]) -> None:
    with warnings.catch_warnings(action="ignore", category=ResourceWarning), tempfile.TemporaryDirectory() as directory:
        witness = asyncio.run(live(steps, Path(directory), batchwait))
        gc.collect()  # what a kill leaves open
    assert witness.surprises == []
    assert witness.pushes or not any(name == "write" for name, *_ in steps)
