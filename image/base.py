"""A stand-in for the official image `python:*-slim`, for machines that reach no registry.

It has what the Dockerfile expects of its base: Python with venv, a shell and `install`. It has no bytecode of the
standard library, because the official images delete it. It is cached, because making it takes a minute.
"""

import platform
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from image.needs import mirror
from image.scratch import scratch

SUITE: Final = "trixie"  # as the Dockerfile's own default: its Python is 3.13
PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
LEFT_OUT: Final = ("dev", "proc", "sys", "var/cache", "var/log", "var/lib/apt", "usr/share/doc", "usr/share/man",
                   "usr/share/locale")  # fmt: skip
ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def cached(cache: Path, environ: Mapping[str, str]) -> Path:
    """The base's root file system as a tar, made if the cache has none. Raises Missing, RuntimeError."""
    path = cache / f"base-{SUITE}-{platform.machine()}.tar"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _make(path, mirror(environ))
    return path


def _make(path: Path, source: str) -> None:
    with scratch(path.parent) as directory:
        root, log = directory / "root", path.with_suffix(".log")
        with log.open("wb") as output:
            command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), source]
            code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
        if code:
            raise RuntimeError(f"debootstrap failed ({code}): {log}")
        (root / "etc" / "pip.conf").touch()  # the mount point for the machine's own
        temporary = path.with_suffix(".part")
        with tarfile.open(temporary, "w") as tar:
            tar.add(root, ".", filter=_kept)
        temporary.rename(path)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Keeps directories; drops bytecode and the contents of the directories left out."""
    return member if is_kept(member.name.removeprefix("./")) else None


def is_kept(name: str) -> bool:
    """Whether the base has this path."""
    return not (name.endswith(".pyc") or any(name.startswith(f"{directory}/") for directory in LEFT_OUT))
