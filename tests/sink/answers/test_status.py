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


@pytest.mark.parametrize(
    ("status", "text", "content_type", "said"),
    [
        (200, "<html><title>Sign in</title></html>", "text/html", 'a login page ("Sign in")'),
        (200, '{"status":"success"}', "application/json", 'application/json that begins "{"status":"success"}"'),
        (200, "ok", "", 'an answer without a content type that begins "ok"'),
        (200, " ", "text/plain", 'text/plain that begins ""'),
        (202, "", "", "an empty answer"),
        (206, "", "", "an empty answer"),
        (201, "created", "text/plain; charset=utf-8", 'text/plain that begins "created"'),
    ],
)
def test_what_loki_does_not_answer_is_no_success(status: int, text: str, content_type: str, said: str) -> None:
    error = judge(status, text, content_type=content_type)
    assert type(error) is Unavailable
    assert (error.cause, f"no answer of Loki's, which is 204: {said};" in error.text) == (f"http_{status}", True)


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_said_for_what_it_is(status: int) -> None:
    error = judge(status, "<html><title>Moved</title></html>", redirect="redirected to https://loki/")
    assert str(error) == f"http_{status}: redirected to https://loki/ (Moved)"


def test_no_org_id_is_about_the_tenant_and_not_about_credentials() -> None:
    assert str(judge(401, "no org id\n")) == "http_401: Loki needs a tenant: set tenant_id (no org id)"
    assert "credentials" in str(judge(401, "invalid token"))


@pytest.mark.parametrize(
    "text",
    [
        "Client sent an HTTP request to an HTTPS server.\n",
        "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
        "<html><p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br /></p></html>",
    ],
)
def test_a_port_that_expects_tls_is_told_from_a_refusal_of_lines(text: str) -> None:
    error = judge(400, text)
    assert type(error) is Unavailable
    assert error.text.startswith("a TLS port behind http://: the URL must begin with https://")
    labels = f"entry for stream '{{line=\"{text}\"}}' has timestamp too old"
    assert type(judge(400, labels)) is BadRequest


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
        ("60", LONGEST_RETRY_AFTER),
        ("61", 0.0),
        ("31536000", 0.0),
        ("-31536000", 0.0),
        ("1e300", 0.0),
        ("inf", 0.0),
        ("-inf", 0.0),
        ("nan", 0.0),
        ("60 seconds", 0.0),
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
    assert seconds_to_wait(formatdate(1_700_000_061, usegmt=True), 1_700_000_000.0) == 0.0
    assert seconds_to_wait(formatdate(1_800_000_000, usegmt=True), 1_700_000_000.0) == 0.0
