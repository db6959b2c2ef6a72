"""Many lines: failures alone, equal ones once, and a count of the rest."""

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shipper import cli
from shipper.explain.fold import Fold, pair_of
from shipper.explain.overview import SHOWN, overview
from shipper.explain.render import Style
from shipper.explain.report import Report, explain
from shipper.reading.lines import Readable, read

PLAIN = Style(80, color=False)
EXPIRED = "TLS_error:|1:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509:_certificate" \
    "_has_expired:TLS_error_end"  # fmt: skip
HEALTHY = json.dumps({"response_flags": "-", "response_code": 200})
SILENT = json.dumps({"response_flags": "-", "bytes_sent": 0})
AGENT = "2026-11-23T14:30:22Z\tinfo\tReadiness succeeded"
BROKEN = '[2026-11-23T14:30:22Z] "GET / HTTP/1.1" 200'


def refused(client: str = "legacy", second: int = 0, port: int = 1, **other: object) -> str:
    """The line of a client with an expired certificate."""
    return json.dumps(
        {
            "start_time": f"2026-11-23T14:30:{second:02}.000Z",
            "downstream_remote_address": f"10.0.1.{len(client)}:{port}",
            "downstream_peer_uri_san": f"spiffe://cluster.local/ns/shop/sa/{client}",
            "downstream_local_uri_san": "spiffe://cluster.local/ns/money/sa/payment",
            "downstream_transport_failure_reason": EXPIRED,
        }
        | other
    )


def report(line: str) -> Report:
    [found] = read([line.encode()])
    assert isinstance(found, Readable)
    return explain(found)


Explained = Callable[..., tuple[int, str]]


@pytest.fixture
def explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Explained:
    """Runs the command on these lines, in a file."""

    def run(lines: list[str], *flags: str) -> tuple[int, str]:
        file = tmp_path / "0.log"
        file.write_text("".join(f"{line}\n" for line in lines))
        code = cli.main(["explain", str(file), *flags])
        return code, capsys.readouterr().out

    return run


def test_equal_failures_are_one_block_with_their_count_and_times(explained: Explained) -> None:
    lines = [HEALTHY, *(refused(second=second, port=second) for second in (9, 3, 5)), refused("other", 7), AGENT]
    code, out = explained(lines)
    first, second, *_, count = out.rstrip("\n").split("\n\n")
    assert code == 0
    assert first.startswith(
        "cert_expired: 3 times, 2026-11-23T14:30:03.000Z to 2026-11-23T14:30:09.000Z, first line 2\n"
    )
    assert "means     The peer showed" in first
    assert second.startswith("cert_expired: once, 2026-11-23T14:30:07.000Z, line 5\n")
    assert second.endswith("  means     as above")
    assert "sa/other" in second
    assert count == "6 lines: 4 failed, 1 did not fail, 1 of no access log"


def test_what_another_block_has_said_is_not_said_again_but_its_own_commands_are(explained: Explained) -> None:
    _, out = explained([refused(), refused(), refused("other")])
    first, second, _ = out.split("\n\n")
    assert "status.podIP=10.0.1.6" in first
    assert "status.podIP=10.0.1.5" in second
    assert "istioctl proxy-status" in first
    assert "istioctl proxy-status" not in second


def test_the_addresses_of_a_client_are_counted(explained: Explained) -> None:
    lines = [refused(downstream_remote_address=f"10.0.1.{number % 3}:{number}") for number in range(9)]
    _, out = explained(lines)
    assert "from 10.0.1.0:0, the first of 3 addresses" in out


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        ([HEALTHY, HEALTHY], 0, "2 lines: no failed handshake, 2 did not fail"),
        ([SILENT, HEALTHY], 0, "1 cannot be told\nWhether a handshake failed, these lines cannot tell"),
        ([AGENT, AGENT], 0, "2 of no access log\nNone of it is an access log"),
        ([BROKEN, HEALTHY], 1, "1 did not fail, 1 could not be read"),
        ([], 0, "0 lines: no failed handshake"),
        ([AGENT], 0, "line 1: no access log: "),
        ([HEALTHY], 0, "line 1: no failure"),
        (["", refused(), ""], 0, "line 2: cert_expired"),
    ],
)
def test_the_count_at_the_end(lines: list[str], code: int, words: str, explained: Explained) -> None:
    assert explained(lines)[0] == code
    assert words in explained(lines)[1]


def test_all_gives_an_answer_to_each_line(explained: Explained) -> None:
    _, out = explained([HEALTHY, refused(), refused(), AGENT], "--all")
    blocks = out.rstrip("\n").split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == [
        "line 1: no failure",
        "line 2: cert_expired",
        "line 3: cert_expired",
        "line 4: no access log: neither JSON nor Istio's text access log",
    ]


def test_json_gives_an_object_for_each_line(explained: Explained) -> None:
    _, out = explained([HEALTHY, refused(), refused(), AGENT], "-o", "json")
    assert [json.loads(line).get("failure_reason", "none") for line in out.splitlines()] == [
        None,
        "cert_expired",
        "cert_expired",
        "none",
    ]


# -- whatever comes, it stays small


def test_names_without_end_are_counted_and_not_kept() -> None:
    fold = Fold(most=50)
    for number in range(1000):
        fold.add(report(refused(f"client-{number}")))
    assert (len(fold), fold.failures, fold.more["cert_expired"]) == (50, 1000, 950)
    text = "\n\n".join(overview(fold, PLAIN))
    assert text.count("once") == SHOWN
    assert f"and {1000 - SHOWN} failures of more than {50 - SHOWN} combinations" in text
    assert "1000 lines: 1000 failed" in text


def test_a_large_log_gives_a_small_answer(explained: Explained) -> None:
    lines = [
        refused(f"client-{number % 7}", number % 60, number) if number % 17 == 0 else HEALTHY for number in range(2060)
    ]
    code, out = explained(lines)
    assert code == 0
    assert out.count("\n") < 120
    assert "2060 lines: 122 failed, 1938 did not fail" in out


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [
        (refused(port=1), refused(port=2), True),
        (refused(), refused(downstream_local_address="10.0.0.1:2"), True),
        (refused(), refused("other"), False),
        (refused(), refused(downstream_local_uri_san="spiffe://x"), False),
        (refused(downstream_peer_uri_san=None), refused(downstream_peer_uri_san=None, port=2), True),
        (
            json.dumps({"response_flags": "UF", "upstream_transport_failure_reason": EXPIRED, "upstream_cluster": "a"}),
            json.dumps({"response_flags": "UF", "upstream_transport_failure_reason": EXPIRED, "upstream_cluster": "b"}),
            False,
        ),
    ],
)
def test_failures_are_equal_where_reason_side_client_and_server_are(one: str, other: str, is_equal: bool) -> None:
    assert (pair_of(report(one)) == pair_of(report(other))) == is_equal


# -- the terminal's width


@pytest.mark.parametrize("width", [60, 80, 200])
def test_prose_and_commands_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch, explained: Explained) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    _, out = explained([refused()])
    lines = out.splitlines()
    prose = lines[next(at for at, line in enumerate(lines) if "means" in line) :]
    commands = [line for line in prose if "kubectl" in line or "istioctl" in line]
    assert max(len(line) for line in prose if line not in commands) <= min(width, 120)
    assert max(map(len, commands)) <= width
    assert "| grep -iE 'ca client|certificate|istiod'" in " ".join(" ".join(prose).replace("\\", "").split())


# -- a pipe that is closed, a log that is followed


def test_a_followed_log_that_is_interrupted_shows_what_came() -> None:
    program = "import sys; from shipper import cli; sys.exit(cli.main(['explain', '-']))"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((f"{refused()}\n" * 3000).encode())  # more than the pipe and a read-ahead hold
        process.stdin.flush()
        process.send_signal(2)
        out = process.stdout.read()
    assert process.returncode == 130
    assert b"cert_expired: " in out


def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "shipper", "explain", refused()], stdout=full, stderr=subprocess.PIPE
        )
    assert (ended.returncode, ended.stderr) == (1, b"shipper: explain: No space left on device\n")


# -- sources


def test_several_files_are_read_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "money_payment-5c6d7f8b9-x8w2p_3a" / "istio-proxy" / "0.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"2026-11-23T14:30:22.1Z stdout F {refused()}\n")
    other = tmp_path / "b.txt"
    other.write_text(f"{AGENT}\n{refused('other')}\n")
    assert cli.main(["explain", str(log), "--file", str(other), "--file", str(other)]) == 0
    out = capsys.readouterr().out
    assert f"cert_expired: 2 times, 2026-11-23T14:30:00.000Z, first {other}:2\n" in out
    assert f"cert_expired: once, 2026-11-23T14:30:00.000Z, {log}:1\n" in out
    assert "proxy     payment-5c6d7f8b9-x8w2p in money" in out


def test_a_pods_name_beside_the_line_reaches_the_commands() -> None:
    found = report(f"[pod/payment-0/istio-proxy] {json.dumps({'response_flags': 'NR', 'response_code': 0})}")
    assert any("describe pod payment-0 " in command for command in found.next)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no/such.log"], "there is no file 'no/such.log'"),
        (["{}", "{}"], "there is no file '{}'"),
        (["."], "is a directory"),
        (["--file", "0.log"], "there is no file '0.log'"),
    ],
)
def test_a_file_that_is_not_there_is_said(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_packed_file_that_is_cut_off_is_said_and_the_rest_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "0.log.gz"
    file.write_bytes(gzip.compress("".join(f"{refused(port=port)}\n" for port in range(3000)).encode())[:-20])
    assert cli.main(["explain", str(file)]) == 1
    said = capsys.readouterr()
    assert said.err == f"shipper: explain: {file}: the compressed file ends too early\n"
    assert "cert_expired: " in said.out


def test_standard_input_beside_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    file = tmp_path / "a.log"
    file.write_text(f"{refused()}\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{refused()}\n".encode())))
    assert cli.main(["explain", "-", str(file)]) == 0
    assert "2 times" in capsys.readouterr().out
