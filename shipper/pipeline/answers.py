"""What was answered about pods and addresses, so that a line that is read again gets the same labels.

An answer holds for line times, and stays: a line whose time lies in a span that was answered gets that answer,
"unknown" as well, whatever is known by then. So these answers are saved before the first push that uses them, like the
label values that were admitted. Knows neither who answers nor what is asked; a key says what it was about.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from shipper.pipeline.workloads import Answer

MOST_KEYS: Final = 4096  # of a target: beyond, what is new stays unknown,
MOST_PEERS: Final = 2048  # so early where clients can bring about new keys: the others keep their room;
MOST_SPANS: Final = 64  # as with the spans of a key
REMEMBERED: Final = (
    3600 * 10**9
)  # nanoseconds of line time since its last use, after which a settled answer is forgotten
OFTEN: Final = REMEMBERED // 6  # nanoseconds of line time between looks for what is not needed any more

Fields = Mapping[str, str]
UNKNOWN: Final[Fields] = {}


class SavedAnswer(NamedTuple):
    """A span as it is saved: line times in nanoseconds, from `start` to before `end`, last used at `used`."""

    start: int
    end: int
    used: int
    fields: dict[str, str]


@dataclass(slots=True)
class Span:
    """An answer and the line times for which it holds: from `start` to before `end`, last used at `used`."""

    start: int
    end: int
    used: int
    fields: Fields


_start = attrgetter("start")


class Answers:
    """The answers that were used, by target and key: `shop/web-0` for a pod, `10.0.0.3` for an address.

    Others may put in what they ask about, under keys that begin with a word of theirs and a blank.
    """

    def __init__(self) -> None:
        self.changed = False  # since the last save
        self._spans: dict[str, dict[str, list[Span]]] = {}  # by target and key, in the order of time

    def find(self, target: str, key: str, at: int) -> Fields | None:
        """What was answered about this key at this time; None where that was not asked."""
        span = self.span(target, key, at)
        return None if span is None else span.fields

    def span(self, target: str, key: str, at: int) -> Span | None:
        """The same with its span, to be changed by nobody else but for `used`."""
        for span in reversed(self._spans.get(target, {}).get(key, ())):
            if span.start <= at < span.end:
                span.used = max(span.used, at)
                return span
        return None

    def has_room(self, target: str, key: str, most: int = MOST_KEYS) -> bool:
        """Whether one more answer about this key would be remembered, with so many keys at most."""
        by_key = self._spans.get(target, {})
        return len(by_key[key]) < MOST_SPANS if key in by_key else len(by_key) < most

    def add(
        self, target: str, key: str, at: int, answer: Answer, *, most: int = MOST_KEYS, fills: bool = False
    ) -> Fields:
        """Remember an answer about a time that `find` knows nothing of; what to use: the answer, unless there are too
        many.

        `fills`: it also holds up to the answers beside it, where these say the same. No line between them has had an
        answer, and so answers that are each about one moment do not become many.
        """
        by_key = self._spans.setdefault(target, {})
        spans = by_key.get(key, [])
        earlier = [span.end for span in spans if span.end <= at]
        later = [span.start for span in spans if span.start > at]
        start, end = max([min(answer.start, at), *earlier]), min([max(answer.end, at + 1), *later])
        if fills:
            alike = [span for span in spans if span.fields == answer.fields]
            start = max([span.end for span in alike if span.end in earlier and span.end == max(earlier)], default=start)
            end = min([span.start for span in alike if span.start in later and span.start == min(later)], default=end)
        for span in spans:
            if span.fields == answer.fields and start <= span.end and span.start <= end:
                span.start, span.end, span.used = min(span.start, start), max(span.end, end), max(span.used, at)
                break
        else:
            if not self.has_room(target, key, most):
                return UNKNOWN
            by_key[key] = sorted([*spans, Span(start, end, at, answer.fields)], key=_start)
        self.changed = True
        return answer.fields

    def settled(self, target: str, at: int) -> None:
        """No line of this target that was read is unsettled, and the next ones are not much older than `at`."""
        by_key = self._spans.get(target, {})
        for key, spans in list(by_key.items()):
            by_key[key] = [span for span in spans if span.used >= at - REMEMBERED]
            if not by_key[key]:
                del by_key[key]

    def release(self, target: str) -> None:
        """The target is gone."""
        self._spans.pop(target, None)

    def answered(self, target: str) -> dict[str, list[SavedAnswer]]:
        """What is to be saved of a target."""
        return {
            key: [SavedAnswer(span.start, span.end, span.used, dict(span.fields)) for span in spans]
            for key, spans in self._spans.get(target, {}).items()
        }

    def restore(self, target: str, answered: Mapping[str, Iterable[SavedAnswer]]) -> None:
        """What an earlier process has used."""
        if answered:
            self._spans[target] = {
                key: sorted((Span(*saved) for saved in spans), key=_start) for key, spans in answered.items()
            }
