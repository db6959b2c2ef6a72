"""Looks around in the image, and prints what it finds as JSON. Runs in there: needs the standard library alone."""

import errno
import importlib.util
import json
import sys
from importlib.metadata import distributions
from pathlib import Path

UNCHECKED = b"\x01\0\0\0"  # the flags of bytecode that holds whatever the times of its source are


def voided(prefix: Path) -> tuple[int, list[str]]:
    """How many sources there are, and which of them have no bytecode that holds for them."""
    sources = sorted(prefix.rglob("*.py"))
    return len(sources), [str(source) for source in sources if not _is_compiled(source)]


def _is_compiled(source: Path) -> bool:
    compiled = Path(importlib.util.cache_from_source(source))
    if not compiled.exists():
        return False
    head = compiled.read_bytes()[:16]
    return head == importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source.read_bytes())


def writing(directory: str) -> str:
    """What comes of making a file there: nothing, or why not."""
    try:
        (Path(directory) / "written").touch()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def main() -> None:
    """`python inside.py DIRECTORY...`: those to write to."""
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
