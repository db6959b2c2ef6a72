"""How much is measured: the short form in two minutes, the long one for the record."""

from dataclasses import dataclass
from typing import get_args

from benchmarks.ztunnel import Form

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One corpus."""

    share: float  # of lines kept
    size: int  # bytes
    pods: int = 20
    decoys: float = 0.001  # share of lines that look as if they were kept
    ztunnel: Form | None = None  # see `corpus.Spec`

    def __str__(self) -> str:
        """What it is, for a reader."""
        size = f"{self.size / GIB:g} GiB" if self.size >= GIB else f"{self.size / MIB:g} MiB"
        if not self.share and not self.decoys:
            whose = f"ztunnel, {self.ztunnel}" if self.ztunnel else "sidecar"
            return f"{whose}, {size}, {self.pods} files"
        return f"{self.share:.4g} kept, {size}, {self.pods} pods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, and how often."""

    name: str
    rounds: int  # of which medians are taken
    anchors: tuple[Point, ...]  # the figures that count
    sizes: tuple[Point, ...]  # cost as a function of size,
    files: tuple[Point, ...]  # of the number of files,
    shares: tuple[Point, ...]  # of the share that is kept
    healthy: tuple[Point, ...]  # by data plane: a sidecar's log first, then a ztunnel's
    peers: tuple[Point, ...]  # smaller: most are slower by far
    peer_rounds: int
    idle_seconds: float
    latency_seconds: float
    pushes: int

    @property
    def points(self) -> tuple[Point, ...]:
        """The agent's corpora, each once."""
        return tuple(dict.fromkeys((*self.anchors, *self.sizes, *self.files, *self.shares, *self.healthy)))


SPARSE, SPARSER, DENSE = 0.01, 0.001, 1.0


def healthy(size: int) -> tuple[Point, ...]:
    """The log of each data plane where all is well, of the same size."""
    return tuple(Point(share=0.0, size=size, decoys=0.0, ztunnel=form) for form in (None, *get_args(Form)))


SHORT = Plan(
    name="short",
    rounds=3,
    anchors=(
        Point(share=SPARSER, size=GIB),
        Point(share=SPARSE, size=GIB),
        Point(share=DENSE, size=128 * MIB),
    ),
    sizes=(Point(share=SPARSE, size=256 * MIB),),
    files=tuple(Point(share=SPARSE, size=GIB, pods=pods) for pods in (1, 200, 1000)),
    shares=(Point(share=0.1, size=256 * MIB),),
    healthy=healthy(GIB),
    peers=(Point(share=SPARSE, size=64 * MIB), Point(share=DENSE, size=16 * MIB)),
    peer_rounds=1,
    idle_seconds=10.0,
    latency_seconds=5.0,
    pushes=100,
)
FULL = Plan(
    name="full",
    rounds=5,
    anchors=(
        Point(share=SPARSER, size=2 * GIB),
        Point(share=SPARSE, size=2 * GIB),
        Point(share=DENSE, size=256 * MIB),
    ),
    sizes=tuple(Point(share=SPARSE, size=size) for size in (256 * MIB, 512 * MIB, GIB, 4 * GIB)),
    files=tuple(Point(share=SPARSE, size=2 * GIB, pods=pods) for pods in (1, 5, 100, 200, 500, 1000)),
    shares=(
        Point(share=0.0, size=2 * GIB),
        Point(share=0.03, size=GIB),
        Point(share=0.1, size=512 * MIB),
        Point(share=0.3, size=256 * MIB),
    ),
    healthy=healthy(2 * GIB),
    peers=(
        Point(share=SPARSER, size=256 * MIB),
        Point(share=SPARSE, size=256 * MIB),
        Point(share=DENSE, size=64 * MIB),
    ),
    peer_rounds=3,
    idle_seconds=30.0,
    latency_seconds=20.0,
    pushes=400,
)
