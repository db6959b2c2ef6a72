import re

from hypothesis import given
from hypothesis import strategies as st

from lab import report, ztunnel
from lab.ink import coloured
from lab.mesh import Called
from lab.query import Found


@given(st.lists(st.tuples(*[st.text(max_size=60)] * 3), max_size=5), st.integers(40, 120))
def test_a_table_is_a_frame_of_the_width(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = report.table(("a", "b", "c"), rows, width).split("\n")
    assert len(lines) == len(rows) + 4
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= width


def test_the_widest_column_is_cut_and_says_so() -> None:
    text = report.table(("name", "line"), [("short", "x" * 50)], 40)
    assert "│ short │ " + "x" * 27 in text
    assert "x… │" in text


def test_the_last_column_gives_way_to_the_others() -> None:
    text = report.table(("name", "line"), [("n" * 30, "x" * 20)], 50, last_first=True)
    assert "n" * 30 + " │ " + "x" * 12 in text
    assert len(text.split("\n")[0]) == 50


def test_a_clients_text_can_not_steer_the_terminal() -> None:
    assert "\x1b" not in report.table(("san",), [("spiffe://\x1b[2Jevil",)], 60)


def test_causes_in_few_words(called: list[Called]) -> None:
    by_name = {one.caller.name: one for one in called}
    assert report.cause(by_name["legacy-client"].record) == "HTTP_REQUEST"
    assert report.cause(by_name["reporting"].record) == "CERTIFICATE_VERIFY_FAILED:certificate_has_expired"
    assert report.brief(by_name["reporting"].record) == "certificate_has_expired"
    assert report.cause({"response_flags": "-", "response_code_details": "via_upstream"}) == ""
    assert report.cause({"response_flags": "UT", "response_code_details": "response_timeout"}) == ("response_timeout")


def test_the_truth_counts_each_station(called: list[Called]) -> None:
    expired = next(one for one in called if one.caller.failure == "cert_expired")
    text = report.truth(called, {"ut": set(), "mtls": {expired.line.decode()}}, 200)
    assert [cell.strip() for cell in text.split("\n")[-2].split("│")[1:-1]] == ["sum", "", "", "", "6", "6", "0", "1"]


def test_entries_are_shown_with_their_labels(called: list[Called]) -> None:
    expired = next(one for one in called if one.caller.failure == "cert_expired")
    labels = {"app": "payment-service", "namespace": "shop", "failure_reason": "cert_expired"}
    text = report.arrived([Found(labels, 1_500_000_000, expired.line.decode())], 2500)
    head, row = text.split("\n")[1], text.split("\n")[3]
    assert "failure_reason" in head
    for part in ("00:00:01.500", "payment-service", "cert_expired", "sa/reporting", '"mtls_failure"'):
        assert part in row
    [_, head, _, row, _] = report.arrived([Found({}, 0, expired.line.decode())], 300).split("\n")
    assert "failure_reason" not in head
    assert "│ certificate_has_expired │" in row
    assert report.arrived([], 80).strip() == "(nothing)"


def test_entries_of_the_text_format_are_shown_too() -> None:
    line = (
        '[2026-11-23T14:30:22.733Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - '
        "10.0.0.9:15006 10.0.0.7:4711 - -"
    )
    [_, _, _, row, _] = report.arrived([Found({"failure_reason": "plaintext"}, 0, line)], 400).split("\n")
    assert "│ 10.0.0.7:4711 │" in row
    assert line in row


def test_reasons_are_counted_the_most_frequent_first() -> None:
    kinds = [("plaintext", "downstream"), *[("cert_expired", "upstream")] * 2, ("cert_expired", "downstream")]
    found = [Found({"failure_reason": reason, "side": side}, 0, "{}") for reason, side in kinds]
    rows = [line.strip("│").split("│") for line in report.counts(found, 80).split("\n")[3:-1]]
    assert [tuple(cell.strip() for cell in row) for row in rows] == [
        ("cert_expired", "upstream", "Envoy", "2", "██"),
        ("plaintext", "downstream", "Envoy", "1", "█"),
        ("cert_expired", "downstream", "Envoy", "1", "█"),
    ]


def test_a_ztunnels_lines_are_told_from_an_envoys() -> None:
    lines = ztunnel.written()
    assert {one.line[0] for one in lines} == {"2", "{"}  # text and JSON
    found = [Found({"failure_reason": one.reason, "side": one.side}, 0, one.line) for one in lines if one.reason]
    assert {proxy for _, _, proxy in report.by_kind(found)} == {"ztunnel"}
    assert report.by_kind(found)["cert_expired", "downstream", "ztunnel"] == 2
    text = report.arrived(found, 2500)
    assert "│ ztunnel │" in text
    assert "│ 10.99.0.66:54684 │" in text
    rows = report.of_ztunnel(lines, {"ut": set(), "mtls": {one.line for one in found}}, 200).split("\n")[3:-1]
    assert [row.split("│")[-2].strip() for row in rows] == ["1" if one.reason else "-" for one in lines]
    assert not any("1" in row.split("│")[-3] for row in rows)


def test_colours_are_added_to_a_table_that_stays_as_it_is() -> None:
    head, rows = ("failure_reason", "line"), [("plaintext", "x"), ("upstream_timeout", "y")]
    painted = report.table(head, rows, 80, ink=coloured)
    assert re.sub(r"\x1b\[\d+m", "", painted) == report.table(head, rows, 80)
    assert "\x1b[31mplaintext       \x1b[0m" in painted
    assert "\x1b[33mupstream_timeout\x1b[0m" in painted
    assert "\x1b[1mfailure_reason  \x1b[0m" in painted


def test_the_ledger_as_a_sum() -> None:
    assert report.account({"read": 3, "filtered": 2, "sent": 1}) == "3 read = 2 filtered + 1 sent"
