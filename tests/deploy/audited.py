"""Every trial of the lab through a real Envoy, and what it wrote through the agent."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from lab import trials
from lab.loki import LokiReceiver
from lab.trials import Ran
from shipper.agent import Agent, Options
from shipper.config.file import parse

Verdict = tuple[str, str]  # failure_reason and side, as labels


@dataclass(frozen=True)
class Audited:
    """What Envoy wrote of each trial, and what the agent shipped of that with `keep: mtls`."""

    code: int  # of the agent
    ran: Ran
    shipped: dict[bytes, Verdict]

    def verdicts(self, name: str) -> list[Verdict]:
        """One for each line of the trial of this name that arrived."""
        return [self.shipped[line] for line in self.ran.lines[name] if line in self.shipped]


def audit(directory: Path, version: str) -> Audited:
    """All trials through the Envoy of this version, and its log through the agent."""
    return asyncio.run(_audit(directory, version))


async def _audit(directory: Path, version: str) -> Audited:
    ran = await trials.run(directory, version)
    return await shipped(ran, directory)


async def shipped(ran: Ran, directory: Path) -> Audited:
    """What the agent makes of a node's logs, with `keep: mtls`."""
    async with LokiReceiver() as loki:
        text = f"""
server: {{http_listen_port: 0}}
positions: {{filename: {directory / "positions.json"}}}
clients: [{{url: "{loki.url}", timeout: 5s}}]
scrape_configs: [{{pod_logs: {{root: {ran.pods}}}, keep: mtls}}]
"""
        code = await Agent(parse(text.encode(), "test.yaml", {}), Options(once=True)).run()
        arrived = {entry.line: (entry.labels["failure_reason"], entry.labels["side"]) for entry in loki.stored()}
    return Audited(code, ran, arrived)
