"""What happens to a path over links is told to whose path it is."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from shipper.source.discovery.inotify import CHANGES, WRITES, Watcher
from shipper.source.discovery.links import Links, way
from tests.source.reading import without_inotify


class Watched:
    """Links, and who was concerned by what has happened since it was asked last."""

    def __init__(self) -> None:
        self._watchers = Watcher(CHANGES), Watcher(WRITES)
        self.links: Links[str] = Links(*self._watchers)

    def concerned(self) -> set[tuple[str, str]]:
        changes = chain.from_iterable(watcher.changes() for watcher in self._watchers)
        return {found for change in changes if change for found in self.links.concerned(change)}

    def close(self) -> None:
        for watcher in self._watchers:
            watcher.close()


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.close()


def test_a_way_without_links_is_its_last_entry(tmp_path: Path) -> None:
    assert way(f"{tmp_path}/./x/../app.log") == [(str(tmp_path), "x")]
    (tmp_path / "x").mkdir()
    assert way(f"{tmp_path}/./x/../app.log") == [(str(tmp_path), "app.log")]


def test_a_way_over_links_is_each_of_them_and_the_file(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "c" / "real.log").touch()
    (tmp_path / "b" / "c").symlink_to("../c")
    (tmp_path / "a" / "app.log").symlink_to(tmp_path / "b" / "c" / "real.log")
    assert way(str(tmp_path / "a" / "app.log")) == [
        (str(tmp_path / "a"), "app.log"),
        (str(tmp_path / "b"), "c"),
        (str(tmp_path / "c"), "real.log"),
    ]


def test_a_way_ends_where_something_is_missing(tmp_path: Path) -> None:
    (tmp_path / "app.log").symlink_to(tmp_path / "gone" / "there" / "real.log")
    assert way(str(tmp_path / "app.log")) == [(str(tmp_path), "app.log"), (str(tmp_path), "gone")]


def test_a_circle_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert (str(tmp_path), "a") in way(str(tmp_path / "a"))


def test_what_a_link_leads_to_is_watched(watched: Watched, tmp_path: Path) -> None:
    real, root = tmp_path / "real", tmp_path / "root"
    real.mkdir()
    root.mkdir()
    (real / "0.log").touch()
    (root / "app.log").symlink_to(real / "0.log")
    assert watched.links.watch("us", {"app.log": str(root / "app.log")})
    with (real / "0.log").open("ab") as file:
        file.write(b"x")
    assert watched.concerned() == {("us", "app.log")}
    (real / "other").touch()
    assert watched.concerned() == set()
    (real / "0.log").rename(real / "0.log.1")
    assert watched.concerned() == {("us", "app.log")}
    (real / "0.log").touch()
    assert watched.concerned() == {("us", "app.log")}


def test_a_directory_on_the_way_that_goes_and_comes_is_told(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "0.log").touch()
    (tmp_path / "app.log").symlink_to(tmp_path / "real" / "0.log")
    paths = {"app.log": str(tmp_path / "app.log")}
    assert watched.links.watch("us", paths)
    (tmp_path / "real" / "0.log").unlink()
    (tmp_path / "real").rmdir()
    assert watched.concerned() == {("us", "app.log")}
    assert watched.links.watch("us", paths)
    (tmp_path / "real").mkdir()
    assert watched.concerned() == {("us", "app.log")}


def test_who_is_gone_is_told_no_more(watched: Watched, tmp_path: Path) -> None:
    watched.links.watch("us", {"": str(tmp_path / "a")})
    watched.links.watch("them", {"": str(tmp_path / "a")})
    watched.links.forget("us")
    watched.links.forget("us")
    (tmp_path / "a").touch()
    assert watched.concerned() == {("them", "")}


def test_what_cannot_be_watched_is_told(tmp_path: Path) -> None:
    links: Links[str] = Links(without_inotify(CHANGES), without_inotify(WRITES))
    assert not links.watch("us", {"": str(tmp_path)})
    assert links.watch("us", {})
