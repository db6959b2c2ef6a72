"""A release's text is the changelog's chapter of that version, and there is none without one."""

import subprocess
import sys

import pytest

from release.helm import ROOT
from release.notes import NotReleased, notes

CHANGELOG = """\
# Changelog

## Unreleased (0.3.0)

Not yet.

## 0.2.0 (2026-12-01)

Second.

* More.

## 0.1.0 (2026-11-01)

First.
"""


def test_the_text_is_that_chapter_and_no_other() -> None:
    assert notes("v0.2.0", "0.2.0", CHANGELOG) == "Second.\n\n* More.\n"
    assert notes("v0.1.0", "0.1.0", CHANGELOG) == "First.\n"


@pytest.mark.parametrize(
    ("tag", "version", "why"),
    [
        ("v0.2.1", "0.2.0", "the tag is v0.2.1, but"),
        ("0.2.0", "0.2.0", "v0.2.0 is its tag"),
        ("v0.3.0", "0.3.0", r"no chapter `## 0\.3\.0 \(YYYY-MM-DD\)`.* it has: Unreleased \(0\.3\.0\)"),
        ("v0.1", "0.1", "no chapter"),
    ],
)
def test_what_is_not_released_has_no_text(tag: str, version: str, why: str) -> None:
    with pytest.raises(NotReleased, match=why):
        notes(tag, version, CHANGELOG)


def test_the_command_says_what_keeps_a_tag_from_being_a_release() -> None:
    command = [sys.executable, "-m", "release.notes", "v99.0.0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "the tag is v99.0.0" in done.stderr
