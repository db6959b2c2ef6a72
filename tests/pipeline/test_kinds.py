"""How many lines of a block are of which kind, held against a look at each."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.pipeline.cri import TEXT_CONTENT, ZTUNNEL_CONTENT, split_line
from shipper.pipeline.kinds import Kinds, is_access_log, kinds_by_line, kinds_of

TIME = b"2026-11-23T10:30:00.123456789Z"
TEXT_LOG = b'[2026-11-23T10:30:00.123Z] "GET / HTTP/1.1" 504 UT'
ZTUNNEL_LOG = b"2026-11-29T20:34:16.032812Z\tinfo\taccess\tconnection complete\tsrc.addr=10.0.0.1:1"
OWN_LOG = b"2026-11-29T20:34:16.032812Z\tinfo\txds\treceived response"

ATOMS = [
    b"{",
    b"}",
    b"[",
    TEXT_LOG,
    ZTUNNEL_LOG,
    OWN_LOG,
    TIME,
    b" ",
    b"\t",
    b"\r",
    b" stdout F ",
    b" stderr F:x ",
    b" stdout X ",
    b" F {",
    b"x",
]
LINES = st.lists(st.lists(st.sampled_from(ATOMS), max_size=5).map(b"".join), max_size=6)


def content_of(line: bytes) -> bytes:
    parts = split_line(line)
    return line if parts is None else parts.content


@given(LINES)
@example([b"{a stdout F " + TEXT_LOG, b"x"])
@example([b"x", b" \t{a stdout F " + TEXT_LOG])
@example([TIME + b" stdout F " + TIME + b" stdout F " + TEXT_LOG])
@example([TIME + b" stdout F", b" {"])
def test_a_block_is_told_apart_as_its_lines_are(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    found = kinds_by_line(memoryview(data))
    assert found == one_by_one(lines)
    assert sum(map(is_access_log, lines)) == found.json + found.text + found.ztunnel


def one_by_one(lines: list[bytes]) -> Kinds:
    contents = list(map(content_of, lines))
    is_json = [content.lstrip(b" \t").startswith(b"{") for content in contents]
    patterns = (TEXT_CONTENT, ZTUNNEL_CONTENT)
    texts, of_ztunnel = (sum(pattern.match(content) is not None for content in contents) for pattern in patterns)
    return Kinds(len(lines), sum(is_json), texts, of_ztunnel)


@given(st.lists(st.sampled_from([b"{}", ZTUNNEL_LOG, OWN_LOG]), max_size=6), st.booleans())
def test_lines_as_they_are_mostly_written_are_only_counted(contents: list[bytes], has_text: bool) -> None:
    lines = [TIME + b" stdout F " + content for content in contents]
    if has_text:
        lines.insert(len(lines) // 2, TIME + b" stdout F " + TEXT_LOG)
    assert kinds_of(memoryview(b"".join(line + b"\n" for line in lines))) == one_by_one(lines)


@pytest.mark.parametrize(
    ("content", "is_text"),
    [
        (TEXT_LOG, True),
        (b'[2026-11-23T10:30:00.123Z] "- - -" 0 UF', True),
        (b'[2026-11-23T10:30:00.123+02:00] "', True),
        (b"[2026-11-23T10:30:00.123Z] GET", False),
        (b'[2026-11-23] "GET', False),
        (b'["a", "b"]', False),
        (b"[2026-11-23 10:30:00.123][18][warning][config] gRPC closed", False),
        (b"2026-11-23T10:30:00.123456Z\tinfo\tEnvoy proxy is ready", False),
        (b" " + TEXT_LOG, False),
    ],
)
def test_the_text_access_log_is_recognised_with_and_without_a_prefix(content: bytes, is_text: bool) -> None:
    assert (TEXT_CONTENT.match(content) is not None) == is_text
    for line in (content, TIME + b" stdout F " + content, TIME + b" stderr F:x " + content):
        assert kinds_by_line(memoryview(b"x\n" + line + b"\n")).text == is_text


@pytest.mark.parametrize(
    ("content", "is_ztunnel"),
    [
        (ZTUNNEL_LOG, True),
        (ZTUNNEL_LOG.replace(b"info", b"error"), True),
        (ZTUNNEL_LOG.replace(b"info", b"warn").replace(b"complete", b"failed"), True),
        (OWN_LOG, False),
        (ZTUNNEL_LOG.replace(b"\taccess", b"\tproxy::access"), False),
        (ZTUNNEL_LOG.replace(b"\t", b" "), False),
        (b" " + ZTUNNEL_LOG, False),
        (b"2026-11-29T20:34:16Z\twarn\thyper_util\tTLS handshake error: eof", False),
    ],
)
def test_ztunnels_access_log_is_recognised_with_and_without_a_prefix(content: bytes, is_ztunnel: bool) -> None:
    for line in (content, TIME + b" stdout F " + content, TIME + b" stderr F:x " + content):
        assert kinds_by_line(memoryview(b"x\n" + line + b"\n")).ztunnel == is_ztunnel
