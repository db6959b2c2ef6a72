"""`shipper import`, as it is typed."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from shipper.cli import main
from tests.promtail.imported import SAMPLES

ORIGINAL = SAMPLES / "original.yaml"


def test_the_configuration_is_printed_and_the_report_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(ORIGINAL)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# Made from Promtail's ")
    assert "keep: ut\n" in out
    assert f"  {ORIGINAL}:43: scrape_configs[0].pipeline_stages[1].match: " in err


def test_what_is_written_to_a_file_passes_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = tmp_path / "agent.yaml"
    assert main(["import", str(ORIGINAL), "--output", str(ours)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["check", "--config.file", str(ours)]) == 0


def test_no_file_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promtail = tmp_path / "promtail.yaml"
    promtail.write_text("clients: []\n")
    assert main(["import", str(promtail), "--output", str(promtail)]) == 2
    assert promtail.read_text() == "clients: []\n"
    assert f"--output: {promtail}: File exists" in capsys.readouterr().err


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"server: {log_level: debug}\n")))
    assert main(["import", "-"]) == 0
    out, err = capsys.readouterr()
    assert "log_level: debug\n" in out
    assert "standard input:1: server: the default of http_listen_port is 9080" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, ": No such file or directory"), ("a: [", ":1: not YAML: "), ("- a", ": expected Promtail's configuration")],
)
def test_what_cannot_be_read_is_one_line_and_exit_code_2(
    text: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "promtail.yaml"
    if text is not None:
        file.write_text(text)
    assert main(["import", str(file)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"shipper: {file}{said}" in err


def test_a_full_disk_and_a_closed_pipe_end_without_a_traceback() -> None:
    command = [sys.executable, "-m", "shipper", "import", str(ORIGINAL)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (2, "shipper: standard output: No space left on device\n")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in err
