"""The chapter of CHANGELOG.md that is of this version: `python -m release.notes v0.1.0` prints it, as a release's text.

It fails where the tag, the version in the code and the changelog do not say the same.
"""

import re
import sys

from release.helm import ROOT
from shipper import __version__


class NotReleased(Exception):
    """The tree is not that of a release; the message says why."""


def notes(tag: str, version: str, changelog: str) -> str:
    """The text below the version's heading. Raises NotReleased."""
    if tag != f"v{version}":
        raise NotReleased(f"the tag is {tag}, but shipper/__init__.py has {version}: v{version} is its tag")
    chapters = re.split(r"^## (.+)\n", changelog, flags=re.MULTILINE)
    texts = dict(zip(chapters[1::2], chapters[2::2], strict=True))
    for heading, text in texts.items():
        if re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", heading) and text.strip():
            return text.strip() + "\n"
    raise NotReleased(
        f"CHANGELOG.md has no chapter `## {version} (YYYY-MM-DD)` with a text; it has: {', '.join(texts)}"
    )


def main() -> int:
    """Run the command."""
    if len(sys.argv) != 2:
        print("usage: python -m release.notes TAG", file=sys.stderr)
        return 2
    try:
        text = notes(sys.argv[1], __version__, (ROOT / "CHANGELOG.md").read_text("utf-8"))
    except NotReleased as error:
        print(error, file=sys.stderr)
        return 1
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
