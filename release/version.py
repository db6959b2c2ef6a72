"""Puts the version of shipper/__init__.py wherever else a version has to stand: `make manifests`.

To release: change it there, give the changelog's first chapter that version and a date, `make manifests`, and tag the
commit.
"""

import re
from typing import Final

from release.helm import ROOT
from shipper import __version__

_NUMBER: Final = r"\d+\.\d+\.\d+(?:[-+.\w]*\w)?"
PLACES: Final = {
    "Dockerfile": r"(?m)^(ARG VERSION=).*$",
    "README.md": rf"(/mtls-shipper:){_NUMBER}",
    "deploy/README.md": rf"(/mtls-shipper:){_NUMBER}",
    "deploy/helm/mtls-shipper/Chart.yaml": r"(?m)^((?:version|appVersion): ).*$",
}


def stamped(place: str, text: str, version: str = __version__) -> str:
    """The text of one of these files with this version in it. Raises ValueError where no version stands."""
    found, count = re.subn(PLACES[place], rf"\g<1>{version}", text)
    if not count:
        raise ValueError(f"{place}: no version to replace")
    return found


if __name__ == "__main__":
    for name in PLACES:
        path = ROOT / name
        path.write_text(stamped(name, path.read_text("utf-8")), "utf-8")
