"""One look at a directory serves all logs in it, and never one that has to know more."""

from pathlib import Path

from shipper.source.tail.listing import FRESH, Listing, Shown


def names(shown: Shown) -> list[str]:
    return [listed.name.text for listed in shown.files]


def test_one_look_serves_each_log_once(tmp_path: Path) -> None:
    listing = Listing(str(tmp_path))
    (tmp_path / "a.log").touch()
    assert names(listing.shown("a", 0.0)) == ["a.log"]
    (tmp_path / "a.log.1").touch()
    (tmp_path / "b.log").touch()
    assert names(listing.shown("b", 0.0)) == []  # nothing has told that there is more
    assert names(listing.shown("a", 0.0)) == ["a.log.1", "a.log"]
    assert names(listing.shown("b", 0.0)) == ["b.log"]


def test_what_may_have_changed_is_looked_at_anew(tmp_path: Path) -> None:
    listing = Listing(str(tmp_path))
    assert names(listing.shown("a", 0.0)) == []
    (tmp_path / "b.log").touch()
    listing.expire()
    assert names(listing.shown("b", 0.0)) == ["b.log"]


def test_an_old_look_serves_nobody(tmp_path: Path) -> None:
    listing = Listing(str(tmp_path))
    assert names(listing.shown("a", 0.0)) == []
    (tmp_path / "b.log").touch()
    assert names(listing.shown("b", FRESH)) == ["b.log"]


def test_links_and_what_they_lead_to_are_shown(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "a.log").symlink_to(tmp_path / "there")
    (tmp_path / "b.log").symlink_to(tmp_path / "nowhere")
    status = (tmp_path / "there").stat()
    listing = Listing(str(tmp_path))
    assert listing.shown("a", 0.0).links == {"a.log": (status.st_dev, status.st_ino)}
    assert listing.shown("b", 0.0).links == {"b.log": None}
    assert names(listing.shown(None, 0.0)) == ["a.log"]


def test_what_cannot_be_read_is_shown_with_its_log(tmp_path: Path) -> None:
    for name in ("a.log", "a.log.1.xz", "b.log.1.bz2"):
        (tmp_path / name).touch()
    listing = Listing(str(tmp_path))
    assert listing.shown("a", 0.0).packed == ["a.log.1.xz"]
    assert sorted(listing.shown(None, 0.0).packed) == ["a.log.1.xz", "b.log.1.bz2"]
