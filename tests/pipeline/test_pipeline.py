"""The stages together: which lines are kept, and what becomes of each."""

import json
import random
from collections import Counter

import pytest

from lab.label_text import parse
from shipper.fields import TELLING_KEYS
from shipper.model import Block, Columns, Target
from shipper.pipeline.audit import Audit, FailureKind
from shipper.pipeline.failure import UPSTREAM, Failure
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import OVERFLOW, Admission
from shipper.pipeline.pipeline import Pipeline, TargetPipeline
from shipper.pipeline.record import mapped_loads
from shipper.pipeline.result import TOO_LONG, Result
from tests.pipeline.logs import TLS, Writer
from tests.pipeline.reading import FILE, MAX_LINE, NAMES, NANOS, NOW, TARGET, block, cri, fed, pipeline, text

# The flag, exactly


@pytest.mark.parametrize(
    "content",
    [
        b'{"response_flags":"UT"}',
        b'{"response_flags":"DC,UT"}',
        b'{"response_flags":"UT,URX"}',
        b'{ "request_id" : "1" , "response_flags" :   "UT" }',
        b'{"request_id":"1",\t"response_flags":\t"UT"\r}\r',
        b'  {"response_flags":"UT"}  ',
        b'{"response\\u005fflags":"UT"}',
        b'{"\\u0072\\u0065\\u0073ponse_flags":"UT"}',
        b'{"response_flags":"\\u0055T"}',
        b'{"response_flags":"U\\u0054"}',
        b'{"response_flags":"\\u0044C\\u002CUT"}',
        b'{"response_flags":"DC\\u002cUT"}',
        b'{"response_flags":"-","response_flags":"UT"}',
        b'{"x":{"response_flags":"-"},"response_flags":"UT"}',
        b'{"x":"a\\\\","response_flags":"UT"}',
        b'{"x":"\\",\\"response_flags\\":\\"-","response_flags":"UT"}',
        b'{"response_flags":"UT","n":123456789012345678901234567890}',
    ],
)
def test_the_flag_is_found_however_it_is_spelled(content: bytes) -> None:
    found = pipeline().feed(block(text(cri(content))), NOW)
    assert list(found.streams.values()) == [Columns([NANOS], [content])]
    assert (found.lines, found.filtered.total(), found.dropped.total()) == (1, 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        *(
            b'{"response_flags":"%s"}' % flags
            for flags in (b"UTX", b"XUT", b"ut", b"U T", b"-", b"", b"NUT,UTC", b" UT")
        ),
        *(b'{"response_flags":%s}' % value for value in (b"null", b"5", b"true", b'["UT"]', b'{"UT":"UT"}')),
        b"{}",
        b'{"method":"PUT","path":"/UT","user_agent":"UT"}',
        b'{"Response_Flags":"UT"}',
        b'{"response_flags_long":"UT","upstream_response_flags":"UT"}',
        b'{"response_flags":"UT","response_flags":"-"}',
        b'{"response_flags":"UT","response\\u005fflags":null}',
        b'{"x":{"response_flags":"UT"}}',
        b'{"x":"\\",\\"response_flags\\":\\"UT","response_flags":"-"}',
        b'{"response_flags":"\\\\u0055T"}',
    ],
)
def test_what_only_looks_like_the_flag_is_filtered(content: bytes) -> None:
    found = pipeline().feed(block(text(cri(content))), NOW)
    is_known = not TELLING_KEYS.isdisjoint(json.loads(content))
    reason = "no_match" if is_known else "unknown_format"
    assert (found.streams, found.filtered) == ({}, Counter({reason: 1}))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (cri(b'{"response_flags":"UT"'), "malformed"),
        (cri(b'{"response_flags":"UT"}', time=b"yesterday"), "malformed"),
        (cri(b'{"response_flags":"UT"}', time=b"2026-13-45T99:99:99Z"), "malformed"),
        (cri(b'{"response_flags":"UT","x":"\xff"}'), "malformed"),
        (cri(b'{"response_flags":"UT","x":' + b"[" * 100 + b"}"), "malformed"),
        (cri(b'{"cut":'), "no_match"),  # holds no literal, so nobody looks
        (cri(b'["UT"]'), "not_json"),
        (cri(b""), "not_json"),
        (cri(b'{"response_flags":"UT"}', b"X"), "not_json"),
        (b"", "not_json"),
        (b"\xff\0\r", "not_json"),
        (cri(b'[2026-11-23T10:30:00.123Z] "GET / HTTP/1.1" 504 UT'), "text_format"),
        (b'[2026-11-23T10:30:00.123Z] "GET / HTTP/1.1" 504 UT', "text_format"),
    ],
)
def test_what_is_not_kept_has_its_reason(line: bytes, reason: str) -> None:
    found = pipeline().feed(block(text(line)), NOW)
    assert (found.streams, found.lines, +found.filtered) == ({}, 1, Counter([reason]))


# Times, sizes, and what a block is


@pytest.mark.parametrize(
    ("start_time", "nanos"),
    [('"2026-11-23T10:30:00.5Z"', 1_795_429_800_500_000_000), ('"yesterday"', NOW), ("null", NOW), ('"\\u00e9"', NOW)],
)
def test_a_line_without_prefix_has_its_own_time_or_that_of_reading(start_time: str, nanos: int) -> None:
    content = f' {{"response_flags":"UT","start_time":{start_time}}}'.encode()
    assert list(pipeline().feed(block(text(content)), NOW).streams.values()) == [Columns([nanos], [content])]


def test_a_container_s_line_has_the_runtime_s_time() -> None:
    content = b'{"response_flags":"UT","start_time":"2020-01-01T00:00:00Z"}'
    assert list(pipeline().feed(block(text(cri(content))), NOW).streams.values()) == [Columns([NANOS], [content])]


def test_what_is_kept_outlives_the_buffer_it_was_read_into() -> None:
    buffer = bytearray(text(cri(b'{"response_flags":"UT","downstream_peer_uri_san":"x"}')))
    found = pipeline().feed(Block(FILE, 0, memoryview(buffer)), NOW)
    buffer[:] = b"#" * len(buffer)
    assert [entry.line for entry in found.streams.popitem()[1]] == [
        b'{"response_flags":"UT","downstream_peer_uri_san":"x"}'
    ]


PADDED = b'{"response_flags":"UT","x":"%s"}'
OVERHEAD = len(PADDED % b"")


@pytest.mark.parametrize(("over", "kept"), [(0, 1), (1, 0)])
@pytest.mark.parametrize("count", [1, 3])
def test_a_line_may_be_as_long_as_the_limit_and_no_longer(over: int, kept: int, count: int) -> None:
    content = PADDED % (b"x" * (MAX_LINE + over - OVERHEAD))
    lines = Writer(random.Random(1)).parts(content, b"stdout", count, ends=True)
    found = fed(pipeline(), [text(*lines, cri(b'{"response_flags":"UT"}'))])
    assert (found.lines, sum(map(len, found.stored.values()))) == (2, 1 + kept)
    assert found.reasons == Counter({TOO_LONG: 1 - kept})


def test_lines_that_fit_no_buffer_are_counted_as_dropped() -> None:
    found = pipeline().feed(block(text(cri(b'{"response_flags":"UT"}')), too_long=2), NOW)
    assert (found.lines, found.kept, found.dropped) == (3, 1, Counter({TOO_LONG: 2}))
    nothing_else = pipeline().feed(block(b"", too_long=1), NOW)
    assert (nothing_else.lines, nothing_else.kept, nothing_else.dropped) == (1, 0, Counter({TOO_LONG: 1}))


def test_an_empty_block_comes_to_nothing() -> None:
    assert pipeline().feed(block(b""), NOW) == Result()
    assert pipeline().flush(NOW) == Result()


def test_a_partial_line_limits_what_is_committed() -> None:
    pipe, before = pipeline(), text(cri(b"{}"), b"no line of a container")
    pipe.feed(block(before + text(cri(b'{"response_flags":', b"P"), cri(b'"U', b"P")), start=1000), NOW)
    assert pipe.joiner.commit_limit(FILE) == 1000 + len(before)
    found = pipe.feed(block(text(cri(b'T"}'))), NOW)
    assert (found.lines, found.kept, pipe.joiner.commit_limit(FILE)) == (1, 1, None)


def test_a_log_that_ends_within_a_line_gives_what_there_is() -> None:
    pipe = pipeline()
    lines = text(cri(b'{"response_flags":"UT"}', b"P"), cri(b'{"response_flags":"UT"', b"P", b"stderr"))
    assert pipe.feed(block(lines), NOW) == Result()
    found = pipe.flush(NOW)
    assert list(found.streams.values()) == [Columns([NANOS], [b'{"response_flags":"UT"}'])]
    assert (found.lines, found.filtered) == (2, Counter(malformed=1))
    assert pipe.flush(NOW) == Result()


# Labels and metadata


def test_the_labels_of_a_line_are_the_target_s_and_its_fields() -> None:
    content = (
        b'{"response_flags":"DC,UT","connection_termination_details":"-","downstream_peer_uri_san":"spiffe://\\"}"}'
    )
    found = pipeline().feed(block(text(cri(content))), NOW)
    assert list(found.streams) == [
        r'{app="checkout", job="mesh", response_flags="DC,UT", service_name="checkout", source_san="spiffe://\"}"}'
    ]


@pytest.mark.parametrize(
    ("record", "failure"),
    [
        ({"response_flags": "UT"}, Failure("upstream_timeout", UPSTREAM)),
        ({"upstream_transport_failure_reason": TLS}, Failure("cert_verify_failed", UPSTREAM)),
    ],
)
def test_the_verdict_is_a_label_when_it_is_asked_for(record: dict[str, str], failure: Failure) -> None:
    pipe = Pipeline(MTLS, Admission(("failure_reason", "side"), 10, 10), (), MAX_LINE).open(TARGET)
    found = pipe.feed(block(text(cri(json.dumps(record).encode()))), NOW)
    own = TARGET.labels | {"service_name": "checkout"}
    assert [parse(labels) for labels in found.streams] == [
        own | {"failure_reason": failure.reason, "side": failure.side}
    ]


def test_metadata_is_what_the_target_and_the_line_tell() -> None:
    pipe = pipeline(
        metadata=("source_ip", "node", "request_id", "zone", "failure_reason", "connection_id", "tls_version")
    )
    content = b'{"response_flags":"UT","downstream_remote_address":"[fd00::7]:41","request_id":"-","connection_id":7}'
    found = pipe.feed(block(text(cri(content))), NOW)
    assert [entry.metadata for entry in found.streams.popitem()[1]] == [
        (("node", "n1"), ("source_ip", "fd00::7"), ("failure_reason", "upstream_timeout"), ("connection_id", "7"))
    ]


def test_lines_that_lost_a_label_value_are_counted_once() -> None:
    pipe = Pipeline(UT, Admission(("source_san",), 1, 10), (), MAX_LINE).open(TARGET)
    lines = [cri(b'{"response_flags":"UT","downstream_peer_uri_san":"%d"}' % number) for number in range(3)]
    found = pipe.feed(block(text(*lines)), NOW)
    assert (found.kept, found.overflowed) == (3, Counter(source_san=2))
    assert {parse(labels)["source_san"] for labels in found.streams} == {"0", OVERFLOW}
    assert pipe.feed(block(text(lines[0])), NOW).overflowed == Counter()
    pipe.feed(block(text(cri(lines[1].partition(b" F ")[2], b"P"))), NOW)
    assert pipe.flush(NOW).overflowed == Counter(source_san=1)


def test_targets_keep_their_partial_lines_apart() -> None:
    shared = Pipeline(UT, Admission(tuple(NAMES), 10, 10), (), MAX_LINE)
    one, other = shared.open(TARGET), shared.open(Target("other", {}, {"app": "other"}))
    one.feed(block(text(cri(b'{"response_flags":', b"P"))), NOW)
    assert other.feed(block(text(cri(b'"UT"}'))), NOW).filtered == Counter(not_json=1)
    assert one.feed(block(text(cri(b'"UT"}'))), NOW).kept == 1


# -- formats whose keys have other names

MAPPING = {
    "response_flags": "flags",
    "source_san": "tls.peer.san",
    "downstream_transport_failure_reason": "tls.reason",
    "start_time": "time",
}


def mapped(rule: KeepRule = MTLS) -> TargetPipeline:
    names = ("response_flags", "failure_reason", "side", "source_san")
    return Pipeline(rule, Admission(names, 10, 10), (), MAX_LINE, loads=mapped_loads(MAPPING)).open(TARGET)


@pytest.mark.parametrize("rule", [UT, MTLS], ids=lambda rule: rule.name)
def test_keys_of_another_format_are_found_by_their_names(rule: KeepRule) -> None:
    lines = [
        cri(b'{"flags":"UT","tls":{"peer":{"san":"spiffe://a"}}}'),
        cri(b'{"flags":"\\u0055T","tls.peer.san":"spiffe://dots"}'),  # a key that holds the dots itself
        cri(
            b'{"flags":"-","tls":{"reason":"TLS_error:|1:SSL_routines:OPENSSL_internal:NO_SHARED_CIPHER:TLS_error_end"}}'
        ),
        cri(b'{"flags":"-","tls":null}'),
    ]
    one_by_one, together = mapped(rule), mapped(rule)
    found = fed(together, [text(*lines * 64)])
    assert found == fed(one_by_one, [text(line) for line in lines * 64])
    said = {
        (of.get("response_flags"), of.get("failure_reason"), of.get("source_san"))
        for of in (dict(labels) for labels in found.stored)
    }
    wanted = {("UT", "upstream_timeout", "spiffe://a"), ("UT", "upstream_timeout", "spiffe://dots")}
    assert said == (wanted | {(None, "cipher_mismatch", None)} if rule is MTLS else wanted)
    assert found.reasons == Counter(no_match=64 if rule is MTLS else 128)


def test_json_without_any_known_key_is_no_silent_no_match() -> None:
    lines = [cri(b'{"status":503,"msg":"x"}')] * 3
    pipe = pipeline()
    assert pipe.feed(block(text(*lines)), NOW).filtered == Counter(unknown_format=3)
    assert pipe.feed(block(text(cri(b'{"response_flags":"-"}'), *lines)), NOW).filtered == Counter(no_match=4)
    assert pipe.feed(block(text(*lines)), NOW).filtered == Counter(no_match=3)  # one key was seen: that is the format


def test_what_istios_agent_says_of_itself_is_no_unknown_access_log() -> None:
    agent = cri(b'{"level":"info","time":"2026-11-23T10:30:00Z","scope":"xdsproxy","msg":"connected"}')
    assert pipeline().feed(block(text(agent)), NOW).filtered == Counter(no_match=1)


def test_failures_in_text_are_counted_though_they_are_not_shipped() -> None:
    line = (
        b'[2026-11-23T10:30:00.123Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" '
        b"- - 10.0.0.1:80 10.0.0.2:4000 - -"
    )
    pipe = Pipeline(UT, Admission((), 10, 10), (), MAX_LINE, Audit()).open(TARGET)
    found = pipe.feed(block(text(cri(line))), NOW)
    assert found.filtered == Counter(text_format=1)
    assert found.failures == Counter({FailureKind("plaintext", "downstream", False): 1})


# A line in a collector's record

WANTED_LINE = '{"response_flags":"UT","path":"/\\u00e9 \\"a\\""}'
ENCLOSED = [
    {"log": f"{WANTED_LINE}\n", "stream": "stdout", "time": "2026-11-23T10:30:00.123456789Z"},
    {"date": 1795429800.1, "log": WANTED_LINE, "time": "2026-11-23T10:30:00.123456789Z", "kubernetes": {"pod": "x"}},
    {"@timestamp": "x", "message": f"2026-11-23T10:30:00.123456789Z stdout F {WANTED_LINE}"},
    {"log": f"\x1b[36m{WANTED_LINE}\x1b[0m\n", "time": "2026-11-23T10:30:00.123456789Z"},
    {"log": json.dumps({"msg": WANTED_LINE}), "time": "2026-11-23T10:30:00.123456789Z"},
]


@pytest.mark.parametrize("record", ENCLOSED)
@pytest.mark.parametrize("times", [1, 200])
@pytest.mark.parametrize("rule", [UT, MTLS], ids=lambda rule: rule.name)
def test_a_line_in_a_collectors_record_is_read(record: dict[str, object], times: int, rule: KeepRule) -> None:
    lines = [json.dumps(record).encode()] * times
    found = pipeline(rule).feed(block(text(*lines)), NOW)
    (columns,) = found.streams.values()
    assert columns == Columns([NANOS] * times, [WANTED_LINE.encode()] * times)
    beside_a_partial_line = pipeline(rule)
    beside_a_partial_line.feed(block(text(cri(b"x", b"P", b"stderr"))), NOW)
    assert beside_a_partial_line.feed(block(text(*lines)), NOW).kept == times


def test_the_runtimes_time_comes_before_that_of_a_record() -> None:
    line = json.dumps({"log": WANTED_LINE, "time": "2020-01-01T00:00:00Z"}).encode()
    (columns,) = pipeline().feed(block(text(cri(line))), NOW).streams.values()
    assert columns == Columns([NANOS], [WANTED_LINE.encode()])


def test_healthy_lines_in_records_are_known_and_other_records_are_not() -> None:
    healthy = json.dumps({"log": '{"response_flags":"-"}\n', "stream": "stdout"}).encode()
    other = json.dumps({"log": "Envoy proxy is ready\n", "stream": "stdout"}).encode()
    decoy = json.dumps({"log": 'said "UT"', "stream": "stdout"}).encode()
    assert pipeline().feed(block(text(healthy, other)), NOW).filtered == Counter(no_match=2)
    assert pipeline().feed(block(text(other, decoy)), NOW).filtered == Counter(unknown_format=2)


def test_a_record_of_our_own_keys_is_not_looked_into() -> None:
    line = b'{"response_flags":"-","log":"{\\"response_flags\\":\\"UT\\"}"}'
    assert pipeline().feed(block(text(line)), NOW).filtered == Counter(no_match=1)


def test_a_text_line_in_a_record_is_read_with_mtls() -> None:
    text_line = (
        '[2026-11-23T10:30:00.123Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" '
        "- - 10.0.0.1:80 10.0.0.2:4000 - -"
    )
    line = json.dumps({"log": f"{text_line}\n", "time": "2026-11-23T10:30:00.123456789Z"}).encode()
    (columns,) = pipeline(MTLS).feed(block(text(line)), NOW).streams.values()
    assert columns == Columns([NANOS], [text_line.encode()])
