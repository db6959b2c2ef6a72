"""Whatever happens to the directory: every line arrives, under one label set, and the books are closed.

Hypothesis chooses what happens. SHIPPER_EXAMPLES is the number of histories tried; long runs set it higher.
"""

import json
import os
from collections import Counter
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lab import faults
from lab.containerd import LogWriter
from lab.directory import DirectoryStandIn
from lab.lines import healthy
from shipper.who.holder import Holder
from tests.faults.whole_agent import TIMING, World, try_histories

EXAMPLES = max(1, int(os.environ.get("SHIPPER_EXAMPLES", "50")) // 3)
PLAINTEXT = "TLS_error:|268435612:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end"
ADDRESSES = ("10.0.1.20", "10.0.1.21", "fd00::20")
CLIENTS = ("legacy-client", "stranger", "batch")
UNKNOWN = ("", "", "unknown")
LIE = {"kind": "pod", "namespace": "lies", "pod": "lie-0", "app": "lie", "from": 1, "to": 2}  # of another time
FAULTS = {
    "none": None,
    "hang": faults.hang(),
    "slow": faults.slow(0.03),
    "slower than anybody waits": faults.slow(0.3),
    "500": faults.status(500),
    "403": faults.status(403),
    "reset": faults.reset_before(),
    "a login page": faults.status(200, "<html>Please log in</html>"),
    "too few answers": faults.status(200, '{"since":1,"known":2,"answers":[]}'),
    "a lie": faults.status(200, json.dumps({"since": 1, "known": 2, "answers": [LIE]})),
    "slow body": faults.stall(200),
}
chosen: Counter[str] = Counter()  # over all histories: what was said of peers


class WithDirectory(World):
    """A world with a directory in it, whose agent asks it."""

    def __init__(self) -> None:
        self.directory = DirectoryStandIn()
        scrape = (
            f', keep: mtls, peers: {{url: "{self.directory.url}", timeout: 100ms}}, '
            "structured_metadata: [source_ip, peer_kind]"
        )
        seldom_saved = replace(TIMING, save_after_settling=10.0, save_after_reading=10.0)  # only when they must be
        super().__init__(scrape=scrape, timing=seldom_saved)
        self._runner.run(self.directory.__aenter__())

    def close(self) -> None:
        if self._task is not None:
            self.crash()
        self._runner.run(self.directory.__aexit__(None, None, None))
        super().close()

    def kill_directory(self) -> None:
        """It goes away, and its connections break."""
        self._runner.run(self.directory.listener.kill())

    def start_directory(self) -> None:
        """It is there again, and knows what it did."""
        if not self.directory.listener.is_listening:
            self._runner.run(self.directory.listener.listen())


class AnyDirectoryTrouble(RuleBasedStateMachine):
    """What can happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = WithDirectory()
        self.may_be: dict[str, set[tuple[str, str, str]]] = {address: {UNKNOWN} for address in ADDRESSES}
        self.addresses: dict[bytes, str] = {}  # of the clients, by line
        self.log = LogWriter(self.world.root, pod="payment-service-7d4b9c6f5d-x2x7k")

    @initialize(up=st.sampled_from([True, True, False]))
    def begin(self, up: bool) -> None:
        if up:
            self.somebody_else_has(ADDRESSES[0], CLIENTS[0])
        else:
            self.world.kill_directory()
        self.world.start()
        self.write(ADDRESSES[0], 1)
        self.world.until(self.world.is_delivered, 1.0 if up else 0.0)

    @rule(address=st.sampled_from(ADDRESSES), count=st.integers(1, 3))
    def write(self, address: str, count: int) -> None:
        for _ in range(count):
            number = len(self.addresses)
            remote = f"[{address}]:{1000 + number}" if ":" in address else f"{address}:{1000 + number}"
            line = json.dumps(
                {
                    "request_id": str(number),
                    "response_flags": "-",
                    "downstream_remote_address": remote,
                    "downstream_transport_failure_reason": PLAINTEXT,
                }
            ).encode()
            self.addresses[line] = address
            self.world.written.note(line, self.log.write(line), {"namespace": "shop"})
        self.log.write(healthy(1))

    @rule(rotate=st.booleans())
    def another_file(self, rotate: bool) -> None:
        self.log.rotate(1000) if rotate else self.log.restart()

    # -- the directory

    @rule(address=st.sampled_from(ADDRESSES), client=st.none() | st.sampled_from(CLIENTS))
    def somebody_else_has(self, address: str, client: str | None) -> None:
        """As after a restart with other knowledge: it says this of the past as well."""
        if client is None:
            self.world.directory.holders.pop(address, None)
            return
        self.world.directory.holders[address] = Holder("pod", "default", f"{client}-0", client)
        self.may_be[address].add(("default", client, "pod"))

    @rule(name=st.sampled_from(sorted(FAULTS)))
    def answers_are(self, name: str) -> None:
        self.world.directory.fault = FAULTS[name]

    @rule(names=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=3))
    def next_answers_are(self, names: list[str]) -> None:
        self.world.directory.script.extend(fault for name in names if (fault := FAULTS[name]))

    @rule()
    def directory_is_killed(self) -> None:
        self.world.kill_directory()

    @rule()
    def directory_is_started(self) -> None:
        self.world.start_directory()

    @rule()
    def all_is_well(self) -> None:
        self.world.directory.fault = None
        self.world.directory.script.clear()
        self.world.start_directory()

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
    @rule(address=st.sampled_from(ADDRESSES), client=st.sampled_from(CLIENTS))
    def kill_it_while_addresses_change_hands(self, address: str, client: str) -> None:
        """Lines sent under the old names are sent again, and must not come under the new ones."""
        self.world.until(self.world.is_delivered, 0.3)
        self.world.crash()
        self.somebody_else_has(address, client)
        self.world.start()

    # -- what must be true in the end

    def teardown(self) -> None:
        try:
            self._settle()
        finally:
            self.log.close()
            self.world.close()

    def _settle(self) -> None:
        """Shipping needs no directory, so its faults stay."""
        self.write(ADDRESSES[1], 1)
        self.world.settle()
        for entry in self.world.loki.stored():
            labels, metadata = entry.labels, dict(entry.metadata)
            named = labels.get("peer_namespace", ""), labels.get("peer_app", ""), metadata["peer_kind"]
            assert named in self.may_be[self.addresses[entry.line]], named
            chosen[named[2]] += 1


def test_no_line_is_lost_and_none_has_two_label_sets_whatever_the_directory_does() -> None:
    chosen.clear()
    try_histories(AnyDirectoryTrouble, EXAMPLES)
    assert min(chosen["pod"], chosen["unknown"]) > 0, f"nothing was tried: {chosen}"
