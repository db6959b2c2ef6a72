"""A node's ztunnel, as far as its log goes: lines that a real one wrote, of what fails and of what is well.

They are taken from the tests' corpus, text and JSON in one log: as a ztunnel writes that was restarted with another
format. What is to come of each line is the corpus' own word.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.containerd import LogWriter

CORPUS: Final = Path(__file__).parent.parent / "tests" / "corpus" / "ztunnel.jsonl"

POD: Final = "ztunnel-x2k4q"
NAMESPACE: Final = "istio-system"

_SHOWN: Final = (
    *(("text", name) for name in ("healthy-service", "plaintext-strict-known-pod", "policy-denies-identity")),
    *(("text", name) for name in ("in-expired", "in-other-trust-domain", "own-cert-expired-outbound")),
    *(("json", name) for name in ("healthy-service", "in-no-cert", "in-tls11-only")),
    *(("json", name) for name in ("out-server-untrusted", "ca-denies-outbound")),
)


@dataclass(frozen=True, slots=True)
class Written:
    """A line, and what is to be shipped of it with `keep: mtls`."""

    scenario: str
    line: str
    reason: str  # empty: nothing
    side: str


def written() -> list[Written]:
    """The lines, in the order they are written."""
    cases = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
    return [_written(case) for shown in _SHOWN for case in cases if (case["format"], case["scenario"]) == shown]


def run(pods: Path) -> list[Written]:
    """Write them all to the log of a ztunnel below the node's directory of pod logs."""
    lines = written()
    with LogWriter(pods, namespace=NAMESPACE, pod=POD) as log:
        for one in lines:
            log.write(one.line.encode())
    return lines


def _written(case: dict[str, Any]) -> Written:
    wanted = case["wanted"]
    return Written(case["scenario"], case["line"], wanted["failure_reason"] or "", wanted["side"] or "")
