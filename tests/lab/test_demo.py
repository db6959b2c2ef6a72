import re
from pathlib import Path

import aiohttp
import pytest
import snappy

from lab import demo
from lab.access_log import decode
from lab.agent import Run, ledger
from lab.ink import coloured
from lab.loki import LokiReceiver
from shipper import push_pb2

REASONS = {
    "HTTP_REQUEST": "plaintext",
    "PEER_DID_NOT": "no_client_cert",
    "has_expired": "cert_expired",
    "not_yet_valid": "cert_not_yet_valid",
    "issuer": "cert_untrusted",
    "SAN_matcher": "cert_san_mismatch",
    "filter_chain_not_found": "plaintext",
    # ztunnel's
    "static_strict": "plaintext",
    "ExpiredContext": "cert_expired",
    "SanTrustDomainError": "cert_san_mismatch",
    "CertificateExpired": "peer_rejected_cert",
    "NoCertificatesPresented": "no_client_cert",
    "SignatureAlgorithmsExtensionRequired": "tls_version_mismatch",
    "UnknownIssuer": "cert_untrusted",
    "identity error": "local_cert_missing",
}


class StandInAgent:
    """Ships as the agent should, unless told what to leave out."""

    def __init__(self, *, forgets: str = "nothing", leaks: str = "nothing", mtls: bool = True, code: int = 0) -> None:
        self.forgets, self.leaks, self.mtls, self.code = forgets, leaks, mtls, code

    async def __call__(self, pods: Path, url: str, positions: Path, keep: str, *, direct: bool) -> Run:
        if keep == "mtls" and not self.mtls:
            return Run(2, "keep: mtls is not there yet", {})
        lines = [line for log in sorted(pods.glob("*/istio-proxy/0.log")) for line in log.read_bytes().splitlines()]
        kept = []
        for line in lines:
            content = line.split(b" ", 3)[3]
            record = decode(content)
            reason = self._reason(record)
            is_timeout = record.get("response_flags") == "UT"
            if (keep == "mtls" and reason) or is_timeout or (record and self.leaks.encode() in content):
                kept.append((content.decode(), record["response_flags"], reason if keep == "mtls" else ""))
        kept = [one for one in kept if self.forgets not in one[0]]
        await self._push(url, kept)
        account = {"read": len(lines), "filtered": len(lines) - len(kept), "sent": len(kept)}
        return Run(self.code, "", account | {"dropped": 0, "pending": 0})

    def _reason(self, record: dict[str, str]) -> str:
        if record.get("response_flags") == "UT":
            return "upstream_timeout"
        reason = (
            "downstream_transport_failure_reason",
            "upstream_transport_failure_reason",
            "response_code_details",
            "error",
        )
        text = "".join(record.get(key) or "" for key in reason)
        return next((name for part, name in REASONS.items() if part in text), "")

    async def _push(self, url: str, kept: list[tuple[str, str, str]]) -> None:
        message = push_pb2.PushRequest()
        for content, flags, reason in kept:
            side = "upstream" if "outbound" in content else "downstream"
            labels = f'job="kubernetes-pods-istio-proxy", response_flags="{flags}", failure_reason="{reason}"'
            labels += f', side="{side}"'
            entry = message.streams.add(labels="{" + labels + "}").entries.add(line=content.encode())
            entry.timestamp.GetCurrentTime()
        body = snappy.compress(message.SerializeToString())
        async with aiohttp.ClientSession() as session:
            await session.post(url, data=body, headers={"Content-Type": "application/x-protobuf"})


class MistakenAgent(StandInAgent):
    """Ships all, and names one reason wrongly."""

    def _reason(self, record: dict[str, str]) -> str:
        return super()._reason(record).replace("cert_expired", "cert_invalid")


async def test_all_is_well_when_all_arrives() -> None:
    said: list[str] = []
    assert await demo.main("", said.append, StandInAgent()) == 0
    text = "\n".join(said)
    assert "response_timeout" in text
    assert "none of them is flagged UT" in text
    assert "keep: mtls shipped them" in text
    assert "NOT AS IT SHOULD BE" not in text


async def test_a_loki_of_ones_own_is_pushed_to_and_asked() -> None:
    said: list[str] = []
    async with LokiReceiver() as loki:
        assert await demo.main(loki.url, said.append, StandInAgent(mtls=False)) == 0
        assert len(loki.stored()) == 1
    assert loki.base_url in said[0]
    assert "keep: mtls, which ships the failed handshakes, comes with a later version" in said
    assert "keep: mtls shipped them" not in said[-1]


@pytest.mark.parametrize(
    ("agent", "complaint"),
    [
        (StandInAgent(forgets='"UT"'), "keep: ut: 1 of 1 lines missing"),
        (StandInAgent(forgets="has_expired"), "keep: mtls: 2 of 18 lines missing"),
        (StandInAgent(leaks="has_expired"), "keep: ut: 0 of 1 lines missing, 2 too many"),
        (StandInAgent(leaks='"response_code":200'), "keep: mtls: 0 of 18 lines missing, 3 too many"),
        (StandInAgent(forgets="NR filter_chain_not_found"), "keep: mtls: 1 of 18 lines missing"),
        (StandInAgent(forgets="ExpiredContext"), "of the ztunnel there should be"),
        (MistakenAgent(), "keep: mtls: failure_reason should be cert_expired"),
        (StandInAgent(code=3), "the agent ended with code 3"),
    ],
)
async def test_what_did_not_arrive_is_told_by_the_exit_code(agent: StandInAgent, complaint: str) -> None:
    said: list[str] = []
    assert await demo.main("", said.append, agent) == 1
    assert any("NOT AS IT SHOULD BE" in one and complaint in one for one in said)


async def test_a_loki_that_is_away_is_said_so_before_anything_waits_for_it() -> None:
    async with LokiReceiver() as loki:
        url = loki.base_url

    async def agent(*_: object, **__: object) -> Run:
        raise AssertionError("nothing can be shipped")

    said: list[str] = []
    assert await demo.main(url, said.append, agent) == 1
    assert "Loki can not be asked" in said[-1]
    assert len(said) == 2


async def test_the_agent_itself_ships_what_the_demo_expects() -> None:
    said: list[str] = []
    assert await demo.main("", said.append) == 0, "\n".join(said)
    text = "\n".join(said)
    assert "--keep ut: exit code 0" in text
    assert " + 1 sent + 0 dropped + 0 pending" in text
    assert " + 18 sent + 0 dropped + 0 pending" in text
    assert re.search(r"│ cert_expired +│ upstream +│ Envoy +│ 1 ", text)
    assert re.search(r"│ cert_expired +│ downstream +│ ztunnel +│ 2 ", text)
    assert re.search(r"│ peer_rejected_cert +│ upstream +│ ztunnel +│ 1 ", text)


async def test_colours_change_nothing_but_the_colour() -> None:
    plain: list[str] = []
    colourful: list[str] = []
    agent = StandInAgent(forgets='"UT"')
    assert await demo.main("", plain.append, agent) == await demo.main("", colourful.append, agent, coloured) == 1
    assert not any("\x1b" in one for one in plain)
    assert any("\x1b[31m" in one for one in colourful)
    assert "\x1b[1mNOT AS IT SHOULD BE\x1b[0m" in "".join(colourful)
    bare = [re.sub(r"\x1b\[\d+m", "", one) for one in colourful]
    assert [one.count("\n") for one in bare] == [one.count("\n") for one in plain]


def test_warnings_of_the_agent_are_found() -> None:
    output = "2026-11-23T14:21:51.688Z info  fine\n2026-11-23T14:21:51.7Z warn  6 failures not shipped\n"
    assert Run(0, output, {}).warnings == ["6 failures not shipped"]


def test_the_last_ledger_counts() -> None:
    text = (
        "x ledger: read=1 filtered=0 sent=0 dropped=0 pending=1\n"
        "INFO ledger: read=9 filtered=7 sent=1 dropped=1 pending=0 and so on\n"
    )
    assert ledger(text) == {"read": 9, "filtered": 7, "sent": 1, "dropped": 1, "pending": 0}
    assert ledger("none") == {}
