"""What must arrive and what has arrived, as sums that can be compared: exactly once each, in no order.

A tally holds a count and a digest per label set, so that it is small however many entries there are.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from hashlib import blake2b

_MODULUS = 1 << 64


def label_key(labels: Mapping[str, str]) -> str:
    """A label set as a key: equal text means equal labels."""
    return json.dumps(sorted(labels.items()))


class Tally:
    """Entries by label set. The digests are sums, so an entry that comes twice shows as one that is missing does."""

    def __init__(self, streams: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.streams = dict(streams or {})  # count and digest by label key

    def add(self, key: str, nanos: int, line: bytes) -> None:
        """One entry, its time in nanoseconds since 1970."""
        count, digest = self.streams.get(key, (0, 0))
        once = int.from_bytes(blake2b(b"%d %b" % (nanos, line), digest_size=8).digest())
        self.streams[key] = (count + 1, (digest + once) % _MODULUS)

    @property
    def entries(self) -> int:
        """How many there are."""
        return sum(count for count, _ in self.streams.values())

    def without(self, names: Collection[str]) -> "Tally":
        """The same entries under label sets that lack these labels."""
        merged = Tally()
        for key, (count, digest) in self.streams.items():
            shorter = label_key({name: value for name, value in json.loads(key) if name not in names})
            before, sum_before = merged.streams.get(shorter, (0, 0))
            merged.streams[shorter] = (before + count, (sum_before + digest) % _MODULUS)
        return merged

    def differences(self, arrived: "Tally") -> Iterator[str]:
        """One sentence for each stream in which not exactly these entries have arrived."""
        for key in sorted(self.streams.keys() | arrived.streams.keys()):
            expected, came = self.streams.get(key, (0, 0)), arrived.streams.get(key, (0, 0))
            if expected[0] != came[0]:
                yield f"{key}: {expected[0]} entries expected, {came[0]} came"
            elif expected != came:
                yield f"{key}: {came[0]} entries came, but not with the expected lines and times"
