"""Writes a corpus: the logs of sidecars or ztunnels as the kubelet lays them out, and what of them must arrive.

Deterministic: the same specification gives the same bytes. Almost all lines are healthy requests; some are kept, some
are decoys that look like it to a search for text. Each file ends with a kept line, so that whoever has delivered all
of them has read everything.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from benchmarks import ztunnel as ambient
from benchmarks.tally import Tally, label_key

JOB = "kubernetes-pods-istio-proxy"
SECOND = 1_000_000_000
STEP = 600_000  # nanoseconds between lines of a file, on average: 4 GiB in one file stay within an hour
POOL = 1024  # different lines of a kind: too many to lie in one of snappy's 64 KiB windows
WRITE_BYTES = 4 << 20
PREFIX_BYTES = len("2026-11-23T10:30:00.123456789Z stdout F \n")
CALLERS = (None, "spiffe://cluster.local/ns/shop/sa/checkout", "spiffe://cluster.local/ns/shop/sa/frontend")
SERVICES = ("payment-service", "checkout", "inventory", "frontend", "ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to write. `began` is the time of the first lines, in seconds since 1970: Loki refuses old lines."""

    size: int  # bytes in all files together, about
    pods: int
    share: float  # of lines that are kept
    began: int
    decoys: float = 0.001  # share of lines that look as if they were
    line_bytes: int = 840  # with CRI prefix and newline; a ztunnel's lines are as long as they are
    seed: int = 1
    ztunnel: ambient.Form | None = None  # a ztunnel's log in this form, all healthy; else a sidecar's


@dataclass(slots=True)
class Corpus:
    """What was written."""

    root: Path
    size: int = 0  # bytes
    lines: int = 0
    files: list[Path] = field(default_factory=list)
    expected: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod, as its log's path tells of it."""

    namespace: str
    app: str
    name: str
    uid: str

    @classmethod
    def of(cls, number: int, seed: int) -> "Pod":
        """The pod of this number."""
        rng = random.Random(f"pod {seed} {number}")
        app = SERVICES[number % len(SERVICES)]
        generated = ["".join(rng.choices("bcdfghjklmnpqrstvwxz2456789", k=length)) for length in (10, 5)]
        return cls(("shop", "bank")[number % 2], app, "-".join([app, *generated]), str(UUID(int=rng.getrandbits(128))))

    def log(self, root: Path) -> Path:
        """Where its sidecar's log is."""
        return root / f"{self.namespace}_{self.name}_{self.uid}" / "istio-proxy" / "0.log"

    def labels(self, caller: str | None) -> str:
        """The label key of its kept lines."""
        labels = {"job": JOB, "namespace": self.namespace, "app": self.app, "pod": self.name, "service_name": self.app}
        return label_key(labels | {"response_flags": "UT"} | ({"source_san": caller} if caller else {}))


@dataclass(frozen=True, slots=True)
class Lines:
    """Access-log lines of each kind, made once; how they are mixed is another's choice."""

    healthy: list[bytes]
    kept: list[tuple[str | None, bytes]]  # with the caller
    decoys: list[bytes]

    @classmethod
    def of_sidecar(cls, seed: int, line_bytes: int) -> "Lines":
        """An Envoy's, of this length with CRI prefix and newline."""
        rng = random.Random(f"lines {seed}")
        size = line_bytes - PREFIX_BYTES
        return cls(
            [_access_log(rng, size, "-", CALLERS[1]) for _ in range(POOL)],
            [(caller, _access_log(rng, size, "UT", caller)) for _ in range(POOL) for caller in (rng.choice(CALLERS),)],
            [
                _access_log(rng, size, "UTX", CALLERS[1]),
                _access_log(rng, size, "-", CALLERS[1], agent='probe "response_flags":"UT"'),
                _access_log(rng, size, "URX,UF", CALLERS[1], agent="caf\u00e9"),
            ],
        )

    @classmethod
    def of_ztunnel(cls, seed: int, form: ambient.Form) -> "Lines":
        """A ztunnel's, all healthy: such a line holds nothing that looks as if it were kept."""
        return cls(ambient.healthy(form, POOL, random.Random(f"ztunnel {seed}")), [], [])

    @property
    def mean(self) -> int:
        """Bytes of a healthy line on average, with CRI prefix and newline."""
        return PREFIX_BYTES + sum(map(len, self.healthy)) // len(self.healthy)


def write(spec: Spec, root: Path) -> Corpus:
    """Write it below `root`, which must not exist. Raises OSError."""
    root.mkdir(parents=True)
    corpus, lines = Corpus(root), _lines(spec)
    for number in range(spec.pods):
        pod = Pod.of(number, spec.seed)
        path = pod.log(root)
        path.parent.mkdir(parents=True)
        with path.open("wb") as log:
            for text, count in _pieces(spec, number, pod, lines, corpus.expected):
                log.write(text)
                corpus.size += len(text)
                corpus.lines += count
        corpus.files.append(path)
    return corpus


def _lines(spec: Spec) -> Lines:
    if spec.ztunnel is None:
        return Lines.of_sidecar(spec.seed, spec.line_bytes)
    if spec.share or spec.decoys:
        raise ValueError("a ztunnel's corpus is of healthy lines only")
    return Lines.of_ztunnel(spec.seed, spec.ztunnel)


def _pieces(spec: Spec, number: int, pod: Pod, lines: Lines, expected: Tally) -> Iterator[tuple[bytes, int]]:
    """One file's bytes in pieces, each with its number of lines."""
    rng = random.Random(f"file {spec.seed} {number}")
    total = max(1, spec.size // spec.pods // lines.mean)
    keys = {caller: pod.labels(caller) for caller in CALLERS}
    kept_below, decoys_below = spec.share, spec.share + spec.decoys * (1 - spec.share)
    nanos, piece, size = spec.began * SECOND + number, list[bytes](), 0
    for at in range(1, total + 1):
        nanos += 1 + int(rng.random() * 2 * STEP)
        dice = rng.random()
        if dice < kept_below or (at == total and spec.share):
            caller, content = lines.kept[int(rng.random() * POOL)]
            expected.add(keys[caller], nanos, content)
        elif dice < decoys_below:
            content = lines.decoys[at % len(lines.decoys)]
        else:
            content = lines.healthy[int(rng.random() * POOL)]
        piece.append(cri_line(nanos, content))
        size += len(piece[-1])
        if size >= WRITE_BYTES or at == total:
            yield b"".join(piece), len(piece)
            piece, size = [], 0


def cri_line(nanos: int, content: bytes) -> bytes:
    """A line as containerd writes it: Go leaves out the zeros at the end of a time."""
    second, fraction = divmod(nanos, SECOND)
    digits = (b".%09d" % fraction).rstrip(b"0").rstrip(b".")
    return b"%b%bZ stdout F %b\n" % (_written(second), digits, content)


@lru_cache(maxsize=8)  # lines of one second stand together
def _written(second: int) -> bytes:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}".encode()


def _access_log(rng: random.Random, size: int, flags: str, caller: str | None, agent: str = "curl/8.5.0") -> bytes:
    """One line's JSON, compact and in Envoy's order, `size` bytes long: the path is as long as that takes."""
    address = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
    record = {
        "authority": "payment-service.shop.svc.cluster.local:8080",
        "bytes_received": rng.randrange(4096),
        "bytes_sent": rng.randrange(65536),
        "connection_termination_details": None,
        "downstream_local_address": "10.0.0.7:8080",
        "downstream_local_uri_san": "spiffe://cluster.local/ns/shop/sa/payment",
        "downstream_peer_subject": None,
        "downstream_peer_uri_san": caller,
        "downstream_remote_address": f"{address}:{rng.randrange(1024, 65536)}",
        "downstream_tls_cipher": "TLS_AES_256_GCM_SHA384",
        "downstream_tls_version": "TLSv1.3",
        "duration": rng.randrange(15000),
        "method": "GET",
        "path": "",
        "request_id": str(UUID(int=rng.getrandbits(128))),
        "requested_server_name": "outbound_.8080_._.payment-service.shop.svc.cluster.local",
        "response_code": 504 if flags == "UT" else 200,
        "response_flags": flags,
        "upstream_host": f"{address}:8080",
        "user_agent": agent,
    }
    room = size - len(json.dumps(record, separators=(",", ":")))
    record["path"] = f"/{rng.getrandbits(4 * size):x}"[: max(1, room)]
    return json.dumps(record, separators=(",", ":")).encode()
