"""The bulk path: which lines it takes itself, which fall back to the per-line path, and that their order stays."""

from collections import Counter
from collections.abc import Sequence

import pytest

from shipper.model import Entry
from shipper.pipeline.assemble import Assembler, Plan
from shipper.pipeline.bulk import STEP, BulkPath
from shipper.pipeline.cri import split_line
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import Admission
from shipper.pipeline.record import parse_record
from shipper.pipeline.result import KEPT, MALFORMED, Result
from shipper.pipeline.scan import Scanner
from tests.pipeline.reading import MAX_LINE, NAMES, NOW, TARGET, cri


def kept(number: int, flags: str = "UT", tags: bytes = b"F") -> bytes:
    """A line to keep, with a number of its own."""
    return cri(b'{"response_flags":"%s","request_id":"%d"}' % (flags.encode(), number), tags)


class Path:
    """The bulk path of one target, with a per-line path that remembers its lines."""

    def __init__(self, metadata: Sequence[str] = (), rule: KeepRule = UT) -> None:
        plan = Plan(rule, Scanner(rule.patterns), Admission(tuple(NAMES), 100, 100), metadata, MAX_LINE)
        self._assembler = Assembler(plan, TARGET)
        self._bulk = BulkPath(plan, self._assembler)
        self._result = Result()
        self.fell_back: list[bytes] = []

    def take(self, *lines: bytes) -> tuple[list[bytes], Counter[str]]:
        """The contents that were kept, in order, and the outcomes of the lines that fell back."""
        self._result, self.fell_back = Result(), []
        outcomes = self._bulk.take(lines, self._result, self._fallback)
        return [line for columns in self._result.streams.values() for line in columns.lines], outcomes

    def entries(self) -> list[Entry]:
        """The entries of the last call."""
        return [entry for columns in self._result.streams.values() for entry in columns]

    def _fallback(self, line: bytes) -> str:
        self.fell_back.append(line)
        parts = split_line(line)
        assert parts is not None
        return self._assembler.take(parts.time, parts.content, parse_record(parts.content), self._result, NOW)


def contents(lines: Sequence[bytes]) -> list[bytes]:
    return [line[line.index(b"{") :] for line in lines]


def test_lines_whose_labels_are_known_do_not_fall_back() -> None:
    path, lines = Path(), [kept(number) for number in range(3 * STEP + 1)]
    assert path.take(lines[0]) == (contents(lines[:1]), Counter({KEPT: 1}))
    assert path.fell_back == lines[:1]
    assert path.take(*lines) == (contents(lines), Counter())
    assert path.fell_back == []


@pytest.mark.parametrize(
    "other",
    [
        kept(-1, tags=b"F:x"),
        kept(-1).replace(b"stdout", b"stderr"),
        kept(-1).replace(b" F {", b" F  {"),
        kept(-1).replace(b'"-1"', b'"%s"' % (b"x" * MAX_LINE)),
        kept(-1).replace(b"2026-11-23", b"2026-13-23"),
        kept(-1).replace(b'"UT"', b'["UT"]'),
        kept(-1)[:-1],
        b"{}",
    ],
)
@pytest.mark.parametrize("at", [0, STEP // 2, STEP - 1, STEP])
def test_a_line_that_it_cannot_handle_falls_back_alone(other: bytes, at: int) -> None:
    path, lines = Path(), [kept(number) for number in range(STEP + 1)]
    path.take(lines[0])
    found, outcomes = path.take(*lines[:at], other, *lines[at:])
    assert path.fell_back == [other]
    assert outcomes.total() == 1
    assert [line for line in found if b'"-1"' not in line] == contents(lines)


def test_lines_that_fell_back_stand_in_their_place() -> None:
    path, lines = Path(), [kept(number, tags=b"F:x" if number % 5 == 0 else b"F") for number in range(2 * STEP)]
    path.take(kept(0))
    assert path.take(*lines)[0] == contents(lines)
    assert path.fell_back == lines[::5]


def test_labels_that_are_new_fall_back_once() -> None:
    path = Path()
    path.take(kept(0), kept(1, "DC,UT"))
    path.take(kept(2, "DC,UT"), kept(3), kept(4, "UT,DC"))
    assert path.fell_back == [kept(4, "UT,DC")]


def test_the_outcomes_of_lines_that_fell_back_are_counted() -> None:
    assert Path().take(kept(0)[:-1], kept(1), kept(2)[:-2])[1] == Counter({MALFORMED: 2, KEPT: 1})


@pytest.mark.parametrize("rule", [UT, MTLS])
@pytest.mark.parametrize("other", [kept(-1), kept(-1, tags=b"F:x"), cri(b'{"response_flags":"UT"}')])
def test_structured_metadata_stand_beside_their_own_line(rule: KeepRule, other: bytes) -> None:
    path, lines = Path(("request_id", "pod", "failure_reason"), rule), [kept(number) for number in range(STEP + 1)]
    path.take(kept(-2))
    path.take(*lines[:7], other, *lines[7:])
    assert path.fell_back == ([other] if b" F:x " in other else [])
    own = (("pod", TARGET.fields["pod"]),)
    for _, content, metadata in path.entries():
        record = parse_record(content)
        assert record is not None
        number = [("request_id", record["request_id"])] if "request_id" in record else []
        assert metadata == (*own, *number, ("failure_reason", "upstream_timeout"))
