import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.source.tail.listing import Listing
from shipper.source.tail.names import LogName, packed_stem

LOGS = {
    "0.log": LogName("0.log", "0", "", gzipped=False),
    "0.log.20261123-103000": LogName("0.log.20261123-103000", "0", "20261123-103000", gzipped=False),
    "0.log.20261123-103000.gz": LogName("0.log.20261123-103000.gz", "0", "20261123-103000", gzipped=True),
    "mesh.edge.log.2": LogName("mesh.edge.log.2", "mesh.edge", "2", gzipped=False),
    "app.log.gz": LogName("app.log.gz", "app", "", gzipped=True),
    "app.log-20261129": LogName("app.log-20261129", "app", "20261129", gzipped=False),
    "app.log-2026112910.gz": LogName("app.log-2026112910.gz", "app", "2026112910", gzipped=True),
    "app.log-20261129-1795950000": LogName("app.log-20261129-1795950000", "app", "20261129-1795950000", gzipped=False),
    "app.log_2026-11-29": LogName("app.log_2026-11-29", "app", "2026-11-29", gzipped=False),
    "app-20261129.log": LogName("app-20261129.log", "app", "20261129", gzipped=False),
    "app-20261129.log.gz": LogName("app-20261129.log.gz", "app", "20261129", gzipped=True),
    "app.2026-11-29.log": LogName("app.2026-11-29.log", "app", "2026-11-29", gzipped=False),
    "app_2026-11-29.1.log": LogName("app_2026-11-29.1.log", "app", "2026-11-29.1", gzipped=False),
    "app-2026-1129.log": LogName("app-2026-1129.log", "app-2026-1129", "", gzipped=False),
    "app-1.log": LogName("app-1.log", "app-1", "", gzipped=False),
}


@pytest.mark.parametrize(("name", "log"), LOGS.items())
def test_a_name_is_taken_apart(name: str, log: LogName) -> None:
    assert LogName.parse(name) == log


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".log",
        "0.log.",
        "0.txt",
        ".0.log",
        "0.log.tmp",
        "0.log.20261123-103000.gz.tmp",
        ".0.log.swp",
        "\udcff.log",
        "app.log~",
        "app.log-old",
        "app.log.xz",
        "app.log.1.bz2",
        "app.log-20261129.zst",
        "app.log.tar",
    ],
)
def test_other_files_are_no_logs(name: str) -> None:
    assert LogName.parse(name) is None


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("app.log.1.xz", "app"),
        ("app.log.xz", "app"),
        ("app.log-20261129.bz2", "app"),
        ("app-20261129.log.zst", "app"),
        ("app.log.1.gz", None),
        ("app.log.1", None),
        ("app.xz", None),
        ("xz", None),
    ],
)
def test_a_rotated_log_in_another_compression_is_known_by_its_name(name: str, stem: str | None) -> None:
    assert packed_stem(name) == stem


@given(st.text())
def test_any_text_is_a_name_or_is_refused(name: str) -> None:
    assert (log := LogName.parse(name)) is None or log.text == name


@pytest.mark.parametrize(
    "names",
    [
        ["9.log", "10.log.20261122-103000.gz", "10.log.20261123-103000", "10.log"],
        ["app.log.10.gz", "app.log.9", "app.log.1", "app.log"],
        ["app.log.20251231-235959", "app.log.20260101-000000", "app.log"],
        ["app.log-20251231.gz", "app.log-20260101", "app.log-2026010112", "app.log"],
        ["app.2025-12-31.log.gz", "app.2026-01-01.log", "app.log"],
        ["app-20251231.log", "app-20260101.log", "app.log"],
        ["app.log.2026-11-28", "app.log.2026-11-29", "app.log"],
        ["app.log-1795950000", "app.log-1795953600", "app.log"],
    ],
)
def test_the_oldest_stands_first_whatever_the_time_of_its_inode(tmp_path: Path, names: list[str]) -> None:
    for name in reversed(names):
        (tmp_path / name).touch()
    assert [listed.name.text for listed in Listing(str(tmp_path)).shown(None, 0.0).files] == names


def test_rotated_names_without_an_order_are_ordered_by_their_time(tmp_path: Path) -> None:
    for age, name in enumerate(["app.log.b", "app.log.c", "app.log.a"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert [listed.name.text for listed in Listing(str(tmp_path)).shown(None, 0.0).files] == [
        "app.log.a",
        "app.log.c",
        "app.log.b",
    ]


def test_only_files_count(tmp_path: Path) -> None:
    (tmp_path / "0.log").mkdir()
    (tmp_path / "1.log").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "2.log")
    (tmp_path / "3.log").write_bytes(b"data")
    (tmp_path / "4.log").symlink_to(tmp_path / "3.log")
    assert [(listed.name.text, listed.size) for listed in Listing(str(tmp_path)).shown(None, 0.0).files] == [
        ("3.log", 4),
        ("4.log", 4),
    ]


def test_a_directory_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert Listing(str(tmp_path / "gone")).shown(None, 0.0).files == []
