"""The directory beside an API server: what it answers."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from lab import faults
from lab.certificates import self_signed
from lab.kubernetes import ApiServer
from lab.kubernetes_forms import Node
from lab.pods import Pod
from tests.directory.asked import CLIENT, SECOND, Hour, asking


async def test_a_pod_is_named_while_it_runs_and_after_another_has_its_address(api: ApiServer) -> None:
    api.put(CLIENT)
    async with asking(api) as asked:
        then = await asked.settle()
        told = await asked.who("10.0.1.20", then)
        expected = {
            "kind": "pod",
            "namespace": "default",
            "pod": "legacy-client-7d4b9c6f5d-x2x7k",
            "app": "legacy",
            "owner": "legacy-client",
            "node": "node-1",
        }
        assert expected.items() <= told.items()
        assert told["from"] <= then <= told["to"]
        await asked.settle()
        api.delete(CLIENT)
        api.put(Pod("shop", "cart-0", address="10.0.1.20"))
        await asked.settle()
        now = await asked.settle()
        assert (await asked.who("10.0.1.20", now))["pod"] == "cart-0"
        assert (await asked.who("10.0.1.20", then))["pod"] == "legacy-client-7d4b9c6f5d-x2x7k"


async def test_pods_of_the_host_network_are_their_node_and_completed_pods_have_no_address(api: ApiServer) -> None:
    api.put(Node("node-1", address="10.0.9.1"))
    api.put(Pod("kube-system", "kube-proxy", address="10.0.9.1", host_network=True))
    api.put(Pod("shop", "job", address="10.0.1.21", phase="Succeeded"))
    async with asking(api) as asked:
        at = await asked.settle()
        node, job = await asked.who("10.0.9.1", at), await asked.who("10.0.1.21", at)
        assert (node["kind"], node["node"]) == ("node", "node-1")
        assert (job["kind"], job["reason"]) == ("unknown", "never_seen")


async def test_what_lies_outside_the_cluster_is_external(api: ApiServer) -> None:
    api.put(Node("node-1", address="192.168.7.1"))  # of no range: somebody has forgotten it
    async with asking(api, cluster_ranges=("10.0.0.0/8", "fd00::/8")) as asked:
        at = await asked.settle()
        kinds = [(await asked.who(ip, at))["kind"] for ip in ("203.0.113.9", "2001:db8::1", "10.1.2.3", "192.168.7.1")]
        assert kinds == ["external", "external", "unknown", "node"]


async def test_a_question_about_now_is_held_until_now_is_known(api: ApiServer) -> None:
    api.put(CLIENT)
    async with asking(api, wait=10.0) as asked:
        await asked.settle()
        question = asyncio.create_task(asked.who("10.0.1.20", asked.knowledge.now()))
        await asked.settle()
        await asked.settle()
        assert (await question)["pod"] == CLIENT.name


async def test_a_question_about_a_time_that_does_not_settle_is_unknown(api: ApiServer) -> None:
    api.put(CLIENT)
    async with asking(api, wait=0.0) as asked:
        await asked.settle()
        assert (await asked.who("10.0.1.20", asked.knowledge.now() + 10**15))["reason"] == "too_recent"


async def test_what_happened_while_the_watch_was_lost_is_unknown(api: ApiServer) -> None:
    api.put(CLIENT)
    async with asking(api) as asked:
        before = await asked.settle()
        await api.until(lambda: api.watching == 2)
        during = asked.knowledge.now()
        api.forget()
        api.break_watches()
        after = await asked.settle()
        after = await asked.settle()
        assert (await asked.who("10.0.1.20", before))["kind"] == "pod"
        assert (await asked.who("10.0.1.20", during))["reason"] == "watch_gap"
        assert (await asked.who("10.0.1.20", after))["kind"] == "pod"


async def test_answers_come_in_the_order_of_the_questions_with_what_is_known(api: ApiServer) -> None:
    pods = [api.put(Pod("shop", f"pod-{number}", address=f"10.0.2.{number}")) for number in range(20)]
    async with asking(api) as asked:
        at = await asked.settle()
        status, told = await asked.post([{"ip": pod.address, "at": at} for pod in reversed(pods)])
        assert status == 200
        assert [answer["pod"] for answer in told["answers"]] == [pod.name for pod in reversed(pods)]
        assert told["since"] <= at <= told["known"]
        assert await asked.post([]) == (200, {**told, "answers": [], "known": asked.knowledge.history.known})


async def test_a_time_may_be_written_for_people(api: ApiServer) -> None:
    async with asking(api) as asked:
        await asked.settle()
        _, told = await asked.post([{"ip": "10.0.1.20", "at": "2026-01-01T00:00:00Z"}])
        assert told["answers"][0]["reason"] == "before_history"


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"", 400, "Input data was truncated"),
        (b'[{"x": ' + b"[" * 5000, 400, "nested too deeply"),
        (b'[{"ip": 3, "at": 1}]', 400, "Expected `str`, got `int` - at `$[0].ip`"),
        (b'{"ip": "10.0.0.1", "at": 1}', 400, "Expected `array`, got `object`"),
        (b'[{"ip": "10.0.0.1"}]', 400, "missing required field `at`"),
        (b'[{"ip": "10.0.0.1", "at": "yesterday"}]', 400, "nanoseconds since 1970 or an RFC 3339 time - at `$[0].at`"),
        (b'[{"ip": "10.0.0.1", "at": -1}]', 400, "expected nanoseconds"),
        (b'[{"ip": "\xff", "at": 1}]', 400, ""),
        (json.dumps([{"ip": "10.0.0.1", "at": 1}] * 11).encode(), 413, "expected at most 10 questions, got 11"),
        (b" " * (1 << 20) + b"[]", 413, "larger than 1 MiB"),
    ],
)  # fmt: skip
async def test_what_is_no_question_is_refused_in_words(api: ApiServer, body: bytes, status: int, problem: str) -> None:
    async with asking(api, max_questions=10) as asked:
        await asked.settle()
        got, told = await asked.post(body)
        assert (got, list(told)) == (status, ["error"])
        assert problem in told["error"]


async def test_without_the_first_lists_nothing_is_answered(api: ApiServer) -> None:
    api.fault = faults.status(500)
    async with asking(api) as asked:
        assert (await asked.post([]))[0] == 503
        assert (await asked.get("/ready")) == (503, "not ready: pods and nodes are not yet all known\n")
        assert (await asked.get("/healthz"))[0] == 200
        api.fault = None
        await asked.settle()
        assert (await asked.get("/ready"))[0] == 200


async def test_only_who_has_the_token_is_answered_and_a_new_token_counts_at_once(
    api: ApiServer, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    async with asking(api, bearer_token_file=str(token)) as asked:
        await asked.settle()
        assert [(await asked.post([], given))[0] for given in ("", "other", "first")] == [401, 401, 200]
        token.write_text("the second\n")
        assert [(await asked.post([], given))[0] for given in ("first", "the second")] == [401, 200]


async def test_what_is_answered_is_counted(api: ApiServer) -> None:
    api.put(CLIENT)
    async with asking(api) as asked:
        at = await asked.settle()
        await asked.post([{"ip": ip, "at": at} for ip in ("10.0.1.20", "10.0.1.20", "10.0.1.99", "nobody")])
        _, metrics = await asked.get("/metrics")
        for line in (
            'shipper_directory_answers_total{kind="pod",reason=""} 2.0',
            'shipper_directory_answers_total{kind="unknown",reason="never_seen"} 1.0',
            'shipper_directory_answers_total{kind="unknown",reason="not_an_address"} 1.0',
            'shipper_directory_requests_total{status="200"} 1.0',
            "shipper_directory_addresses 1.0",
        ):
            assert line in metrics


async def test_an_event_that_cannot_be_read_costs_a_list_and_no_wrong_answer(api: ApiServer) -> None:
    api.put(CLIENT)
    async with asking(api) as asked:
        await asked.settle()
        await api.until(lambda: api.watching == 2)
        during, lists = asked.knowledge.now(), api.verbs().count("list")
        api.say(b'{"type": "MODIFIED", "object": {"rows": 3}}\n')
        await api.until(lambda: api.verbs().count("list") >= lists + 2)
        await asked.settle()
        assert (await asked.who("10.0.1.20", during))["reason"] == "watch_gap"
        assert (await asked.who("10.0.1.20", await asked.settle()))["kind"] == "pod"


async def test_a_new_certificate_counts_at_once(api: ApiServer, tmp_path: Path) -> None:
    pair: dict[str, Any] = {"cert_file": str(tmp_path / "tls.crt"), "key_file": str(tmp_path / "tls.key")}
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE

    async def issue(name: str) -> bytes:
        made = self_signed(tmp_path, name, f"spiffe://cluster.local/ns/mtls/sa/{name}")
        (tmp_path / "tls.crt").write_bytes(made.certificate.read_bytes())
        (tmp_path / "tls.key").write_bytes(made.key.read_bytes())
        return ssl.PEM_cert_to_DER_cert(made.certificate.read_text())

    async def shown(port: int) -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        assert isinstance(certificate, bytes)
        return certificate

    first = await issue("first")
    async with asking(api, **pair) as asked:
        assert await shown(asked.port) == first
        second = await issue("second")
        assert await shown(asked.port) == second


async def test_after_the_clock_was_set_nothing_before_is_known(api: ApiServer) -> None:
    api.put(CLIENT)
    clock = Hour(tolerance=SECOND)
    async with asking(api, clock=clock) as asked:
        before = await asked.settle()
        clock.moved -= 3600 * SECOND
        await asked.turn()
        await asked.turn()
        after = await asked.settle()
        assert (await asked.who("10.0.1.20", after))["kind"] == "pod"
        assert (await asked.who("10.0.1.20", before - 3600 * SECOND))["reason"] == "before_history"
