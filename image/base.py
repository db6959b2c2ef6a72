"""A stand-in for the official image `python:*-slim`, for machines that reach no registry.

It has what the Dockerfile expects of its base: Python with venv, a shell and `install`. It has no bytecode of the
standard library, because the official images delete it. There are two: with Debian's own Python, in a minute, and with
Python from its sources below /usr/local, as the official image has it. Each is cached.
"""

import platform
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from image import source
from image.needs import mirror
from image.scratch import scratch

Kind = Literal["debian", "source"]

SUITE: Final = "trixie"  # as the Dockerfile's own default: its Python is 3.13
PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
LEFT_OUT: Final = ("dev", "proc", "sys", "var/cache", "var/log", "var/lib/apt", "usr/share/doc", "usr/share/man",
                   "usr/share/locale")  # fmt: skip
ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def cached(cache: Path, environ: Mapping[str, str], kind: Kind = "debian") -> Path:
    """The base's root file system as a tar, made if the cache has none. Raises Missing, RuntimeError."""
    suffix = "-source" if kind == "source" else ""
    path = cache / f"base-{SUITE}-{platform.machine()}{suffix}.tar"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _make(path, mirror(environ), kind)
    return path


def _make(path: Path, address: str, kind: Kind) -> None:
    with scratch(path.parent) as directory, path.with_suffix(".log").open("wb") as log:

        def run(*command: str | Path) -> None:
            if code := subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
                raise RuntimeError(f"{' '.join(map(str, command))} failed ({code}): {path.with_suffix('.log')}")

        def debian(name: str, packages: Sequence[str]) -> Path:
            root = directory / name
            run("debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, root, address)
            return root

        root = debian("root", source.LIBRARIES if kind == "source" else PACKAGES)
        if kind == "source":
            source.install(debian("workshop", source.BUILD), root, SUITE, address, run)
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
