"""Runs inside the image and prints what it finds as JSON. Uses the standard library only."""

import errno
import importlib.util
import json
import sys
from importlib.metadata import distributions
from pathlib import Path

UNCHECKED = b"\x01\0\0\0"  # flags of bytecode that is valid whatever the times of its source


def voided(prefix: Path) -> tuple[int, list[str]]:
    """The number of sources, and those without valid bytecode."""
    sources = sorted(prefix.rglob("*.py"))
    return len(sources), [str(source) for source in sources if not _is_compiled(source)]


def _is_compiled(source: Path) -> bool:
    compiled = Path(importlib.util.cache_from_source(source))
    if not compiled.exists():
        return False
    head = compiled.read_bytes()[:16]
    return head == importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source.read_bytes())


def writing(directory: str) -> str:
    """Try to create a file there: the name of the error, or an empty text."""
    try:
        (Path(directory) / "written").touch()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def main() -> None:
    """`python inside.py DIRECTORY...`: tries to write to each."""
    sources, lacking = voided(Path(sys.prefix) / "lib")
    found = {
        "python": sys.version.split()[0],
        "packages": {each.name: each.version for each in distributions()},
        "installers": [name for name in ("pip", "setuptools", "wheel") if importlib.util.find_spec(name)],
        "sources": sources,
        "not compiled": lacking,
        "written": {directory: writing(directory) for directory in sys.argv[1:]},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
