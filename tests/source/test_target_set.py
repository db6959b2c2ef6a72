"""Which logs are followed, and which of them are to be read."""

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.containerd import LogWriter
from shipper.config import PodLogsConfig
from shipper.metrics import Metrics
from shipper.model import Target
from shipper.source.accounting import Accounting
from shipper.source.discovery.inotify import Watcher
from shipper.source.discovery.targets import Found, Targets
from shipper.source.follower import Follower
from shipper.source.positions.file import SavedTarget
from shipper.source.positions.snapshot import Snapshot
from shipper.source.tail.look_back import StartPolicy
from shipper.source.target_set import TargetSet
from shipper.source.timing import Timing
from tests.source.reading import by_path, make_pipeline, without_inotify

Make = Callable[..., "Scene"]


class Scene:
    """A target set, and the logs that it said are to be read."""

    def __init__(
        self, root: Path, saved: dict[str, SavedTarget], watcher: Callable[[int], Watcher], *, known: bool
    ) -> None:
        self.metrics, self.known = Metrics(), known
        self.changed: list[str] = []
        pipeline = make_pipeline()
        self.admission = pipeline.admission
        self.snapshot = Snapshot(self.admission, pipeline.answers, saved)
        self.logs = TargetSet(
            Targets(root, PodLogsConfig()),
            pipeline,
            self._name,
            StartPolicy(math.inf),
            Accounting(self.metrics),
            self.snapshot,
            saved,
            Timing(),
            lambda follower: self.changed.append(follower.target.key),
            lambda follower, memory, moved: None,
            watcher,
        )

    def _name(self, found: Found, saved: SavedTarget) -> Target | None:
        return by_path(found, saved) if self.known or saved.fields else None

    def news(self) -> set[str]:
        """The keys of the logs that are to be read since it was asked last."""
        news, self.changed = set(self.changed), []
        return news

    @property
    def only(self) -> Follower:
        (follower,) = self.logs.followers.values()
        return follower


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Scene] = []

    def make(
        saved: dict[str, SavedTarget] | None = None,
        watcher: Callable[[int], Watcher] = Watcher,
        *,
        known: bool = True,
        root: Path = tmp_path,
    ) -> Scene:
        made.append(Scene(root, saved or {}, watcher, known=known))
        return made[-1]

    yield make
    for scene in made:
        scene.logs.close()


def key_of(log: LogWriter) -> str:
    return f"{log.pod_directory.name}/istio-proxy"


@pytest.fixture
def quiet(make: Make, log: LogWriter) -> Scene:
    """A scene in which the log was listed, and nothing has happened since."""
    scene = make()
    scene.logs.scan()
    scene.only.files.refresh(0.0)
    scene.logs.note_changes()
    scene.news()
    return scene


def test_what_is_there_is_followed_from_the_first_scan_on(make: Make, log: LogWriter) -> None:
    scene = make()
    assert not scene.logs.is_scanned
    scene.logs.scan()
    assert scene.logs.is_scanned
    assert scene.news() == set(scene.logs.followers) == {key_of(log)}


def test_a_write_is_noted_and_is_no_change_of_the_directory(quiet: Scene, log: LogWriter) -> None:
    log.write(b"{}")
    assert quiet.logs.note_changes()
    assert quiet.news() == {key_of(log)}
    assert not quiet.only.files.must_list


def test_a_rotation_is_noted_and_is_no_write_alone(quiet: Scene, log: LogWriter) -> None:
    log.rename()
    assert not quiet.logs.note_changes()
    assert quiet.news() == {key_of(log)}
    assert quiet.only.files.must_list


def test_a_new_pod_is_found_by_its_directory(make: Make, log: LogWriter, tmp_path: Path) -> None:
    scene = make()
    scene.logs.scan()
    scene.news()
    with LogWriter(tmp_path, pod="new-0") as new:
        scene.logs.note_changes()
        assert key_of(new) in scene.news()


def test_without_watches_directories_are_listed_when_that_is_asked(make: Make, log: LogWriter, tmp_path: Path) -> None:
    scene = make(watcher=without_inotify)
    scene.logs.scan()
    assert scene.logs.has_unwatched
    scene.news()
    with LogWriter(tmp_path, pod="new-0") as new:
        assert not scene.logs.note_changes()
        assert not scene.news()
        scene.logs.scan_unwatched()
        assert scene.news() == {key_of(log), key_of(new)}


def test_a_saved_target_that_is_gone_is_forgotten_and_counted(make: Make, log: LogWriter) -> None:
    gone = SavedTarget({"app": "x"}, [{"termination_details": "b"}])
    scene = make({"gone_0_0/istio-proxy": gone})
    assert len(scene.admission) == 1
    assert set(scene.snapshot.encoded()) == {"gone_0_0/istio-proxy"}
    scene.logs.scan()
    assert len(scene.admission) == 0
    assert set(scene.snapshot.encoded()) == {key_of(log)}


def test_a_log_without_a_name_is_not_saved_until_it_has_one(make: Make, log: LogWriter) -> None:
    scene = make(known=False)
    scene.logs.scan()
    assert not scene.logs.name(scene.only)
    assert scene.snapshot.encoded() == {}
    before, scene.known = scene.snapshot.label_generation, True
    assert scene.logs.name(scene.only)
    assert scene.only.target.fields["app"] == "payment-service"
    assert set(scene.snapshot.encoded()) == {key_of(log)}
    assert scene.snapshot.label_generation > before


def test_of_a_dropped_log_nothing_is_left(make: Make, log: LogWriter) -> None:
    scene = make()
    scene.logs.scan()
    scene.logs.touch(scene.only)
    shutil.rmtree(log.pod_directory)
    scene.logs.drop(scene.only)
    assert not scene.logs.followers
    assert scene.snapshot.encoded() == {}


def test_a_root_that_cannot_be_listed_is_an_error_only_where_it_is_required(make: Make, tmp_path: Path) -> None:
    scene = make()
    tmp_path.rmdir()
    scene.logs.scan()
    assert not scene.logs.is_scanned
    with pytest.raises(FileNotFoundError):
        scene.logs.scan(required=True)


def test_a_directory_made_again_under_the_same_name_is_to_be_listed(quiet: Scene, log: LogWriter) -> None:
    """As of a static pod, whose uid stays: what was written before the new watch must be seen, too."""
    log.delete()
    log.directory.mkdir(parents=True)
    (log.directory / "0.log").write_bytes(b"{}\n")
    quiet.logs.note_changes()
    assert key_of(log) in quiet.news()
    assert quiet.only.files.must_list
    quiet.only.files.refresh(0.0)
    quiet.logs.note_changes()
    quiet.news()
    with (log.directory / "0.log").open("ab") as file:  # and its writes are heard
        file.write(b"{}\n")
    assert quiet.logs.note_changes()
    assert quiet.news() == {key_of(log)}


class Linked:
    """A plain directory with a link in it, which was listed; nothing has happened since."""

    def __init__(self, scene: Scene, root: Path) -> None:
        self.scene, self.link, self.real = scene, root / "app.log", root.parent / "real" / "0.log"
        self.real.parent.mkdir(exist_ok=True)
        self.real.write_bytes(b"{}\n")
        self.link.symlink_to(self.real)
        scene.logs.scan()
        self.look()

    def look(self) -> None:
        self.scene.only.files.refresh(0.0)
        self.scene.logs.listed(self.scene.only)
        self.scene.logs.note_changes()
        self.scene.news()


@pytest.fixture
def linked(tmp_path: Path, make: Make) -> Linked:
    root = tmp_path / "root"
    root.mkdir()
    return Linked(make(root=root), root)


def test_a_write_behind_a_link_is_noted_and_nothing_is_listed(linked: Linked) -> None:
    assert not linked.scene.logs.has_unwatched
    with linked.real.open("ab") as file:
        file.write(b"{}\n")
    assert linked.scene.logs.note_changes()
    assert linked.scene.news() == {"app"}
    assert not linked.scene.only.files.must_list


def test_a_rotation_behind_a_link_is_noted_however_long_the_new_file_takes(linked: Linked) -> None:
    linked.real.rename(linked.real.with_name("0.log.1"))
    linked.scene.logs.note_changes()
    assert linked.scene.news() == {"app"}
    linked.look()
    assert linked.scene.only.files.links == {"app.log": None}
    linked.real.write_bytes(b"{}\n")
    linked.scene.logs.note_changes()
    assert linked.scene.news() == {"app"}
    assert linked.scene.only.files.must_list


def test_links_without_watches_are_looked_at_when_that_is_asked(tmp_path: Path, make: Make) -> None:
    root = tmp_path / "root"
    root.mkdir()
    linked = Linked(make(root=root, watcher=without_inotify), root)
    assert linked.scene.logs.has_unwatched
    linked.scene.logs.scan_unwatched()
    assert linked.scene.news() == {"app"}


def test_a_root_that_is_turned_elsewhere_is_scanned_at_once(tmp_path: Path, make: Make) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.log").touch()
    root = tmp_path / "root"
    root.symlink_to("a")
    scene = make(root=root)
    scene.logs.scan()
    scene.news()
    (tmp_path / "new").symlink_to("b")
    (tmp_path / "new").rename(root)
    scene.logs.note_changes()
    assert "b" in scene.news()
    (tmp_path / "b" / "c.log").touch()
    scene.logs.note_changes()
    assert "c" in scene.news()


def test_a_root_that_comes_later_is_found_by_its_parent(tmp_path: Path, make: Make) -> None:
    scene = make(root=tmp_path / "root")
    scene.logs.scan()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.log").touch()
    scene.logs.note_changes()
    assert scene.news() == {"a"}


def test_in_a_plain_directory_only_the_log_that_was_written_to_is_noted(tmp_path: Path, make: Make) -> None:
    for name in ("a", "b", "a.log.b"):
        (tmp_path / f"{name}.log").touch()
    scene = make()
    scene.logs.scan()
    for follower in scene.logs.followers.values():
        follower.files.refresh(0.0)
    scene.logs.note_changes()
    scene.news()
    (tmp_path / "b.log").write_bytes(b"{}\n")
    assert scene.logs.note_changes()
    assert scene.news() == {"b"}
