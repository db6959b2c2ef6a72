"""A failure between two pods of the mesh is two lines, one at either side: told apart everywhere, added up nowhere."""

import re

from shipper.report import sentences
from shipper.report.markdown import markdown
from shipper.report.model import Party, Report
from shipper.report.page import page
from shipper.report.table import table
from tests.report.both_sides import ALONE, TIMES


def test_each_side_has_its_own_figures(both: Report) -> None:
    assert both.seen == {"downstream": TIMES, "upstream": TIMES + ALONE}
    assert {row.side: (row.connections, row.share) for row in both.rows} == {
        "downstream": (TIMES, 1.0),
        "upstream": (TIMES + ALONE, 1.0),
    }
    assert {(one.side, one.connections, one.share) for one in both.findings if one.kind == "client"} == {
        ("downstream", TIMES, 1.0),
        ("upstream", TIMES + ALONE, 1.0),
    }


def test_what_fails_for_a_client_is_told_by_side(both: Report) -> None:
    assert [(one.party.name, one.side, one.connections) for one in both.clients] == [
        ("shop/cart", "upstream", TIMES + ALONE),
        ("spiffe://cluster.local/ns/shop/sa/cart", "downstream", TIMES),
    ]
    assert [(one.party, one.side) for one in both.servers] == [
        (Party("web.shop.svc.cluster.local", "service"), "upstream"),
        (Party("spiffe://cluster.local/ns/shop/sa/web", "identity"), "downstream"),
    ]


def test_no_output_adds_them_up(both: Report) -> None:
    total = re.compile(rf"\b{2 * TIMES + ALONE}\b(?! lines)")
    without_plots = re.sub("<svg.*?</svg>", "", page(both))
    for text in (table(both, 120, color=False, is_unicode=True), markdown(both), without_plots):
        assert not total.search(text)
        for said in (f"{TIMES} connections failed", f"{TIMES + ALONE} connections failed", "not added up"):
            assert said in " ".join(text.split())


def test_the_time_before_is_told_by_side_as_well() -> None:
    assert sentences.by_side({"downstream": 0, "upstream": 0}) == "0 connections"
    assert sentences.by_side({"downstream": 1, "upstream": 0}) == "1 connection"
    assert sentences.by_side({"downstream": 12, "upstream": 3}) == "12 connections (downstream) and 3 (upstream)"
