"""The model of the whole agent, with more histories than `make test` has time for."""

import asyncio
import os
import re
import sys
import time
from asyncio.subprocess import PIPE, STDOUT
from typing import Final

from soak.report import Row

TEST: Final = "tests/faults/test_any_trouble.py"
A_SECOND: Final = 6  # histories, about


async def model(seconds: float) -> Row:
    """Runs it in a process of its own."""
    examples, began = max(10, int(seconds * A_SECOND)), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", TEST),
        env={**os.environ, "SHIPPER_EXAMPLES": str(examples)},
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    figures = f"{examples} histories of up to 25 faults in {time.monotonic() - began:.0f} s"
    if process.returncode:
        story = re.findall(r"^\s*\|?\s*(state\..*|AssertionError.*)$", text, re.MULTILINE)
        figures += f": {'; '.join(story[-30:])[:2000]}"
    return Row("model: any fault, in any order", figures, process.returncode == 0)
