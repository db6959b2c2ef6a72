"""When the alerts of the counters fire, and when they do not: promtool plays the series of each case to the rules."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.known import DEPLOY
from tests.deploy.queries import promql

SPEC: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())["spec"]
RULES = {rule["alert"]: rule for group in SPEC["groups"] for rule in group["rules"] if "alert" in rule}

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is missing; Debian: apt-get install prometheus"
)


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    """What plain Prometheus takes."""
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(SPEC))
    return file


@needs_promtool
def test_promtool_reads_the_rules(rule_file: Path) -> None:
    done = subprocess.run(["promtool", "check", "rules", str(rule_file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


NODE = 'instance="a:9080"'
WORKLOAD = 'namespace="shop",app="cart",failure_reason="plaintext",side="downstream",shipped="true"'
RENAMED = WORKLOAD.replace("namespace=", 'namespace="mtls-shipper",exported_namespace=')
EXPIRED = WORKLOAD.replace("plaintext", "cert_expired")
NAMED = f'{WORKLOAD},peer_namespace="default",peer_app="legacy-client"'
UNNAMED = WORKLOAD.replace('namespace="shop",app="cart"', 'namespace="mtls-shipper"')  # the agent's own
FAILURE = f"mtls_handshake_failures_total{{{WORKLOAD},{NODE}}}"


def answers(kind: str, reason: str) -> str:
    """The directory's counter."""
    return f'shipper_directory_answers_total{{kind="{kind}",reason="{reason}",instance="d:9080"}}'


# name of the case: series, alert, minute of looking, the labels it fires with (None: it does not)
CASES: dict[str, tuple[dict[str, str], str, int, dict[str, str] | None]] = {
    "an agent that answers": ({'up{namespace="mtls-shipper",instance="a:9080"}': "1x60"}, "ShipperDown", 30, None),
    "an agent that is gone": (
        {'up{namespace="mtls-shipper",instance="a:9080"}': "1x10 0x50"},
        "ShipperDown",
        20,
        {"instance": "a:9080", "namespace": "mtls-shipper"},
    ),
    "another target that is gone": ({'up{namespace="shop",instance="b:80"}': "0x60"}, "ShipperDown", 30, None),
    "no agent at all": ({"up": "1x60"}, "ShipperAbsent", 30, {}),
    "one agent of many": ({f"shipper_lines_read_total{{{NODE}}}": "0x60"}, "ShipperAbsent", 30, None),
    "nodes without an agent": (
        {
            'kube_daemonset_status_desired_number_scheduled{namespace="mtls-shipper",daemonset="mtls-shipper"}': "5x60",
            'kube_daemonset_status_number_available{namespace="mtls-shipper",daemonset="mtls-shipper"}': "4x60",
        },
        "ShipperMissingOnNodes",
        45,
        {"namespace": "mtls-shipper", "daemonset": "mtls-shipper"},
    ),
    "behind by time and bytes": (
        {f"shipper_lag_seconds{{{NODE}}}": "0+60x60", f"shipper_lag_bytes{{{NODE}}}": "2000000x60"},
        "ShipperBehind",
        15,
        {"instance": "a:9080"},
    ),
    "a busy log that is never wholly settled": (
        {f"shipper_lag_seconds{{{NODE}}}": "0+60x60", f"shipper_lag_bytes{{{NODE}}}": "4096x60"},
        "ShipperBehind",
        30,
        None,
    ),
    "more bytes behind than the kubelet may keep": (
        {f"shipper_lag_bytes{{{NODE}}}": "40000000x60"},
        "ShipperNearLoss",
        5,
        {"instance": "a:9080"},
    ),
    "deleted files that are held": (
        {f"shipper_deleted_bytes{{{NODE}}}": "500000000x60"},
        "ShipperHoldsDeletedFiles",
        10,
        {"instance": "a:9080"},
    ),
    "a few deleted files that are being read": (
        {f"shipper_deleted_bytes{{{NODE}}}": "20000000x60"},
        "ShipperHoldsDeletedFiles",
        30,
        None,
    ),
    "the first entry that is ever dropped": (
        {f'shipper_entries_dropped_total{{{NODE},reason="line_too_long"}}': "_x20 1x40"},
        "ShipperDropping",
        24,
        {"instance": "a:9080", "reason": "line_too_long"},
    ),
    "entries dropped long ago": (
        {f'shipper_entries_dropped_total{{{NODE},reason="line_too_long"}}': "_x20 1x60"},
        "ShipperDropping",
        60,
        None,
    ),
    "one more dropped": (
        {f'shipper_entries_dropped_total{{{NODE},reason="line_too_long"}}': "7x60 8x20"},
        "ShipperDropping",
        65,
        {"instance": "a:9080", "reason": "line_too_long"},
    ),
    "no client to drop for": (
        {f'shipper_entries_dropped_total{{{NODE},reason="no_client"}}': "0+9x60"},
        "ShipperDropping",
        30,
        None,
    ),
    "a password that is wrong": (
        {
            f'shipper_push_retries_total{{{NODE},cause="http_401"}}': "0+6x60",
            f"shipper_entries_pending{{{NODE}}}": "9x60",
        },
        "ShipperRefused",
        30,
        {"instance": "a:9080", "cause": "http_401"},
    ),
    "a login page instead of Loki": (
        {
            f'shipper_push_retries_total{{{NODE},cause="http_200"}}': "0+6x60",
            f"shipper_entries_pending{{{NODE}}}": "9x60",
        },
        "ShipperRefused",
        30,
        {"instance": "a:9080", "cause": "http_200"},
    ),
    "a password that was set right": (
        {
            f'shipper_push_retries_total{{{NODE},cause="http_401"}}': "0+6x30 180x60",
            f"shipper_entries_pending{{{NODE}}}": "9x30 0x60",
        },
        "ShipperRefused",
        35,
        None,
    ),
    "a rate limit": (
        {
            f'shipper_push_retries_total{{{NODE},cause="http_429"}}': "0+6x60",
            f"shipper_entries_pending{{{NODE}}}": "9x60",
        },
        "ShipperRefused",
        30,
        None,
    ),
    "Loki away": (
        {
            f'shipper_push_retries_total{{{NODE},cause="connection"}}': "0+6x60",
            f"shipper_entries_sent_total{{{NODE}}}": "100x60",
        },
        "ShipperCannotPush",
        30,
        {"instance": "a:9080"},
    ),
    "Loki slow": (
        {
            f'shipper_push_retries_total{{{NODE},cause="http_429"}}': "0+6x60",
            f"shipper_entries_sent_total{{{NODE}}}": "0+100x60",
        },
        "ShipperCannotPush",
        30,
        None,
    ),
    "a volume that is full": (
        {f'shipper_positions_saves_total{{{NODE},outcome="failed"}}': "0+6x60"},
        "ShipperPositionsNotSaved",
        20,
        {"instance": "a:9080"},
    ),
    "a volume that hangs": (
        {
            f'shipper_positions_saves_total{{{NODE},outcome="saved"}}': "9x60",
            f"shipper_positions_write_age_seconds{{{NODE}}}": "0+60x60",
        },
        "ShipperPositionsNotSaved",
        20,
        {"instance": "a:9080"},
    ),
    "positions saved": (
        {
            f'shipper_positions_saves_total{{{NODE},outcome="saved"}}': "0+6x60",
            f"shipper_positions_write_age_seconds{{{NODE}}}": "0x60",
        },
        "ShipperPositionsNotSaved",
        30,
        None,
    ),
    "a mesh that logs text": (
        {f'shipper_lines_filtered_total{{{NODE},reason="text_format"}}': "0+6x60"},
        "ShipperTextLogs",
        30,
        {"instance": "a:9080"},
    ),
    "lines nobody looks for": (
        {f'shipper_lines_filtered_total{{{NODE},reason="no_match"}}': "0+6x60"},
        "ShipperTextLogs",
        30,
        None,
    ),
    "a burst from nothing": ({FAILURE: "_x30 0+40x30"}, "MtlsFailuresSurging", 45, {"app": "cart"}),
    "a few failures": ({FAILURE: "_x30 0+2x30"}, "MtlsFailuresSurging", 45, None),
    "as many failures as every day": ({FAILURE: "0+40x1600"}, "MtlsFailuresSurging", 1590, None),
    "five times as many as every day": (
        {FAILURE: "0+40x1500 60000+200x60"},
        "MtlsFailuresSurging",
        1516,
        {"app": "cart"},
    ),
    "a first failure, once": (
        {FAILURE: "_x30 1x30"},
        "MtlsWorkloadNew",
        32,
        {"app": "cart", "failure_reason": "plaintext"},
    ),
    "a first failure where labels are not honored": (
        {f"mtls_handshake_failures_total{{{RENAMED},{NODE}}}": "_x30 1x30"},
        "MtlsWorkloadNew",
        32,
        {"app": "cart", "failure_reason": "plaintext"},
    ),
    "a first failure of a workload that ztunnel could not name": (
        {f"mtls_handshake_failures_total{{{UNNAMED},{NODE}}}": "_x30 1x30"},
        "MtlsWorkloadNew",
        32,
        {"failure_reason": "plaintext"},
    ),
    "a first failure of a client that the directory knows": (
        {
            FAILURE: "0+1x1500",
            f"mtls_handshake_failures_total{{{NAMED},{NODE}}}": "_x1490 1x10",
        },
        "MtlsWorkloadNew",
        1492,
        {"app": "cart", "failure_reason": "plaintext", "peer_namespace": "default", "peer_app": "legacy-client"},
    ),
    "the same client, which failed yesterday": (
        {f"mtls_handshake_failures_total{{{NAMED},{NODE}}}": "0+1x1500"},
        "MtlsWorkloadNew",
        1492,
        None,
    ),
    "failures of many clients that are a surge together": (
        {
            f'mtls_handshake_failures_total{{{WORKLOAD},{NODE},peer_app="client-{number}"}}': "_x30 0+4x30"
            for number in range(10)
        },
        "MtlsFailuresSurging",
        45,
        {"app": "cart"},
    ),
    "an expired certificate of a client that the directory knows": (
        {f"mtls_handshake_failures_total{{{NAMED.replace('plaintext', 'cert_expired')},{NODE}}}": "_x30 1x30"},
        "MtlsCertificatesExpired",
        32,
        {"app": "cart", "peer_namespace": "default", "peer_app": "legacy-client"},
    ),
    "a failure known since yesterday": ({FAILURE: "0+1x1500"}, "MtlsWorkloadNew", 1490, None),
    "one expired certificate": (
        {f"mtls_handshake_failures_total{{{EXPIRED},{NODE}}}": "_x30 1x30"},
        "MtlsCertificatesExpired",
        32,
        {"app": "cart"},
    ),
    "another reason": ({FAILURE: "0+40x60"}, "MtlsCertificatesExpired", 30, None),
    "a file that was gone before it was read": (
        {f"shipper_files_lost_total{{{NODE}}}": "0x20 1x40"},
        "ShipperLostFiles",
        25,
        {"instance": "a:9080"},
    ),
    "no file lost": ({f"shipper_files_lost_total{{{NODE}}}": "0x60"}, "ShipperLostFiles", 40, None),
    "a log that cannot be read": (
        {f'shipper_read_errors_total{{error="EACCES",{NODE}}}': "_x20 1x40"},
        "ShipperCannotRead",
        25,
        {"instance": "a:9080", "error": "EACCES"},
    ),
    "failures that are not shipped": (
        {FAILURE.replace('shipped="true"', 'shipped="false"'): "0+1x60"},
        "MtlsFailuresNotShipped",
        40,
        {},
    ),
    "failures that are shipped": ({FAILURE: "0+1x60"}, "MtlsFailuresNotShipped", 40, None),
    "a directory that is gone": (
        {'up{namespace="mtls-shipper-directory",instance="d:9080"}': "1x10 0x50"},
        "ShipperDirectoryDown",
        20,
        {"instance": "d:9080", "namespace": "mtls-shipper-directory"},
    ),
    "an agent that is gone is no directory": (
        {'up{namespace="mtls-shipper",instance="a:9080"}': "0x60"},
        "ShipperDirectoryDown",
        30,
        None,
    ),
    "a directory that never becomes ready": (
        {'shipper_directory_known_age_seconds{instance="d:9080"}': "+Inf " * 20},
        "ShipperDirectoryBehind",
        10,
        {"instance": "d:9080"},
    ),
    "a directory that the API has left": (
        {'shipper_directory_known_age_seconds{instance="d:9080"}': "2x10 60+60x50"},
        "ShipperDirectoryBehind",
        20,
        {"instance": "d:9080"},
    ),
    "a directory that watches": (
        {'shipper_directory_known_age_seconds{instance="d:9080"}': "2x60"},
        "ShipperDirectoryBehind",
        30,
        None,
    ),
    "addresses that change hands all the time": (
        {answers("unknown", "changed_hands"): "0+4x60", answers("pod", ""): "0+6x60"},
        "ShipperDirectoryUnsure",
        50,
        {},
    ),
    "few of many that are unknown": (
        {answers("unknown", "changed_hands"): "0+4x60", answers("pod", ""): "0+60x60"},
        "ShipperDirectoryUnsure",
        50,
        None,
    ),
    "a handful, all unknown": (
        {answers("unknown", "before_history"): "_x30 0x5 7x60"},
        "ShipperDirectoryUnsure",
        50,
        None,
    ),
    "clients from outside": ({answers("unknown", "never_seen"): "0+9x60"}, "ShipperDirectoryUnsure", 50, None),
}


def expected(alert: str, labels: dict[str, str]) -> dict[str, str]:
    """All labels of the alert: those of its rule, those of the case, and the workload's where it is about one."""
    whole: dict[str, str] = {"alertname": alert} | RULES[alert]["labels"] | labels
    if "app" in labels:
        whole["workload_namespace"] = "shop"
    if "side" in promql(RULES[alert]["expr"]).grouped:
        whole["side"] = "downstream"
    return whole


def firing(rule_file: Path, series: dict[str, str], alert: str, minute: int) -> list[dict[str, str]]:
    """The label sets with which the alert fires: it is told to expect another, and reports what it has instead."""
    wrong = {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": [{"exp_labels": {"never": "so"}}]}
    scenario = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [wrong],
    }
    file = rule_file.with_name("scenario.yaml")
    file.write_text(yaml.safe_dump({"rule_files": [rule_file.name], "evaluation_interval": "1m", "tests": [scenario]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert "got:[" in told, told
    got = told.split("got:[", 1)[1]
    return [dict(re.findall(r'(\w+)="([^"]*)"', labels)) for labels in re.findall(r"Labels:\{(.*?)\}", got)]


@needs_promtool
@pytest.mark.parametrize("case", CASES)
def test_an_alert_fires_when_it_shall_and_not_before(case: str, rule_file: Path) -> None:
    series, alert, minute, labels = CASES[case]
    found = firing(rule_file, series, alert, minute)
    assert found == ([] if labels is None else [expected(alert, labels)])


def test_every_rule_has_a_case_in_which_it_fires() -> None:
    fires = {alert for _, alert, _, labels in CASES.values() if labels is not None}
    assert fires == RULES.keys()
