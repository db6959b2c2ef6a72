"""python -m soak [MINUTES]: all of it, one table, and an exit code.

`--backlog-mib` and `--backlog-dir` make the start on a backlog larger than the short form; `--only` chooses parts.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from soak.backlog import backlog
from soak.crashes import crashes
from soak.fuzzing import fuzzing
from soak.model import model
from soak.network import network
from soak.report import Row, exit_code, table
from soak.steady import steady

MINUTES: Final = 10.0
KILLS: Final = 20  # a minute: 200 by default
SEED: Final = 20261123

Part = Callable[[argparse.Namespace], Awaitable[list[Row]]]


async def killed(options: argparse.Namespace) -> list[Row]:
    """SIGKILL at random moments."""
    async with crashes(SEED) as series:
        outcome = await series.run(max(5, round(KILLS * options.minutes)), say)
    figures = f"{outcome.kills} kills, {outcome.rotations} rotations; {outcome.verdict}"
    return [Row("kill -9 at random moments, Loki failing", figures, outcome.is_fine)]


async def on_a_backlog(options: argparse.Namespace) -> list[Row]:
    """The start on unread logs."""
    directory = Path(options.backlog_dir) if options.backlog_dir else None
    return await backlog(options.backlog_mib << 20, max(3.0, options.minutes), directory)


async def impaired_network(options: argparse.Namespace) -> list[Row]:
    """Partition, delay and loss between agent and Loki."""
    return [await network(4.2 * options.minutes)]


async def modelled(options: argparse.Namespace) -> list[Row]:
    """The model's histories."""
    return [await model(6 * options.minutes)]


async def fuzzed(options: argparse.Namespace) -> list[Row]:
    """Hostile bytes."""
    return [await fuzzing(6 * options.minutes)]


async def watched(options: argparse.Namespace) -> list[Row]:
    """What may not grow."""
    return await steady(max(15.0, 18 * options.minutes))


PARTS: Final[dict[str, Part]] = {
    "backlog": on_a_backlog,
    "network": impaired_network,
    "kills": killed,
    "model": modelled,
    "fuzz": fuzzed,
    "steady": watched,
}


def say(text: str) -> None:
    """How far it is."""
    print(text, file=sys.stderr, flush=True)


async def main(options: argparse.Namespace) -> int:
    """The parts, one after the other; the exit code."""
    rows: list[Row] = []
    for name in options.only or PARTS:
        began = time.monotonic()
        rows += await PARTS[name](options)
        say(f"{name}: {rows[-1].verdict}, {time.monotonic() - began:.0f} s")
    print(table(rows))
    return exit_code(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="soak", description="Tests that need time: kills, leaks, hostile bytes, bad networks."
    )
    parser.add_argument("minutes", nargs="?", type=float, default=MINUTES, help="about how long; 10")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--backlog-mib", type=int, default=64, help="MiB of unread logs; 64")
    parser.add_argument("--backlog-dir", help="where they are written; the directory for temporary files")
    sys.exit(asyncio.run(main(parser.parse_args())))
