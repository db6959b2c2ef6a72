"""A node with a sidecar, a ztunnel and a waypoint: every line arrives under one label set, and under the right one.

Pods come, go and take each other's addresses while the agent is killed, so that what it knows of them is never the same
twice. Hypothesis chooses what happens. SHIPPER_EXAMPLES is the number of histories tried; long runs set it higher.
"""

import json
import os
from collections import Counter
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lab import faults
from lab.containerd import LogWriter
from lab.lines import healthy
from lab.pods import Pod
from tests.faults.whole_agent import try_histories
from tests.faults.whole_cluster import NODE, Cluster
from tests.pipeline.ztunnel_lines import json_line, text_line

EXAMPLES = max(1, int(os.environ.get("SHIPPER_EXAMPLES", "50")) // 3)
EXPIRED = "tls handshake error: Custom { kind: InvalidData, error: InvalidCertificate(Expired) }"
PLAINTEXT = "TLS_error:|268435612:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end"
SIDECAR, ZTUNNEL, WAYPOINT = "payment-7d4b9c6f5d-x2x7k", "ztunnel-x2k4q", "waypoint-5c8f7d9b4-k2m9q"
NAMESPACES = {SIDECAR: "shop", ZTUNNEL: "istio-system", WAYPOINT: "shop"}
ADDRESSES = ("10.0.0.3", "10.0.0.4")
PODS = (
    Pod("shop", "web-0", node=NODE, uid="uid-web", labels={"app": "web"}, created="2026-11-23T10:30:00Z"),
    Pod("money", "ledger-0", node=NODE, uid="uid-ledger", labels={"app": "ledger"}, created="2026-11-23T10:30:00Z"),
)
NOBODY = ("", "")
chosen: Counter[str] = Counter()  # over all histories: of whom ztunnel's lines were


class MixedMesh(RuleBasedStateMachine):
    """What can happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Cluster(", kubernetes: true, keep: mtls")
        self.logs = {pod: LogWriter(self.world.root, namespace=NAMESPACES[pod], pod=pod) for pod in NAMESPACES}
        self.may_be: dict[str, set[tuple[str, str]]] = {address: {NOBODY} for address in ADDRESSES}
        self.addresses: dict[bytes, str] = {}  # of the servers, by ztunnel's line
        self.is_there: set[str] = set()  # pods that the API has
        self.number = 0

    @initialize(up=st.sampled_from([True, True, False]))
    def begin(self, up: bool) -> None:
        if not up:
            self.world.kill_api()
        self.put(PODS[0], ADDRESSES[0])
        self.world.start()
        self.world.until(lambda: self.world.is_current, 5.0 if up else 0.0)
        self.proxy_fails(SIDECAR, 1)
        self.ztunnel_fails(ADDRESSES[0], True, 1)

    # -- the logs

    @rule(pod=st.sampled_from([SIDECAR, WAYPOINT]), count=st.integers(1, 3))
    def proxy_fails(self, pod: str, count: int) -> None:
        """An Envoy refuses a client."""
        for _ in range(count):
            self.number += 1
            record = {
                "request_id": str(self.number),
                "response_flags": "-",
                "downstream_remote_address": f"10.0.1.20:{self.number}",
                "downstream_transport_failure_reason": PLAINTEXT,
            }
            line = json.dumps(record).encode()
            labels = {"namespace": NAMESPACES[pod], "pod": pod, "failure_reason": "plaintext", "side": "downstream"}
            self.world.written.note(line, self.logs[pod].write(line), labels)
        self.logs[pod].write(healthy(1))

    @rule(address=st.sampled_from(ADDRESSES), as_json=st.booleans(), count=st.integers(1, 3))
    def ztunnel_fails(self, address: str, as_json: bool, count: int) -> None:
        """The ztunnel refuses a client for a pod of its node, of which it names the address alone."""
        write = json_line if as_json else text_line
        for _ in range(count):
            self.number += 1
            ends = {"src.addr": f"10.0.9.9:{self.number}", "dst.addr": f"{address}:15008", "direction": "inbound"}
            line = write({**ends, "error": EXPIRED})
            self.addresses[line] = address
            labels = {"failure_reason": "cert_expired", "side": "downstream"}
            self.world.written.note(line, self.logs[ZTUNNEL].write(line), labels)
        well = {"src.addr": "10.0.9.9:1", "dst.addr": f"{address}:15008", "direction": "inbound", "duration": "1ms"}
        self.logs[ZTUNNEL].write(text_line(well, level="info"))

    @rule(pod=st.sampled_from(sorted(NAMESPACES)), rotate=st.booleans())
    def another_file(self, pod: str, rotate: bool) -> None:
        self.logs[pod].rotate(1000) if rotate else self.logs[pod].restart()

    # -- the pods

    @rule(pod=st.sampled_from(PODS), address=st.sampled_from(ADDRESSES))
    def put(self, pod: Pod, address: str) -> None:
        """A pod comes, or has another address than before."""
        self.is_there.add(pod.uid)
        self.may_be[address].add((pod.namespace, pod.labels["app"]))
        self.world.api.put(replace(pod, address=address))

    @rule(pod=st.sampled_from(PODS))
    def delete(self, pod: Pod) -> None:
        if pod.uid in self.is_there:
            self.is_there.remove(pod.uid)
            self.world.api.delete(pod)

    @rule(fault=st.sampled_from([None, faults.status(500), faults.hang(), faults.reset_before()]))
    def api_answers_are(self, fault: faults.Fault | None) -> None:
        self.world.api.fault = fault

    @rule(is_up=st.booleans())
    def api_is(self, is_up: bool) -> None:
        self.world.start_api() if is_up else self.world.kill_api()

    @rule()
    def all_is_well(self) -> None:
        self.world.api.fault = None
        self.world.start_api()
        if self.world.is_up:
            self.world.until(lambda: self.world.is_current, 0.5)

    # -- Loki and the agent

    @rule(fault=st.sampled_from([faults.status(503), faults.reset_after(), faults.slow(0.03)]))
    def loki_misbehaves(self, fault: faults.Fault) -> None:
        self.world.misbehave(fault)

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
    @rule()
    def kill_it_while_addresses_change_hands(self) -> None:
        """Lines sent under the old names are sent again, and must not come under the new ones."""
        self.world.until(self.world.is_delivered, 0.3)
        self.world.crash()
        for pod, address in zip(PODS, reversed(ADDRESSES), strict=True):
            self.put(pod, address)
        self.world.start()

    # -- what must be true in the end

    def teardown(self) -> None:
        try:
            self._settle()
        finally:
            for log in self.logs.values():
                log.close()
            self.world.close()

    def _settle(self) -> None:
        """Shipping needs no API, so its faults stay."""
        self.proxy_fails(WAYPOINT, 1)
        self.ztunnel_fails(ADDRESSES[1], False, 1)
        self.world.settle()
        assert not self.world.api.violations
        for entry in self.world.loki.stored():
            if (address := self.addresses.get(entry.line)) is None:
                continue
            of = entry.labels.get("namespace", ""), entry.labels.get("app", "")
            assert of in self.may_be[address], f"{of}, of {self.may_be[address]}"
            chosen["nobody" if of == NOBODY else "a pod"] += 1


def test_each_line_of_a_sidecar_a_ztunnel_and_a_waypoint_has_one_label_set_and_the_right_one() -> None:
    chosen.clear()
    try_histories(MixedMesh, EXAMPLES)
    assert min(chosen["nobody"], chosen["a pod"]) > 0, f"nothing was tried: {chosen}"
