"""ztunnel's lines through the pipeline: which are kept, and under whose labels."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.label_text import parse
from shipper.model import Block, Target
from shipper.pipeline.audit import Audit, FailureKind
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import OVERFLOW, Admission
from shipper.pipeline.pipeline import Pipeline, TargetPipeline
from shipper.pipeline.result import Result
from shipper.pipeline.workloads import FOREVER, Answer
from tests.pipeline.reading import cri
from tests.pipeline.ztunnel_lines import CORPUS, ERRORS, HOSTILE, json_line, text_line

SECOND = 10**9
NOW = 1_795_984_457 * SECOND
LABELS = ("source_san", "failure_reason", "side")
PROMOTED = ("namespace", "app", "pod", "team")
FIELDS = {"namespace": "istio-system", "app": "ztunnel", "pod": "ztunnel-x2x7k", "team": "mesh", "node": "n1"}
TARGET = Target(
    "istio-system_ztunnel-x2x7k_1/istio-proxy",
    FIELDS | {"container": "istio-proxy", "uid": "1"},
    {"job": "x", **{name: FIELDS[name] for name in PROMOTED}},
    PROMOTED,
)
HEALTHY = {"src.addr": "10.0.0.2:5", "dst.addr": "10.0.0.3:15008", "direction": "inbound", "duration": "1ms"}
INBOUND = {"src.addr": "10.0.0.2:5", "dst.addr": "10.0.0.3:15008", "direction": "inbound"}
EXPIRED = "tls handshake error: Custom { kind: InvalidData, error: InvalidCertificate(Expired) }"
DENIED = "connection closed due to policy rejection: explicitly denied by: istio-system/istio_converted_static_strict"
LOCAL_OUT = {"src.workload": "web-5c6d7f8b9-x8w2p", "src.namespace": "shop"}


class Cluster:
    """Who knows the pods: what was asked, and what is answered."""

    def __init__(self, pods: Mapping[str, Answer] | None = None, addresses: Mapping[str, Answer] | None = None) -> None:
        self.pods, self.addresses = pods or {}, addresses or {}
        self.asked: list[tuple[str, int]] = []

    def pod(self, namespace: str, name: str, at: int) -> Answer:
        self.asked.append((f"{namespace}/{name}", at))
        return self.pods.get(f"{namespace}/{name}", Answer({}, at, at + 1))

    def address(self, address: str, at: int) -> Answer:
        self.asked.append((address, at))
        return self.addresses.get(address, Answer({}, at, at + 1))


def pipeline(
    rule: KeepRule = MTLS,
    cluster: Cluster | None = None,
    *,
    metadata: tuple[str, ...] = (),
    admission: Admission | None = None,
    target: Target = TARGET,
) -> TargetPipeline:
    budgets = Admission(LABELS, 200, 500) if admission is None else admission
    return Pipeline(rule, budgets, metadata, 1 << 20, Audit(), workloads=cluster).open(target)


def feed(pipe: TargetPipeline, *lines: bytes) -> Result:
    found = pipe.feed(Block(None, 0, memoryview(b"".join(line + b"\n" for line in lines))), NOW)
    assert found.lines == found.kept + found.filtered.total() + found.dropped.total() == len(lines)
    return found


def labels_of(found: Result) -> dict[str, str]:
    (labels,) = found.streams
    return parse(labels)


def in_docker(line: bytes) -> bytes:
    return orjson.dumps({"log": line.decode() + "\n", "stream": "stdout", "time": "2026-11-29T20:34:17.241771Z"})


WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "cri": cri,
    "cri with stderr": lambda line: cri(line, b"F:x", b"stderr"),
    "bare": lambda line: line,
    "coloured": lambda line: cri(b"\x1b[36m%b\x1b[0m" % line),
    "docker": in_docker,
    "docker within cri": lambda line: cri(in_docker(line)),
}
# Up to Istio 1.25 a failed inbound handshake is a line of `hyper_util`, without an address or a field `error`.
READ = [case for case in CORPUS if "hyper_util" not in case["line"]]


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("together", [True, False])
def test_every_line_of_the_corpus_is_decided_as_wanted(written: str, together: bool) -> None:
    lines = [WRITTEN[written](case["line"].encode()) for case in READ]
    pipe = pipeline()
    results = [feed(pipe, *lines)] if together else [feed(pipe, line) for line in lines]
    kept = Counter[tuple[str, str]]()
    for result in results:
        for labels, columns in result.streams.items():
            kept[parse(labels)["failure_reason"], parse(labels)["side"]] += len(columns)
    wanted = [(case["wanted"]["failure_reason"], case["wanted"]["side"]) for case in READ if case["wanted"]["keep"]]
    assert kept == Counter(wanted)
    assert sum((result.failures for result in results), Counter()).total() == len(wanted)
    if not together:
        assert [result.kept == 1 for result in results] == [case["wanted"]["keep"] for case in READ]


@pytest.mark.parametrize("case", READ, ids=lambda case: f"{case['scenario']}-{case['format']}")
def test_a_line_that_is_split_is_decided_as_a_whole(case: dict[str, Any]) -> None:
    line = case["line"].encode()
    pipe = pipeline()
    pipe.feed(Block(None, 0, memoryview(cri(line[:70], b"P") + b"\n")), NOW)
    assert feed(pipe, cri(line[70:])).kept == case["wanted"]["keep"]


@pytest.mark.parametrize("rule", [UT, MTLS], ids=lambda rule: rule.name)
def test_what_is_not_kept_is_counted_as_what_it_is(rule: KeepRule) -> None:
    own_text = b"2026-11-29T20:34:14.854903Z\twarn\tidentity::manager\tcertificate fetch failed"
    own_json = b'{"level":"warn","time":"2026-11-29T20:44:20.8Z","scope":"ztunnel::identity","message":"x"}'
    for own, reason in ((own_text, "not_json"), (own_json, "no_match")):
        for line in (text_line(HEALTHY, level="info"), json_line(HEALTHY, level="info")):
            for lines in ([own], [line], [line, own], [own, line, line]):
                reasons = Counter(reason if one is own else "no_match" for one in lines)
                assert feed(pipeline(rule), *map(cri, lines)).filtered == reasons
                assert feed(pipeline(rule), *lines).filtered == reasons


def test_with_keep_ut_nothing_is_kept_and_the_failures_are_counted() -> None:
    found = feed(
        pipeline(UT), cri(text_line({**INBOUND, "error": EXPIRED})), cri(json_line({**INBOUND, "error": DENIED}))
    )
    assert (found.kept, found.filtered) == (0, Counter(no_match=2))
    unknown = ("", "")
    assert found.failures == Counter(
        [
            FailureKind("cert_expired", "downstream", shipped=False, app=unknown),
            FailureKind("plaintext", "downstream", shipped=False, app=unknown),
        ]
    )


def test_a_line_that_was_cut_off_is_malformed() -> None:
    line = text_line({**INBOUND, "error": EXPIRED})[:-1]
    assert feed(pipeline(), cri(line)).filtered == Counter(malformed=1)


def test_each_line_counts_for_none_names_its_connection() -> None:
    found = feed(pipeline(), *[cri(text_line({**INBOUND, "error": EXPIRED}))] * 300)
    assert found.failures.total() == found.kept == 300


# Whose labels


@pytest.mark.parametrize("write", [text_line, json_line])
def test_an_inbound_line_is_of_its_destination(write: Callable[[Mapping[str, str]], bytes]) -> None:
    names = {"dst.workload": "pay-5c6d7f8b9-x8w2p", "dst.namespace": "pay"}
    claimed = {"src.workload": "kube-apiserver", "src.namespace": "kube-system", "src.cluster": "prod"}
    identity = {"src.identity": "spiffe://cluster.local/ns/shop/sa/web"}
    found = feed(pipeline(), cri(write({**claimed, **identity, **names, **INBOUND, "error": DENIED})))
    assert labels_of(found) == {
        "job": "x",
        "namespace": "pay",
        "app": "pay",
        "pod": "pay-5c6d7f8b9-x8w2p",
        "service_name": "pay",
        "failure_reason": "plaintext",
        "side": "downstream",
        "source_san": "spiffe://cluster.local/ns/shop/sa/web",
    }
    assert list(found.failures) == [FailureKind("plaintext", "downstream", shipped=True, app=("pay", "pay"))]


def test_an_outbound_line_is_of_its_source() -> None:
    fields = {**LOCAL_OUT, "dst.workload": "pay-1", "dst.namespace": "pay", "direction": "outbound"}
    found = feed(pipeline(), cri(text_line({**fields, "error": "io error: invalid peer certificate: UnknownIssuer"})))
    labels = labels_of(found)
    assert (labels["namespace"], labels["app"], labels["pod"]) == ("shop", "web", "web-5c6d7f8b9-x8w2p")
    assert labels["side"] == "upstream"
    assert "team" not in labels


def test_a_known_pod_gives_what_a_sidecar_of_it_would_have() -> None:
    cluster = Cluster(
        {"shop/web-5c6d7f8b9-x8w2p": Answer({"app": "storefront", "team": "blue", "uid": "7"}, 0, FOREVER)}
    )
    pipe = pipeline(cluster=cluster, metadata=("uid", "node", "container", "source_ip"))
    fields = {"src.addr": "10.0.0.2:5", **LOCAL_OUT, "direction": "outbound", "error": "io error: tls handshake eof"}
    found = feed(pipe, cri(text_line(fields)))
    labels = labels_of(found)
    assert (labels["app"], labels["team"], labels["pod"]) == ("storefront", "blue", "web-5c6d7f8b9-x8w2p")
    (columns,) = found.streams.values()
    assert columns.metadata == [
        (("uid", "7"), ("node", "n1"), ("container", "istio-proxy"), ("source_ip", "10.0.0.2")),
    ]


def test_a_line_with_addresses_alone_is_of_the_pod_that_had_the_address() -> None:
    known = {"namespace": "pay", "pod": "pay-5c6d7f8b9-x8w2p", "team": "green"}
    cluster = Cluster(addresses={"10.0.0.3": Answer(known, 0, FOREVER)})
    line = cri(text_line({**INBOUND, "error": EXPIRED}, "connection failed", "warn"))
    labels = labels_of(feed(pipeline(cluster=cluster), line, line))
    assert {name: labels[name] for name in PROMOTED} == known | {"app": "pay"}
    ((address, at),) = cluster.asked
    assert (address, at) == ("10.0.0.3", 1_795_429_800_123_456_789)


@pytest.mark.parametrize("address", ["[fd00::3]:15008", "fd00::3"])
def test_an_address_is_asked_for_without_port_and_brackets(address: str) -> None:
    cluster = Cluster()
    feed(pipeline(cluster=cluster), cri(text_line({**INBOUND, "dst.addr": address, "error": EXPIRED})))
    assert [key for key, _ in cluster.asked] == ["fd00::3"]


@pytest.mark.parametrize("cluster", [None, Cluster()])
def test_what_is_unknown_stays_empty(cluster: Cluster | None) -> None:
    found = feed(pipeline(cluster=cluster), cri(text_line({**INBOUND, "error": EXPIRED})))
    assert labels_of(found) == {"job": "x", "failure_reason": "cert_expired", "side": "downstream"}


def test_a_healthy_line_asks_nobody() -> None:
    cluster = Cluster()
    feed(pipeline(cluster=cluster), cri(text_line(HEALTHY, level="info")), cri(text_line({**HEALTHY, "error": "x"})))
    assert cluster.asked == []


def test_the_lines_of_an_envoy_beside_it_keep_the_targets_labels() -> None:
    envoy = b'{"response_flags":"NR","response_code":0,"response_code_details":"filter_chain_not_found"}'
    found = feed(pipeline(), cri(envoy), cri(text_line({**INBOUND, "error": EXPIRED})))
    assert sorted(parse(labels).get("app", "") for labels in found.streams) == ["", "ztunnel"]


# Budgets


def test_the_streams_of_workloads_are_within_the_budget_and_saved() -> None:
    admission = Admission(LABELS, 200, 3)
    pipe = pipeline(admission=admission)
    lines = [
        cri(
            text_line(
                {
                    **INBOUND,
                    "dst.workload": f"web-{pod}",
                    "dst.namespace": "shop",
                    "src.identity": f"spiffe://{san}",
                    "error": DENIED,
                }
            )
        )
        for pod in range(2)
        for san in range(4)
    ]
    found = feed(pipe, *lines)
    assert (found.kept, found.overflowed["source_san"]) == (8, 5)
    assert len(admission) == 5  # three, and one per workload that takes all others
    again = Admission(LABELS, 200, 3)
    again.restore(TARGET.key, admission.admitted(TARGET.key))
    assert again.admitted(TARGET.key) == admission.admitted(TARGET.key)
    assert set(feed(pipeline(admission=again), *lines).streams) == set(found.streams)
    again.release(TARGET.key)
    assert len(again) == 0
    assert sum(OVERFLOW in labels for labels in found.streams) == 2


def test_a_workload_that_is_gone_for_long_gives_its_streams_back() -> None:
    admission = Admission(LABELS, 200, 500)
    pipe = pipeline(admission=admission)

    def at(hour: int, pod: str) -> None:
        fields = {**INBOUND, "dst.workload": pod, "dst.namespace": "shop", "error": DENIED}
        feed(pipe, cri(text_line(fields), time=b"2026-11-23T%02d:30:00Z" % hour))

    at(10, "web-0")
    at(12, "web-1")
    assert len(admission) == 2
    pipe.nothing_unsettled()
    assert len(admission) == 1
    at(12, "web-0")
    assert len(admission) == 2


# What a client can write


@given(identity=HOSTILE, workload=HOSTILE, namespace=HOSTILE, error=ERRORS | HOSTILE)
def test_a_hostile_name_forges_no_label(identity: str, workload: str, namespace: str, error: str) -> None:
    fields = {
        "src.addr": "10.0.0.2:5",
        "src.workload": workload,
        "src.namespace": namespace,
        "src.identity": identity,
        "dst.addr": "10.0.0.3:15008",
        "dst.workload": "pay-0",
        "dst.namespace": "pay",
        "direction": "inbound",
        "error": error,
    }
    as_text, as_json = (feed(pipeline(), cri(write(fields))) for write in (text_line, json_line))
    assert as_text.failures == as_json.failures
    assert as_text.streams.keys() == as_json.streams.keys()
    for text in as_text.streams:
        labels = parse(text)
        assert (labels["namespace"], labels["app"], labels["pod"], labels["side"]) == (
            "pay",
            "pay",
            "pay-0",
            "downstream",
        )
        shown = {labels.get("source_san", ""), ""}
        assert identity in ("", "-") or shown == {identity, ""}
    refused = feed(pipeline(), cri(text_line({**fields, "error": DENIED})))
    assert labels_of(refused)["failure_reason"] == "plaintext"
    assert refused.failures == Counter([FailureKind("plaintext", "downstream", shipped=True, app=("pay", "pay"))])


@given(st.lists(HOSTILE, max_size=4), st.booleans())
def test_hostile_names_in_healthy_lines_make_no_failure(names: list[str], as_json: bool) -> None:
    write = json_line if as_json else text_line
    lines = [cri(write({**HEALTHY, "src.workload": name, "src.identity": name}, level="info")) for name in names]
    found = feed(pipeline(), *lines) if lines else Result()
    assert (found.kept, found.failures.total(), found.filtered["not_json"]) == (0, 0, 0)
