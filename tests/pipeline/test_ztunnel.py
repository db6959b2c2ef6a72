import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.failure import REASONS
from shipper.pipeline.keep import MTLS
from shipper.pipeline.ztunnel import classify, parse_ztunnel_line, to_record
from tests.pipeline.logs import CHANCE, Writer
from tests.pipeline.ztunnel_lines import CORPUS, ERRORS, HOSTILE, json_line, text_line

SIDES = {"inbound": "downstream", "outbound": "upstream"}


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case['scenario']}-{case['format']}")
def test_every_line_of_the_corpus_is_decided_as_wanted(case: dict[str, Any]) -> None:
    fields = parse_ztunnel_line(case["line"].encode())
    failure = classify(fields) if fields else None
    assert (failure.reason if failure else None) == case["wanted"]["failure_reason"]
    assert (failure.side if failure else None) == case["wanted"]["side"]


def test_the_corpus_has_all_reasons_but_one() -> None:
    said = {case["wanted"]["failure_reason"] for case in CORPUS} - {None}
    assert set(REASONS) - said == {"cert_verify_failed", "upstream_timeout"}


@given(identity=HOSTILE, workload=HOSTILE, error=HOSTILE, direction=st.sampled_from(sorted(SIDES)))
def test_a_name_cannot_forge_a_field(identity: str, workload: str, error: str, direction: str) -> None:
    wanted = {
        "src.addr": "10.0.0.2:52950",
        "src.workload": workload,
        "src.identity": identity,
        "dst.addr": "10.0.0.3:15008",
        "direction": direction,
        "error": error,
    }
    found = parse_ztunnel_line(text_line(wanted))
    assert found is not None
    assert {key: found[key] for key in wanted} == wanted
    twin = parse_ztunnel_line(json_line(wanted))
    assert twin is not None
    assert classify(twin) == classify(found)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_read_or_not(content: bytes) -> None:
    for line in (content, b"2026-11-29T20:34:17Z\terror\taccess\tconnection failed\t" + content):
        if fields := parse_ztunnel_line(line):
            classify(fields)
            to_record(fields)


def test_the_keys_of_envoy_stand_beside() -> None:
    (line,) = (case["line"] for case in CORPUS if case["scenario"].startswith("double HBONE"))
    fields = parse_ztunnel_line(line.encode())
    assert fields is not None
    record = to_record(fields)
    assert record["downstream_local_uri_san"] == "spiffe://cluster.local/ns/sample/sa/sleep"
    assert record["upstream_peer_uri_san"] == "spiffe://cluster.local/ns/sample/sa/waypoint"
    assert record["upstream_host"] == "helloworld.sample.svc.cluster.local:5000"


def test_an_identity_that_was_refused_for_its_name_is_shown() -> None:
    line = next(c["line"] for c in CORPUS if c["scenario"] == "in-other-trust-domain")
    fields = parse_ztunnel_line(line.encode())
    assert fields is not None
    assert to_record(fields)["downstream_peer_uri_san"] == "spiffe://partner.example/ns/shop/sa/frontend"


@given(ERRORS | HOSTILE, HOSTILE, st.sampled_from(sorted(SIDES)), CHANCE)
def test_every_line_that_is_kept_matches_a_pattern_however_it_is_written(
    error: str, name: str, direction: str, chance: random.Random
) -> None:
    fields = {"src.workload": name, "dst.addr": "10.0.0.3:8080", "direction": direction, "error": error}
    head = {"level": "error", "scope": "access", "message": "connection failed"}
    if classify(fields) is None:
        return
    for line in (text_line(fields), json_line(fields), Writer(chance).record([*head.items(), *fields.items()])):
        assert any(re.search(pattern, line, re.DOTALL) for pattern in MTLS.patterns), line
