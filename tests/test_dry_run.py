"""What a dry run shows: a table in time order for a terminal, JSON lines for what reads a pipe."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.containerd import LogWriter
from shipper.dry_run import JsonLines, Table, output
from shipper.entries import Entries, Ticket
from shipper.explain.report import explain
from shipper.metrics import Metrics
from shipper.model import Columns
from shipper.reading.lines import Readable, read
from shipper.sink.local import ClosedOutput, Printer
from shipper.tap.label_text import labels_of
from shipper.times import SECOND, parse_time

NOON = (parse_time(b"2026-11-23T12:00:00Z") or 0) // SECOND
EXPIRED = "TLS_error:|1:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509:_certificate" \
    "_has_expired:TLS_error_end"  # fmt: skip
LABELS = '{app="payment", failure_reason="cert_expired", namespace="money", pod="payment-0", side="downstream"}'


class Owner:
    """Notes what was settled."""

    def __init__(self) -> None:
        self.entries = 0

    def settled(self, entries: Entries, dropped: int) -> None:
        self.entries += len(entries) - dropped


def refused(client: str, **other: object) -> bytes:
    record = {
        "downstream_remote_address": "10.0.1.20:54321",
        "downstream_peer_uri_san": f"spiffe://cluster.local/ns/shop/sa/{client}",
        "downstream_transport_failure_reason": EXPIRED,
    }
    return json.dumps(record | other).encode()


def entries(*lines: tuple[int, bytes], labels: str = LABELS, owner: Owner | None = None) -> Entries:
    """At these seconds after noon."""
    columns = Columns()
    for second, line in lines:
        columns.add((NOON + second) * SECOND + 5, line)
    return Entries(labels, columns, Ticket(owner or Owner(), None, 0))


def table(*shown: Entries, width: int = 100) -> list[str]:
    out = io.StringIO()
    to = Table(out, width)
    for one in shown:
        to.show(one)
    to.caught_up()
    return out.getvalue().splitlines()


def test_the_table_is_in_time_order_whatever_the_order_of_the_logs() -> None:
    head, *rows = table(entries((9, refused("a")), (11, refused("b"))), entries((10, refused("c")), (3, refused("d"))))
    assert head.split() == ["TIME", "WHO", "WHOM", "WHY"]
    assert [row.split() for row in rows] == [
        [f"2026-11-23T12:00:{second:02}.000Z", f"shop/{client}", "money/payment", "cert_expired"]
        for second, client in ((3, "d"), (9, "a"), (10, "c"), (11, "b"))
    ]


@pytest.mark.parametrize(
    ("line", "labels", "wanted"),
    [
        (refused("a", downstream_peer_uri_san=None), LABELS, ["10.0.1.20", "money/payment", "cert_expired"]),
        (refused("a", downstream_local_uri_san="spiffe://cluster.local/ns/m/sa/p"), LABELS,
         ["shop/a", "m/p", "cert_expired"]),
        (refused("a", downstream_peer_uri_san="spiffe://other/ns/x/sa/y"), LABELS,
         ["spiffe://other/ns/x/sa/y", "money/payment", "cert_expired"]),
        (b'{"response_flags":"UT","upstream_cluster":"outbound|80||web.shop"}', '{app="a", response_flags="UT"}',
         ["a", "outbound|80||web.shop", "upstream_timeout"]),
        (b'{"response_flags":"UT"}', '{job="x"}', ["?", "?", "upstream_timeout"]),
        (b"rubbish", '{job="x"}', ["?", "?", "?"]),
        (b'{"response_flags":"NR","response_code":0}', '{failure_reason="plaintext"}', ["?", "?", "plaintext"]),
    ],
)  # fmt: skip
def test_a_row_names_both_ends(line: bytes, labels: str, wanted: list[str]) -> None:
    [_, row] = table(entries((1, line), labels=labels))
    assert row.split()[1:] == wanted


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_long_name_is_cut_and_obeys_no_terminal(width: int) -> None:
    lines = table(entries((1, refused("x" * 300 + "\x1b[31m"))), width=width)
    assert all(len(line) <= max(width, 74) and line.isprintable() for line in lines)
    assert "…" in lines[1]


def test_more_than_can_be_put_in_order_is_written_in_parts() -> None:
    out = io.StringIO()
    to = Table(out, 80, most=20)
    for _ in range(2):
        to.show(entries(*((second, b"x") for second in range(10))))
    assert out.getvalue().count("\n") == 1 + 20


# -- for programs


def test_a_pipe_gets_json_that_explain_reads() -> None:
    out = io.StringIO()
    text = (
        b'[2026-11-23T14:30:23.024Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - a b - -'
    )
    to = output(out, json.loads)
    to.show(entries((1, refused("a")), (2, text), (3, b'{"response_flags":"UT","x":"\xff"}')))
    first, second, third = map(json.loads, out.getvalue().splitlines())
    assert isinstance(to, JsonLines)
    assert first["time"] == "2026-11-23T12:00:01.000000005Z"
    assert first["labels"] == labels_of(LABELS)
    assert first["line"] == json.loads(refused("a"))
    assert second["line"] == text.decode()
    assert third["line"] == '{"response_flags":"UT","x":"\ufffd"}'
    found = [line for line in read(out.getvalue().encode().splitlines()) if isinstance(line, Readable)]
    assert [explain(line).failure_reason for line in found] == ["cert_expired", "plaintext", "upstream_timeout"]
    assert {(line.origin.namespace, line.origin.pod) for line in found} == {("money", "payment-0")}


def test_a_line_is_embedded_byte_for_byte() -> None:
    out = io.StringIO()
    JsonLines(out).show(entries((1, b'{"b": 1,  "a":1.50}')))
    assert '"line":{"b": 1,  "a":1.50}}' in out.getvalue()


# -- in a run


def test_what_is_shown_is_settled_and_counted() -> None:
    out, owner, metrics = io.StringIO(), Owner(), Metrics()
    printer = Printer(Table(out, 80), metrics)
    printer.put(entries((1, refused("a")), owner=owner))
    assert (owner.entries, metrics.ledger()["sent"], out.getvalue()) == (1, 1, "")
    printer.backlog(True)
    assert out.getvalue() == ""
    printer.backlog(False)
    assert "shop/a" in out.getvalue()


class Closed(io.StringIO):
    """A pipe that nobody reads."""

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.mark.parametrize("show", [JsonLines, lambda out: Table(out, 80)])
def test_a_closed_pipe_has_a_name_of_its_own(show: Callable[[Closed], JsonLines | Table]) -> None:
    printer = Printer(show(Closed()), Metrics())

    def run() -> None:
        printer.put(entries((1, refused("a"))))
        printer.backlog(False)

    with pytest.raises(ClosedOutput):
        run()


@pytest.mark.parametrize("ends", [["--once"], []])
def test_a_closed_pipe_ends_a_run_quietly(tmp_path: Path, ends: list[str]) -> None:
    with LogWriter(tmp_path, pod="payment-0") as log:
        for _ in range(400):
            log.write(refused("a" * 900))
    arguments = ["run", "--dry-run", "--keep", "mtls", "--log-dir", tmp_path, *ends]
    command = [sys.executable, "-m", "shipper", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait() == 0
    assert [line.split()[1] for line in err.splitlines()] == ["info"]
