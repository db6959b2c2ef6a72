"""python -m image: builds the image, runs its agent as the DaemonSet does, prints one table, sets an exit code."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from image import base, bundle, needs, pip
from image.builder import BASE, IMAGE, Builder
from image.layers import layers, strays
from image.node import ROOT
from image.scratch import scratch
from image.trial import NO_BYTECODE, STATE, prepared
from soak.report import Row, exit_code, table

CACHE: Final = ROOT / ".image"
LIMIT: Final = 122_000_000  # bytes of its own layers: a change that makes the image heavier must be noticed


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


def built(builder: Builder, tar: Path) -> list[Row]:
    """Build the image; what can be checked without running it."""
    builder.base(tar, base.ENVIRONMENT)
    say("building the image")
    began = time.monotonic()
    builder.build(ROOT, pip.setup())
    took = time.monotonic() - began
    below, own = layers(builder.export(BASE)), layers(builder.export(IMAGE))
    added = own[len(below) :]
    names = tuple(name for layer in added for name in layer.files)
    complaints, astray = bundle.complaints(builder.configuration()), strays(names)
    return [
        Row("built", f"{took:.0f} s on {tar.stem}, a stand-in for python:3.13-slim-trixie", True),
        Row("its own layers", _size(added), 0 < sum(layer.unpacked for layer in added) < LIMIT),
        Row("the stand-in", _size(below), bool(below)),
        Row("configuration", "; ".join(complaints) or "10001:0, exec form, no shell", not complaints),
        Row("files beside the agent and bytecode", " ".join(astray[:5]) or "none", not astray),
    ]


def found(inside: dict[str, Any]) -> list[Row]:
    """What a program inside the image has found."""
    lacking, installers = inside["not compiled"], inside["installers"]
    allowed = [place for place, refusal in inside["written"].items() if not refusal]
    return [
        Row("bytecode", f"{inside['sources']} modules, without: {' '.join(lacking[:5]) or 'none'}", not lacking),
        Row("installers beside the agent", " ".join(installers) or "none", not installers),
        Row("a program could write to", " ".join(allowed), allowed == [STATE]),
    ]


async def run(directory: Path, builder: Builder, times: int) -> list[Row]:
    """Run the image's agent, and measure its start."""
    async with prepared(directory, builder.mount(), builder.configuration()) as trial:
        say("running its agent")
        rows = found(await trial.inside()) + await trial.ships()
        say("measuring its start")
        with_it, without = await trial.start_up(times, {}), await trial.start_up(times, NO_BYTECODE)
    figures = f"{with_it:.2f} s; without any bytecode {without:.2f} s"
    return [*rows, Row("start to /ready, median", figures, with_it < without)]


def _size(weighed: list[Any]) -> str:
    packed, unpacked = sum(layer.packed for layer in weighed), sum(layer.unpacked for layer in weighed)
    return f"{unpacked / 1e6:.1f} MB, compressed {packed / 1e6:.1f} MB"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="image", description="Build and run the image without a registry.")
    parser.add_argument(
        "--cache",
        type=Path,
        default=CACHE,
        help="directory for the stand-in of the base image, which is kept, and for temporary files (default: .image)",
    )
    parser.add_argument(
        "--base",
        choices=("debian", "source"),
        default="debian",
        help="Python of the base: Debian's own (default), or built from source as the official image does; 10 minutes",
    )
    parser.add_argument("--starts", type=int, default=9, help="how many starts are measured (default: 9)")
    options = parser.parse_args()
    try:
        needs.demand()
        say(f"a base of Debian {base.SUITE}, kept in {options.cache}; its Python: {options.base}")
        tar = base.cached(options.cache, os.environ, options.base)
        with scratch(options.cache) as directory:
            builder = Builder(directory)
            rows = built(builder, tar) + asyncio.run(run(directory, builder, options.starts))
    except needs.Missing as missing:
        say(f"make image: {missing}")
        return 2
    except (RuntimeError, TimeoutError) as error:
        say(f"make image: {error}")
        return 1
    print(table(rows))
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
