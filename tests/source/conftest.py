"""A container's log, and those who read it by hand or by themselves; nothing is settled before the test says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.containerd import LogWriter
from tests.source.reading import Following, Kept, MakeFollowing, MakeReading, Reading, kept_line


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogWriter]:
    with LogWriter(tmp_path) as writer:
        yield writer


@pytest.fixture
def follow() -> Iterator[MakeFollowing]:
    """Makes followers, and closes what they hold."""
    made = []

    def make(*arguments: Any, **settings: Any) -> Following:
        made.append(Following(*arguments, **settings))
        return made[-1]

    yield make
    for following in made:
        following.close()


@pytest.fixture
def following(follow: MakeFollowing, log: LogWriter) -> Following:
    return follow(log.directory)


@pytest.fixture
def reading(tmp_path: Path) -> MakeReading:
    """Makes readers of the directory, or of another."""
    return lambda root=tmp_path, **settings: Reading(root, **settings)


@pytest.fixture(scope="session")
def kept() -> Kept:
    """Makes lines that are kept."""
    return kept_line
