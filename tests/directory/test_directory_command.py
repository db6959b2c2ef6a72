"""`shipper directory` from the command line."""

import subprocess
import sys
from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shipper", "directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_wrong_setting_is_one_line_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text("directory:\n  cluster_ranges: [10.0.0.0/33]\n")
    done = run("--config.file", str(file))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "directory.yaml:2: directory.cluster_ranges[0]: expected a network such as 10.0.0.0/8" in done.stderr


def test_a_margin_below_the_settling_time_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text("directory: {settle: 2s, margin: 1s}\n")
    assert "directory.margin: expected at least settle (2s)" in run("--config.file", str(file)).stderr


def test_a_certificate_that_is_none_is_said(tmp_path: Path) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("nothing")
    file = tmp_path / "directory.yaml"
    pair = f"cert_file: {tmp_path / 'tls.crt'}, key_file: {tmp_path / 'tls.key'}"
    file.write_text(f"directory: {{{pair}}}\n")
    done = run("--config.file", str(file), "--server.http-listen-port", "0")
    assert done.returncode == 1
    assert "directory.cert_file" in done.stderr
    assert "Traceback" not in done.stderr
