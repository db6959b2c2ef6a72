"""Peers told by a file of pods, where no directory is asked: at once, and nothing else is ever learnt."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from shipper.config import ConfigError
from shipper.peers.answers import of_history
from shipper.pipeline.workloads import Answer
from shipper.who import History
from shipper.who.pods_file import PodsFileError, from_pods


class PodsFile:
    """Who had which address when, as far as a history knows."""

    def __init__(self, history: History) -> None:
        self._history = history

    def address(self, address: str, at: int) -> Answer:
        """Who had this address at this time, in nanoseconds since 1970."""
        return of_history(self._history.at(address, at))

    async def learn(self, questions: Sequence[tuple[str, int]], deadline: float) -> str:  # noqa: ARG002
        """Nothing is missing, and nothing more will be known."""
        return ""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Nobody is asked."""
        return nullcontext()


def peers_of(path: Path) -> PodsFile:
    """Those of `kubectl get pods -A -o json`. Raises ConfigError."""
    try:
        return PodsFile(from_pods(path))
    except PodsFileError as error:
        raise ConfigError(f"run: --pods: {error}") from error
