"""Which of the node's pods had a name or an address at a time: what is certain, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.kubernetes.metadata import ObjectMeta, OwnerReference
from shipper.kubernetes.rows import Row
from shipper.metrics import Metrics
from shipper.pipeline.workloads import FOREVER, Answer, Workloads
from shipper.source.pods import Pods
from shipper.source.workloads import NodeWorkloads
from shipper.times import SECOND, parse_time

BEGIN = parse_time(b"2026-11-30T10:00:00Z") or 0
ADDRESS, NODE_ADDRESS = "10.0.1.7", "10.0.0.1"


class Node:
    """What is known of one node's pods, with a clock of whole seconds from BEGIN."""

    def __init__(self) -> None:
        self.second = 0
        self.known = NodeWorkloads("node-1", NODE_ADDRESS, 300.0, self.now)
        self.pods = Pods(lambda pod: dict(pod.labels or {}), Metrics(), clock=lambda: self.second, workloads=self.known)

    def now(self) -> int:
        return at(self.second)

    def listed(self, *rows: Row) -> None:
        missing = self.pods.begin_list()
        for row in rows:
            missing.difference_update(self.pods.put(row))
        self.pods.mark_deleted(missing)

    def who(self, address: str, second: float) -> str:
        """The pod that had an address; empty if that is unknown. Every answer must hold for what was asked."""
        answer = self.known.address(address, at(second))
        assert answer.start <= at(second) < answer.end
        return answer.fields.get("pod", "")


def at(second: float) -> int:
    return BEGIN + int(second * SECOND)


def row(name: str, address: str | None = ADDRESS, *, completed: bool = False, **metadata: Any) -> Row:
    owners = [OwnerReference(metadata.pop("owner", "ReplicaSet"), "x", True)]
    made = ObjectMeta(name=name, namespace="shop", uid=metadata.pop("uid", f"u-{name}"), owners=owners, **metadata)
    return Row(made, (address,), completed)


@pytest.fixture
def node() -> Node:
    node = Node()
    node.listed()
    node.known.follows()
    return node


def test_it_answers_what_the_pipeline_asks(node: Node) -> None:
    known: Workloads = node.known
    node.pods.put(row("a", labels={"app": "checkout"}))
    node.second = 5
    found = known.address(ADDRESS, at(3))
    assert found.fields == {"app": "checkout", "namespace": "shop", "pod": "a", "uid": "u-a", "node": "node-1"}
    assert (found.start, found.end) == (at(0), at(5) + 1)


def test_an_address_is_known_from_when_it_was_seen_and_up_to_now(node: Node) -> None:
    node.second = 10
    node.pods.put(row("a", ""))
    node.second = 12
    node.pods.put(row("a"))
    node.second = 20
    assert [node.who(ADDRESS, second) for second in (9, 11.9, 12, 19.9, 20, 20.1)] == ["", "", "a", "a", "a", ""]


@pytest.mark.parametrize(
    "end",
    [
        row("a", deleting="2026-11-30T10:00:50Z"),
        row("a", completed=True),
        row("a", ""),
        row("a", None),
        row("a", "10.0.1.8"),
    ],
    ids=["deleting", "completed", "without", "the server says no more", "another"],
)
def test_it_ends_when_the_pod_may_have_lost_it(node: Node, end: Row) -> None:
    node.pods.put(row("a"))
    node.second = 20
    node.who(ADDRESS, 20)
    node.pods.put(end)
    node.second = 30
    assert node.who(ADDRESS, 10) == "a"
    assert node.who(ADDRESS, 21) == ""


def test_another_pod_has_it_later(node: Node) -> None:
    node.pods.put(row("a"))
    node.second = 20
    node.pods.remove(row("a"))
    node.second = 25
    node.pods.put(row("b"))
    node.second = 30
    assert [node.who(ADDRESS, second) for second in (10, 22, 25, 30)] == ["a", "", "b", "b"]


def test_an_address_of_two_is_of_nobody(node: Node) -> None:
    node.pods.put(row("a"))
    node.second = 10
    node.pods.put(row("b"))
    node.second = 20
    assert node.who(ADDRESS, 15) == ""


def test_the_nodes_own_address_is_of_no_pod(node: Node) -> None:
    node.pods.put(row("proxy", NODE_ADDRESS))
    node.second = 10
    assert node.who(NODE_ADDRESS, 5) == ""
    assert node.known.pod("shop", "proxy", at(5)).fields


def test_nothing_is_said_of_a_time_at_which_the_watch_was_not_up_to_date(node: Node) -> None:
    node.pods.put(row("a"))
    node.second = 10
    node.pods.lost(0.0)
    node.second = 20
    assert [node.who(ADDRESS, second) for second in (10, 11)] == ["a", ""]
    node.known.follows()
    assert node.who(ADDRESS, 20) == "a"


def test_a_list_ends_what_it_does_not_have(node: Node) -> None:
    node.pods.put(row("a"))
    node.second = 10
    node.pods.lost(0.0)
    node.second = 20
    node.listed(row("b", "10.0.1.8"))
    node.known.follows()
    node.second = 30
    assert [node.who(ADDRESS, second) for second in (5, 15, 25)] == ["a", "", ""]
    assert [node.who("10.0.1.8", second) for second in (15, 25)] == ["", "b"]


def test_before_the_first_list_nothing_is_known() -> None:
    node = Node()
    assert node.who(ADDRESS, 0) == ""
    node.listed(row("a"))
    assert node.who(ADDRESS, 0) == ""
    assert node.known.pod("shop", "a", at(0)).fields  # its name is its own


def test_a_name_that_never_returns_is_known_for_ever(node: Node) -> None:
    node.pods.put(row("a", labels={"app": "checkout"}))
    assert node.known.pod("shop", "a", at(-100))[1:] == (0, FOREVER)
    assert node.known.pod("shop", "b", at(3)) == Answer({}, at(3), at(3) + 1)


def test_a_name_that_returns_is_told_by_its_time(node: Node) -> None:
    first: Any = {"uid": "u-1", "created": "2026-11-30T09:00:00Z", "owner": "StatefulSet"}
    node.pods.put(row("db-0", labels={"version": "1"}, **first))
    node.second = 20
    node.pods.remove(row("db-0", labels={"version": "1"}, **first))
    second: Any = {"uid": "u-2", "created": "2026-11-30T10:00:25Z", "owner": "StatefulSet"}
    node.second = 26
    node.pods.put(row("db-0", labels={"version": "2"}, **second))
    node.second = 30
    found = [node.known.pod("shop", "db-0", at(asked)) for asked in (-4000, 10, 22, 25, 30, 31)]
    assert [one.fields.get("version") for one in found] == [None, "1", None, "2", "2", None]
    assert found[1][1:] == (at(-3600), at(20))
    assert found[3][1:] == (at(25), at(30) + 1)


def test_what_has_ended_is_forgotten_after_a_while(node: Node) -> None:
    node.pods.put(row("a"))
    node.second = 10
    node.pods.remove(row("a"))
    node.second = 309
    assert node.known.pod("shop", "a", at(5)).fields
    assert node.who(ADDRESS, 9) == "" or node.who(ADDRESS, 5) == "a"
    node.second = 311
    node.pods.remove(row("b"))
    assert not node.known.pod("shop", "a", at(5)).fields
    assert node.who(ADDRESS, 5) == ""


def test_a_pod_of_which_only_the_end_was_seen_takes_no_address_from_another(node: Node) -> None:
    node.pods.put(row("a"))
    node.second = 10
    node.pods.remove(row("b"))
    node.second = 20
    assert node.who(ADDRESS, 15) == "a"
    assert node.known.pod("shop", "b", at(5)).fields


CHANGES = st.lists(
    st.tuples(st.sampled_from(["take", "delete", "lost", "follows", "list"]), st.sampled_from("abc"), st.integers(1, 9))
)


@given(CHANGES)
def test_no_answer_is_wrong_and_each_holds_for_the_whole_span(changes: list[tuple[str, str, int]]) -> None:
    """One address that goes from pod to pod; a watch that is not open is told nothing until a list."""
    node, holder, open_, truth = Node(), "", False, [(0, "")]
    uids = dict.fromkeys("abc", 0)
    node.listed()
    for change, pod, seconds in changes:
        node.second += seconds
        match change:
            case "take" if not holder:
                holder = pod
                uids[pod] += 1
                truth.append((node.second, pod))
                if open_:
                    node.pods.put(row(pod, uid=f"{pod}{uids[pod]}"))
            case "delete" if holder:
                if open_:
                    node.pods.remove(row(holder, uid=f"{holder}{uids[holder]}"))
                holder = ""
                truth.append((node.second, ""))
            case "lost" if open_:
                open_ = False
                node.pods.lost(0.0)
            case "list" | "follows" if not open_:
                node.listed(*([row(holder, uid=f"{holder}{uids[holder]}")] if holder else []))
                node.known.follows()
                open_ = True
        for asked in range(node.second + 1):
            answer = node.known.address(ADDRESS, at(asked))
            assert answer.start <= at(asked) < answer.end
            if answer.fields:
                last = max(since for since, _ in truth if since <= asked)
                assert answer.fields["pod"] in [who for since, who in truth if since in (asked, last)]
                assert answer.end <= node.now() + 1
