"""The forms in which people have lines: what real tools print, and what is known of the others' formats."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shipper.explain.report import explain
from shipper.reading.lines import Line, NoAccessLog, Readable, Unreadable, read, read_file
from shipper.reading.origin import Origin
from tests.report.conftest import report_of

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.txt"))
LOG = next(path for path in SAMPLES if path.name == "kubectl.txt").read_text()
LINES = LOG.splitlines()
WANTED = ["other", "no_failure", "cert_expired", "plaintext"]
POD = "web-5c6d7f8b9-x8w2p"
AS_SAMPLED = {
    "jq-color": WANTED[1:3],  # jq reads nothing but JSON
    "loki-query_range": WANTED[1:],  # one text of JSON: what is no access log in it is not counted
}


def found(content: bytes | str) -> list[Line]:
    return list(read_file(io.BytesIO(content.encode() if isinstance(content, str) else content)))


def kind(line: Line) -> str:
    if isinstance(line, Readable):
        report = explain(line)
        return report.failure_reason or report.verdict
    return "other" if isinstance(line, NoAccessLog) else "unreadable"


def kinds(content: bytes | str) -> list[str]:
    """The answers; lines that are none, as a table's head, only count once, before all others."""
    answers = [kind(line) for line in found(content)]
    rest = [answer for answer in answers if answer != "other"]
    return rest if len(rest) == len(answers) else ["other", *rest]


def origins(content: bytes | str) -> set[tuple[str | None, str | None]]:
    return {(line.origin.namespace, line.origin.pod) for line in found(content) if isinstance(line, Readable)}


# -- what real tools print


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_each_output_of_a_real_tool_is_read(sample: Path) -> None:
    content = sample.read_bytes()
    assert kinds(content) == AS_SAMPLED.get(sample.stem, WANTED)
    tells_namespace = sample.stem in ("stern-json", "stern-all-timestamps-color", "loki-query_range")
    tells_pod = tells_namespace or "prefix" in sample.stem or "stern" in sample.stem
    assert origins(content) == {("shop" if tells_namespace else None, POD if tells_pod else None)}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_report_finds_the_failures_of_each(sample: Path) -> None:
    found = Counter({row.reason: row.connections for row in report_of(sample).rows})
    assert found == Counter(AS_SAMPLED.get(sample.stem, WANTED)[-2:]) - Counter(WANTED[:2])


# -- formats that are known: the documents are named with each


def docker() -> str:
    """The json-file driver: docs.docker.com/engine/logging/drivers/json-file."""
    times = (f"2026-11-23T14:30:2{number}.1Z" for number in range(4))
    rows = ({"log": f"{line}\n", "stream": "stdout", "time": time} for line, time in zip(LINES, times, strict=True))
    return "".join(json.dumps(row) + "\n" for row in rows)


KUBERNETES = {"pod_name": POD, "namespace_name": "shop", "container_name": "istio-proxy", "labels": {"app": "web"}}


def fluent_bit() -> str:
    """A tailed container with the filter kubernetes: docs.fluentbit.io/manual/data-pipeline/filters/kubernetes."""
    rows = ({"date": 1790000000.5, "log": line, "stream": "stdout", "kubernetes": KUBERNETES} for line in LINES)
    return "".join(json.dumps(row) + "\n" for row in rows)


def cloud_logging() -> str:
    """`gcloud logging read --format=json`: a list of LogEntry, in which GKE puts JSON lines as jsonPayload."""
    labels = {"cluster_name": "c", "container_name": "istio-proxy", "namespace_name": "shop", "pod_name": POD}
    return json.dumps(
        [
            {
                "insertId": f"x{number}",
                **({"jsonPayload": json.loads(line)} if line[0] == "{" else {"textPayload": f"{line}\n"}),
                "labels": {"k8s-pod/app": "web"},
                "logName": "projects/p/logs/stdout",
                "receiveTimestamp": "2026-11-23T14:30:25.000000001Z",
                "resource": {"labels": labels, "type": "k8s_container"},
                "severity": "INFO",
                "timestamp": "2026-11-23T14:30:23.000000001Z",
            }
            for number, line in enumerate(LINES)
        ],
        indent=2,
    )


def cloud_logging_yaml() -> str:
    """`gcloud logging read` without a format: the same as YAML, one document for each entry."""
    return "".join(f"---\n{yaml.safe_dump(entry)}" for entry in json.loads(cloud_logging()))


def fluent_bit_stream() -> str:
    """Fluent Bit's output stdout with `format json_stream`: objects with nothing between."""
    return fluent_bit().replace("\n", "")


def fluent_bit_stdout() -> str:
    """Fluent Bit's output stdout as it is without a format."""
    rows = (json.dumps(row) for row in LINES)
    return "".join(
        f'[{at}] kube.web: [[1790000000.5, {{}}], {{"log"=>{row}, "stream"=>"stdout"}}]\n'
        for at, row in enumerate(rows)
    )


LABELS = {"app": "web", "container": "istio-proxy", "namespace": "shop", "pod": POD, "response_flags": "UT"}


def logcli_default() -> str:
    """grafana.com/docs/loki/latest/query/logcli: a time, the labels, the line; all else goes to stderr."""
    labels = "{" + ", ".join(f'{name}="{value}"' for name, value in LABELS.items()) + "}"
    return "".join(f"2026-11-23T14:30:23Z {labels} {line}\n" for line in LINES)


def logcli_jsonl() -> str:
    """The same with `--output=jsonl`."""
    rows = ({"labels": LABELS, "line": line, "timestamp": "2026-11-23T14:30:23.024Z"} for line in LINES)
    return "".join(json.dumps(row) + "\n" for row in rows)


def loki_answer() -> str:
    """What Loki answers to /loki/api/v1/query_range: streams with pairs of nanoseconds and line."""
    stream = {"stream": LABELS, "values": [["1790000000000000000", line] for line in LINES]}
    return json.dumps({"status": "success", "data": {"resultType": "streams", "result": [stream], "stats": {}}})


def grafana_json() -> str:
    """Explore's download: one line, a list."""
    rows = [
        {"line": line, "timestamp": "1790000000000000000", "date": "2026-11-23T14:30:23.024Z", "fields": LABELS}
        for line in LINES
    ]
    return json.dumps(rows, separators=(",", ":"))


def grafana_txt() -> str:
    """Explore's download: what is known of the query, and then time, tab, line."""
    head = (
        f'Common labels: {json.dumps(LABELS)}\nLine limit: "1000 (4 returned)"\nTotal bytes processed: "1.2 kB"\n\n\n'
    )
    return head + "".join(f"1795444223024\t2026-11-23T14:30:23.024Z\t{line}\n" for line in LINES)


def grafana_csv() -> str:
    """Explore's download."""
    to = io.StringIO()
    table = csv.writer(to, quoting=csv.QUOTE_ALL, lineterminator="\n")
    table.writerow(["Date", "Time", "Line", "tsNs", "id"])
    for number, line in enumerate(LINES):
        table.writerow(["2026-11-23T14:30:23.024Z", "1795444223024", line, "1795444223024000000", number])
    return to.getvalue()


def grafana_frames() -> str:
    """What a panel's inspector shows: columns, of which one has labels."""
    values = [[LABELS] * len(LINES), [1790000000000] * len(LINES), LINES]
    return json.dumps({"results": {"A": {"frames": [{"schema": {"fields": []}, "data": {"values": values}}]}}})


def elasticsearch() -> str:
    """An answer to a search, of what Filebeat has sent."""
    beat = {"pod": {"name": POD}, "namespace": "shop", "container": {"name": "istio-proxy"}}
    hits = [{"_index": "i", "_source": {"@timestamp": "t", "message": line, "kubernetes": beat}} for line in LINES]
    return json.dumps({"took": 1, "hits": {"total": {"value": 4}, "hits": hits}}, indent=2)


def dry_run() -> str:
    """What our own `run --dry-run` writes."""
    lines = [json.loads(line) if line[0] == "{" else line for line in LINES]
    rows = ({"time": "2026-11-23T14:30:23.0Z", "labels": LABELS, "metadata": LABELS, "line": line} for line in lines)
    return "".join(json.dumps(row) + "\n" for row in rows)


FORMS = [
    dry_run,
    fluent_bit,
    fluent_bit_stream,
    cloud_logging,
    cloud_logging_yaml,
    logcli_default,
    logcli_jsonl,
    loki_answer,
    grafana_json,
    elasticsearch,
]


OTHERS = [docker, grafana_txt, grafana_csv, grafana_frames, fluent_bit_stdout]


@pytest.mark.parametrize("form", [*FORMS, *OTHERS])
def test_each_known_form_is_read(form: Callable[[], str]) -> None:
    answers = kinds(form())
    assert answers[-3:] == WANTED[-3:]
    assert "unreadable" not in answers
    assert origins(form()) == ({("shop", POD)} if form in FORMS else {(None, None)})


@pytest.mark.parametrize("form", [*FORMS, *OTHERS])
def test_a_report_reads_each_form_as_well(form: Callable[[], str], tmp_path: Path) -> None:
    file = tmp_path / "found.txt"
    file.write_text(form())
    assert {row.reason: row.connections for row in report_of(file).rows} == {"cert_expired": 1, "plaintext": 1}


@pytest.mark.parametrize(
    ("before", "after"),
    [(f"shop/{POD}/istio-proxy ", ""), (f"[{POD}] ", ""), (f"{POD}: ", ""), ("web-1  | ", ""), ("> ", ""), ("`", "`"),
     ("3:", ""), ("Nov 23 14:30:23 node-1 istio-proxy[12]: ", "")],
)  # fmt: skip
def test_what_stands_around_lines_does_not_matter(before: str, after: str) -> None:
    content = "".join(f"{before}{line}{after}\n" for line in LINES)
    assert kinds(content) == WANTED
    assert origins(content) == {(None, POD if POD in before else None)}


def test_yaml_that_is_no_entry_is_read_line_by_line() -> None:
    bomb = "---\na: &a [x, x]\nb: [*a, *a]\nc: *a\n"
    assert kinds(f"---\n{LOG}") == WANTED
    assert kinds(f"---\nkey: [\n{LOG}")[-3:] == WANTED[1:]
    assert set(kinds(bomb)) == {"other"}
    assert kinds(f"{LOG}---\n---\nkey: value\n---\n{LOG}")[-6:] == WANTED[1:] * 2
    text = cloud_logging_yaml()
    begins = [number + 1 for number, line in enumerate(text.splitlines(), 1) if line == "---"]
    assert [line.line for line in found(text)] == begins


def test_a_viewers_frame_is_cut_away() -> None:
    """k9s' log view, copied from a terminal; its lines are filled up to the border."""
    rows = "".join(f"│ {line}   │\n" for line in LINES)
    assert kinds(f"┌──────── Logs(shop/web) ────────┐\n{rows}└────────────────────────────────┘\n") == WANTED


# -- JSON over lines, lists, encodings


def objects() -> list[dict[str, object]]:
    return [json.loads(line) for line in LINES if line[0] == "{"]


def test_json_may_span_lines_and_stand_in_lists() -> None:
    pretty = "\n".join(json.dumps(one, indent=4) for one in objects())
    assert kinds(pretty) == WANTED[1:3]
    assert kinds(json.dumps(objects(), indent=2)) == WANTED[1:3]
    assert kinds(json.dumps(objects())) == WANTED[1:3]
    assert kinds(f"{json.dumps(objects())}\n{json.dumps(objects())}\n{LOG}") == ["other", *WANTED[1:3] * 3, WANTED[3]]
    assert kinds(json.dumps(LINES, indent=2)) == WANTED
    assert [line.line for line in found(pretty)] == [1, 9]


def test_an_object_that_is_cut_off_takes_no_other_line_with_it() -> None:
    cut = LINES[2][: LINES[2].index(',"connection')]
    for end in (cut, f"{cut},", f'{cut},"connection_id', f'{cut},"connection_id":'):
        assert kinds(f"{end}\n{LINES[2]}\n{LINES[3]}\n")[-2:] == WANTED[2:], end


def test_what_a_cut_object_tells_is_read() -> None:
    at = LINES[2].index(',"downstream_peer_uri_san')
    (line,) = found(LINES[2][:at] + ',"downstream_peer')
    assert isinstance(line, Readable)
    assert line.format == "fragment"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: gzip.compress(text.encode()),
        lambda text: gzip.compress(text[:700].encode()) + gzip.compress(text[700:].encode()),
        lambda text: gzip.compress(text.encode("utf-16")),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=[
        "BOM",
        "CRLF",
        "UTF-16",
        "UTF-16-BE",
        "without mark",
        "BE without mark",
        "gzip",
        "two members",
        "gzip of UTF-16",
        "no last newline",
    ],
)
@pytest.mark.parametrize("form", [lambda: LOG, grafana_json, cloud_logging], ids=["lines", "list", "pretty list"])
def test_encodings(encode: Callable[[str], bytes], form: Callable[[], str]) -> None:
    assert kinds(encode(form())) == WANTED


def test_a_packed_file_that_ends_too_early_gives_what_it_has_and_says_so() -> None:
    lines = iter(read_file(io.BytesIO(gzip.compress(LOG.encode() * 400)[:-400])))
    seen: list[Line] = []
    with pytest.raises(OSError, match="ends too early"):
        seen.extend(lines)
    assert seen[2:4] == found(LOG)[2:4]
    with pytest.raises(OSError, match="cannot be unpacked"):
        found(gzip.compress(LOG.encode())[:40] + b"rubbish" * 40)


def test_a_list_on_one_line_is_read_in_parts() -> None:
    many = json.dumps(objects() * 500)
    assert kinds(many) == WANTED[1:3] * 500


def test_a_line_without_end_is_not_kept() -> None:
    first, second = found(b"x" * (17 << 20) + b"\n" + LINES[3].encode())
    assert isinstance(first, Unreadable)
    assert kind(second) == "plaintext"


# -- texts in quotes, and words alone


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize(
    "quote",
    [
        json.dumps,
        lambda line: json.dumps(line) + ",",
        lambda line: f"ts=2026-11-23T14:30:23Z level=info line={json.dumps(line)}",
        lambda line: json.dumps({"event": json.dumps({"log": line})}),
        lambda line: json.dumps({"log": f"2026-11-23T14:30:23.1Z stdout F {line}"}),
    ],
    ids=["JSON", "in a list", "logfmt", "twice", "docker of containerd"],
)
def test_a_line_in_quotes_is_found(number: int, quote: Callable[[str], str]) -> None:
    assert kinds(quote(LINES[number])) == [WANTED[number]]


BODY = "upstream connect error or disconnect/reset before headers. "
ERROR = "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509:" \
    "_certificate_has_expired:TLS_error_end"  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{BODY}reset reason: remote connection failure, transport failure reason: {ERROR}", "cert_expired"),
        (f"{BODY}retried and the latest reset reason: connection failure, transport failure reason: {ERROR}$ ",
         "cert_expired"),
        (f"{BODY}reset reason: connection failure, transport failure reason: TLS error: Secret is not supplied by SDS",
         "local_cert_missing"),
        (json.dumps({"level": "error", "body": f"{BODY}reset reason: connection failure, transport failure reason: "
                     f"{ERROR}"}), "cert_expired"),
        (f"{BODY}reset reason: connection failure, transport failure reason: delayed connect error: 111",
         "other_failure"),
        (f"{BODY}reset reason: connection termination", "other_failure"),
        (f"{BODY}reset reason: connection timeout", "cannot_tell"),
        ("no healthy upstream", "other_failure"),
        ("upstream request timeout", "upstream_timeout"),
        (ERROR, "cert_expired"),
        (f'"{ERROR}"', "cert_expired"),
        ("TLS error: 268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED", "cert_verify_failed"),
        ("268436498:SSL routines:OPENSSL_internal:SSLV3_ALERT_BAD_CERTIFICATE", "peer_rejected_cert"),
        ("40E7:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:ssl/record.c:354:", "plaintext"),
        ("SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "plaintext"),
        ("OPENSSL_internal:SSLV3_ALERT_CERTIFICATE_EXPIRED", "peer_rejected_cert"),
        (json.dumps({"upTlsFail": ERROR}), "cert_expired"),
        ("TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end", "other"),
        ("HTTP/1.1 503 Service Unavailable", "other"),
        ("curl: (56) Recv failure: Connection reset by peer", "other"),
    ],
)  # fmt: skip
def test_envoys_words_alone_are_read(text: str, wanted: str) -> None:
    assert kinds(text) == [wanted]


# -- whose line it is


@pytest.mark.parametrize(
    ("before", "origin"),
    [
        (f"[pod/{POD}/istio-proxy] ", Origin(None, POD, "istio-proxy")),
        (f"shop {POD} istio-proxy ", Origin("shop", POD, "istio-proxy")),
        ("web-0 ztunnel 2026-11-23T14:30:23.1Z ", Origin(None, "web-0", "ztunnel", "2026-11-23T14:30:23.1Z")),
        (f"{POD} ", Origin(None, POD)),
        ("the pod said ", Origin()),
        ("$(reboot) istio-proxy ", Origin()),
    ],
)
def test_a_prefix_tells_whose_line_it_is(before: str, origin: Origin) -> None:
    [line] = read([f"{before}{LINES[3]}".encode()])
    assert isinstance(line, Readable)
    assert line.origin == origin


def test_a_line_tells_no_origin_of_its_own() -> None:
    """A client writes its path, its user agent and its SNI; a name in them is not the proxy's."""
    forged = LINES[3].replace(
        '"- - -"', f'"GET /{{pod="evil",peer_pod="evil"}} [pod/evil/istio-proxy] {POD} istio-proxy HTTP/1.1"'
    )
    [line] = read([forged.encode()])
    assert not isinstance(line, Readable) or line.origin == Origin()


# -- whatever comes


@given(st.lists(st.one_of(st.sampled_from([line.encode() for line in LINES]), st.binary(max_size=40),
                          st.sampled_from([b"{", b"}", b"[", b"]", b'"a": {', b'{"a":1,', b'[{"a":"', b"},", b'"']))),
       st.sampled_from([b"\n", b"\r\n"]))  # fmt: skip
def test_nothing_raises_and_numbers_are_those_of_the_lines(lines: list[bytes], newline: bytes) -> None:
    content = newline.join(lines) + newline
    if content.startswith((b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")):
        return
    numbers = [line.line for line in found(content)]
    assert numbers == sorted(numbers)
    assert all(1 <= number <= content.count(b"\n") + 1 for number in numbers)
