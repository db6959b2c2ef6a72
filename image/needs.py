"""What the machine must have: root, a few Debian packages, a Debian mirror. Whatever is missing is said in one line."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

PACKAGES: Final = {"debootstrap": "debootstrap", "buildah": "buildah", "runc": "runc"}  # program -> its package
MIRROR: Final = "DEBIAN_MIRROR"


class Missing(Exception):
    """The check cannot be made on this machine, and why."""


def demand() -> None:
    """Raises Missing."""
    if problem := lack(os.geteuid(), {program for program in PACKAGES if shutil.which(program)}):
        raise Missing(problem)


def lack(uid: int, programs: set[str]) -> str:
    """What is missing, or nothing: who runs it, which programs are there."""
    if uid != 0:  # the first, for an ordinary user's path may not lead to the programs that are there
        return "needs root: it makes a root file system and starts a container"
    if packages := [package for program, package in PACKAGES.items() if program not in programs]:
        return f"needs Debian packages: apt-get install --no-install-recommends {' '.join(packages)}"
    return ""


def mirror(environ: Mapping[str, str]) -> str:
    """Where Debian's packages come from: as named by $DEBIAN_MIRROR, else as apt is set up. Raises Missing."""
    if named := environ.get(MIRROR):
        return named
    fields = "$(ORIGIN)|$(LABEL)|$(SITE)"
    command = ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if found := debian(told):
        return found
    raise Missing(f"apt on this machine knows no Debian mirror (or needs `apt-get update`): name one in ${MIRROR}")


def debian(targets: str) -> str:
    """The first mirror of Debian itself among apt's targets, one a line: origin|label|address."""
    for line in targets.splitlines():
        origin, label, site = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian"):
            return site
    return ""
