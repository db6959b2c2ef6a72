"""Label sets to Loki's canonical text, with a budget for values that clients can make up.

Labels are a pure function of the line and of the values admitted before. Admitted values must be saved before the
first push that uses them, or a line that is sent again after a crash could carry other labels.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import orjson

OVERFLOW: Final = "__overflow__"
MAX_VALUE_BYTES: Final = 2048  # Loki's max_label_value_length
WORKLOAD: Final = "workload"  # in a stream that is saved: the workload that it is of; no field has this name
# The labels given up when there are too many streams; the one with the most values first.
SHED_ORDER: Final = (
    *("peer_pod", "peer_owner", "peer_node", "peer_app", "peer_namespace"),
    *("source_san", "termination_details"),
)

Values = tuple[str, ...]


def quote(value: str) -> str:
    """Quoted as in Go, which knows all escapes of JSON."""
    return orjson.dumps(value).decode()


def label_text(labels: Mapping[str, str]) -> str:
    """`{app="checkout", job="x"}`: sorted by name, empty values left out. Equal text means the same stream."""
    return "{" + ", ".join(f"{name}={quote(labels[name])}" for name in sorted(labels) if labels[name]) + "}"


def cut(value: str) -> str:
    """The value within Loki's limit, which counts bytes."""
    if len(value) <= MAX_VALUE_BYTES // 4:
        return value
    return value.encode()[:MAX_VALUE_BYTES].decode(errors="ignore")


class Admission:
    """Which values of line labels, and which streams, are admitted.

    Each label has a budget of distinct values, and all targets together have one of streams; beyond a budget values
    become `__overflow__`. A value is released when no stream uses it, and a stream when its target is gone.

    The log of one target may speak for many workloads: then each has streams of its own, released with it.
    """

    def __init__(self, names: Sequence[str], max_values: int, max_streams: int) -> None:
        self.names = tuple(names)
        self.changed = False  # since the last save
        self._max_values = max_values
        self._max_streams = max_streams
        self._streams: dict[str | tuple[str, str], set[Values]] = {}  # by target, or target and workload
        self._workloads: dict[str, set[str]] = {}  # of the targets that have any
        self._uses: list[Counter[str]] = [Counter() for _ in names]
        self._count = 0
        self._shed = [self.names.index(name) for name in SHED_ORDER if name in self.names]

    def admit(self, target: str, values: Values, workload: str | None = None) -> Values:
        """The values to use in the label set: these, or `__overflow__` in place of some."""
        live = self._live(target, workload)
        fitting = tuple(map(self._fitting, range(len(values)), values))
        if fitting not in live and self._count >= self._max_streams:
            fitting = self._shed_until_live(fitting, live)
        if fitting not in live:
            self._add(live, fitting)
            self.changed = True
        return fitting

    def release(self, target: str) -> None:
        """The target and its streams are gone."""
        for workload in list(self._workloads.get(target, ())):
            self.release_workload(target, workload)
        self._release(target)

    def release_workload(self, target: str, workload: str) -> None:
        """The same for one workload of a target."""
        self._workloads[target].remove(workload)
        if not self._workloads[target]:
            del self._workloads[target]
        self._release((target, workload))

    def workloads(self, target: str) -> Iterable[str]:
        """The workloads of a target that have streams of their own."""
        return self._workloads.get(target, ())

    def admitted(self, target: str) -> list[dict[str, str]]:
        """The line labels of the target's streams, to be saved."""
        streams = [self._labels(values) for values in sorted(self._streams.get(target, ()))]
        for workload in sorted(self.workloads(target)):
            own = sorted(self._streams[target, workload])
            streams += [self._labels(values) | {WORKLOAD: workload} for values in own]
        return streams

    def restore(self, target: str, admitted: Iterable[Mapping[str, str]]) -> None:
        """Admit what was saved; streams with labels that are not configured any more are left out."""
        names = {*self.names, WORKLOAD}
        for stream in admitted:
            values = tuple(stream.get(name, "") for name in self.names)
            if stream.keys() <= names and values not in (live := self._live(target, stream.get(WORKLOAD))):
                self._add(live, values)

    def __len__(self) -> int:
        """Live streams."""
        return self._count

    def _live(self, target: str, workload: str | None) -> set[Values]:
        if workload is None:
            return self._streams.setdefault(target, set())
        self._workloads.setdefault(target, set()).add(workload)
        return self._streams.setdefault((target, workload), set())

    def _release(self, owner: str | tuple[str, str]) -> None:
        for values in self._streams.pop(owner, ()):
            self._count -= 1
            for uses, value in zip(self._uses, values, strict=True):
                uses[value] -= 1
                if not uses[value]:
                    del uses[value]

    def _labels(self, values: Values) -> dict[str, str]:
        return {name: value for name, value in zip(self.names, values, strict=True) if value}

    def _fitting(self, at: int, value: str) -> str:
        value, uses = cut(value), self._uses[at]
        if not value or value in uses or len(uses) - (OVERFLOW in uses) - ("" in uses) < self._max_values:
            return value
        return OVERFLOW

    def _shed_until_live(self, values: Values, live: set[Values]) -> Values:
        """There is no room for another stream: give up values until the stream exists, or none is left to give up."""
        for at in self._shed:
            if values in live:
                break
            if values[at]:
                values = (*values[:at], OVERFLOW, *values[at + 1 :])
        return values

    def _add(self, live: set[Values], values: Values) -> None:
        live.add(values)
        self._count += 1
        for uses, value in zip(self._uses, values, strict=True):
            uses[value] += 1


class LabelSets:
    """Label texts for the lines of one target or, where its log speaks for many, of one workload."""

    CACHED: Final = 1024  # a hostile client can send new values without end

    def __init__(self, target: str, own: Mapping[str, str], admission: Admission, workload: str | None = None) -> None:
        self._target, self._own, self._admission, self._workload = target, own, admission, workload
        self._texts: dict[Values, str] = {}
        self.overflowed: Counter[str] = Counter()  # lines, by label

    def text(self, values: Values) -> str:
        """The label text of a line with these values, in the order of the admission's names."""
        found = self._texts.get(values)
        if found is not None:
            return found
        admitted = self._admission.admit(self._target, values, self._workload)
        names = self._admission.names
        if OVERFLOW in admitted:
            self.overflowed.update(name for name, value in zip(names, admitted, strict=True) if value == OVERFLOW)
        labels = {**self._own, **dict(zip(names, admitted, strict=True))}
        labels["service_name"] = labels.get("service_name") or labels.get("app", "")  # else Loki guesses
        found = label_text(labels)
        if OVERFLOW not in admitted:  # lines that overflow are counted one by one
            if len(self._texts) >= self.CACHED:
                self._texts.clear()
            self._texts[values] = found
        return found


def target_labels(
    names: Iterable[str], fields: Mapping[str, str], constant: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """A target's own labels: the constants, then the promoted fields, which win."""
    yield from constant
    yield from ((name, cut(fields[name])) for name in names if fields.get(name))
