"""Requests spread over time, after a 429 that named its rate."""

from math import inf

import pytest

from shipper.sink.answers.status import named_rate
from shipper.sink.pace import KEPT_FOR, Pace
from tests.sink.clock import Clock


@pytest.fixture
def pace() -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(clock), clock


def test_without_a_limit_nothing_waits(pace: tuple[Pace, Clock]) -> None:
    assert (pace[0].most, pace[0].opens_at) == (inf, 0.0)


def test_what_is_sent_stays_below_the_rate(pace: tuple[Pace, Clock]) -> None:
    limited, clock = pace
    limited.limit(100_000.0)
    sent, begun = 0, clock.now
    while clock.now < begun + 60:
        clock.now = max(clock.now, limited.opens_at)
        size = int(limited.most)
        assert size <= 100_000
        limited.spend(size)
        sent += size
    assert 0.85 * 60 * 100_000 < sent <= 60 * 100_000


def test_a_rate_that_others_use_too_is_lowered_and_rises_again(pace: tuple[Pace, Clock]) -> None:
    limited, _ = pace
    limited.limit(100_000.0)
    alone = limited.most
    limited.limit(100_000.0)
    assert limited.most < alone
    for _ in range(100):
        limited.spend(1000)
    assert limited.most == alone


def test_the_limit_is_forgotten_after_a_while(pace: tuple[Pace, Clock]) -> None:
    limited, clock = pace
    limited.limit(100_000.0)
    clock.now += KEPT_FOR
    limited.spend(1000)
    assert (limited.most, limited.opens_at) == (inf, 0.0)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting", 4194304),
        ("ingestion rate limit exceeded for user fake (limit: 50000 bytes/sec) while", 50_000),
        ("reason: 'Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream", 3 << 20),
        ("per stream rate limit exceeded (limit: 1536KB/sec)", 1536 << 10),
        ("Per stream rate limit exceeded (limit: 20000B/sec)", 20_000),
        ("Per stream rate limit exceeded (limit: 1.5MiB/sec)", 1.5 * (1 << 20)),
        ("Ingestion rate limit exceeded for user fake (limit: 1 bytes/sec)", 0),  # lets no line pass: not believed
        ("too many requests", 0),
    ],
)
def test_the_rate_that_a_text_names(text: str, rate: float) -> None:
    assert named_rate(text) == rate
