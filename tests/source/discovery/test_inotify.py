import errno
import select
from collections.abc import Iterator
from pathlib import Path

import pytest
from inotify_simple import INotify

from shipper.source.discovery.inotify import Change, Watcher


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


def test_what_happens_in_a_directory_is_told(watcher: Watcher, tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    assert watcher.add(str(tmp_path))
    log.touch()
    assert Change(str(tmp_path), "0.log", wrote=False) in list(watcher.changes())
    log.write_bytes(b"a\n")
    assert list(watcher.changes()) == [Change(str(tmp_path), "0.log", wrote=True)]
    log.rename(tmp_path / "0.log.1")
    assert list(watcher.changes()) == [
        Change(str(tmp_path), "0.log", wrote=False),
        Change(str(tmp_path), "0.log.1", wrote=False),
    ]
    (tmp_path / "0.log.1").unlink()
    assert Change(str(tmp_path), "0.log.1", wrote=False) in list(watcher.changes())
    assert list(watcher.changes()) == []


def test_a_file_that_may_be_read_now_is_told(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "0.log").touch(mode=0o000)
    watcher.add(str(tmp_path))
    (tmp_path / "0.log").chmod(0o640)
    assert list(watcher.changes()) == [Change(str(tmp_path), "0.log", wrote=False)]


def test_the_descriptor_shows_that_there_is_something(watcher: Watcher, tmp_path: Path) -> None:
    watcher.add(str(tmp_path))
    fd = watcher.fileno()
    assert fd is not None
    assert select.select([fd], [], [], 0)[0] == []
    (tmp_path / "0.log").touch()
    assert select.select([fd], [], [], 0)[0] == [fd]


def test_a_directory_that_came_again_can_be_watched_again(watcher: Watcher, tmp_path: Path) -> None:
    directory = tmp_path / "pod"
    directory.mkdir()
    assert watcher.add(str(directory))
    directory.rmdir()
    assert Change(str(directory), "", wrote=False) in list(watcher.changes())
    assert not watcher.add(str(directory))
    directory.mkdir()
    assert watcher.add(str(directory))
    (directory / "0.log").touch()
    assert Change(str(directory), "0.log", wrote=False) in list(watcher.changes())


def test_a_directory_is_watched_once(watcher: Watcher, tmp_path: Path) -> None:
    assert watcher.add(str(tmp_path))
    assert watcher.add(str(tmp_path))
    (tmp_path / "0.log").mkdir()
    assert len(list(watcher.changes())) == 1


def test_what_is_no_directory_is_not_watched_and_no_trouble(
    watcher: Watcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    assert not watcher.add(str(tmp_path / "file"))
    assert not watcher.add(str(tmp_path / "gone"))
    assert not caplog.records


def test_too_many_changes_mean_that_everything_must_be_looked_at(watcher: Watcher, tmp_path: Path) -> None:
    watcher.add(str(tmp_path))
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    log = tmp_path / "0.log"
    other = tmp_path / "1.log"
    with log.open("ab", buffering=0) as first, other.open("ab", buffering=0) as second:
        for _ in range(most // 2 + 2):  # in turns, for the kernel merges equal ones
            first.write(b"x")
            second.write(b"x")
    assert None in list(watcher.changes())


class Full(INotify):  # type: ignore[misc]
    """Has no watch left."""

    def add_watch(self, path: str, mask: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_limit_of_watches_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watcher = Watcher(connect=Full)
    assert not watcher.add(str(tmp_path))
    assert not watcher.add(str(tmp_path))
    watcher.close()
    assert caplog.text.count("max_user_watches") == 1


def test_without_inotify_there_is_nothing_to_wait_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def refuses() -> INotify:
        raise OSError(errno.EMFILE, "Too many open files")

    watcher = Watcher(connect=refuses)
    assert watcher.fileno() is None
    assert not watcher.add(str(tmp_path))
    assert list(watcher.changes()) == []
    watcher.close()
    assert caplog.text.count("max_user_instances") == 1


def test_a_name_that_leads_elsewhere_by_now_is_watched_there(watcher: Watcher, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("a")
    link = str(tmp_path / "link")
    assert watcher.add(link)
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    assert watcher.add(link)
    (tmp_path / "a" / "old").touch()
    (tmp_path / "b" / "new").touch()
    assert set(watcher.changes()) == {Change(link, "new", wrote=False)}


def test_a_directory_of_two_names_is_told_under_both(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        assert watcher.add(str(tmp_path / name))
    (tmp_path / "a" / "0.log").mkdir()
    assert {change.directory for change in watcher.changes() if change} == {
        str(tmp_path / "a"),
        str(tmp_path / "link"),
    }
