"""Whatever happens to the node, the agent and Loki: every kept line is in Loki once, and the ledger adds up.

Hypothesis chooses what happens. SHIPPER_EXAMPLES is the number of histories tried; long runs set it higher.
"""

import os
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
from lab.containerd import LogWriter, cri_line
from lab.lines import healthy, timed_out
from tests.faults.whole_agent import World, try_histories

EXAMPLES = int(os.environ.get("SHIPPER_EXAMPLES", "50"))
FOREVER = 1000  # rotated files that are kept
STREAMS = st.sampled_from(["stdout", "stderr"])
SANS = st.sampled_from([None, "spiffe://a/1", "spiffe://a/2", "spiffe://a/3", "spiffe://a/4", 'x", app="no', "-"])
FAULTS = {
    "500": faults.status(500),
    "503 for a moment": faults.status(503, "", {"Retry-After": "0.02"}),
    "429": faults.status(429, "Ingestion rate limit exceeded for user fake"),
    "stream's rate": faults.status(429, "Per stream rate limit exceeded (limit: 3MB/sec)"),
    "streams": faults.status(429, "Maximum active stream limit exceeded when trying to create stream {}"),
    "401": faults.status(401, "no org id"),
    "404": faults.status(404, "default backend"),
    "a login page": faults.status(200, "<html><title>Sign in</title></html>"),
    "202": faults.status(202),
    "a redirect": faults.status(307, "", {"Location": "https://sso.example/login"}),
    "503 for a year": faults.status(503, "", {"Retry-After": "31536000"}),
    "260": faults.status(260, "ingestion blocked"),
    "unknown 400": faults.status(400, "<html>Bad Request</html>"),
    "413": faults.too_large_above(5000),  # more than any one line, compressed
    "reset before": faults.reset_before(),
    "reset after": faults.reset_after(),
    "hang": faults.hang(),
    "stall": faults.stall(),
    "slow": faults.slow(0.02),
}


class Pod:
    """One log and its unfinished line."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.log = LogWriter(world.root, pod=f"app-{number}")
        self.lines: list[bytes] = []
        self.rest: tuple[bytes, bytes, int] | None = None  # the missing end of a torn or partial line
        self.is_torn = self.is_deleted = False

    def line(self, **fields: object) -> bytes:
        line = timed_out(len(self.lines), id=f"{self.number}/{len(self.lines)}", **fields)
        self.lines.append(line)
        return line

    def expect(self, line: bytes, nanos: int) -> None:
        self.world.written.note(line, nanos, {"pod": f"app-{self.number}", "namespace": "shop", "response_flags": "UT"})

    def finish(self) -> None:
        if self.rest is not None:
            data, line, nanos = self.rest
            self.rest, self.is_torn = None, False
            self.log.write_raw(data)
            self.expect(line, nanos)


class AnyTrouble(RuleBasedStateMachine):
    """What can happen, in any order."""

    pods = Bundle("pods")

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.all: list[Pod] = []

    @initialize(target=pods)
    def begin(self) -> Pod:
        self.world.start()
        return self._pod()

    def _pod(self) -> Pod:
        self.all.append(Pod(self.world, len(self.all)))
        return self.all[-1]

    # -- the containers

    @rule(target=pods)
    def new_pod(self) -> Pod | MultipleResults[Pod]:
        return self._pod() if len(self.all) < 4 else multiple()

    @rule(pod=pods, count=st.integers(1, 5), stream=STREAMS, san=SANS)
    def write(self, pod: Pod, count: int, stream: Literal["stdout", "stderr"], san: str | None) -> None:
        if pod.is_deleted:
            return
        pod.finish()
        for _ in range(count):
            line = pod.line() if san is None else pod.line(downstream_peer_uri_san=san)
            pod.expect(line, pod.log.write(line, stream=stream))
            pod.log.write(healthy(1), stream=stream)

    @rule(pod=pods, cut=st.floats(0.01, 0.99))
    def tear(self, pod: Pod, cut: float) -> None:
        """A write that is only half visible; the rest comes with the next write."""
        if pod.is_deleted:
            return
        pod.finish()
        nanos, line = pod.log.now(), pod.line()
        whole = cri_line(nanos, line)
        at = max(1, int(len(whole) * cut))
        pod.log.write_raw(whole[:at])
        pod.rest, pod.is_torn = (whole[at:], line, nanos), True

    @rule(pod=pods, pieces=st.integers(1, 3), size=st.sampled_from([10, 16_384]))
    def begin_in_pieces(self, pod: Pod, pieces: int, size: int) -> None:
        """The first parts of a partial line; the last comes later, perhaps in another file."""
        if pod.is_deleted:
            return
        pod.finish()
        nanos, line = pod.log.now(), pod.line(padding="x" * size * pieces)
        step = len(line) // (pieces + 1)
        for piece in range(pieces):
            pod.log.write_raw(cri_line(nanos, line[piece * step : (piece + 1) * step], tag="P"))
        pod.rest = cri_line(pod.log.now(), line[pieces * step :]), line, nanos

    @rule(pod=pods)
    def restart_container(self, pod: Pod) -> None:
        if not pod.is_deleted:
            pod.finish()
            pod.log.restart()

    # -- the kubelet, and others

    @rule(pod=pods)
    def rotate(self, pod: Pod) -> None:
        """A partial line may continue in the new file; a torn one is finished first, as the runtime does."""
        if pod.is_deleted:
            return
        if pod.is_torn:
            pod.finish()
        pod.log.rotate(FOREVER)

    @rule(pod=pods, late=st.integers(0, 2))
    def rotate_with_a_late_writer(self, pod: Pod, late: int) -> None:
        """Lines are written to the renamed file, the last one without a newline."""
        if pod.is_deleted:
            return
        pod.finish()
        pod.log.rename()
        for number in range(late):
            nanos, line = pod.log.now(), pod.line()
            pod.log.write_raw(cri_line(nanos, line)[: -1 if number == late - 1 else None])
            pod.expect(line, nanos)
        pod.log.reopen()

    @rule(pod=pods)
    def compress_what_was_rotated(self, pod: Pod) -> None:
        for path in [] if pod.is_deleted else pod.log.rotated():
            if path.suffix != ".gz":
                pod.log.compress(path)

    @rule(pod=pods)
    def truncate_what_was_shipped(self, pod: Pod) -> None:
        if not pod.is_deleted and pod.rest is None and set(pod.lines) <= self.world.stored:
            pod.log.truncate()

    @precondition(lambda self: self.world.is_up)
    @rule(pod=pods)
    def delete(self, pod: Pod) -> None:
        """Delete the pod and its directory; what the agent holds open must still arrive."""
        if not pod.is_deleted and self.world.until(lambda: self.world.holds(pod.log.directory), 0.5):
            pod.is_deleted, pod.rest = True, None
            pod.log.delete()

    # -- Loki

    @rule(names=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=4))
    def loki_fails(self, names: list[str]) -> None:
        self.world.misbehave(*(FAULTS[name] for name in names))

    @rule(down=st.booleans())
    def loki_is_down(self, down: bool) -> None:
        self.world.loki.fault = faults.status(502) if down else None

    # -- the agent

    @rule(seconds=st.sampled_from([0.0, 0.005, 0.02, 0.06]))
    def breathe(self, seconds: float) -> None:
        self.world.breathe(seconds)

    @precondition(lambda self: self.world.is_up)
    @rule()
    def crash(self) -> None:
        self.world.crash()
        self._give_up_the_deleted()

    @precondition(lambda self: self.world.is_up)
    @rule()
    def stop(self) -> None:
        self.world.stop()
        self._give_up_the_deleted()

    @precondition(lambda self: not self.world.is_up)
    @rule()
    def start(self) -> None:
        self.world.start()

    def _give_up_the_deleted(self) -> None:
        """Forget the lines of deleted pods: the crash has closed the only descriptors of their files."""
        for pod in self.all:
            if pod.is_deleted:
                for line in set(pod.lines) - self.world.stored:
                    self.world.written.give_up(line)

    # -- what must be true in the end

    def teardown(self) -> None:
        try:
            self._settle()
        finally:
            for pod in self.all:
                pod.log.close()
            self.world.close()

    def _settle(self) -> None:
        world = self.world
        for pod in self.all:
            if not pod.is_deleted:
                pod.finish()
        world.loki.fault = None
        world.loki.script.clear()
        world.settle()


def test_every_line_arrives_once_whatever_happens() -> None:
    try_histories(AnyTrouble, EXAMPLES)
