"""Whatever happens to the Kubernetes API: every line arrives, and all lines of a target have one label set.

Hypothesis chooses what happens. SHIPPER_EXAMPLES is the number of histories tried; long runs set it higher.
"""

import os
from collections import Counter
from functools import cached_property
from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
)

from lab import faults
from lab.containerd import LogWriter
from lab.kubernetes_requests import Verb
from lab.lines import healthy, timed_out
from lab.pods import Pod
from tests.faults.whole_agent import try_histories
from tests.faults.whole_cluster import Cluster

EXAMPLES = max(1, int(os.environ.get("SHIPPER_EXAMPLES", "50")) // 3)
FALLBACK = "checkout"
APPS = st.sampled_from(["basket", "till"])
TEAMS = st.sampled_from(["", "money", "books"])
FAULTS = {
    "none": None,
    "hang": faults.hang(),
    "slow body": faults.stall(200),
    "slow": faults.slow(0.03),
    "500": faults.status(500),
    "429": faults.status(429, headers={"Retry-After": "0"}),
    "reset": faults.reset_before(),
    "a login page": faults.status(200, "<html>Please log in</html>"),
}
chosen: Counter[str] = Counter()  # over all histories: where labels came from


class Logged:
    """A pod: its log, its labels in the API, and all labels that it has ever had there."""

    def __init__(self, world: Cluster, number: int) -> None:
        self.world = world
        self.pod = Pod("shop", f"{FALLBACK}-7d4b9c6f5d-x2x7{'bcdfgh'[number]}", uid=f"uid-{number}")
        self.is_in_api = False
        self.lines = 0
        self.may_have = {(FALLBACK, "")}

    @cached_property
    def log(self) -> LogWriter:
        """Created with its first line: from then on the agent waits for the pod, for a limited time."""
        return LogWriter(self.world.root, pod=self.pod.name, uid=self.pod.uid)

    def put(self, app: str, team: str) -> None:
        self.pod = Pod("shop", self.pod.name, uid=self.pod.uid, labels={"app": app, **({"team": team} if team else {})})
        self.may_have.add((app, team))
        self.is_in_api = True
        self.world.api.put(self.pod)

    def write(self) -> None:
        line = timed_out(self.lines, id=f"{self.pod.uid}/{self.lines}")
        self.lines += 1
        nanos = self.log.write(line)
        self.world.written.note(line, nanos, {"pod": self.pod.name, "namespace": "shop"})
        self.log.write(healthy(1))


class AnyApiTrouble(RuleBasedStateMachine):
    """What can happen, in any order."""

    pods = Bundle("pods")

    def __init__(self) -> None:
        super().__init__()
        self.world = Cluster()
        self.all: list[Logged] = []

    @initialize(target=pods, app=APPS, team=TEAMS, up=st.sampled_from([True, True, False]))
    def begin(self, app: str, team: str, up: bool) -> MultipleResults[Logged]:
        if not up:
            self.world.kill_api()
        self.world.start()
        return multiple(self._pod(app, team), self._pod(app, team))

    def _pod(self, app: str | None, team: str) -> Logged:
        logged = Logged(self.world, len(self.all))
        self.all.append(logged)
        if app:
            logged.put(app, team)
        logged.write()
        return logged

    # -- the node

    @rule(target=pods, app=st.none() | APPS, team=TEAMS)
    def new_pod(self, app: str | None, team: str) -> Logged | MultipleResults[Logged]:
        return self._pod(app, team) if len(self.all) < 5 else multiple()

    @rule(pod=pods, count=st.integers(1, 3))
    def write(self, pod: Logged, count: int) -> None:
        for _ in range(count):
            pod.write()

    @rule(pod=pods, rotate=st.booleans())
    def another_file(self, pod: Logged, rotate: bool) -> None:
        pod.log.rotate(1000) if rotate else pod.log.restart()

    # -- the pods, as the API knows them

    @rule(pod=pods, app=APPS, team=TEAMS)
    def label(self, pod: Logged, app: str, team: str) -> None:
        pod.put(app, team)

    @rule(pod=pods)
    def delete(self, pod: Logged) -> None:
        """Delete it from the API; its log stays."""
        if pod.is_in_api:
            pod.is_in_api = False
            self.world.api.delete(pod.pod)

    # -- the API server

    @rule(name=st.sampled_from(sorted(FAULTS)))
    def answers_are(self, name: str) -> None:
        self.world.api.fault = FAULTS[name]

    @rule(names=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=3))
    def next_answers_are(self, names: list[str]) -> None:
        self.world.api.script.extend(fault for name in names if (fault := FAULTS[name]))

    @rule(verbs=st.sampled_from([set(), {"watch"}, {"list", "watch"}]))
    def role_forbids(self, verbs: set[Verb]) -> None:
        self.world.api.forbids = verbs

    @rule()
    def token_is_revoked(self) -> None:
        self.world.revoke()

    @rule(token=st.sampled_from(["a token", "another"]))
    def token_is_renewed(self, token: str) -> None:
        self.world.mount(token)

    @rule(expires=st.sampled_from(["by status", "by event"]))
    def history_is_compacted(self, expires: Literal["by status", "by event"]) -> None:
        self.world.api.expires = expires
        self.world.api.forget()
        self.world.api.end_watches()

    @rule(how=st.sampled_from(["end", "break", "bookmark"]))
    def watches(self, how: str) -> None:
        {"end": self.world.api.end_watches, "break": self.world.api.break_watches, "bookmark": self.world.api.bookmark}[
            how
        ]()

    @rule()
    def api_is_killed(self) -> None:
        self.world.kill_api()

    @rule()
    def api_is_started(self) -> None:
        self.world.start_api()

    @rule(token=st.sampled_from(["a token", "another"]))
    def all_is_well(self, token: str) -> None:
        self._heal(token)
        if self.world.is_up:
            self.world.until(lambda: self.world.api.watching > 0, 0.3)

    def _heal(self, token: str) -> None:
        self.world.mount(token)
        self.world.api.fault, self.world.api.forbids = None, set()
        self.world.api.script.clear()
        self.world.start_api()

    @rule(restored=st.booleans(), app=APPS)
    def api_has_other_contents(self, restored: bool, app: str) -> None:
        """Another server at the same address: every pod has other labels, and versions may start lower."""
        self.world.kill_api()
        for pod in self.all:
            if pod.is_in_api:
                pod.put(app, "other")
        if restored:
            self.world.api.go_back()
        self.world.start_api()

    # -- the agent

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.05]))
    def breathe(self, seconds: float) -> None:
        self.world.breathe(seconds)

    @precondition(lambda self: self.world.is_up)
    @rule(kill=st.booleans())
    def end(self, kill: bool) -> None:
        self.world.crash() if kill else self.world.stop()

    @precondition(lambda self: not self.world.is_up)
    @rule()
    def start(self) -> None:
        self.world.start()

    @precondition(lambda self: self.world.is_up)
    @rule(app=APPS)
    def kill_it_while_labels_change(self, app: str) -> None:
        """Lines sent under the old labels are sent again, and must not come under the new ones."""
        self.world.until(self.world.is_delivered, 0.3)
        self.world.crash()
        for pod in self.all:
            pod.put(app, "changed")
        self.world.start()

    # -- what must be true in the end

    def teardown(self) -> None:
        try:
            self._settle()
        finally:
            for pod in self.all:
                pod.log.close()
            self.world.close()

    def _settle(self) -> None:
        """Shipping needs no API, so its faults stay; once they are over, new pods have its labels again."""
        world = self.world
        for pod in self.all:
            pod.write()
        if not world.is_up:
            world.start()
        assert world.until(world.is_delivered), f"lost: {world.written.missing(world.stored)}"
        self._must_be_known_in_the_end()
        world.settle()
        assert not world.api.violations
        for pod in self.all:
            self._judge(pod)

    def _must_be_known_in_the_end(self) -> None:
        world = self.world
        self._heal("a token")
        newest = Logged(world, len(self.all))
        newest.put("newest", "")
        assert world.until(lambda: world.knows(newest.pod))
        self.all.append(newest)
        newest.write()
        newest.may_have.discard((FALLBACK, ""))

    def _judge(self, pod: Logged) -> None:
        sets = self.world.label_sets(pod.pod.name)
        assert len(sets) == 1, sets
        labels = dict(sets.pop())
        found = labels["app"], labels.get("team", "")
        assert found in pod.may_have, f"{found}, of {pod.may_have}"
        chosen["by path" if found == (FALLBACK, "") else "from the API"] += 1


def test_no_line_is_lost_and_no_target_has_two_label_sets_whatever_the_api_does() -> None:
    chosen.clear()
    try_histories(AnyApiTrouble, EXAMPLES)
    assert min(chosen["by path"], chosen["from the API"]) > 0, f"nothing was tried: {chosen}"
