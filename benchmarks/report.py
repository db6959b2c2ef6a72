"""Results as Markdown tables, a plot and a JSON document. Formats numbers; measures nothing."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import pods
from benchmarks.measure import Measured, Results
from benchmarks.plan import GIB, MIB, Plan, Point
from benchmarks.plot import Panel, Series, svg

LIBRARIES = ("aiohttp", "orjson", "pyperscan", "stringzilla", "python-snappy", "msgspec")
NOTHING_KEPT = 1e-4  # where a share of nothing stands on a logarithmic axis

# Goals of the project. A ratio is to the floor of the same run.
GOALS = {0.001: ("read", 3.0), 0.01: ("read", 3.5), 1.0: ("parse", 2.5)}  # failures that are not kept are counted
STARTUP = 0.5  # CPU s
PUSH = 1.5  # times bare
IDLE = {200: 0.0025, 2000: 0.005}  # of a core, by files
RESIDENT = 48  # MiB
LATENCY = {"default": (300, 600), "batchwait: 0": (15, 40)}  # ms: p50, p99


def machine() -> dict[str, str]:
    """What the figures were measured on; nothing that names it."""
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )  # fmt: skip
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory / GIB:.0f} GiB",
        "system": f"Linux {platform.release().split('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def document(plan: Plan, results: Results) -> dict[str, Any]:
    """All of it, for a program."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "plan": plan.name,
        "machine": machine(),
        **asdict(results),
    }


def dump(told: dict[str, Any]) -> str:
    """As text."""
    return json.dumps(told, indent=1) + "\n"


def markdown(plan: Plan, results: Results) -> str:
    """All of it, for a reader."""
    where = machine()
    begin = f"{datetime.now(UTC):%Y-%m-%d}, the {plan.name} form (medians of {plan.rounds}). " + "; ".join(
        where.values()
    )
    parts = [
        begin + ".",
        "Cost, start-up subtracted:\n\n" + _costs(results, plan.anchors),
        "The same for other sizes, numbers of files and shares kept:\n\n"
        + _costs(results, plan.sizes + plan.files + plan.shares),
        "A log where all is well, of a sidecar and of a ztunnel:\n\n" + _healthy(plan, results),
        "What does not depend on the bytes:\n\n" + _constants(results),
        "One stage after the other:\n\n" + _stages(results),
    ]
    if peers := _peers(plan, results):
        parts.append("Others, on the same (smaller) corpora:\n\n" + peers)
    parts += [f"Not measured: {error}" for error in results.errors]
    return "\n\n".join(parts) + "\n"


def _costs(results: Results, points: Iterable[Point]) -> str:
    rows = []
    for one in (found for point in points if (found := _at(results, point))):
        floor, goal = GOALS.get(one.point.share, ("read", None))
        ratio = f"{one.ratios[floor]:.1f} times {floor}"
        rows.append(
            (
                str(one.point),
                f"{one.cpu_per_gb:.2f}",
                ratio + (f" (goal {goal:g})" if goal else ""),
                f"{one.cpu_per_gb - _push_cost(results, one):.2f}",
                " ".join(f"{name} {cost:.2f}" for name, cost in one.floors.items()),
                f"{one.mb_per_second:,.0f}",
                f"{one.lines_per_second:,.0f}",
                f"{one.peak / MIB:.0f}",
                f"{one.pushes:,}",
                f"{one.entries:,}",
                f"{one.first_push:.2f}",
            )
        )
    heads = (
        *("corpus", "CPU s/GB", "to the floor", "without pushes", "floors, CPU s/GB", "MB/s", "lines/s"),
        *("peak RSS, MiB", "pushes", "entries, all exact", "first push, s"),
    )
    return _table(heads, rows)


def _healthy(plan: Plan, results: Results) -> str:
    found = [one for point in plan.healthy if (one := _at(results, point))]
    sidecar = found[0].ratios["read"]
    rows = [
        (
            *(str(one.point), f"{one.cpu_per_gb:.2f}", f"{one.ratios['read']:.1f} times read"),
            f"{one.ratios['read'] / sidecar:.2f} times" + (" (goal 1)" if one.point.ztunnel else ""),
            *(f"{one.mb_per_second:,.0f}", f"{one.lines_per_second:,.0f}"),
        )
        for one in found
    ]
    return _table(("corpus", "CPU s/GB", "to the floor", "to a sidecar's", "MB/s", "lines/s"), rows)


def _constants(results: Results) -> str:
    ours = next(iter(results.startup))  # the agent is measured first
    rows = [
        (
            f"start-up of {name}",
            f"{one.cpu:.2f} CPU s{f' (goal {STARTUP:g})' if name == ours else ''}, {one.wall:.2f} s",
        )
        for name, one in results.startup.items()
    ]
    if push := results.push:
        micros = ", ".join(f"{name} {cost * 1e6:.0f} µs" for name, cost in asdict(push).items())
        rows.append(
            (
                "a push",
                f"{micros}; client {push.client / push.bare:.2f}, "
                f"sender {push.sender / push.bare:.2f} times bare (goal {PUSH:g})",
            )
        )
    for name, runs in results.idle.items():
        rows += [
            (f"idle, {name}, {one.files:,} files, {one.rate:g} lines/s",
             f"{one.core:.2%} of a core (goal {IDLE[one.files]:.2%}), "
             f"RSS {one.resident / MIB:.0f} MiB (goal {RESIDENT})")
            for one in runs
        ]  # fmt: skip
    rows += [
        (f"latency, {name}, 20 files, 100 kept lines/s",
         f"p50 {one.p50 * 1e3:.1f} ms, p99 {one.p99 * 1e3:.1f} ms ({_latency_goal(name)}), "
         f"{one.pushes} pushes, {one.core:.2%} of a core")
        for name, one in results.latency.items()
    ]  # fmt: skip
    rows += pods.rows(results.pods) if results.pods else []
    return _table(("what", "cost"), rows)


def _latency_goal(name: str) -> str:
    return next(f"goal {p50} and {p99}" for batching, (p50, p99) in LATENCY.items() if name.endswith(batching))


def _stages(results: Results) -> str:
    return _table(("stage", "per", "µs"), [(one.name, one.per, f"{one.micros:.2f}") for one in results.stages])


def _peers(plan: Plan, results: Results) -> str:
    rows = []
    for point in plan.peers:
        # the agent's last run on such a corpus stood beside theirs
        found = list({one.shipper: one for one in results.measured if one.point == point}.values())
        ours = next((one.cpu_per_gb for one in found), 0.0)
        rows += [
            (
                *(str(point), one.shipper, f"{one.cpu_per_gb:.2f}", f"{one.cpu_per_gb / ours:.1f} times"),
                *(f"{one.peak / MIB:.0f}", f"{one.pushes:,}"),
            )
            for one in found
        ]
    if not rows:
        return ""
    return _table(("corpus", "shipper", "CPU s/GB", "to this agent", "peak RSS, MiB", "pushes"), rows)


def _push_cost(results: Results, one: Measured) -> float:
    """CPU seconds per GB that the pushes account for, by the measured cost of one with few entries."""
    return one.pushes_per_gb * results.push.sender if results.push else 0.0


def _at(results: Results, point: Point) -> Measured | None:
    return next((one for one in results.measured if one.point == point), None)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plot(plan: Plan, results: Results) -> str:
    """Cost as a function of size, of files, and of the share kept."""
    anchor = plan.anchors[1]

    def size(point: Point) -> float:
        return point.size / GIB

    def files(point: Point) -> float:
        return point.pods

    def share(point: Point) -> float:
        return max(NOTHING_KEPT, point.share)

    by_size = sorted({anchor, *plan.sizes}, key=size)
    by_files = sorted({anchor, *plan.files}, key=files)
    by_share = sorted({*plan.anchors, *plan.shares}, key=share)

    def panel(
        title: str, across: str, points: Sequence[Point], place: Any, label: Any, *, steep: bool = False
    ) -> Panel:
        found = [(place(point), one) for point in points if (one := _at(results, point))]
        series = [
            Series("agent", [(x, one.cpu_per_gb) for x, one in found]),
            Series("without pushes", [(x, one.cpu_per_gb - _push_cost(results, one)) for x, one in found]),
            Series("reading alone", [(x, one.floors["read"]) for x, one in found]),
        ]
        return Panel(title, across, "CPU s/GB", series, label, logarithmic=steep)

    def plain(value: float) -> str:
        return f"{value:g}"

    def part(value: float) -> str:
        return "0" if value == NOTHING_KEPT else f"{value:.3g}".removeprefix("0")

    kept = f"{anchor.share:.0%} kept"
    return svg(
        [
            panel("by size", f"GiB; {kept}, {anchor.pods} files", by_size, size, plain),
            panel("by files", f"files; {kept}, {size(anchor):g} GiB", by_files, files, plain),
            panel("by share kept", f"share of lines kept; {anchor.pods} files", by_share, share, part, steep=True),
        ]
    )
