"""Where lines come from: the same report, whatever the files are packed in."""

import gzip
import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from lab import outage
from lab.containerd import cri_line
from shipper.config import ConfigError
from shipper.report.model import Report
from shipper.report.whose import fields_of_path
from tests.report.conftest import Morning, report_of


def rows(report: Report) -> Report:
    """What does not depend on the packing."""
    return msgspec.structs.replace(report, source="", logs=0)


def test_a_bug_report_packed_and_unpacked(morning: Morning, report: Report, tmp_path: Path) -> None:
    archive = tmp_path / "bug-report.tgz"
    files: dict[str, bytearray] = {}
    for line in morning:
        name = f"bug-report/proxies/shop/{line.pod}/istio-proxy.log"
        files.setdefault(name, bytearray()).extend(cri_line(line.nanos, line.content))
    files["bug-report/istio/istio-system/istiod-5b7c/discovery.log"] = bytearray(b"info\tads\n")
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    packed = report_of(archive, rows=1000)
    assert rows(packed) == rows(report)
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    assert rows(report_of(tmp_path, rows=1000)) == rows(packed)
    assert rows(report_of(tmp_path / "bug-report" / "proxies", rows=1000)).sides["downstream"].connections == 1200


def test_compressed_and_rotated_files_are_one_log(morning: Morning, tmp_path: Path) -> None:
    [pod, *_] = {line.pod for line in morning}
    lines = [line for line in morning if line.pod == pod]
    directory = tmp_path / f"shop_{pod}_0af1bd14-6d4f-4f5e-9a7e-0123456789ab" / "istio-proxy"
    directory.mkdir(parents=True)
    content = b"".join(cri_line(line.nanos, line.content) for line in lines)
    cut = len(content) // 3  # in the middle of a line
    begin = content.rindex(b"\n", 0, cut) + 1
    (directory / "0.log.20261130-120000.gz").write_bytes(gzip.compress(content[:begin], 1))
    (directory / "0.log").write_bytes(content[begin:])
    found = report_of(tmp_path, rows=1000)
    whole = tmp_path / "whole.log"
    whole.write_bytes(content)
    assert found.logs == 1
    assert found.sides == report_of(whole).sides
    assert found.sides["downstream"].connections > 50


def test_a_file_that_cannot_be_read_to_its_end_is_said(tmp_path: Path) -> None:
    damaged = tmp_path / "a.log.gz"
    damaged.write_bytes(gzip.compress(b'{"response_flags":"-"}\n' * 100_000)[:-20])
    [note] = report_of(damaged).notes
    assert note.startswith(f"{damaged}: ")
    assert "what stands before that was read" in note


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"report: .*: No such file or directory"):
        report_of(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="is empty"):
        report_of(tmp_path)


def test_a_directory_of_other_names_is_read_file_by_file(tmp_path: Path) -> None:
    line = next(
        line for line in outage.lines() if b"plaintext" not in line.content and outage.ISSUER.encode() in line.content
    )
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "output.txt").write_bytes(line.content + b"\n")
    found = report_of(tmp_path)
    assert found.seen == {"downstream": 1}
    assert found.rows[0].server.name.startswith("spiffe://cluster.local/ns/shop/sa/")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/var/log/pods/shop_web-7d4b9c6f5d-x2x7k_0af1bd14-6d4f-4f5e-9a7e-0123456789ab/istio-proxy/0.log", "shop/web"),
        ("x/proxies/shop/web-7d4b9c6f5d-x2x7k/istio-proxy.log", "shop/web"),
        ("proxy.log", "/"),
        ("a_b_c/d/e.log", "/"),
    ],
)
def test_what_a_path_tells(path: str, fields: str) -> None:
    found = fields_of_path(path)
    assert f"{found.get('namespace', '')}/{found.get('app', '')}" == fields
