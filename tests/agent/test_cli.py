"""The command as a user types it: what it prints, and how it ends."""

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from lab import faults
from lab.containerd import LogWriter
from lab.lines import healthy, timed_out
from shipper import __version__
from shipper.cli import main
from tests.agent.conftest import Node

Pod = Callable[..., LogWriter]


async def shipper(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    command = [sys.executable, "-m", "shipper", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, err = await asyncio.wait_for(process.communicate(stdin), 20)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "shipper: --client.url is required (or --config.file, or --dry-run)"),
        (["run", "--no-such-flag"], "shipper: unrecognized arguments: --no-such-flag"),
        (["run", "--client.ur", "http://x/"], "shipper: unrecognized arguments: --client.ur http://x/"),
        (["run", "--client.url", "ftp://loki"], "--client.url: expected an http:// or https:// URL with a host"),
        (["run", "--client.url", "http://loki", "--keep", "all"], "--keep: expected mtls or ut, got 'all'"),
        (["run", "--client.url", "http://loki", "--once.patience", "soon"], "--once.patience: "),
        (["run", "--dry-run", "--app", "web"], "shipper: --app needs --stdin: of files the path tells it"),
        (["run", "--dry-run", "--stdin", "--namespace", ""], "shipper: --namespace: expected a name, got ''"),
        (["run", "--dry-run", "--stdin", "--pod", "a\nb"], "shipper: --pod: expected a name, got 'a\\nb'"),
        (["run", "--config.file", "/no/such/file"], "/no/such/file: No such file or directory"),
        (["check"], "shipper check: the following arguments are required: --config.file"),
        ([], "shipper: the following arguments are required: COMMAND"),
        (["ship"], "shipper: argument COMMAND: invalid choice: 'ship'"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code: object = None
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_check_says_where_a_file_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("server:\n  http_listen_prot: 9080\n")
    assert main(["check", "--config.file", str(file)]) == 2
    assert f"{file}:2: server.http_listen_prot: unknown key, did you mean http_listen_port?" in capsys.readouterr().err


def test_check_says_which_secret_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("clients: [{url: 'http://loki/', bearer_token_file: /no/such/token}]\n")
    assert main(["check", "--config.file", str(file)]) == 2
    assert "clients[0].bearer_token_file: cannot read /no/such/token" in capsys.readouterr().err


def test_check_of_a_right_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("clients: [{url: 'http://loki:3100/loki/api/v1/push'}]\n")
    assert main(["check", "--config.file", str(file)]) == 0
    assert "fine" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert __version__ in capsys.readouterr().out


async def test_lines_from_a_pipe_are_shipped(node: Node) -> None:
    lines = b"\n".join([timed_out(1), healthy(2), b"no JSON", timed_out(3)])  # the last without a newline
    code, _, err = await shipper("run", "--stdin", "--client.url", node.loki.url, stdin=lines)
    assert code == 0
    assert {json.loads(entry.line)["request_id"] for entry in node.loki.stored()} == {"1", "3"}
    assert "ledger: read=4 filtered=2 sent=2 dropped=0 pending=0" in err


async def test_a_pipe_can_be_looked_at_without_a_loki(node: Node) -> None:
    code, out, _ = await shipper("run", "--stdin", "--dry-run", stdin=timed_out(1) + b"\n")
    assert code == 0
    entry = json.loads(out)
    assert entry["labels"] == {"job": "kubernetes-pods-istio-proxy", "response_flags": "UT"}
    assert entry["line"] == json.loads(timed_out(1))


async def test_a_port_that_is_taken_is_said_with_its_setting(node: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = ["--server.http-listen-address", "127.0.0.1", "--server.http-listen-port", other.getsockname()[1]]
        arguments = ["run", "--log-dir", node.root, "--client.url", node.loki.url, "--positions.file", node.positions]
        code, _, err = await shipper(*arguments, *address)
    assert code == 1
    assert f"cannot listen on 127.0.0.1 port {address[-1]}: address already in use: another agent, or set " in err
    assert "Errno" not in err
    assert "Traceback" not in err


async def test_sigterm_ends_it_while_loki_hangs_and_the_next_run_delivers(node: Node, pod: Pod) -> None:
    log = pod()
    log.write(timed_out(1))
    node.loki.fault = faults.hang()
    arguments = ["run", "--log-dir", node.root, "--client.url", node.loki.url, "--positions.file", node.positions]
    command = [sys.executable, "-m", "shipper", *map(str, arguments), "--server.http-listen-port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    await node.loki.requests(1, within=20)
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert b"pending=1" in err
    node.loki.fault = None
    code, _, _ = await shipper(*arguments, "--once", "--server.http-listen-port", "0")
    assert code == 0
    assert len(node.loki.stored()) == 1


async def test_the_server_tells_health_metrics_and_what_is_kept(node: Node, pod: Pod) -> None:
    pod().write(timed_out(1))
    arguments = ["run", "--log-dir", node.root, "--client.url", node.loki.url, "--positions.file", node.positions]
    command = [sys.executable, "-m", "shipper", *map(str, arguments), "--server.http-listen-port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    assert process.stderr
    try:
        port = 0
        while not port:
            line = (await process.stderr.readline()).decode()
            port = int(line.rsplit(" ", 1)[1]) if "serving" in line else 0
        await node.loki.until(lambda: any(push.status == 204 for push in node.loki.pushes), within=20)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            pages = {}
            for path in ("/", "/ready", "/healthz", "/metrics", "/targets", "/config"):
                async with session.get(path) as response:
                    pages[path] = (response.status, await response.text())
            async with session.get("/tap") as response:
                pod("search-api-5f6d8b7c9-zzq4d").write(timed_out(2))
                await response.content.readuntil(b'"request_id\\":\\"2\\"')
                process.terminate()
                assert b"event: end" in await response.content.read()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
    assert {status for status, _ in pages.values()} == {200}
    assert "shipper_lines_read_total 1.0" in pages["/metrics"][1]
    assert "stored something last at" in pages["/"][1]
    assert "payment-service" in pages["/"][1]
    assert f"url: {node.loki.url}" in pages["/config"][1]
    (target,) = json.loads(pages["/targets"][1])["targets"]
    assert target["labels"]["app"] == "payment-service"
    assert target["files"][0]["read"] == target["files"][0]["size"]
