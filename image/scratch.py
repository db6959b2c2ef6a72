"""A directory for a while, and its careful end: what is mounted below it is never deleted through."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """An empty directory in `parent`, for that of temporary files may allow no devices; gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="scratch-", dir=parent)).resolve()
    try:
        yield directory
    finally:
        for mount in mounted(Path("/proc/self/mountinfo").read_text(), directory):
            subprocess.run(["umount", "--lazy", mount], check=True)  # or nothing is deleted
        shutil.rmtree(directory)


def mounted(mountinfo: str, directory: Path) -> list[str]:
    """The mount points below a directory, the innermost first."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return sorted((point for point in points if Path(point).is_relative_to(directory)), key=len, reverse=True)
