"""The figures of a report: those of a slow reference, on a log in which one cause was put."""

import pytest

from lab import outage
from shipper.report.model import Report, Seen
from shipper.report.reading import FAILED, HEALTHY, OTHER, REPEATED, TIMED_OUT
from shipper.report.words import rfc3339
from tests.report.conftest import Morning
from tests.report.reference import Figures, figures


@pytest.fixture(scope="module")
def wanted(morning: Morning) -> Figures:
    return figures(morning)


def test_every_row_has_the_figures_of_a_slow_reference(report: Report, wanted: Figures) -> None:
    said = {
        (row.reason, row.side, row.client.name, row.server.name): (
            (row.connections, row.first, row.last, sum(row.trend)),
            (row.addresses.count, row.pods.count),
        )
        for row in report.rows
    }
    assert said == {
        row: (
            (len(seen), rfc3339(min(times)), rfc3339(max(times)), len(seen)),
            (len(set(addresses)), len(set(pods))),
        )
        for row, seen in wanted.rows.items()
        for times, addresses, pods in (zip(*seen, strict=True),)
    }


def test_the_totals_are_those_of_the_reference(report: Report, wanted: Figures) -> None:
    assert wanted.connections == 1200
    assert report.sides == {"downstream": Seen(1200, len({row[2:] for row in wanted.rows})), "upstream": Seen(0, 0)}
    assert (report.begin or "")[:16] == "2026-11-30T08:00"
    assert report.end == rfc3339(max(line.nanos for line in outage.lines()))
    assert sum(one.connections for one in report.reasons) == 1200
    assert (report.left_out.rows, report.left_out.connections) == (0, {"downstream": 0, "upstream": 0})


def test_every_line_is_of_one_kind(report: Report) -> None:
    assert report.lines == {
        FAILED: 1200,
        REPEATED: outage.REPEATED,
        TIMED_OUT: outage.TIMED_OUT,
        HEALTHY: outage.LINES - 1200 - outage.REPEATED - outage.TIMED_OUT - outage.OWN,
        OTHER: outage.OWN,
    }


def test_the_cause_that_was_put_in_is_named(report: Report, wanted: Figures) -> None:
    [cause] = report.findings
    assert (cause.kind, cause.value) == ("issuer", outage.ISSUER)
    assert cause.connections == wanted.issuers[outage.ISSUER] == outage.EXPIRED
    assert cause.share == pytest.approx(0.95)
    assert cause.reasons == {"cert_expired": outage.EXPIRED}
    assert cause.is_sudden
    assert (cause.first or "")[:16] == "2026-11-30T14:02"
    assert cause.servers == len(outage.SERVICES)


def test_the_reason_that_grew(report: Report) -> None:
    grown = {one.reason: one.growth for one in report.reasons}
    assert grown["cert_expired"] is not None
    assert (grown["cert_expired"].before, grown["cert_expired"].after) == (0, outage.EXPIRED)


def test_the_blast_radius_adds_up(report: Report) -> None:
    assert sum(one.connections for one in report.clients) == 1200
    assert sum(one.connections for one in report.servers) == 1200
    [payment] = [one for one in report.servers if one.party.name.endswith("/sa/payment")]
    assert payment.reasons.keys() == {"cert_expired", "plaintext", "handshake_incomplete"}
    [legacy] = [one for one in report.clients if one.party.name == "10.9.0.77"]
    assert (legacy.connections, legacy.others_count, legacy.goes_on) == (outage.PLAINTEXT, 1, True)


def test_commands_have_the_names_of_the_logs(report: Report) -> None:
    commands = [command for row in report.rows if row.reason == "plaintext" for command in row.next]
    assert "istioctl experimental describe pod payment-7d4b9c6f5d-bcd7f -n shop" in commands
    assert any("status.podIP=10.9.0.77" in command for command in commands)
