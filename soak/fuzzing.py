"""The pipeline's fuzz target under atheris, for a while, on a copy of the saved corpus."""

import asyncio
import os
import re
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Final

from soak.report import Row

TARGET: Final = Path("tests/fuzz/target.py")
CORPUS: Final = TARGET.with_name("corpus")
NAME: Final = "fuzzing: CRI, records, both text formats, labels, blocks"
FOUND: Final = Path("fuzz-found")  # inputs that broke a promise
INSTALL: Final = "atheris is not installed: pip install atheris; ATHERIS_PYTHON names a Python that has it"


async def fuzzing(seconds: float) -> Row:
    """Runs the target; a finding is kept as a file and breaks the promise."""
    python = os.environ.get("ATHERIS_PYTHON", sys.executable)
    code, _ = await _output(python, "-c", "import atheris")
    if code:
        return Row(NAME, "", None, INSTALL)
    with tempfile.TemporaryDirectory() as corpus:
        shutil.copytree(CORPUS, corpus, dirs_exist_ok=True)
        code, output = await _output(
            *(python, str(TARGET), corpus, f"-max_total_time={seconds:.0f}", "-max_len=4000", "-timeout=20"),
            f"-artifact_prefix={FOUND}-",
        )
    if code:
        return Row(NAME, f"broken by the input in {FOUND}-*: {output[-300:]!r}", False)
    runs = re.findall(r"^#(\d+)", output, re.MULTILINE)
    return Row(NAME, f"{int(runs[-1]) if runs else 0:,} inputs in {seconds:.0f} s, none broke a promise", True)


async def _output(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")
