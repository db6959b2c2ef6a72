"""CPython from its own sources below /usr/local, as the official image `python:*-slim` has it.

The sources are those that Debian keeps, without Debian's patches; the options are the official image's, but for the two
that only make it faster (--enable-optimizations, --with-lto), which take an hour here.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

NAME: Final = "python3.13"
LIBRARIES: Final = ("ca-certificates", "libbz2-1.0", "libffi8", "liblzma5", "libncursesw6", "libreadline8t64",
                    "libsqlite3-0", "libssl3t64", "libuuid1", "netbase", "tzdata", "zlib1g")  # fmt: skip
BUILD: Final = ("dpkg-dev", "gcc", "libbz2-dev", "libc6-dev", "libffi-dev", "liblzma-dev", "libncurses-dev",
                "libreadline-dev", "libsqlite3-dev", "libssl-dev", "make", "pkgconf", "uuid-dev",
                "xz-utils", "zlib1g-dev")  # fmt: skip
OPTIONS: Final = ("--enable-loadable-sqlite-extensions", "--enable-option-checking=fatal", "--enable-shared",
                  "--with-ensurepip")  # fmt: skip

Run = Callable[..., None]


def install(workshop: Path, root: Path, suite: str, mirror: str, run: Run) -> None:
    """Build in one Debian root file system, which has `BUILD`, and install into another, which has `LIBRARIES`.

    `run` runs a command and raises RuntimeError if it fails.
    """
    (workshop / "etc/apt/sources.list.d/source.list").write_text(f"deb-src {mirror} {suite} main\n")
    shutil.copy("/etc/resolv.conf", workshop / "etc/resolv.conf")
    sources = workshop / "usr/src"
    inside = ("chroot", str(workshop), "env", "--chdir=/usr/src", f"MAKEFLAGS=-j{os.cpu_count() or 1}")
    run(*inside, "apt-get", "update")
    run(*inside, "apt-get", "source", "--download-only", NAME)
    (archive,) = sources.glob(f"{NAME}_*.orig.tar.xz")
    (sources / "python").mkdir()
    run("tar", "--extract", "--file", archive, "--directory", sources / "python", "--strip-components=1")
    build = (*inside[:3], "--chdir=/usr/src/python", *inside[4:])
    run(*build, "./configure", "--quiet", *OPTIONS)
    run(*build, "make", "--silent")
    run(*build, "make", "--silent", "install", "DESTDIR=/usr/src/installed")
    installed = sources / "installed/usr/local"
    shutil.copytree(installed, root / "usr/local", symlinks=True, dirs_exist_ok=True)
    run("chroot", str(root), "ldconfig")
    leave_out(root / "usr/local")


def leave_out(prefix: Path) -> None:
    """What the official image deletes: the standard library's tests, static libraries. (Bytecode goes in any case.)"""
    for path in [*prefix.rglob("test"), *prefix.rglob("tests"), *prefix.rglob("idle_test")]:
        if path.is_dir():
            shutil.rmtree(path)
    for path in prefix.rglob("*.a"):
        path.unlink()
