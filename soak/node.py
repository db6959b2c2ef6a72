"""A node whose pods write while the kubelet rotates, compresses and deletes; every kept line is noted.

Deterministic by its random source but for the clock. Knows nothing of the agent that reads along.
"""

import random
from pathlib import Path

from lab.containerd import LogWriter, cri_line
from lab.lines import healthy, timed_out
from soak.written import Written

FILES = 1000  # the kubelet keeps five; here nothing may vanish unread
SANS = ("", "spiffe://cluster.local/ns/shop/sa/a", 'spiffe://x/"quoted", app="no"', "spiffe://cluster.local/ns/b/sa/b")
LONG = 20_000  # bytes of a line that the runtime writes in pieces


class NoisyPod:
    """One pod's log, and its lines."""

    def __init__(self, root: Path, written: Written, name: str, rng: random.Random) -> None:
        self.name, self.log = name, LogWriter(root, pod=name)
        self._written, self._rng = written, rng
        self._count = 0
        self._torn = b""

    def write(self, kept: int) -> None:
        """Some kept lines, each with a healthy one beside it; now and then in pieces or torn."""
        self.mend()
        for _ in range(kept):
            line = self.line()
            nanos = self.log.write(line, stream=self._rng.choice(("stdout", "stderr")))
            self._note(line, nanos)
            self.log.write(healthy(self._count))
        if self._rng.random() < 0.3:
            self._tear()

    def line(self) -> bytes:
        """A kept line that is like no other."""
        self._count += 1
        fields: dict[str, object] = {"id": f"{self.name}/{self._count}"}
        if san := self._rng.choice(SANS):
            fields["downstream_peer_uri_san"] = san
        if self._rng.random() < 0.05:
            fields["padding"] = "x" * LONG
        return timed_out(self._count, **fields)

    def _note(self, line: bytes, nanos: int) -> None:
        """Remember a line that stands in the log."""
        self._written.note(line, nanos, {"namespace": "shop", "pod": self.name, "response_flags": "UT"})

    def _tear(self) -> None:
        """A write that is seen half done."""
        line, nanos = timed_out(self._count, id=f"{self.name}/{self._count}/torn"), self.log.now()
        whole = cri_line(nanos, line)
        cut = self._rng.randrange(1, len(whole))
        self.log.write_raw(whole[:cut])
        self._torn = whole[cut:]
        self._note(line, nanos)

    def mend(self) -> None:
        """The rest of a torn write."""
        self.log.write_raw(self._torn)
        self._torn = b""

    def rotate(self) -> None:
        """The kubelet's rotation; the files before the last are compressed."""
        self.mend()
        self.log.rotate(FILES)

    def restart(self) -> None:
        """The container runs again."""
        self.mend()
        self.log.restart()
