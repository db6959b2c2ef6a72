import asyncio
import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.containerd import PIECE, LogWriter, cri_line, rfc3339nano

CRI = re.compile(rb"(\S+Z) (stdout|stderr) ([PF]) (.*)", re.DOTALL)


def lines_of(log: bytes) -> list[bytes]:
    """The container's lines, put together again from complete CRI lines."""
    whole, open_line = [], b""
    for line in log.split(b"\n")[:-1]:
        parts = CRI.fullmatch(line)
        assert parts is not None
        _, _, tag, content = parts.groups()
        assert len(content) <= PIECE
        open_line += content
        if tag == b"F":
            whole.append(open_line)
            open_line = b""
    assert not open_line
    return whole


contents = st.one_of(
    st.binary(max_size=60),
    st.integers(PIECE - 1, 3 * PIECE + 1).map(lambda size: b"x" * size),
).map(lambda content: content.replace(b"\n", b" "))


@given(st.lists(contents, max_size=6))
def test_every_line_can_be_put_together_again(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    with LogWriter(tmp_path_factory.mktemp("pods")) as log:
        for line in lines:
            log.write(line)
        written = log.path.read_bytes()
    assert lines_of(written) == lines


@given(st.lists(st.one_of(contents, st.just(b"cr\r")), max_size=4), st.integers(1, 50_000))
def test_what_a_process_prints_arrives_whatever_the_reads(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], chunk: int
) -> None:
    async def print_in_chunks(log: LogWriter) -> None:
        pipe = asyncio.StreamReader()
        printed = b"".join(line + b"\n" for line in lines)
        for at in range(0, len(printed), chunk):
            pipe.feed_data(printed[at : at + chunk])
        pipe.feed_eof()
        await log.copy(pipe)

    with LogWriter(tmp_path_factory.mktemp("pods")) as log:
        asyncio.run(print_in_chunks(log))
        assert lines_of(log.path.read_bytes()) == [line.removesuffix(b"\r") for line in lines]


async def test_a_last_line_without_newline_stays_unfinished(tmp_path: Path) -> None:
    pipe = asyncio.StreamReader()
    pipe.feed_data(b"whole\ntorn")
    pipe.feed_eof()
    seen: list[bytes] = []
    with LogWriter(tmp_path, clock=lambda: 10**18) as log:
        await log.copy(pipe, "stderr", tee=seen.append)
        assert seen == [b"whole"]
        assert log.path.read_bytes().splitlines() == [
            b"2001-09-09T01:46:40Z stderr F whole",
            b"2001-09-09T01:46:40.000000001Z stderr P torn",
        ]


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_000_000_010, "1970-01-01T00:00:01.00000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
    ],
)
def test_times_lose_their_trailing_zeros(nanos: int, text: str) -> None:
    assert rfc3339nano(nanos) == text


def test_the_directory_names_pod_and_container(tmp_path: Path) -> None:
    with LogWriter(tmp_path, namespace="shop", pod="cart-1", uid="u-1", container="app") as log:
        log.write(b"x", nanos=0)
    assert (tmp_path / "shop_cart-1_u-1/app/0.log").read_bytes() == cri_line(0, b"x")


def test_a_fixed_time_is_that_of_all_pieces(tmp_path: Path) -> None:
    with LogWriter(tmp_path) as log:
        assert log.write(b"x" * (PIECE + 1), nanos=7) == 7
        assert [line.split()[0] for line in log.path.read_bytes().splitlines()] == [rfc3339nano(7).encode()] * 2


def test_the_runtime_writes_to_the_renamed_file_until_it_reopens(tmp_path: Path) -> None:
    with LogWriter(tmp_path) as log:
        log.write(b"before")
        renamed = log.rename()
        log.write(b"late")
        assert not log.path.exists()
        log.reopen()
        log.write(b"after")
        assert lines_of(renamed.read_bytes()) == [b"before", b"late"]
        assert lines_of(log.path.read_bytes()) == [b"after"]


def test_rotations_leave_one_plain_file_and_compressed_older_ones(tmp_path: Path) -> None:
    with LogWriter(tmp_path) as log:
        for number in range(7):
            log.write(b"%d" % number)
            renamed = log.rotate()
        kept = log.rotated()
        assert renamed == kept[-1]
        assert lines_of(renamed.read_bytes()) == [b"6"]
        assert [lines_of(gzip.decompress(path.read_bytes())) for path in kept[:-1]] == [[b"3"], [b"4"], [b"5"]]
        assert all(re.fullmatch(r"0\.log\.\d{8}-\d{6}(\.gz)?", path.name) for path in kept)
        assert log.path.read_bytes() == b""


def test_restart_truncate_and_delete(tmp_path: Path) -> None:
    log = LogWriter(tmp_path)
    log.write(b"first")
    log.restart()
    log.write(b"second")
    assert [path.name for path in sorted(log.directory.iterdir())] == ["0.log", "1.log"]
    log.truncate()
    log.write(b"third")
    assert lines_of(log.path.read_bytes()) == [b"third"]
    log.delete()
    assert list(tmp_path.iterdir()) == []
