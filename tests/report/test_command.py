"""`shipper report` as it is called: flags, exit codes, and what it prints."""

import asyncio
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import outage
from lab.loki import LokiReceiver
from shipper import cli
from tests.report.conftest import Morning

LINE = (
    b'{"response_flags":"-","start_time":"2026-11-30T14:00:00.000Z","downstream_remote_address":"10.0.0.7:1",'
    b'"downstream_transport_failure_reason":"TLS_error:|1:SSL_routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE"}'
)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(["report", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Standard input to write to and rewind."""
    content = io.BytesIO()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content))
    return content


def test_a_pipe_to_json(capsys: pytest.CaptureFixture[str], stdin: io.BytesIO) -> None:
    stdin.write(LINE + b"\n")
    stdin.seek(0)
    code, out, _ = run(capsys, "--output", "json")
    assert (code, out.isascii(), out.count("\n")) == (0, True, 1)
    [row] = json.loads(out)["rows"]
    assert (row["reason"], row["client"]) == ("no_client_cert", {"name": "10.0.0.7", "kind": "address"})


@pytest.mark.parametrize("output", ["table", "json", "markdown", "html"])
def test_every_output_of_every_source(pods: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    code, out, err = run(capsys, "-o", output, str(pods))
    assert (code, err) == (0, "")
    assert "shop-ca-2025" in out


def test_other_keys(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "other.log"
    file.write_bytes(LINE.replace(b"downstream_transport_failure_reason", b"why").replace(b"response_flags", b"flags"))
    fields = "downstream_transport_failure_reason=why,response_flags=flags"
    code, out, _ = run(capsys, "-o", "json", "--fields", fields, str(file))
    assert (code, json.loads(out)["sides"]["downstream"]["connections"]) == (0, 1)


def test_a_line_that_cannot_be_read_is_told_by_the_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "broken.log"
    file.write_bytes(LINE + b"\n" + LINE.replace(b'":"', b'":') + b"\n")
    code, out, _ = run(capsys, "-o", "json", str(file))
    assert code == 1
    assert json.loads(out)["lines"] == {"failed_connections": 1, "unreadable": 1}


def test_no_line_at_all(capsys: pytest.CaptureFixture[str], stdin: io.BytesIO) -> None:
    assert run(capsys)[:2] == (0, "There was nothing to read: no line.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/nowhere"], "report: /nowhere: No such file or directory"),
        (["--rows", "0"], "report: --rows: expected at least 1"),
        (["--since", "1h"], "report: --since needs --loki"),
        (["--tenant-id", "a"], "report: --tenant-id needs --loki"),
        (["--loki", "http://loki", "a.log"], "report: give paths or --loki, not both"),
        (["--loki", "loki:3100"], "--loki: expected"),
        (["--loki", "http://loki", "--since", "soon"], "--since: expected a duration"),
        (["--loki", "http://loki", "--since", "0"], "--since: expected some time"),
        (["--loki", "http://loki", "--from", "soon"], "--from: expected a time such as"),
        (["--loki", "http://loki", "--from", "2026-11-30", "--to", "2026-11-29"], "--from must be before --to"),
        (["--loki", "http://loki", "--from", "2026-11-30", "--since", "1h"], "--since or --from, not both"),
        (["--loki", "http://loki", "--username", "a"], "--password-file: "),
        (["--loki", "http://loki", "--bearer-token-file", "/nowhere", "--tenant-id", "a|b"], "--tenant-id: "),
        (["--fields", "a"], "--fields: expected NAME=KEY"),
        (["--pods", "/nowhere"], "report: --pods: /nowhere: no such file"),
    ],
)
def test_what_is_wrong_is_said(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_closed_pipe_is_quiet(pods: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "shipper", "report", "-o", "html", str(pods)]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


async def test_a_loki_that_the_configuration_names(
    morning: Morning, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async with LokiReceiver(clock=lambda: outage.END) as loki:
        config = tmp_path / "shipper.yaml"
        config.write_text(
            f'clients: [{{url: "{loki.url}", tenant_id: security}}]\nscrape_configs: [{{job_name: mesh}}]\n'
        )
        words = ["--config.file", str(config), "--from", "2026-11-30T14:00:00Z", "--to", "2026-11-30T14:30:00Z"]
        code, out, err = await asyncio.to_thread(run, capsys, *words, "--against", "1h")
        [earlier, now] = loki.queries
    assert (code, err) == (0, "")
    assert "There was nothing to read" in out
    assert now.headers["X-Scope-OrgID"] == "security"
    assert now.wanted["query"].startswith('{job="mesh"} |~ `')
    assert int(now.wanted["start"]) - int(earlier.wanted["start"]) == 3600 * 10**9


async def test_a_loki_that_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    async with LokiReceiver() as loki:
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(run, capsys, "--loki", loki.base_url, "--query", "{")
    assert ended.value.code == 1
    assert "400: parse error" in capsys.readouterr().err
