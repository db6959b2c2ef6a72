"""Each entry is counted and its owner told, once."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from shipper.entries import Entries, Ticket
from shipper.metrics import Metrics
from shipper.model import Columns
from shipper.sink.batch import Batch
from shipper.sink.quarantine import RefusedEntry
from shipper.sink.settlement import Settlement


class Owner:
    def __init__(self) -> None:
        self.told: list[tuple[bytes, int]] = []  # lines, dropped

    def settled(self, entries: Entries, dropped: int) -> None:
        self.told.append((b"".join(entry.line for entry in entries.unpacked()), dropped))


class InMemory(list[RefusedEntry]):
    """A quarantine that keeps entries in memory."""

    def write(self, refused: Sequence[RefusedEntry]) -> str:
        self.extend(refused)
        return "kept in /somewhere/quarantine.jsonl"


class Scene:
    def __init__(self, metrics: Metrics) -> None:
        self.now = 100.0
        self.metrics = metrics
        self.quarantine = InMemory()
        self.settlement = Settlement(metrics, self.quarantine.write, lambda: self.now)

    def batch(self, *parts: tuple[Owner, str]) -> Batch:
        """A batch of one part for each owner, with a line for each letter."""
        made = [
            Entries("{}", Columns(list(range(len(text))), [letter.encode() for letter in text]), Ticket(owner, None, 0))
            for owner, text in parts
        ]
        batch = Batch("{}", made, 0.0, sum(part.size for part in made))
        self.settlement.opened(len(batch))
        return batch

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"shipper_{name}", labels) or 0.0


@pytest.fixture
def scene(metrics: Metrics) -> Scene:
    return Scene(metrics)


def test_each_owner_is_told_of_its_part(scene: Scene) -> None:
    one, other = Owner(), Owner()
    scene.settlement.stored(scene.batch((one, "ab"), (other, "c"), (one, "d")))
    assert (one.told, other.told) == ([(b"ab", 0), (b"d", 0)], [(b"c", 0)])
    assert scene.value("entries_sent_total") == 4


def test_refused_entries_are_counted_by_reason_and_go_to_the_quarantine(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Owner(), Owner()
    batch = scene.batch((one, "abc"), (other, "de"))
    scene.settlement.refused(batch, {1: "line_too_long", 2: "too_far_behind", 4: "line_too_long"}, "the answer")
    assert (one.told, other.told) == ([(b"abc", 2)], [(b"de", 1)])
    assert scene.value("entries_sent_total") == 2
    assert scene.value("entries_dropped_total", reason="line_too_long") == 2
    assert scene.value("entries_dropped_total", reason="too_far_behind") == 1
    assert [(kept.entry.line, kept.reason) for kept in scene.quarantine] == [
        (b"b", "line_too_long"),
        (b"c", "too_far_behind"),
        (b"e", "line_too_long"),
    ]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert [record.message for record in caplog.records] == [
        "Loki refused 2 entries for good (line_too_long: Loki's limits_config.max_line_size); "
        "kept in /somewhere/quarantine.jsonl: the answer",
        "Loki refused 1 entry for good (too_far_behind: Loki's ingester.max_chunk_age, of which half may lie between "
        "entries of a stream); kept in /somewhere/quarantine.jsonl: the answer",
    ]


def test_without_a_quarantine_they_are_counted_all_the_same(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    scene, owner = Scene(metrics), Owner()
    scene.settlement = Settlement(metrics, None, lambda: scene.now)
    scene.settlement.refused(scene.batch((owner, "a")), {0: "line_too_long"}, "")
    assert owner.told == [(b"a", 1)]
    assert "; dropped, see on_reject: " in caplog.text
    assert scene.value("entries_dropped_total", reason="line_too_long") == 1


async def test_it_is_drained_when_nothing_is_pending(scene: Scene) -> None:
    await scene.settlement.drained()
    first, second = scene.batch((Owner(), "a")), scene.batch((Owner(), "bc"))
    waiting = asyncio.create_task(scene.settlement.drained())
    scene.settlement.stored(first)
    await asyncio.sleep(0)
    assert not waiting.done()
    assert scene.settlement.pending == scene.value("entries_pending") == 2
    scene.settlement.stored(second)
    await waiting


def test_stuck_for_counts_from_the_last_settlement(scene: Scene) -> None:
    assert scene.settlement.stuck_for == 0
    first, second = scene.batch((Owner(), "a")), scene.batch((Owner(), "b"))
    scene.now = 130.0
    assert scene.settlement.stuck_for == 30
    scene.settlement.stored(first)
    assert scene.settlement.stuck_for == 0
    scene.now = 140.0
    assert scene.settlement.stuck_for == 10
    scene.settlement.stored(second)
    assert scene.settlement.stuck_for == 0
