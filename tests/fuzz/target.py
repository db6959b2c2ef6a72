"""Any bytes through CRI, record, both text formats, labels and the pipeline: for atheris, and for the saved corpus.

    python tests/fuzz/target.py tests/fuzz/corpus -max_total_time=60

The first byte chooses the rule, the second where the block is cut in two; the rest is a log. Nothing may raise, each
line is counted once, and what is kept does not depend on how the log came in blocks.
"""

import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from lab import label_text
from shipper.model import Block, Target
from shipper.pipeline.audit import Audit
from shipper.pipeline.cri import split_line
from shipper.pipeline.keep import KEEP_RULES
from shipper.pipeline.labels import Admission
from shipper.pipeline.pipeline import Pipeline
from shipper.pipeline.result import Result
from shipper.pipeline.text_format import parse_text_line
from shipper.pipeline.ztunnel import classify, parse_ztunnel_line, to_record
from shipper.times import parse_time

NOW: Final = 1_795_429_800 * 10**9
LONGEST: Final = 2000  # bytes of a joined line
LABELS: Final = ("response_flags", "termination_details", "source_san", "failure_reason", "side")
TARGET: Final = Target("shop_app_1/istio-proxy", {"namespace": "shop"}, {"job": "x", "namespace": "shop"})

Kept = list[tuple[str, int, bytes]]


def check(data: bytes) -> None:
    """Raises AssertionError where a promise is broken, and whatever the pipeline raises."""
    choice, cut, log = data[:1], data[1:2], data[2:]
    rule = "mtls" if choice and choice[0] & 1 else "ut"
    text = log + b"\n"
    lines = [one + b"\n" for one in text[:-1].split(b"\n")]
    at = (cut[0] if cut else 0) * len(lines) // 256
    whole = run(rule, [text])
    assert run(rule, [b"".join(lines[:at]), b"".join(lines[at:])]) == whole, "it depends on the blocks"
    assert run(rule, lines) == whole, "it depends on the lines' company"
    for line in lines:
        check_parts(line[:-1])


def run(rule: str, blocks: list[bytes]) -> tuple[Kept, int]:
    """Entries kept, and lines counted, of these blocks in a row."""
    admission = Admission(LABELS if rule == "mtls" else LABELS[:3], 20, 30)
    pipeline = Pipeline(KEEP_RULES[rule], admission, ("source_ip",), LONGEST, Audit())
    target = pipeline.open(TARGET)
    kept: Kept = []
    lines = offset = 0
    for data in filter(None, blocks):
        found = target.feed(Block("file", offset, memoryview(data)), NOW)
        lines += checked(found, kept)
        offset += len(data)
        held = target.joiner.commit_limit("file")
        assert held is None or 0 <= held < offset
    lines += checked(target.flush(NOW), kept)
    return sorted(kept), lines


def checked(found: Result, kept: Kept) -> int:
    """The lines of an extract, whose ledger closes; its entries are added to `kept`."""
    assert found.lines == found.kept + found.filtered.total() + found.dropped.total(), found
    assert all(times >= 0 for times in (*found.filtered.values(), *found.dropped.values())), found
    for labels, entries in found.streams.items():
        parsed = label_text.parse(labels)
        assert label_text.render(parsed) == label_text.render(label_text.parse(label_text.render(parsed)))
        assert parsed["job"] == "x"
        assert set(parsed) <= {*LABELS, "job", "namespace", "service_name"}, labels
        assert all(len(value.encode()) <= 2048 for value in parsed.values())
        kept.extend((labels, entry.nanos, entry.line) for entry in entries)
        assert all(0 < len(entry.line) <= LONGEST for entry in entries)
    return found.lines


def check_parts(line: bytes) -> None:
    """The parsers by themselves: they take any bytes."""
    if (parts := split_line(line)) is not None:
        parse_time(parts.time)
        parse_text_line(parts.content)
        check_ztunnel(parts.content)
    parse_text_line(line)
    check_ztunnel(line)
    parse_time(line[:40])


def check_ztunnel(content: bytes) -> None:
    """ztunnel's: what is read of a line stands in it, and its failure is of the side that it names."""
    fields = parse_ztunnel_line(content)
    if fields is None:
        return
    if content[:1] != b"{":
        text = content.decode(errors="replace")
        assert all(f"{name}=" in text for name in fields if "." in name or name in ("direction", "error")), fields
    verdict = classify(fields)
    is_outbound = to_record(fields).get("direction") == "outbound"
    assert verdict is None or verdict.side == ("upstream" if is_outbound else "downstream"), fields


def main() -> None:
    """Under atheris, which is no part of the project's own environment."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
