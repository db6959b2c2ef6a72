"""Failed handshakes, counted by reason, each connection once."""

import json
from collections import Counter

import pytest

from shipper.model import Block, Target
from shipper.pipeline.audit import REMEMBERED, Audit, FailureKind
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import Admission
from shipper.pipeline.pipeline import Pipeline, TargetPipeline
from shipper.pipeline.result import Result

EXPIRED = (
    "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:"
    "_X509_verify_cert:_certificate_verification_error_at_depth_0:_certificate_has_expired:TLS_error_end"
)


def failed(**fields: object) -> dict[str, object]:
    return {"response_flags": "-", "downstream_transport_failure_reason": EXPIRED, **fields}


def plaintext(**fields: object) -> dict[str, object]:
    return {"response_flags": "NR", "response_code_details": "filter_chain_not_found", **fields}


def opened(rule: KeepRule = UT, audit: Audit | None = None, key: str = "a") -> TargetPipeline:
    return Pipeline(rule, Admission((), 10, 10), (), 1 << 20, audit or Audit()).open(Target(key, {}, {"app": "a"}))


def feed(pipe: TargetPipeline, *records: dict[str, object]) -> Result:
    lines = [b"2026-11-23T10:30:00Z stdout F " + json.dumps(one).encode() + b"\n" for one in records]
    return pipe.feed(Block(None, 0, memoryview(b"".join(lines))), 0)


EXPIRED_SEEN = FailureKind("cert_expired", "downstream", shipped=False)


def test_with_keep_ut_failures_are_seen_and_not_shipped() -> None:
    found = feed(opened(), failed(), plaintext(), {"response_flags": "UT"}, {"response_flags": "-"})
    assert found.kept == 1
    assert found.failures == Counter(
        [EXPIRED_SEEN, FailureKind("plaintext", "downstream", shipped=False)],
    )


def test_with_keep_mtls_they_are_shipped_and_a_timeout_is_no_failure() -> None:
    found = feed(opened(MTLS), failed(), {"response_flags": "UT", "response_code": 504})
    assert found.kept == 2
    assert found.failures == Counter([FailureKind("cert_expired", "downstream", shipped=True)])


@pytest.mark.parametrize("rule", [UT, MTLS], ids=lambda rule: rule.name)
def test_without_an_audit_nothing_is_counted(rule: KeepRule) -> None:
    pipe = Pipeline(rule, Admission((), 10, 10), (), 1 << 20).open(Target("a", {}, {}))
    assert not feed(pipe, failed()).failures


def test_several_lines_of_one_connection_are_one_failure() -> None:
    line = failed(connection_id=7, start_time="2026-11-23T10:30:00.1Z", downstream_remote_address="10.0.0.1:5")
    audit = Audit()
    first = feed(opened(MTLS, audit), line | {"log_type": "DownstreamEnd"}, line | {"log_type": "TcpConnectionEnd"})
    assert (first.kept, first.failures.total()) == (2, 1)
    assert not feed(opened(MTLS, audit), line).failures, "nor in a later block"


@pytest.mark.parametrize(
    "other",
    [
        {"connection_id": 8},
        {"start_time": "2026-11-23T10:30:00.2Z"},
        {"downstream_remote_address": "10.0.0.1:6"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_connection_is_another_failure(other: dict[str, object]) -> None:
    line = failed(connection_id=7, start_time="2026-11-23T10:30:00.1Z", downstream_remote_address="10.0.0.1:5")
    assert feed(opened(), line, line | other).failures == Counter({EXPIRED_SEEN: 2})


def test_the_same_connection_number_of_another_pod_is_another_failure() -> None:
    audit = Audit()
    found = [feed(opened(audit=audit, key=key), failed(connection_id=7)) for key in "ab"]
    assert [one.failures.total() for one in found] == [1, 1]


def test_lines_without_a_connection_id_count_each() -> None:
    assert feed(opened(), failed(), failed()).failures.total() == 2


def test_strange_values_count_as_they_are() -> None:
    line = failed(connection_id=[1, {"a": 2}], start_time=None, downstream_remote_address=7)
    assert feed(opened(), line, line).failures.total() == 1


def test_the_memory_of_connections_is_bounded() -> None:
    pipe = opened(audit=Audit())
    for start in range(0, 2 * REMEMBERED, 512):
        feed(pipe, *(failed(connection_id=number) for number in range(start, start + 512)))
    assert feed(pipe, failed(connection_id=REMEMBERED)).failures.total() == 0
    assert feed(pipe, failed(connection_id=REMEMBERED - 1)).failures.total() == 1, "long ago: counted again"
