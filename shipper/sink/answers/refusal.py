"""What a 400 of Loki says about the entries of a request, read from its text.

Pure. A 400 is usually partial success: what the text does not refuse is stored. So an entry is only named
here when rule, listing and count agree. Otherwise the text is ambiguous, and the caller
asks again with fewer entries. Knows nothing of requests under way, of retries, or of what becomes of the refused.

The texts are those of Loki 3.4 (pkg/validation/validate.go, pkg/ingester/stream.go); 3.7 writes some in lower
case. The reasons are Loki's own.
"""

import re
from collections import Counter
from collections.abc import Sequence
from enum import Enum

from shipper.model import Entry
from shipper.sink.answers.rules import LOKI_RULES, Refusals, Sentence
from shipper.times import parse_go_time

TEXT_LIMIT = 64 << 10  # bytes of an answer that are read; a list that fills them is not complete


class NoVerdict(Enum):
    """Why a text settles nothing."""

    AMBIGUOUS = "it refuses some entries, and does not tell which"
    LIMITED = "some entries wait for their stream's rate limit"
    UNKNOWN = "it is none of Loki's refusals"


_LABELS = re.compile(r'\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}', re.DOTALL)

_WHOLE = [
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in [
        (r"has \d+ label names; limit", "max_label_names_per_series"),
        (r"has label name too long", "label_name_too_long"),
        (r"has label value too long", "label_value_too_long"),
        (r"has duplicate label name", "duplicate_label_names"),
        (r"missing required labels", "missing_enforced_labels"),
        (r"at least one label pair is required per stream", "missing_labels"),
        (r"couldn't parse labels|error parsing labels", "invalid_labels"),
    ]
]
"""About the stream: they refuse every entry of a request that holds one stream."""

_COUNT = re.compile(r"(\d+) errors like: ", re.IGNORECASE)
_ONE = [
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in [
        (
            r"entry for stream '\{\}' has timestamp too old: (?P<time>\S+), "
            r"oldest acceptable timestamp is: (?P<oldest>[^\s;]+)",
            "greater_than_max_sample_age",
        ),
        (r"entry for stream '\{\}' has timestamp too new: (?P<time>[^\s;]+)", "too_far_in_future"),
        (r"max entry size '?(?P<limit>\d+)'? bytes exceeded", "line_too_long"),
        (r"includes structured metadata, but this feature is disallowed", "structured_metadata_disallowed"),
        (
            r"has structured metadata too large(?:: '?\d+'? bytes, limit:? '?(?P<limit>\d+))?",
            "structured_metadata_too_large",
        ),
        (
            r"has too many structured metadata labels(?:: '?\d+'?, limit:? '?(?P<limit>\d+))?",
            "structured_metadata_too_many",
        ),
    ]
]
"""About one entry, or several equal ones: the distributor's."""

_LISTED = re.compile(r"entry with timestamp (?P<time>.+?) ignored, reason: (?P<why>.*)", re.IGNORECASE)
_TOTAL = re.compile(r"total ignored: (\d+) out of (\d+)", re.IGNORECASE)
_BEHIND = re.compile(r"too far behind", re.IGNORECASE)
_CUTOFF = re.compile(r"oldest acceptable timestamp is: ([^\s',;]+)", re.IGNORECASE)
_DISORDER = re.compile(r"entry out of order", re.IGNORECASE)
_RATE = re.compile(r"per stream rate limit exceeded", re.IGNORECASE)
_SENTENCES = re.compile(r"\n|\\n|; (?!limit)|(?=entry with timestamp )|(?=user '[^']*', total ignored)", re.IGNORECASE)


def read(text: str, entries: Sequence[Entry]) -> Refusals | NoVerdict:
    """Which entries of a request of one stream the text of a 400 refuses, and why."""
    complete = len(text.encode(errors="replace")) < TEXT_LIMIT
    text = _LABELS.sub("{}", text[:TEXT_LIMIT])  # labels may say anything, these sentences too
    for pattern, reason in _WHOLE:
        if pattern.search(text):
            return dict.fromkeys(range(len(entries)), reason)
    if _RATE.search(text):
        return NoVerdict.LIMITED
    answer = _Answer(text)
    if not answer.reasons:
        return NoVerdict.UNKNOWN
    if len(entries) == 1:
        return {0: answer.reasons[0]}
    if answer.has_unknown or not complete:
        return NoVerdict.AMBIGUOUS
    return answer.refused(entries) or NoVerdict.AMBIGUOUS


class _Answer:
    """The sentences of an answer, sorted by what they are about."""

    def __init__(self, text: str) -> None:
        self.reasons: list[str] = []  # every one that was found, in order
        self.has_unknown = False  # sentences
        self._found: dict[str, list[Sentence]] = {}  # the distributor's, by reason
        self._listed: list[tuple[str, str]] = []  # the ingester's: time, reason
        self._cutoffs: set[int] = set()
        self._total: tuple[int, int] | None = None
        for sentence in filter(None, map(str.strip, _SENTENCES.split(text))):
            if not self._take(sentence):
                self.has_unknown = True

    def _take(self, sentence: str) -> bool:
        if total := _TOTAL.search(sentence):
            self._total = int(total[1]), int(total[2])
            return True
        if listed := _LISTED.search(sentence):
            return self._take_listed(listed)
        for pattern, reason in _ONE:
            if match := pattern.search(sentence):
                count = _COUNT.search(sentence)
                self._found.setdefault(reason, []).append(Sentence(match, int(count[1]) if count else 1))
                self.reasons.append(reason)
                return True
        return False

    def _take_listed(self, listed: re.Match[str]) -> bool:
        if _BEHIND.search(listed["why"]):
            reason = "too_far_behind"
            cutoff = _CUTOFF.search(listed["why"])
            self._cutoffs.add((parse_go_time(cutoff[1]) if cutoff else None) or 0)
        elif _DISORDER.search(listed["why"]):
            reason = "out_of_order"
        else:
            return False
        self.reasons.append(reason)
        self._listed.append((listed["time"], reason))
        return True

    def refused(self, entries: Sequence[Entry]) -> Refusals | None:
        """The refused entries when everything in the answer agrees about them."""
        refused: Refusals = {}
        for reason, rule in LOKI_RULES.items():
            found = self._found.get(reason)
            if found and not rule(reason, found, entries, refused):
                return None
        if self._total or self._listed:
            return self._ingester(entries, refused)
        return refused

    def _ingester(self, entries: Sequence[Entry], refused: Refusals) -> Refusals | None:
        if not self._total:
            return None
        ignored, seen = self._total
        if seen + len(refused) != len(entries):  # it hides what the distributor refused before
            return None
        candidates = [place for place in range(len(entries)) if place not in refused]
        kinds = {reason for _, reason in self._listed}
        if len(kinds) == 1 and ignored == seen:
            return refused | dict.fromkeys(candidates, *kinds)
        if ignored == len(self._listed):
            return self._by_listing(entries, candidates, refused)
        return self._by_cutoff(entries, candidates, refused) if kinds == {"too_far_behind"} else None

    def _by_listing(self, entries: Sequence[Entry], candidates: list[int], refused: Refusals) -> Refusals | None:
        """All ignored entries are listed by their exact time."""
        listed: dict[int, list[str]] = {}
        for time, reason in self._listed:
            nanos = parse_go_time(time)
            if nanos is None:
                return None
            listed.setdefault(nanos, []).append(reason)
        for nanos, reasons in listed.items():
            places = [place for place in candidates if entries[place].nanos == nanos]
            if len(places) != len(reasons):
                return None
            refused |= dict(zip(places, reasons, strict=True))
        return refused

    def _by_cutoff(self, entries: Sequence[Entry], candidates: list[int], refused: Refusals) -> Refusals | None:
        """More are ignored than are listed: the stated oldest time has to explain them all."""
        if len(self._cutoffs) != 1 or not self._total:
            return None
        (cutoff,) = self._cutoffs
        places = [place for place in candidates if entries[place].nanos < cutoff]
        if len(places) != self._total[0]:
            return None
        listed = Counter(parse_go_time(time) for time, _ in self._listed)
        if listed - Counter(entries[place].nanos for place in places):
            return None
        return refused | dict.fromkeys(places, "too_far_behind")
