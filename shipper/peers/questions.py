"""Who had an address when: from memory, or asked of the directory in batches, while lines wait.

One question per address is under way at a time: most others about the address are answered with it. A directory that
fails a few times in a row is away: then nobody waits, and one request at a time finds out when it is back.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from shipper.config import PeersConfig
from shipper.metrics import Metrics
from shipper.peers.answers import unknown
from shipper.peers.client import Ask, Connect, connected
from shipper.peers.errors import ANSWERED, AWAY, BAD_ANSWER, FORGOTTEN, TIMEOUT, TOO_LARGE, NoAnswer, Notices
from shipper.peers.known import Known
from shipper.peers.reach import Reach
from shipper.peers.timing import PEER_TIMING, PeerTiming
from shipper.pipeline.workloads import FOREVER, Answer
from shipper.who.addresses import canonical
from shipper.who.holder import Reason
from shipper.who.protocol import LATEST

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Question:
    address: str
    at: int
    done: asyncio.Future[None]  # answered, or given up
    reason: str = ""  # why it is not known, so far
    waiters: int = 0


class Questions:
    """What is asked, by all that wait, while `run` runs. Times asked about are nanoseconds since 1970, UTC."""

    def __init__(self, connect: Connect, metrics: Metrics, timing: PeerTiming = PEER_TIMING) -> None:
        self._connect, self._metrics, self._timing = connect, metrics, timing
        self._known = Known(timing.spans, timing.spans_of_address)
        self._reach, self._notices = Reach(timing), Notices()
        self._open: dict[str, dict[int, _Question]] = {}  # by address and time
        self._ready: OrderedDict[str, None] = OrderedDict()  # addresses with open questions, of which none is under way
        self._asked: set[str] = set()  # addresses with a question under way
        self._under_way = 0  # requests
        self._most = timing.questions  # in a request
        self._probe: tuple[str, int] | None = None  # what is asked while the directory is away
        self._changed = asyncio.Event()
        self._ended = False

    # -- for those who want to know

    def address(self, address: str, at: int) -> Answer | None:
        """Who had this address at this time; None: it must be asked, see `learn`. At once, from memory.

        The fields are those of `fields.PEER_FIELDS` that are known and, for `peer_kind` unknown, the `reason`.
        """
        if (known := self._known.find(address, at)) is not None:
            return known
        if canonical(address) is None:
            return unknown(Reason.NOT_AN_ADDRESS, 0, FOREVER)
        if not 0 <= at < LATEST:  # no directory takes such times
            return unknown(Reason.BEFORE_HISTORY if at < 0 else Reason.TOO_RECENT, at, at + 1)
        return None

    async def learn(self, questions: Sequence[tuple[str, int]], deadline: float) -> str:
        """Wait until `address` knows all of these, or they are given up; raises nothing.

        Returns at the `deadline`, by the loop's clock, at the latest: why some are not known (`timeout`, `away`,
        `refused`, `bad_answer`, `forgotten`); empty if all are.
        """
        missing = [one for one in dict.fromkeys(questions) if self.address(*one) is None]
        if not missing:
            return ""
        if self._ended or self._reach.is_away:
            self._probe = missing[-1]
            return AWAY
        asked = [self._join(*one) for one in missing]
        try:
            within = max(0.0, deadline - asyncio.get_running_loop().time())
            await asyncio.wait([question.done for question in asked], timeout=within)
        finally:
            for question in asked:
                self._leave(question)
        still = (question for question in asked if self.address(question.address, question.at) is None)
        return next((question.reason or TIMEOUT for question in still), "")

    def _join(self, address: str, at: int) -> _Question:
        times = self._open.setdefault(address, {})
        if (question := times.get(at)) is None:
            question = times[at] = _Question(address, at, asyncio.get_running_loop().create_future())
            self._make_ready(address)
        question.waiters += 1
        return question

    def _leave(self, question: _Question) -> None:
        question.waiters -= 1
        if not question.waiters:
            self._close(question)

    # -- the requests

    async def run(self) -> None:
        """Ask what is open, until cancelled; what is open then is given up."""
        clock = asyncio.get_running_loop().time
        try:
            async with self._connect() as ask, asyncio.TaskGroup() as requests:
                while True:
                    while not self._may_ask:
                        self._changed.clear()
                        await self._changed.wait()
                    await asyncio.sleep(max(self._timing.linger, self._reach.not_before - clock()))
                    while self._may_ask and clock() >= self._reach.not_before:
                        self._under_way += 1
                        requests.create_task(self._exchange(ask, self._batch()))
        except Exception:
            log.exception("peers: they are not asked for any more; this is a bug, please report it")
        finally:
            self._ended = True
            self._give_up()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask while the context lasts."""
        running = asyncio.create_task(self.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    @property
    def _may_ask(self) -> bool:
        """Whether there is something to ask, and room for a request."""
        room = 1 if self._reach.is_failing else self._timing.requests
        return self._under_way < room and (self._reach.is_away or bool(self._ready))

    def _batch(self) -> list[tuple[str, int]]:
        """What is asked next: of each address the latest time, whose answer reaches back to the others most often."""
        if self._reach.is_away:
            batch = [self._probe] if self._probe else []
        else:
            addresses = [self._ready.popitem(last=False)[0] for _ in range(min(len(self._ready), self._most))]
            batch = [(address, max(self._open[address])) for address in addresses]
        self._asked.update(address for address, _ in batch)
        return batch

    async def _exchange(self, ask: Ask, batch: list[tuple[str, int]]) -> None:
        began = asyncio.get_running_loop().time()
        try:
            self._answered(batch, await ask(batch), began)
        except NoAnswer as failure:
            self._count(failure.outcome)
            self._not_answered(batch, failure, began)
        finally:
            self._under_way -= 1
            for address, _ in batch:
                self._asked.discard(address)
                if address in self._open:
                    self._make_ready(address)
            self._changed.set()

    def _answered(self, batch: list[tuple[str, int]], answers: Sequence[Answer | None], began: float) -> None:
        bad = answers.count(None)
        self._count(BAD_ANSWER if bad else ANSWERED)
        for (address, at), answer in zip(batch, answers, strict=True):
            if answer is not None:
                self._known.add(address, answer)
            for question in list(self._open.get(address, {}).values()):
                if self._known.find(address, question.at) is not None:
                    self._finish(question, FORGOTTEN)
                elif question.at == at:
                    self._finish(question, BAD_ANSWER)
        if bad:
            self._notices.bad(bad)
        if bad and bad == len(batch):
            self._failed(NoAnswer(BAD_ANSWER, BAD_ANSWER, "all that it has said cannot be true"), began)
            return
        self._reach.answered()
        self._metrics.directory_away.set(0)
        self._notices.again()

    def _not_answered(self, batch: list[tuple[str, int]], failure: NoAnswer, began: float) -> None:
        if failure.outcome == TOO_LARGE and len(batch) > 1:
            self._most = min(self._most, len(batch) // 2)
            self._notices.smaller(self._most, failure)
            return
        for address, at in batch:
            if question := self._open.get(address, {}).get(at):
                question.reason = failure.reason
            self._probe = address, at
        self._failed(failure, began)

    def _failed(self, failure: NoAnswer, began: float) -> None:
        self._reach.failed(began, asyncio.get_running_loop().time())
        if self._reach.is_away:
            self._metrics.directory_away.set(1)
            self._notices.failed(failure)
            self._give_up()

    def _count(self, outcome: str) -> None:
        self._metrics.directory_requests.labels(outcome=outcome).inc()

    # -- the open questions

    def _make_ready(self, address: str) -> None:
        if address not in self._asked:
            self._ready[address] = None
            self._changed.set()

    def _give_up(self) -> None:
        """Nobody waits for anything."""
        for question in [question for times in self._open.values() for question in times.values()]:
            self._finish(question, question.reason or AWAY)

    def _finish(self, question: _Question, reason: str) -> None:
        """Nobody needs to wait for it any more. `reason`: why it is not known, if it is not."""
        question.reason = reason
        if not question.done.done():
            question.done.set_result(None)
        self._close(question)

    def _close(self, question: _Question) -> None:
        times = self._open.get(question.address, {})
        if times.get(question.at) is question:
            del times[question.at]
            if not times:
                del self._open[question.address]
                self._ready.pop(question.address, None)


def questions(config: PeersConfig, metrics: Metrics, timing: PeerTiming = PEER_TIMING) -> Questions:
    """What an agent with this configuration asks of its directory."""
    return Questions(partial(connected, config, timing), metrics, timing.within(config.timeout))
