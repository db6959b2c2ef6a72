"""The peers of failed handshakes: who is asked, when a line waits, and what it is labelled by and counted."""

import json
from collections.abc import Iterable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.label_text import parse
from shipper.fields import PEER_FIELDS
from shipper.pipeline.audit import Audit, FailureKind
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import Admission
from shipper.pipeline.peers import PeerRule
from shipper.pipeline.pipeline import Pipeline, TargetPipeline
from shipper.pipeline.result import Result
from shipper.pipeline.workloads import FOREVER, Answer
from tests.pipeline.reading import NANOS, NOW, TARGET, block, cri, text
from tests.pipeline.ztunnel_lines import text_line

PLAINTEXT = "TLS_error:|268435612:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end"
LABELS = ("failure_reason", "side", "peer_namespace", "peer_app")
METADATA = ("peer_kind", "peer_pod", "peer_node", "peer_owner", "request_id")
LEGACY = {"peer_kind": "pod", "peer_namespace": "default", "peer_app": "legacy", "peer_pod": "legacy-0"}
UNKNOWN = {"peer_kind": "unknown", "reason": "never_seen"}
SECOND = 10**9


class Known:
    """Who had which address, whatever the time; what is missing must be asked for."""

    def __init__(self, holders: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.holders = dict(holders or {})
        self.asked: list[tuple[str, int]] = []

    def address(self, address: str, at: int) -> Answer | None:
        self.asked.append((address, at))
        fields = self.holders.get(address)
        return None if fields is None else Answer(fields, 0, FOREVER)


def made(
    known: Known, rule: KeepRule = MTLS, *, timeouts: bool = False, labels: Sequence[str] = LABELS, values: int = 100
) -> Pipeline:
    return Pipeline(
        rule,
        Admission(tuple(labels), values, 1000),
        METADATA,
        10_000,
        Audit(),
        peers=PeerRule(known, timeouts),
    )


def failed(number: int, remote: str, **fields: object) -> bytes:
    """A handshake that failed, as containerd writes its line."""
    record = {
        "request_id": str(number),
        "response_flags": "-",
        "downstream_remote_address": remote,
        "downstream_transport_failure_reason": PLAINTEXT,
        **fields,
    }
    return cri(json.dumps(record, separators=(",", ":")).encode())


def fed(pipe: TargetPipeline, *lines: bytes) -> Result:
    found = pipe.feed(block(text(*lines)), NOW)
    kept = found.kept + len(found.unanswered)
    assert found.lines == kept + found.filtered.total() + found.dropped.total()
    return found


def entries(found: Result) -> list[dict[str, str]]:
    """Labels and metadata of each entry, by stream."""
    return [parse(labels) | dict(entry.metadata) for labels, columns in found.streams.items() for entry in columns]


def test_the_client_is_named_in_labels_metadata_and_counters() -> None:
    known = Known({"10.0.1.20": LEGACY})
    found = fed(made(known).open(TARGET), failed(1, "10.0.1.20:54321"), failed(2, "10.0.1.20:54322"))
    assert [LEGACY.items() <= entry.items() for entry in entries(found)] == [True, True]
    assert found.peers == {("pod", ""): 2}
    kind = FailureKind("plaintext", "downstream", shipped=True, peer=("default", "legacy"))
    assert found.failures == {kind: 2}


@pytest.mark.parametrize(
    ("line", "address"),
    [
        (failed(1, "10.0.1.20:54321"), "10.0.1.20"),
        (failed(1, "[fd00::20]:54321"), "fd00::20"),
        (failed(1, "[::ffff:10.0.1.20]:54321"), "10.0.1.20"),
        (
            failed(
                1,
                "10.0.0.1:1",
                response_flags="UF",
                downstream_transport_failure_reason=None,
                upstream_transport_failure_reason="TLS_error:|268435581:SSL_routines:OPENSSL_internal:"
                "CERTIFICATE_VERIFY_FAILED:TLS_error_end",
                upstream_host="10.0.2.9:8080",
            ),
            "10.0.2.9",
        ),
        (
            cri(
                text_line(
                    {
                        "src.addr": "10.0.1.20:5",
                        "dst.addr": "10.0.0.9:15008",
                        "direction": "inbound",
                        "error": "tls handshake error: Custom { kind: InvalidData, error: NoCertificatesPresented }",
                    }
                )
            ),
            "10.0.1.20",
        ),
    ],
)
def test_the_address_of_the_other_end_is_asked_about(line: bytes, address: str) -> None:
    known = Known()
    [unanswered] = fed(made(known).open(TARGET), line).unanswered
    assert unanswered.address == address
    assert known.asked == [(address, unanswered.at)]


@pytest.mark.parametrize(
    "remote", ["envoy://internal_client_address/", "-", "", "@/run/socket", "host:80", "fe80::1%0"]
)
def test_what_is_no_address_is_not_asked_about(remote: str) -> None:
    known = Known()
    found = fed(made(known).open(TARGET), failed(1, remote), failed(2, remote))
    assert not found.unanswered
    assert not known.asked
    assert found.peers == {("unknown", "not_an_address"): 2}
    assert [entry["peer_kind"] for entry in entries(found)] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("start", "at"),
    [
        ("2026-11-23T10:29:59.5Z", NANOS - 623_456_789),
        (None, NANOS),
        ("yesterday", NANOS),
        ("2026-11-23T10:31:00Z", NANOS),  # after the line
    ],
)
def test_it_is_asked_about_when_the_connection_began(start: str | None, at: int) -> None:
    known = Known()
    fed(made(known).open(TARGET), failed(1, "10.0.1.20:1", start_time=start))
    assert known.asked == [("10.0.1.20", at)]


def test_what_is_not_known_in_time_is_unknown_for_a_reason() -> None:
    pipe = made(Known()).open(TARGET)
    found = fed(pipe, failed(1, "10.0.1.20:1"))
    assert (found.kept, found.failures, found.peers) == (0, {}, {})
    pipe.named(found, "timeout")
    [entry] = entries(found)
    assert entry["peer_kind"] == "unknown"
    assert not entry.keys() & {"peer_app", "peer_namespace", "peer_pod"}
    assert found.peers == {("unknown", "timeout"): 1}
    assert found.failures == {FailureKind("plaintext", "downstream", shipped=True): 1}


def test_what_was_used_for_a_line_stays_true_for_it_after_a_restart() -> None:
    known = Known({"10.0.1.20": LEGACY})
    pipeline = made(known)
    pipe = pipeline.open(TARGET)
    lines = failed(1, "10.0.1.20:1"), failed(2, "10.0.1.21:1")
    found = fed(pipe, *lines)
    assert pipeline.answers.changed  # so it is saved before these are pushed
    pipe.named(found, "timeout")
    saved = pipeline.answers.answered(TARGET.key)
    heir = made(Known({"10.0.1.20": {**LEGACY, "peer_app": "other"}, "10.0.1.21": LEGACY}))
    heir.answers.restore(TARGET.key, saved)
    again = fed(heir.open(TARGET), *lines)
    assert not again.unanswered
    assert entries(again) == entries(found)


def test_a_timeout_has_a_peer_only_if_that_is_wanted() -> None:
    line = cri(b'{"response_flags":"UT","upstream_host":"10.0.1.20:1"}')
    for rule in (UT, MTLS):
        for timeouts in (False, True):
            known = Known({"10.0.1.20": LEGACY})
            found = fed(made(known, rule, timeouts=timeouts).open(TARGET), line, line)
            assert [entry.get("peer_app") for entry in entries(found)] == ["legacy" if timeouts else None] * 2
            assert bool(found.peers) == timeouts


def test_a_failure_that_is_only_counted_asks_for_nothing() -> None:
    pipe = made(Known({"10.0.1.20": LEGACY}), UT).open(TARGET)
    found = fed(pipe, failed(1, "10.0.1.20:1"), failed(2, "10.0.1.21:1"))
    assert not found.unanswered
    peers = [kind.peer for kind in found.failures]
    assert sorted(peers) == [("", ""), ("default", "legacy")]


def test_beyond_the_budget_the_name_of_the_peer_goes() -> None:
    holders = {f"10.0.1.{number}": {**LEGACY, "peer_app": f"app-{number}"} for number in range(5)}
    pipe = made(Known(holders), values=3).open(TARGET)
    found = fed(pipe, *(failed(number, f"10.0.1.{number}:1") for number in range(5)))
    apps = [entry["peer_app"] for entry in entries(found)]
    assert sorted(apps) == ["__overflow__", "__overflow__", "app-0", "app-1", "app-2"]
    assert found.overflowed == {"peer_app": 2}


def test_without_peers_no_line_has_any() -> None:
    pipe = Pipeline(MTLS, Admission(LABELS, 10, 10), METADATA, 1000, Audit()).open(TARGET)
    [entry] = entries(fed(pipe, failed(1, "10.0.1.20:1")))
    assert not entry.keys() & set(PEER_FIELDS)


ADDRESSES = ("10.0.1.20", "10.0.1.21", "fd00::20", "-")
LINES = st.lists(st.sampled_from([*ADDRESSES, "timeout", "healthy"]), min_size=1, max_size=40)


def written(number: int, what: str) -> bytes:
    if what == "healthy":
        return cri(b'{"response_flags":"-","request_id":"%d"}' % number)
    if what == "timeout":
        return cri(b'{"response_flags":"UT","request_id":"%d"}' % number)
    return failed(number, f"[{what}]:{number}" if ":" in what else f"{what}:{number}")


@given(
    blocks=st.lists(LINES, min_size=1, max_size=4),
    known=st.dictionaries(st.sampled_from(ADDRESSES[:3]), st.sampled_from([LEGACY, UNKNOWN])),
    learnt=st.dictionaries(st.sampled_from(ADDRESSES[:3]), st.sampled_from([LEGACY, UNKNOWN])),
)
def test_each_line_is_an_entry_once_in_order_and_by_its_address_whatever_is_known_when(
    blocks: list[list[str]], known: dict[str, Mapping[str, str]], learnt: dict[str, Mapping[str, str]]
) -> None:
    knows = Known(known)
    pipe = made(knows).open(TARGET)
    numbers: dict[str, list[int]] = {}
    number = 0
    apps: dict[str, set[str]] = {}
    for what in blocks:
        lines = list(enumerate(what, number))
        number += len(what)
        found = fed(pipe, *(written(*line) for line in lines))
        first = next((at for at, one in lines if one in ADDRESSES[:3] and one not in knows.holders), None)
        if first is None:
            assert not found.unanswered or not all(one in knows.holders for _, one in lines)
        knows.holders.update(learnt)  # it may be known by then, or not
        pipe.named(found, "timeout")
        assert not found.unanswered
        kept = [at for at, one in lines if one != "healthy"]
        assert sorted(int(entry["request_id"]) for entry in entries(found)) == kept
        for labels, columns in found.streams.items():
            these = [int(dict(entry.metadata)["request_id"]) for entry in columns]
            assert these == sorted(these), labels
            numbers.setdefault(labels, []).extend(these)
        by_number = dict(lines)
        for entry in entries(found):
            apps.setdefault(by_number[int(entry["request_id"])], set()).add(entry.get("peer_app", ""))
    assert all(one == sorted(one) for one in numbers.values())
    assert all(len(one) == 1 for one in apps.values()), apps  # the answer stays


@given(LINES, st.dictionaries(st.sampled_from(ADDRESSES[:3]), st.sampled_from([LEGACY, UNKNOWN])))
def test_many_lines_at_once_come_to_the_same_as_one_by_one(
    what: list[str], known: dict[str, Mapping[str, str]]
) -> None:
    lines = [written(*line) for line in enumerate(what)]
    together, single = made(Known(known)).open(TARGET), made(Known(known)).open(TARGET)
    for _ in range(2):  # the second time all labels are known
        found = fed(together, *lines)
        together.named(found, "away")
        parts = [fed(single, line) for line in lines]
        for part in parts:
            single.named(part, "away")
        assert sorted_by_number(entries(found)) == sorted_by_number(entry for part in parts for entry in entries(part))
        assert found.peers == sum((part.peers for part in parts), start=type(found.peers)())
        assert found.failures == sum((part.failures for part in parts), start=type(found.failures)())


def sorted_by_number(found: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(found, key=lambda entry: int(entry["request_id"]))


def test_answers_make_room_when_nothing_is_unsettled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipper.pipeline.peers.MOST_PEERS", 2)
    known = Known({f"10.0.1.{number}": LEGACY for number in range(3)})
    pipeline = made(known)
    pipe = pipeline.open(TARGET)
    found = fed(pipe, *(failed(number, f"10.0.1.{number}:1") for number in range(3)))
    assert found.peers == {("pod", ""): 2, ("unknown", "too_many_addresses"): 1}
    pipe.nothing_unsettled()
    assert fed(pipe, failed(4, "10.0.1.2:1")).peers == {("pod", ""): 1}
