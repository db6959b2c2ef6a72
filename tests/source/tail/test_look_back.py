import gzip
import math
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.containerd import SECOND, cri_line
from shipper.source.tail.handles import BEYOND, PlainFile, open_log
from shipper.source.tail.listing import Listing
from shipper.source.tail.look_back import StartPolicy, first_since

NOW = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp()) * SECOND
HOUR = 3600 * SECOND
NEAR = 1 << 16


def begin(directory: Path, seconds: float) -> int:
    (listed,) = Listing(str(directory)).shown(None, 0.0).files
    handle = open_log(str(directory / listed.name.text), listed.name)
    try:
        return StartPolicy(seconds, lambda: NOW).start(listed, handle)
    finally:
        handle.close()


def write(path: Path, data: bytes, modified: int = NOW) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(modified, modified))


@pytest.fixture
def lines() -> list[bytes]:
    """A line each second of the last two hours, of about 230 bytes."""
    return [cri_line(NOW - 2 * HOUR + at * SECOND, b"x" * (190 + at % 17)) for at in range(7200)]


def test_all_is_read_when_nothing_bounds_it(tmp_path: Path, lines: list[bytes]) -> None:
    write(tmp_path / "0.log", b"".join(lines), NOW - 99 * HOUR)
    assert begin(tmp_path, math.inf) == 0


def test_the_first_young_line_is_found_by_halving(tmp_path: Path, lines: list[bytes]) -> None:
    write(tmp_path / "0.log", b"".join(lines))
    start = begin(tmp_path, 3600.0)
    exact = sum(map(len, lines[:3600]))
    assert exact - NEAR - 250 <= start <= exact
    assert start in {sum(map(len, lines[:at])) for at in range(3000, 3601)}


def test_an_old_file_is_not_read(tmp_path: Path, lines: list[bytes]) -> None:
    write(tmp_path / "0.log", b"".join(lines), NOW - 2 * HOUR)
    assert begin(tmp_path, 3600.0) == sum(map(len, lines))


def test_an_old_gzip_is_not_even_unpacked(tmp_path: Path, lines: list[bytes]) -> None:
    write(tmp_path / "0.log.gz", gzip.compress(b"".join(lines), 1), NOW - 2 * HOUR)
    assert begin(tmp_path, 3600.0) == BEYOND


def test_a_young_gzip_is_read_from_its_beginning(tmp_path: Path, lines: list[bytes]) -> None:
    write(tmp_path / "0.log.gz", gzip.compress(b"".join(lines), 1))
    assert begin(tmp_path, 3600.0) == 0


def test_a_log_that_tells_no_time_is_read_from_its_beginning(tmp_path: Path) -> None:
    write(tmp_path / "0.log", b'{"response_flags":"UT"}\n' * 9000)
    assert begin(tmp_path, 3600.0) == 0


def test_an_endless_line_is_read_from_its_beginning(tmp_path: Path) -> None:
    write(tmp_path / "0.log", b"x" * 300_000)
    assert begin(tmp_path, 3600.0) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 40_000)), min_size=1, max_size=40), st.integers(0, 2000))
def test_no_young_line_is_ever_passed_over(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], oldest: int
) -> None:
    path, at, starts, data = tmp_path_factory.mktemp("log") / "0.log", 0, [], b""
    for seconds, size in steps:
        at += seconds
        starts.append((at, len(data)))
        data += cri_line(at * SECOND, b"x" * size)
    path.write_bytes(data)
    file = PlainFile(str(path))
    try:
        found = first_since(file, oldest * SECOND)
    finally:
        file.close()
    assert found in {start for _, start in starts} | {len(data)}
    assert all(start >= found for at, start in starts if at >= oldest)
