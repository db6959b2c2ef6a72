"""A temporary directory that is removed safely: mounts below it are detached first."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """An empty directory in `parent`, removed at the end. Not in /tmp, which may be mounted without devices."""
    directory = Path(tempfile.mkdtemp(prefix="scratch-", dir=parent)).resolve()
    try:
        yield directory
    finally:
        for mount in mounted(Path("/proc/self/mountinfo").read_text(), directory):
            subprocess.run(["umount", "--lazy", mount], check=True)  # an error here must keep the files
        shutil.rmtree(directory)


def mounted(mountinfo: str, directory: Path) -> list[str]:
    """Mount points below a directory, the innermost first."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return sorted((point for point in points if Path(point).is_relative_to(directory)), key=len, reverse=True)
