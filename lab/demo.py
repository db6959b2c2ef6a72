"""Real handshake failures of a real Envoy, and lines that a real ztunnel wrote, shipped to Loki and shown: `make demo`.

Ends by itself in seconds. LOKI_URL names a Loki to use; without it a stand-in runs here. The exit code is 0 when
everything that should have arrived did, and nothing else.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp

from lab import agent, clients, report, ztunnel
from lab.agent import Run
from lab.answers import SECOND
from lab.envoy import EnvoyUnavailableError
from lab.ink import HEAD, Ink, chosen, plain
from lab.loki import LokiReceiver
from lab.mesh import CALLED, INBOUND, Called, Mesh, mesh
from lab.outbound_config import host
from lab.query import Found, query_range
from lab.ztunnel import Written

SELECTOR = '{job="kubernetes-pods-istio-proxy"}'
PUSH = "/loki/api/v1/push"
VISIBLE_WITHIN = 5.0  # seconds a pushed entry may take to show up in a query

Say = Callable[[str], object]


class RunAgent(Protocol):
    """Ships what is below a directory, once (see `lab.agent.run_once`)."""

    def __call__(self, pods: Path, url: str, positions: Path, keep: str, *, direct: bool) -> Awaitable[Run]: ...


@dataclass(frozen=True, slots=True)
class Destination:
    """The Loki that is pushed to and asked."""

    base_url: str
    own: bool  # the stand-in

    @asynccontextmanager
    @staticmethod
    async def chosen(url: str) -> AsyncIterator["Destination"]:
        """The Loki at `url`, with or without the path of its push API; a stand-in when it is empty."""
        if url:
            yield Destination(url.removesuffix(PUSH).rstrip("/"), own=False)
            return
        async with LokiReceiver() as loki:
            yield Destination(loki.base_url, own=True)


class Demo:
    """The play, in three acts; what went wrong is collected, not thrown."""

    def __init__(self, loki: Destination, directory: Path, run_agent: RunAgent, say: Say, width: int, ink: Ink) -> None:
        self.problems: list[str] = []
        self._loki, self._directory, self._run_agent = loki, directory, run_agent
        self._say, self._width, self._ink = say, width, ink
        self._started = time.time_ns()
        self._made: list[Called] = []
        self._ambient: list[Written] = []
        self._seen: list[Found] = []
        self._shipped: dict[str, set[str]] = {}  # lines that arrived, by keep rule

    async def play(self) -> None:
        """All of it; aiohttp.ClientError when Loki can not be asked."""
        await self._query()  # before anything waits for a Loki that is away
        await self._fail_handshakes()
        await self._ship_timeouts()
        await self._ship_failures()
        self._tell_the_truth()

    async def _fail_handshakes(self) -> None:
        async with mesh(self._directory) as scene:
            self._say(f"Envoy    payment-service, STRICT mTLS, on {scene.envoy.address(INBOUND)}")
            self._say(f"log      {scene.log.path}")
            self._say(f"Envoy    storefront, the same with Istio's default log, on {scene.storefront.address(INBOUND)}")
            self._say(f"ztunnel  {ztunnel.POD}: lines that a real one wrote, text and JSON\n")
            self._made = await _all_calls(scene)
            self._ambient = ztunnel.run(scene.pods)
        self._say("The calls, from both ends")
        self._say(report.calls(self._made, self._width, self._ink))
        for one in self._made:
            failed, wanted = one.outcome.failed, bool(one.caller.failure)
            if failed != wanted or one.caller.reason not in report.cause(one.record):
                self.problems.append(f"{one.caller.name}: {one.outcome}, and Envoy says {one.record}")

    async def _ship_timeouts(self) -> None:
        run = await self._ship("ut")
        await self._show("ut", run, "response_flags", dict.fromkeys(self._slow(), "UT"))

    async def _ship_failures(self) -> None:
        run = await self._ship("mtls")
        if run.code == agent.USAGE:
            self._say("keep: mtls, which ships the failed handshakes, comes with a later version")
            return
        reasons = {one.line.decode(): one.caller.failure for one in self._made if one.caller.failure}
        reasons |= dict.fromkeys(self._slow(), "upstream_timeout")
        reasons |= {one.line: one.reason for one in self._ambient if one.reason}
        found = await self._show("mtls", run, "failure_reason", reasons)
        self._say("By reason, side and proxy: sides are not added up, for one failure may be a line at either end")
        self._say(report.counts(found, self._width, self._ink))
        self._count(found)

    def _count(self, found: list[Found]) -> None:
        """What came of the ztunnel, by reason and side, against what was to come."""
        wanted = Counter((one.reason, one.side, "ztunnel") for one in self._ambient if one.reason)
        counted = Counter({kind: number for kind, number in report.by_kind(found).items() if kind[2] == "ztunnel"})
        if counted != wanted:
            self.problems.append(f"of the ztunnel there should be {dict(wanted)}: {dict(counted)}")

    def _slow(self) -> list[str]:
        return [one.line.decode() for one in self._made if one.record["response_flags"] == "UT"]

    async def _ship(self, keep: str) -> Run:
        # Positions of its own for each rule: so each reads all of the log.
        pods, positions = self._directory / "pods", self._directory / f"positions-{keep}.json"
        started = time.monotonic()
        run = await self._run_agent(pods, self._loki.base_url + PUSH, positions, keep, direct=self._loki.own)
        took = time.monotonic() - started
        self._say(f"\nshipper run --once --keep {keep}: exit code {run.code} after {took:.1f} s")
        for warning in run.warnings:
            self._say(f"warning  {warning}")
        return run

    async def _show(self, keep: str, run: Run, label: str, expected: dict[str, str]) -> list[Found]:
        """What a run brought to Loki, against the lines expected and their value of this label."""
        found = await self._arrived(set(expected))
        self._seen += found
        self._shipped[keep] = {entry.line for entry in found}
        self._say(f"New in Loki: {SELECTOR}")
        self._say(report.arrived(found, self._width, self._ink))
        if run.ledger:
            self._say(f"ledger   {report.account(run.ledger)}")
        if run.code != agent.FINE:
            self.problems.append(f"the agent ended with code {run.code}:\n{run.output[-2000:]}")
        missing, beyond = expected.keys() - self._shipped[keep], self._shipped[keep] - expected.keys()
        if missing or beyond:
            counts = f"{len(missing)} of {len(expected)} lines missing, {len(beyond)} too many"
            self.problems.append(f"keep: {keep}: {counts}")
        for entry in found:
            if entry.labels.get(label) != expected.get(entry.line, entry.labels.get(label)):
                self.problems.append(f"keep: {keep}: {label} should be {expected[entry.line]}: {entry}")
        if run.ledger.get("sent") != len(expected) or run.ledger.get("pending") != 0:
            self.problems.append(f"the ledger should say sent={len(expected)} pending=0: {run.ledger}")
        return found

    async def _arrived(self, expected: set[str]) -> list[Found]:
        """This demo's entries that are new since the last look, once all are there or time is up."""
        ours = {one.line.decode() for one in self._made} | {one.line for one in self._ambient}
        until = time.monotonic() + (0 if self._loki.own else VISIBLE_WITHIN)  # the stand-in shows all at once
        while True:
            found = await self._query()
            found = [entry for entry in found if entry.line in ours and entry not in self._seen]
            if expected <= {entry.line for entry in found} or time.monotonic() > until:
                return found
            await asyncio.sleep(0.2)

    async def _query(self) -> list[Found]:
        return await query_range(self._loki.base_url, SELECTOR, self._started, time.time_ns() + SECOND)

    def _tell_the_truth(self) -> None:
        failed = [one for one in self._made if one.caller.failure]
        flagged = sum(one.record["response_flags"] == "UT" for one in failed)
        shipped = sum(one.line.decode() in self._shipped["ut"] for one in failed)
        self._say("\nThe truth about the failed handshakes")
        self._say(report.truth(self._made, self._shipped, self._width, self._ink))
        self._say("\nAnd about the ztunnel's log, where a failed handshake between two pods is a line at either end")
        self._say(report.of_ztunnel(self._ambient, self._shipped, self._width, self._ink))
        self._say(
            f"{len(failed)} handshakes with the Envoys failed, and {flagged or 'none'} of them is flagged UT, for UT "
            "means: the upstream took too long (HTTP 504).\n"
            f"keep: ut shipped the timeout and {shipped or 'none'} of the failures"
            + ("; keep: mtls shipped them, each with its reason." if "mtls" in self._shipped else ".")
        )


async def _all_calls(scene: Mesh) -> list[Called]:
    made = scene.certificates
    right, slow = clients.healthy(made), clients.impatient(made)
    out = clients.from_storefront(*(host(name) for name in CALLED))
    return [
        *[await scene.call(caller) for caller in (*clients.failing(made), right, right, right, slow)],
        *[await scene.call_storefront(caller) for caller in clients.failing_at_storefront()],
        *[await scene.call_from_storefront(caller) for caller in out],
    ]


async def main(url: str, say: Say = print, run_agent: RunAgent = agent.run_once, ink: Ink = plain) -> int:
    """Play, and tell how it went; returns the exit code."""
    width = shutil.get_terminal_size((140, 24)).columns
    with tempfile.TemporaryDirectory(prefix="mtls-demo-") as directory:
        async with Destination.chosen(url) as loki:
            say(f"Loki     {loki.base_url}" + (" (a stand-in; LOKI_URL names a real one)" if loki.own else ""))
            demo = Demo(loki, Path(directory), run_agent, say, width, ink)
            try:
                await demo.play()
            except (EnvoyUnavailableError, TimeoutError) as error:
                demo.problems.append(str(error) or "it took too long")
            except aiohttp.ClientError as error:
                demo.problems.append(f"Loki can not be asked: {error}")
    for problem in demo.problems:
        say(f"\n{ink(HEAD, 'NOT AS IT SHOULD BE')}: {problem}")
    return 1 if demo.problems else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(os.environ.get("LOKI_URL", ""), ink=chosen(sys.stdout, os.environ))))
    except KeyboardInterrupt:
        sys.exit(130)
