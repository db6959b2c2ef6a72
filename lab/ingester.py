"""Takes push requests in as Loki does: validates, limits, stores, and tells the last stream's error.

Everything is kept, with the number of copies that were sent. Knows nothing of HTTP.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab import answers, label_text
from lab.answers import SECOND
from lab.limits import Limits, Problem, RefusedError, entry_problem, label_problem, with_service_name
from shipper.model import Entry

Key = tuple[int, bytes]  # nanoseconds, line


@dataclass(frozen=True, slots=True)
class Pushed:
    """A stream of a push request, decoded."""

    labels: str
    entries: list[Entry]

    @property
    def size(self) -> int:
        """Bytes as Loki counts them: lines and structured metadata."""
        return sum(entry.size for entry in self.entries)


@dataclass(slots=True)
class Stream:
    """A stream as Loki holds it."""

    labels: dict[str, str]
    entries: dict[Key, int] = field(default_factory=dict)  # copies sent; Loki shows one
    metadata: dict[Key, tuple[tuple[str, str], ...]] = field(default_factory=dict)  # of the first copy
    newest: int = 0
    last: Key | None = None

    def store(self, entry: Entry) -> None:
        key = (entry.nanos, entry.line)
        self.entries[key] = self.entries.get(key, 0) + 1
        self.metadata.setdefault(key, entry.metadata)
        self.newest = max(self.newest, entry.nanos)
        self.last = key


class _Bucket:
    """Bytes that come back at `rate` a second, up to `burst`."""

    def __init__(self, rate: float, burst: float, now: int) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, now

    def take(self, size: int, now: int) -> bool:
        self._left = min(self._burst, self._left + (now - self._at) / SECOND * self._rate)
        self._at = now
        if size > self._left:
            return False
        self._left -= size
        return True


class Ingester:
    """One tenant's streams, under Loki's rules."""

    def __init__(self, limits: Limits, clock: Callable[[], int]) -> None:
        self.streams: dict[str, Stream] = {}  # by canonical label text
        self.refused: Counter[str] = Counter()  # entries, by Loki's name of the reason
        self._limits, self._clock = limits, clock
        self._tenant = _Bucket(limits.rate, limits.burst, clock())
        self._buckets: dict[str, _Bucket] = {}

    def push(self, request: Sequence[Pushed], size: int) -> None:
        """Store what is valid of a request of `size` bytes, uncompressed.

        Raises RefusedError with what Loki answers, also when part of the request was stored.
        """
        if not request:
            raise RefusedError(422, "error at least one valid stream is required for ingestion")
        valid, problems = self._validate(request)
        if valid:
            self._distribute(valid, size)  # its error hides the problems found so far
        if problems:
            raise RefusedError(400, answers.grouped(problem.text for problem in problems))

    def _validate(self, request: Sequence[Pushed]) -> tuple[list[tuple[dict[str, str], Pushed]], list[Problem]]:
        # All label texts are parsed first: one that is broken refuses the whole request.
        parsed = [(self._labels(pushed), pushed) for pushed in request if pushed.entries]
        valid, problems, now = [], [], self._clock()
        for labels, pushed in parsed:
            if problem := label_problem(labels, self._limits):
                problems.append(problem)
                self.refused[problem.reason] += len(pushed.entries)
                continue
            text, good = label_text.render(labels), []
            for entry in pushed.entries:
                if problem := entry_problem(text, entry, now, self._limits):
                    problems.append(problem)
                    self.refused[problem.reason] += 1
                else:
                    good.append(entry)
            if good:
                valid.append((labels, Pushed(text, good)))
        return valid, problems

    def _labels(self, pushed: Pushed) -> dict[str, str]:
        try:
            return with_service_name(label_text.parse(pushed.labels), self._limits)
        except label_text.LabelTextError as error:
            self.refused["invalid_labels"] += len(pushed.entries)
            raise RefusedError(400, f"couldn't parse labels: {error}") from error

    def _distribute(self, valid: list[tuple[dict[str, str], Pushed]], message: int) -> None:
        lines = sum(len(pushed.entries) for _, pushed in valid)
        size = sum(pushed.size for _, pushed in valid)
        if not self._tenant.take(size, self._clock()):
            self.refused["rate_limited"] += lines
            raise RefusedError(429, answers.rate_exceeded(self._limits.rate, lines, size))
        if message > self._limits.max_message:
            self.refused["message_too_large"] += lines
            raise RefusedError(500, answers.message_too_large(message, self._limits.max_message))
        refusal = None
        for labels, pushed in valid:
            refusal = self._ingest(labels, pushed)  # Loki's own flaw: only the last stream's outcome is told
        if refusal:
            raise refusal

    def _ingest(self, labels: dict[str, str], pushed: Pushed) -> RefusedError | None:
        if pushed.labels not in self.streams and len(self.streams) >= self._limits.max_streams:
            self.refused["stream_limit"] += len(pushed.entries)
            return RefusedError(429, answers.too_many_streams(pushed.labels))
        stream = self.streams.setdefault(pushed.labels, Stream(labels))
        fits = self._bucket(pushed.labels).take(pushed.size, self._clock())
        ignored = []
        for entry in pushed.entries:
            problem = None
            if (entry.nanos, entry.line) != stream.last:  # a copy of the last entry passes, whatever it is
                problem = self._late(stream, entry) if fits else self._too_fast(pushed)
            if problem is None:
                stream.store(entry)
            else:
                self.refused[problem.reason] += 1
                ignored.append((entry.nanos, problem.text))
        if not ignored:
            return None
        text = answers.ignored(ignored, len(pushed.entries), pushed.labels)
        return RefusedError(400 if fits else 429, text)

    def _bucket(self, stream: str) -> _Bucket:
        if stream not in self._buckets:
            limits = self._limits
            self._buckets[stream] = _Bucket(limits.stream_rate, limits.stream_burst, self._clock())
        return self._buckets[stream]

    def _late(self, stream: Stream, entry: Entry) -> Problem | None:
        oldest = stream.newest - int(self._limits.max_behind * SECOND)
        if stream.last is None or entry.nanos >= oldest:
            return None
        return Problem("too_far_behind", answers.too_far_behind(entry.nanos, oldest))

    def _too_fast(self, pushed: Pushed) -> Problem:
        text = answers.stream_rate_exceeded(self._limits.stream_rate, pushed.labels, pushed.size)
        return Problem("per_stream_rate_limit", text)
