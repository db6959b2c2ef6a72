"""What a run says of what it found, and its exit code: logs that cannot be read, no logs, a dry run, a pipe."""

import gzip
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lab.containerd import LogWriter
from lab.lines import healthy, timed_out
from lab.loki import LokiReceiver
from shipper.agent import FINE, UNDELIVERED
from shipper.pipeline.partial import FULL_PART
from shipper.source.timing import Timing
from tests.agent.conftest import MakeLog, Node
from tests.agent.test_cli import shipper

NOBODY = 65534
EXPIRED = "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: certificate has expired:TLS_error_end"  # noqa: E501


# -- logs that cannot be read


@pytest.fixture
async def shared() -> AsyncIterator[Node]:
    """A node whose directories any user may enter."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "pods"
        root.mkdir()
        for path in (Path(directory), root):
            path.chmod(0o777)
        async with LokiReceiver() as loki:
            yield Node(root, Path(directory) / "positions.json", loki)


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may read everything, so be nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("what", ["file", "container", "pod"])
async def test_once_with_a_log_that_may_not_be_read_ends_with_3(
    shared: Node, ordinary_user: None, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with LogWriter(shared.root, pod="open-0") as readable, LogWriter(shared.root, pod="closed-0") as closed:
        readable.write(timed_out(1))
        closed.write(timed_out(2))
        path = {"file": closed.path, "container": closed.directory, "pod": closed.pod_directory}[what]
        mode = path.stat().st_mode
        path.chmod(0)
        code, agent = await shared.once()
        path.chmod(mode)
    assert code == UNDELIVERED
    assert len(shared.loki.stored()) == 1
    assert agent.metrics.failed_reads() >= 1
    assert "not all could be read" in caplog.text


async def test_once_with_a_damaged_file_ends_with_3(node: Node, pod: MakeLog) -> None:
    log = pod()
    log.write(timed_out(1))
    whole = gzip.compress(b"2026-11-30T10:00:00Z stdout F {}\n" * 1000)
    (log.directory / "0.log.20261130-100000.gz").write_bytes(whole[: len(whole) // 2])
    code, _ = await node.once()
    assert code == UNDELIVERED
    assert len(node.loki.stored()) == 1


# -- no logs


async def test_a_run_that_finds_no_log_says_why(node: Node, pod: MakeLog, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(2):
        pod(f"web-{number}", container="app")
    code, _ = await node.once()
    assert code == FINE
    assert f"0 logs: no container istio-proxy in 2 pods below {node.root}; seen: app" in caplog.text


async def test_a_run_that_finds_a_log_does_not(node: Node, pod: MakeLog, caplog: pytest.LogCaptureFixture) -> None:
    pod().write(timed_out(1))
    await node.once()
    assert "0 logs" not in caplog.text


async def test_a_pod_without_its_uid_is_named_by_the_kubelets_link(node: Node, tmp_path: Path) -> None:
    links = tmp_path / "containers"
    links.mkdir()
    with LogWriter(node.root, pod="payment-0-7d4b9c6f5d-x2x7b", namespace="shop") as log:
        log.write(timed_out(1))
        (links / f"payment-0-7d4b9c6f5d-x2x7b_shop_istio-proxy-{'8c5f0c0a' * 8}.log").symlink_to(log.path)
        code, _ = await node.once(node.config(root=links))
    assert code == FINE
    (entry,) = node.loki.stored()
    assert {name: entry.labels[name] for name in ("namespace", "pod", "app")} == {
        "namespace": "shop", "pod": "payment-0-7d4b9c6f5d-x2x7b", "app": "payment-0",
    }  # fmt: skip


# -- the dry run


async def test_a_dry_run_starts_at_the_beginning_unless_it_is_given_positions(node: Node, pod: MakeLog) -> None:
    log = pod()
    log.write(timed_out(1), nanos=log.now() - 10**15)  # older than any look-back
    await node.once()
    log.write(timed_out(2))
    config = node.positions.with_name("agent.yaml")
    config.write_text(f"""
positions: {{filename: {node.positions}, look_back: 1h}}
scrape_configs: [{{pod_logs: {{root: {node.root}}}}}]
""")
    before = node.positions.read_bytes()
    arguments = ["run", "--dry-run", "--once", "--config.file", config]
    code, whole, err = await shipper(*arguments)
    assert code == FINE
    assert re.findall(r'"request_id":"(\d)"', whole) == ["1", "2"]
    assert "ledger: 2 lines read: 2 would be sent, 0 filtered, 0 dropped" in err
    _, rest, _ = await shipper(*arguments, "--positions.file", node.positions)
    assert re.findall(r'"request_id":"(\d)"', rest) == ["2"]
    assert node.positions.read_bytes() == before


# -- failures that are not shipped


async def test_the_failures_that_are_not_shipped_are_said_as_a_whole(
    node: Node, pod: MakeLog, caplog: pytest.LogCaptureFixture
) -> None:
    for name, first, last in (("a-0", 0, 5), ("b-0", 5, 120)):
        log = pod(name)
        for number in range(first, last):
            log.write(healthy(number, downstream_transport_failure_reason=EXPIRED))
    await node.once()
    (said,) = [line for line in caplog.messages if "failed mTLS handshakes" in line]
    assert "since the start 120 failed mTLS handshakes were seen and not shipped (cert_expired 120)" in said


async def test_failures_that_come_after_the_first_pass_are_said_at_the_end(
    node: Node, pod: MakeLog, caplog: pytest.LogCaptureFixture
) -> None:
    log = pod()
    log.write(healthy(1, downstream_transport_failure_reason=EXPIRED))
    async with node.running():
        log.write(timed_out(2))
        await node.loki.entries(1)
        log.write(healthy(3, downstream_transport_failure_reason=EXPIRED))
        log.write(timed_out(4))
        await node.loki.entries(2)
    said = [line for line in caplog.messages if "failed mTLS handshakes" in line]
    assert "since the start 2 failed mTLS handshakes" in said[-1]


# -- a pipe


async def test_the_lines_of_a_pipe_are_of_the_pod_that_is_given(node: Node) -> None:
    code, _, _ = await shipper(
        "run", "--stdin", "--client.url", node.loki.url, "--namespace", "shop", "--pod", "payment-0-7d4b9c6f5d-x2x7b",
        stdin=timed_out(1) + b"\n",
    )  # fmt: skip
    assert code == FINE
    (entry,) = node.loki.stored()
    assert {name: entry.labels[name] for name in ("namespace", "pod", "app", "service_name")} == {
        "namespace": "shop", "pod": "payment-0-7d4b9c6f5d-x2x7b", "app": "payment-0", "service_name": "payment-0",
    }  # fmt: skip


async def test_the_app_of_a_pipe_can_be_given(node: Node) -> None:
    arguments = ["run", "--stdin", "--client.url", node.loki.url, "--pod", "web-0", "--app", "shop"]
    await shipper(*arguments, stdin=timed_out(1) + b"\n")
    (entry,) = node.loki.stored()
    assert (entry.labels["pod"], entry.labels["app"]) == ("web-0", "shop")


# -- a container that ends without a newline


async def test_once_ships_last_words_too_and_no_full_part(node: Node, pod: MakeLog) -> None:
    line = timed_out(2, padding="x" * 2 * FULL_PART)
    ended, runs = pod("ended-0"), pod("runs-0")
    ended.write(timed_out(1), tag="P")
    runs.write(line[:FULL_PART], tag="P")
    await node.once()
    assert [entry.line for entry in node.loki.stored()] == [timed_out(1)]
    runs.write(line[FULL_PART:])
    await node.once()
    assert {entry.line for entry in node.loki.stored()} == {timed_out(1), line}
    assert [entry.copies for entry in node.loki.stored()] == [1, 1]


async def test_the_last_words_of_a_container_arrive_though_its_pod_stays(node: Node, pod: MakeLog) -> None:
    node.timing = Timing(cut_quiet=0.0, tick=0.01)
    log = pod()
    for number in range(4):
        log.write(timed_out(number))
    log.write(timed_out(4), tag="P")
    async with node.running() as agent:
        assert len(await node.loki.entries(5)) == 5
    assert agent.metrics.ledger() == {"read": 5, "filtered": 0, "sent": 5, "dropped": 0, "pending": 0}
    code, _ = await node.once()
    assert code == FINE
    assert [entry.copies for entry in node.loki.stored()] == [1] * 5
