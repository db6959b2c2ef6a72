"""The peers of failed handshakes: who is asked, when a line waits, and what it is labelled by and counted."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.label_text import parse
from shipper.fields import PEER_FIELDS
from shipper.pipeline.answers import Answers
from shipper.pipeline.audit import Audit, FailureKind
from shipper.pipeline.failure import DOWNSTREAM, Failure
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import Admission
from shipper.pipeline.peers import PeerRule, Peers, TargetPeers, asked_of
from shipper.pipeline.pipeline import Pipeline, TargetPipeline
from shipper.pipeline.result import Result
from shipper.pipeline.workloads import FOREVER, Answer
from tests.pipeline.reading import NANOS, NOW, TARGET, TIME, block, cri, text
from tests.pipeline.ztunnel_lines import json_line, text_line

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
    known: Peers, rule: KeepRule = MTLS, *, timeouts: bool = False, labels: Sequence[str] = LABELS, values: int = 100
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


OUTBOUND = {
    "src.addr": "10.0.0.9:5",
    "dst.addr": "10.0.2.9:15008",
    "dst.hbone_addr": "10.0.9.9:80",
    "direction": "outbound",
    "error": "tls handshake error: Custom { kind: InvalidData, error: InvalidCertificate(Expired) }",
}


@pytest.mark.parametrize("written", [text_line, json_line])
def test_of_a_ztunnel_the_end_is_asked_about_that_the_tunnel_leads_to(
    written: Callable[[dict[str, str]], bytes],
) -> None:
    known = Known({"10.0.2.9": LEGACY})
    found = fed(made(known).open(TARGET), cri(written(OUTBOUND)), cri(written(OUTBOUND)))
    assert [address for address, _ in known.asked] == ["10.0.2.9"]
    assert [(entry["peer_app"], entry["peer_pod"]) for entry in entries(found)] == [("legacy", "legacy-0")] * 2
    assert [kind.peer for kind in found.failures] == [("default", "legacy")]
    assert found.peers == {("pod", ""): 2}


def test_a_ztunnels_lines_wait_too_and_keep_their_workload() -> None:
    line = cri(text_line(OUTBOUND | {"src.workload": "web-5c6d7f8b9-x8w2p", "src.namespace": "shop"}))
    known = Known()
    pipe = made(known).open(TARGET)
    found = fed(pipe, line)
    known.holders["10.0.2.9"] = LEGACY
    pipe.named(found, "timeout")
    assert [kind[2:] for kind in found.failures] == [(True, ("shop", "web"), ("default", "legacy"))]
    assert [entry["peer_app"] for entry in entries(found)] == ["legacy"]


def test_a_line_that_is_too_long_to_ship_is_counted_with_its_peer() -> None:
    pipe = made(Known({"10.0.1.20": LEGACY})).open(TARGET)
    found = fed(pipe, failed(1, "10.0.1.20:1", path="x" * 10_000))
    assert found.dropped == {"line_too_long": 1}
    assert [kind.peer for kind in found.failures] == [("default", "legacy")]
    assert not found.peers


def test_a_connection_with_many_lines_is_counted_once_when_its_peer_is_known() -> None:
    known = Known()
    pipe = made(known).open(TARGET)
    lines = [failed(number, "10.0.1.20:5", connection_id=7, start_time="2026-11-23T10:29:59Z") for number in range(3)]
    found = fed(pipe, *lines)
    known.holders["10.0.1.20"] = LEGACY
    pipe.named(found, "")
    assert found.failures == {FailureKind("plaintext", "downstream", True, peer=("default", "legacy")): 1}
    assert found.peers == {("pod", ""): 3}


def test_each_address_is_asked_about_once_and_only_where_it_must_be() -> None:
    pipe = made(Known({"10.0.1.21": LEGACY})).open(TARGET)
    remotes = ("10.0.1.21:1", "10.0.1.20:1", "10.0.1.20:2", "10.0.1.21:2", "-")
    found = fed(pipe, *(failed(number, remote) for number, remote in enumerate(remotes)))
    assert found.questions() == [("10.0.1.20", NANOS)]
    assert (found.kept, len(found.unanswered)) == (1, 4)
    rest = found.rest()
    pipe.named(rest, "timeout")
    assert (rest.lines, rest.kept) == (0, 5)
    assert found.peers + rest.peers == {("pod", ""): 2, ("unknown", "timeout"): 2, ("unknown", "not_an_address"): 1}


def test_lines_behind_one_within_another_line_wait_too() -> None:
    known = Known({"10.0.1.20": LEGACY})
    pipe = made(known).open(TARGET)
    lines = [failed(number, "10.0.1.20:1") for number in range(4)]
    fed(pipe, *lines)  # their label text is known
    docker = {"log": failed(-1, "10.0.1.21:1").partition(b" F ")[2].decode() + "\n", "stream": "stdout", "time": "-"}
    found = fed(pipe, lines[0], cri(json.dumps(docker).encode()), *lines[1:])
    assert (found.kept, len(found.unanswered)) == (1, 4)
    known.holders["10.0.1.21"] = LEGACY
    pipe.named(found, "")
    assert [entry["request_id"] for entry in entries(found)] == ["0", "-1", "1", "2", "3"]


def test_the_last_lines_of_a_log_wait_too() -> None:
    known = Known({"10.0.1.20": LEGACY})
    pipe = made(known).open(TARGET)
    part = failed(1, "10.0.1.21:1").replace(b" F {", b" P {")
    assert not fed(pipe, part).unanswered
    found = pipe.flush(NOW)
    assert (found.lines, found.kept, found.questions()) == (1, 0, [("10.0.1.21", NANOS)])
    pipe.named(found, "away")
    assert found.peers == {("unknown", "away"): 1}


def test_a_directory_that_is_away_for_long_takes_no_more_room_than_for_a_moment() -> None:
    pipeline = made(Known())
    pipe = pipeline.open(TARGET)
    for second in range(200):
        found = fed(pipe, failed(1, "10.0.1.20:1", start_time=f"2026-11-23T10:{second // 60:02}:{second % 60:02}.000Z"))
        pipe.named(found, "away")
        assert found.peers == {("unknown", "away"): 1}
    assert [len(spans) for spans in pipeline.answers.answered(TARGET.key).values()] == [1]


def test_an_answer_is_forgotten_an_hour_after_its_last_use_and_asked_for_again() -> None:
    known = Known({"10.0.1.20": LEGACY, "10.0.1.21": LEGACY})
    pipeline = made(known)
    pipe = pipeline.open(TARGET)
    for hour in (10, 11, 12):
        lines = [failed(number, "10.0.1.20:1" if hour == 10 else "10.0.1.21:1") for number in range(2)]
        fed(pipe, *(line.replace(b"T10:", b"T%d:" % hour) for line in lines))
        pipe.nothing_unsettled()
    assert list(pipeline.answers.answered(TARGET.key)) == ["peer 10.0.1.21"]
    known.holders["10.0.1.20"] = LEGACY | {"peer_app": "other"}
    found = fed(pipe, failed(1, "10.0.1.20:1"), failed(2, "10.0.1.20:1"))
    assert [entry["peer_app"] for entry in entries(found)] == ["other", "other"]


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


class Moving:
    """Each address is another's from one second to the next; what it is asked about is remembered."""

    def __init__(self, period: int, behind: int = 0) -> None:
        self._period, self._behind = period, behind  # nanoseconds; of the last ones it must be asked again

    def address(self, address: str, at: int) -> Answer | None:
        if at > NANOS - self._behind:
            return None
        start = at - at % self._period
        return Answer({"peer_kind": "pod", "peer_app": holder(address, start)}, start, start + self._period)


def holder(address: str, start: int) -> str:
    return f"{address} {start % 10**12}"


PORTS = {f"10.0.1.{number}:{port}": f"10.0.1.{number}" for number in (1, 2) for port in (80, 81)}
PORTS |= {f"[fd00::{number}]:80": f"fd00::{number}" for number in (7, 8)}
BARE = {"fd00::7": "fd00::7", "fd00::8": "fd00::8", "fd00::7:80": "fd00::7:80", "[fd00::8]": "fd00::8"}
BARE |= {"10.0.1.1": "10.0.1.1", "[::ffff:10.0.1.2]:9": "10.0.1.2", "10.0.1.1:http": "10.0.1.1"}
NONE = ("envoy://internal_client_address/", "-", "", "[fd00:]:1", "fd00::7%1", "10.0.1:80")
REMOTES = PORTS | BARE | dict.fromkeys(NONE, "")
TIMES = {TIME.replace(b".123456789", b".%09d" % nanos): nanos - 123_456_789 for nanos in (5 * 10**7, 123_456_789)}
MILLIS = {f"2026-11-23T10:30:00.{millis:03}Z": millis for millis in (0, 1, 49, 50, 51, 122, 123, 124, 999)}
ALIKE: dict[str, int | None] = {"2026-11-23T10:29:59.999Z": -1}
ALIKE |= dict.fromkeys(("2026-11-23T10:30:61.000Z", "2026-11-23T10:30:00.0x0Z", "1969-12-31T23:59:59.999Z"))
STARTS: dict[str, int | None] = {**MILLIS, **ALIKE, "2026-11-23T10:29:00.5Z": -59_500}
STARTS |= {"2026-11-23T12:30:00.050+02:00": 50, "-": None, "": None}
LINE_TIMES = st.sampled_from(list(TIMES))
FAILED = st.tuples(st.sampled_from(list(REMOTES)), st.sampled_from([*STARTS, None]), LINE_TIMES)
USUAL = st.tuples(st.sampled_from(list(PORTS)[:3]), st.sampled_from([*MILLIS, *ALIKE]), LINE_TIMES)
USUAL |= st.tuples(st.sampled_from(list(PORTS)), st.sampled_from([*MILLIS, None]), LINE_TIMES)


def asked_at(start: str | None, time: bytes) -> int:
    """The model: the connection's start, as far as the line has one that is not after it."""
    line, millis = NANOS + TIMES[time], STARTS.get(start or "")
    return line if millis is None else min(line, NANOS - 123_456_789 + millis * 1_000_000)


@pytest.mark.parametrize("period", [1_000_000, 100_000_000, SECOND, 3600 * SECOND])
@pytest.mark.parametrize("behind", [0, 200_000_000])
@given(blocks=st.lists(st.lists(USUAL, max_size=12) | st.lists(FAILED | USUAL, max_size=12), max_size=5))
def test_a_line_names_who_had_the_address_when_its_connection_began(
    period: int, behind: int, blocks: list[list[tuple[str, str | None, bytes]]]
) -> None:
    pipe = made(Moving(period, behind), labels=("peer_app",), values=10_000).open(TARGET)
    for lines in blocks:
        fields = [{} if start is None else {"start_time": start} for _, start, _ in lines]
        written = [failed(number, remote, **fields[number]) for number, (remote, *_) in enumerate(lines)]
        found = fed(pipe, *(line.replace(TIME, at) for line, (*_, at) in zip(written, lines, strict=True)))
        pipe.named(found, "away")
        by_number = {int(entry["request_id"]): entry for entry in entries(found)}
        assert sorted(by_number) == list(range(len(lines)))
        for number, (remote, start, time) in enumerate(lines):
            entry, address, at = by_number[number], REMOTES[remote], asked_at(start, time)
            if address and (at <= NANOS - behind or entry["peer_kind"] == "pod"):  # one may know it by another's answer
                assert entry["peer_app"] == holder(address, at - at % period), (remote, start)
            else:
                assert (entry["peer_kind"], entry.get("peer_app")) == ("unknown", None), (remote, start)
        assert found.peers.total() == len(lines)


START = 1_795_429_800 * SECOND  # 2026-11-23T10:30:00Z
WHEN = ("10:30:00.049", "10:30:00.050", "10:30:00.123", "10:29:59.999", "10:30:61.000", "10:30:00.0x0", "10:31:00.000")
ASKED = st.tuples(
    st.sampled_from([f"2026-11-23T{at}Z" for at in WHEN] + ["1969-12-31T23:59:59.999Z"]),
    st.sampled_from([START + nanos for nanos in (50_400_000, 123_456_789, 90 * SECOND)]),
)


@settings(max_examples=400)
@given(st.sampled_from([1_000_000, SECOND, 75 * SECOND]), st.lists(st.lists(ASKED, min_size=1, max_size=3), max_size=4))
def test_many_lines_at_once_have_the_peers_of_their_own_times(period: int, steps: list[list[tuple[str, int]]]) -> None:
    rule = PeerRule(Always(period))
    many, single = (TargetPeers(rule, Answers(), "a", ("peer_app",)) for _ in range(2))
    for step in steps:
        records = [{"downstream_remote_address": "10.0.1.1:80", "start_time": start} for start, _ in step]
        found = many.find_many([(REFUSED, record) for record in records], [nanos for _, nanos in step])
        for peer, record, (_, nanos) in zip(found, records, step, strict=True):
            wanted = single.find(asked_of(REFUSED, record, nanos))
            assert peer is not None
            assert wanted is not None
            assert peer.fields == wanted.fields


REFUSED = Failure("plaintext", DOWNSTREAM)


class Always(Moving):
    """It knows each time, also one before the epoch."""

    def __init__(self, period: int) -> None:
        super().__init__(period, -1000 * SECOND)


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
