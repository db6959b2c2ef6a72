"""What the machine needs: root, a few Debian packages, a Debian mirror. One line says what is missing."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

PACKAGES: Final = {"debootstrap": "debootstrap", "buildah": "buildah", "runc": "runc"}  # program -> its package
MIRROR: Final = "DEBIAN_MIRROR"


class Missing(Exception):
    """The check cannot run on this machine; the text says why."""


def demand() -> None:
    """Raises Missing."""
    if problem := lack(os.geteuid(), {program for program in PACKAGES if shutil.which(program)}):
        raise Missing(problem)


def lack(uid: int, programs: set[str]) -> str:
    """What is missing for this user with these programs; empty when nothing is."""
    if uid != 0:  # first, because the PATH of an ordinary user may not have the programs
        return "needs root: it makes a root file system and starts a container"
    if packages := [package for program, package in PACKAGES.items() if program not in programs]:
        return f"needs Debian packages: apt-get install --no-install-recommends {' '.join(packages)}"
    return ""


def mirror(environ: Mapping[str, str]) -> str:
    """The address of a Debian mirror: $DEBIAN_MIRROR, else the one apt is set up with. Raises Missing."""
    if named := environ.get(MIRROR):
        return named
    fields = "$(ORIGIN)|$(LABEL)|$(SITE)"
    command = ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if found := debian(told):
        return found
    raise Missing(f"apt on this machine has no Debian mirror (or needs `apt-get update`): set ${MIRROR}")


def debian(targets: str) -> str:
    """The first mirror of Debian itself in apt's targets, lines of origin|label|address; empty when there is none."""
    for line in targets.splitlines():
        origin, label, site = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian"):
            return site
    return ""
