"""What a status and a text ask of the sender."""

from email.utils import formatdate

import pytest

from shipper.sink.answers.status import (
    LONGEST_RETRY_AFTER,
    BadRequest,
    StreamLimited,
    TenantLimited,
    TooLarge,
    Unavailable,
    judge,
    seconds_to_wait,
)


@pytest.mark.parametrize("status", [200, 204])
def test_only_these_are_success(status: int) -> None:
    assert judge(status, "") is None


@pytest.mark.parametrize("status", [201, 202, 206, 260, 301, 307, 401, 403, 404, 408, 500, 502, 503, 504, 599])
def test_the_destination_as_a_whole(status: int) -> None:
    error = judge(status, "why", 3.0)
    assert type(error) is Unavailable
    assert (error.cause, error.retry_after) == (f"http_{status}", 3.0)
    assert "why" in str(error)
    assert "\n" not in str(judge(status, "why\n"))


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (429, "Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec)", TenantLimited),
        (429, "slow down, says the gateway", TenantLimited),
        (429, "", TenantLimited),
        (429, "entry ... ignored, reason: 'per stream rate limit exceeded (limit: 3MB/sec)", StreamLimited),
        (429, "maximum active stream limit exceeded when trying to create stream {}", StreamLimited),
        (413, "", TooLarge),
        (500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)", TooLarge),
        (400, "request body Larger Than Max", TooLarge),
        (400, "", BadRequest),
        (405, "", BadRequest),
        (415, "", BadRequest),
        (422, "error at least one valid stream is required for ingestion", BadRequest),
    ],
)
def test_other_answers(status: int, text: str, kind: type) -> None:
    assert type(judge(status, text)) is kind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4", 4.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("999999", LONGEST_RETRY_AFTER),
        ("inf", LONGEST_RETRY_AFTER),
        ("nan", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("Wed, 99 Foo 2026 25:00:00 GMT", 0.0),
    ],
)
def test_retry_after_in_seconds_and_in_nonsense(text: str, seconds: float) -> None:
    assert seconds_to_wait(text, 1_700_000_000.0) == seconds


def test_a_date_is_never_come_back_to_early() -> None:
    now = 1_700_000_000.4
    wait = seconds_to_wait(formatdate(1_700_000_010, usegmt=True), now)
    assert 1_700_000_010 <= now + wait < 1_700_000_010.1


def test_a_date_that_is_over_or_far_away() -> None:
    assert seconds_to_wait(formatdate(1_600_000_000, usegmt=True), 1_700_000_000.0) == 0.0
    assert seconds_to_wait(formatdate(1_800_000_000, usegmt=True), 1_700_000_000.0) == LONGEST_RETRY_AFTER
