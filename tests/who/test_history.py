"""Which address had which holder when."""

import pytest

from shipper.who import UNKNOWN, Answer, History, Holder, Margins, Reason

S = 1_000_000_000
CART, SHOP, NODE = Holder("pod", "shop", "cart-0"), Holder("pod", "shop", "shop-0"), Holder("node", node="node-1")


def history() -> History:
    """All is known up to second 100, when `cart-0` was listed with 10.0.0.1."""
    made = History(Margins(settle=S, change=3 * S))
    made.begin_list()
    made.put("cart", CART, ["10.0.0.1"], 100 * S, listed=True)
    made.end_list((), 100 * S)
    made.advance(100 * S)
    return made


def watched(made: History, until: int) -> None:
    """All changes up to a second are known, and none came late."""
    for second in range(made.known // S + 5, until + 1, 5):
        made.advance(second * S)


def reason(made: History, second: float, address: str = "10.0.0.1") -> str:
    answer = made.at(address, int(second * S))
    assert answer.holder is UNKNOWN
    assert answer.reason
    return answer.reason


def test_a_live_pod_is_named_up_to_what_is_known() -> None:
    made = history()
    watched(made, 200)
    assert made.at("10.0.0.1", 150 * S) == Answer(CART, 101 * S, 199 * S)
    assert reason(made, 199.5) == Reason.TOO_RECENT
    assert reason(made, 99) == Reason.BEFORE_HISTORY
    assert reason(made, 100.5) == Reason.CHANGED_HANDS


def test_nothing_is_known_before_the_first_list() -> None:
    assert reason(History(), 100) == Reason.NOT_READY


def test_an_address_that_another_pod_has_now_is_still_the_first_ones_then() -> None:
    made = history()
    watched(made, 200)
    made.remove("cart", 201 * S)
    made.put("shop", SHOP, ["10.0.0.1"], 205 * S)
    watched(made, 300)
    assert made.at("10.0.0.1", 150 * S) == Answer(CART, 101 * S, 197 * S)
    assert made.at("10.0.0.1", 250 * S) == Answer(SHOP, 206 * S, 299 * S)
    assert [reason(made, at) for at in (198, 200, 203, 205.5)] == [Reason.CHANGED_HANDS] * 4


def test_an_address_without_a_pod_was_not_held_or_never_seen_and_both_hold_for_a_span() -> None:
    made = history()
    made.remove("cart", 110 * S)
    watched(made, 200)
    assert reason(made, 150) == Reason.NOT_HELD
    assert made.at("10.0.0.1", 150 * S).start == 113 * S + 1
    assert made.at("10.9.9.9", 150 * S) == Answer(UNKNOWN, 100 * S, 199 * S, Reason.NEVER_SEEN)


def test_the_older_of_two_claims_has_lost_the_address_whatever_its_pod_says() -> None:
    made = history()
    watched(made, 200)
    made.put("shop", SHOP, ["10.0.0.1"], 205 * S)
    watched(made, 300)
    assert made.at("10.0.0.1", 190 * S).holder == CART
    assert reason(made, 250) == Reason.AMBIGUOUS
    made.remove("cart", 301 * S)
    watched(made, 400)
    assert reason(made, 250) == Reason.AMBIGUOUS
    assert made.at("10.0.0.1", 350 * S) == Answer(SHOP, 302 * S + 1, 399 * S)


def test_of_two_claims_in_one_list_neither_is_believed_until_a_pod_has_restarted() -> None:
    made = History()
    made.begin_list()
    made.put("cart", CART, ["10.0.0.1"], 100 * S, listed=True)
    made.put("shop", SHOP, ["10.0.0.1"], 100 * S, listed=True)
    made.end_list((), 100 * S)
    made.advance(100 * S)
    made.remove("cart", 110 * S)
    watched(made, 200)
    assert reason(made, 150) == Reason.AMBIGUOUS
    made.put("shop", SHOP, ["10.0.0.1"], 201 * S, restarts=1)
    watched(made, 300)
    assert made.at("10.0.0.1", 250 * S).holder == SHOP


def test_a_crash_of_a_container_changes_nothing() -> None:
    made = history()
    made.put("cart", CART, ["10.0.0.1"], 150 * S, restarts=7)
    watched(made, 200)
    assert made.at("10.0.0.1", 150 * S) == Answer(CART, 101 * S, 199 * S)


def test_of_the_time_before_a_second_list_nothing_is_known() -> None:
    made = history()
    watched(made, 200)
    missing = made.begin_list()
    made.put("cart", CART, ["10.0.0.1"], 230 * S, listed=True)
    made.end_list(missing - {"cart"}, 230 * S)
    made.advance(230 * S)
    watched(made, 300)
    assert made.at("10.0.0.1", 150 * S) == Answer(CART, 101 * S, 197 * S)
    assert [reason(made, at) for at in (198, 215, 231)] == [Reason.WATCH_GAP] * 3
    assert made.at("10.0.0.1", 250 * S) == Answer(CART, 231 * S + 1, 299 * S)


def test_pods_of_a_node_share_its_address_and_do_not_contest_it() -> None:
    made = history()
    made.put("proxy", NODE, ["10.0.9.1"], 110 * S)
    made.put("agent", NODE, ["10.0.9.1"], 120 * S)
    watched(made, 200)
    assert made.at("10.0.9.1", 150 * S).holder == NODE


def test_ended_claims_are_bounded_by_age_and_number_and_what_is_dropped_is_said() -> None:
    made = History(Margins(settle=S, change=3 * S), keep=1000 * S, most_ended=2)
    made.advance(1)
    for number in range(3):
        made.put(f"{number}", Holder("pod", "shop", f"pod-{number}"), [f"10.0.0.{number}"], (10 + number) * S)
        made.advance((100 + number) * S)
        made.remove(f"{number}", (100 + number) * S)
    assert (made.ended, made.evicted, made.since) == (2, 1, 100 * S)
    assert reason(made, 50, "10.0.0.0") == Reason.BEFORE_HISTORY
    assert made.at("10.0.0.1", 50 * S).holder.pod == "pod-1"
    made.advance(1102 * S + 1)
    assert (made.ended, made.evicted, made.addresses) == (0, 1, 0)


@pytest.mark.parametrize(
    "text", ["[FD00::0:1]", "fd00::1%eth0", "fd00:0:0:0:0:0:0:1", pytest.param("FD00::1", id="capitals")]
)
def test_an_address_is_known_however_it_is_written(text: str) -> None:
    made = history()
    made.put("shop", SHOP, ["fd00::1"], 110 * S)
    watched(made, 200)
    assert made.at(text, 150 * S).holder == SHOP


def test_an_ipv4_address_written_as_ipv6_is_the_same_and_a_name_is_none() -> None:
    made = history()
    watched(made, 200)
    assert made.at("::ffff:10.0.0.1", 150 * S).holder == CART
    for text in ("", "localhost", "10.0.0.1:80", "10.0.0", "1" * 1000):
        assert reason(made, 150, text) == Reason.NOT_AN_ADDRESS


def test_after_the_clock_was_set_nothing_so_far_means_anything() -> None:
    made = history()
    watched(made, 200)
    made.restart(50 * S)
    assert reason(made, 150) == Reason.NOT_READY
    made.advance(60 * S)
    assert reason(made, 50) == Reason.BEFORE_HISTORY
    assert made.at("10.0.0.1", 55 * S) == Answer(CART, 51 * S, 59 * S)
