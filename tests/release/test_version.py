"""One version, in one place: wherever else it stands, it is put there."""

import pytest

from release.helm import ROOT
from release.version import PLACES, stamped
from shipper import __version__


@pytest.mark.parametrize("place", PLACES)
def test_every_place_has_the_version_of_the_code(place: str) -> None:
    """If this fails, `make manifests` puts it there."""
    text = (ROOT / place).read_text("utf-8")
    assert stamped(place, text) == text


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("version", ["2.13.0", "1.0.0-rc.1"])
def test_another_version_takes_its_place_and_leaves_the_rest(place: str, version: str) -> None:
    text = (ROOT / place).read_text("utf-8")
    changed = stamped(place, text, version)
    pairs = [(old, new) for old, new in zip(text.splitlines(), changed.splitlines(), strict=True) if old != new]
    assert pairs
    assert all(old.replace(__version__, version) == new for old, new in pairs)
    assert stamped(place, changed) == text


def test_a_place_that_lost_its_version_is_named() -> None:
    with pytest.raises(ValueError, match="Dockerfile"):
        stamped("Dockerfile", "FROM scratch\n")
