"""The answers that hold, by address, each for its span. Pure; bounded in number, the oldest go first."""

from collections import OrderedDict
from itertools import count

from shipper.pipeline.workloads import Answer


class Known:
    """What directories have said. Where two answers speak of one time, the later one counts."""

    def __init__(self, most: int, most_of_address: int) -> None:
        """`most`: how many answers are remembered, of all addresses and of each."""
        self._most, self._most_of_address = most, most_of_address
        self._numbers = count()
        self._of_address: dict[str, dict[int, Answer]] = {}  # by number, the oldest first
        self._addresses: OrderedDict[int, str] = OrderedDict()  # of each answer, the oldest first

    def __len__(self) -> int:
        """How many answers are remembered."""
        return len(self._addresses)

    def find(self, address: str, at: int) -> Answer | None:
        """The answer about this time."""
        if not (answers := self._of_address.get(address)):
            return None
        for answer in reversed(answers.values()):
            if answer.start <= at < answer.end:
                return answer
        return None

    def add(self, address: str, answer: Answer) -> None:
        """Remember an answer; those whose spans lie within its own are not needed any more."""
        older = self._of_address.get(address, {})
        for number, other in list(older.items()):
            if answer.start <= other.start and other.end <= answer.end:
                self._drop(number)
            elif answer.fields == other.fields:
                answer = answer._replace(fields=other.fields)  # once in memory
        if len(older) >= self._most_of_address:
            self._drop(next(iter(older)))
        number = next(self._numbers)
        self._of_address.setdefault(address, {})[number] = answer
        self._addresses[number] = address
        if len(self._addresses) > self._most:
            self._drop(next(iter(self._addresses)))

    def _drop(self, number: int) -> None:
        address = self._addresses.pop(number)
        answers = self._of_address[address]
        del answers[number]
        if not answers:
            del self._of_address[address]
