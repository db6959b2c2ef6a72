"""Whatever happens to logs and reader: only what has changed is encoded, and yet what is saved is what there is."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.containerd import LogWriter, cri_line
from shipper.model import Target
from shipper.source.discovery.targets import Found
from shipper.source.positions.file import SavedTarget
from shipper.source.timing import Timing
from tests.source.reading import Reading, by_path

Step = tuple[Any, ...]

WHICH = st.integers(0, 2)  # log
STEPS = st.one_of(
    st.tuples(st.just("write"), WHICH, st.integers(1, 3), st.sampled_from("abc")),
    st.tuples(st.just("write"), WHICH, st.integers(1, 3), st.sampled_from("abc")),
    st.tuples(st.just("skip"), WHICH),
    st.tuples(st.just("begin_pieces"), WHICH),
    st.tuples(st.just("rotate"), WHICH),
    st.tuples(st.just("truncate"), WHICH),
    st.tuples(st.just("restart"), WHICH),
    st.tuples(st.just("delete"), WHICH),
    st.tuples(st.just("answer"), st.lists(st.integers(0, 9), max_size=4)),
    st.tuples(st.just("name_them")),
    st.tuples(st.just("close_idle")),
    st.tuples(st.just("let_be")),
    st.tuples(st.just("let_be")),
    st.tuples(st.just("start_again")),
)


QUICK = Timing(quiet=0.002, partial_quiet=0.002, tick=0.002).checking_within(0.0)


class Node:
    """Some logs and their reader; after each turn, and each step, a save would be right."""

    def __init__(self, root: Path, known: frozenset[int]) -> None:
        self._root = root
        self._logs: dict[int, LogWriter] = {}
        self._known = {f"shop_pod-{number}_" for number in known}  # others have no name until they are given one
        self._begin({})

    def _begin(self, saved: dict[str, SavedTarget]) -> None:
        self._restored = saved
        self.reading = Reading(
            self._root, settles=False, name_target=self._name, saved=saved, timing=QUICK, on_turn=self.check
        )
        self.check()

    def _name(self, found: Found, saved: SavedTarget) -> Target | None:
        is_known = bool(saved.fields) or any(found.key.startswith(pod) for pod in self._known)
        return by_path(found, saved) if is_known else None

    def _whole(self) -> dict[str, SavedTarget]:
        """What a restart needs to know, asked of every log."""
        admission, logs = self.reading.admission, self.reading.target_set
        named = ((key, one) for key, one in logs.followers.items() if one not in logs.unnamed)
        unseen = {} if logs.is_scanned else {k: v for k, v in self._restored.items() if k not in logs.followers}
        return {key: follower.saved(admission.admitted(key)) for key, follower in named} | unseen

    def check(self) -> None:
        assert self.reading.saved == self._whole()

    def _log(self, number: int) -> LogWriter:
        if number not in self._logs:
            self._logs[number] = LogWriter(self._root, pod=f"pod-{number}", uid=f"u{number}")
        return self._logs[number]

    def close(self) -> None:
        self.reading.target_set.close()
        for log in self._logs.values():
            log.close()

    # -- what happens

    def write(self, which: int, lines: int, value: str) -> None:
        for _ in range(lines):
            self._log(which).write(b'{"response_flags":"UT","connection_termination_details":"%b"}' % value.encode())

    def skip(self, which: int) -> None:
        self._log(which).write(b'{"response_flags":"-"}')

    def begin_pieces(self, which: int) -> None:
        log = self._log(which)
        log.write_raw(cri_line(log.now(), b'{"response_flags":"UT"', tag="P"))

    def rotate(self, which: int) -> None:
        self._log(which).rotate()

    def truncate(self, which: int) -> None:
        self._log(which).truncate()

    def restart(self, which: int) -> None:
        self._log(which).restart()

    def delete(self, which: int) -> None:
        if log := self._logs.pop(which, None):
            log.close()
            log.delete()

    def answer(self, which: list[int]) -> None:
        for at in which:
            if at < len(self.reading.unsettled):
                self.reading.settle([self.reading.unsettled[at]])

    def name_them(self) -> None:
        self._known.add("shop_pod-")
        self.reading.reader.ask_again()

    def start_again(self) -> None:
        self._begin(self.reading.saved)

    def close_idle(self) -> None:
        self.reading.reader.descriptors.close_idle(0)

    async def let_be(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0.001)


async def live(steps: list[Step], node: Node) -> None:
    waiting = iter([*steps, ("name_them",), ("let_be",), ("answer", [0] * 100), ("start_again",)])
    try:
        for _ in range(1 + steps.count(("start_again",))):
            async with node.reading.running():
                for name, *arguments in waiting:
                    if name == "start_again":
                        break
                    done = getattr(node, name)(*arguments)
                    if asyncio.iscoroutine(done):
                        await done
                    node.check()
            node.check()
            node.start_again()
    finally:
        node.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25), st.frozensets(WHICH))
def test_what_is_saved_is_what_a_whole_look_would_save(steps: list[Step], known: frozenset[int]) -> None:
    with tempfile.TemporaryDirectory() as root:

        async def run() -> None:
            await live(steps, Node(Path(root), known))

        asyncio.run(run())
