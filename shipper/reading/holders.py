"""Who had the address at the other end of a connection when it was made, told by a file of pods."""

from pathlib import Path
from typing import Final

from shipper.config import ConfigError
from shipper.pipeline.failure import DOWNSTREAM
from shipper.pipeline.record import Record, source_ip, text, without_port
from shipper.reading.origin import NOBODY, Peer
from shipper.who import UNKNOWN, Answer, History

MOST: Final = 10_000  # answers that are remembered


class Holders:
    """Asks a history; remembers the last answer for each address."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._answers: dict[str, Answer] = {}

    def peer(self, address: str, nanos: int | None) -> Peer:
        """Who had this address at a time, nanoseconds since 1970; NOBODY where that is not known for sure."""
        if not address or nanos is None:
            return NOBODY
        answer = self._answers.get(address)
        if answer is None or not answer.start <= nanos <= answer.end:
            if len(self._answers) >= MOST:
                self._answers.clear()
            answer = self._answers[address] = self._history.at(address, nanos)
        holder = answer.holder
        if holder == UNKNOWN:
            return NOBODY
        names = (holder.namespace, holder.app, holder.pod, holder.node, holder.owner)
        return Peer(holder.kind, *(name or None for name in names))


def holders_of(path: str | None, command: str) -> Holders | None:
    """Those of `--pods`; None where it is not given. Raises ConfigError."""
    if path is None:
        return None
    from shipper.who.pods_file import PodsFileError, from_pods  # late: it imports what a line alone does not need

    try:
        return Holders(from_pods(Path(path)))
    except PodsFileError as error:
        raise ConfigError(f"{command}: --pods: {error}") from error


def peer_address(record: Record, side: str) -> str:
    """Of the end that did not write the line, without the port; empty if unknown."""
    return source_ip(record) if side == DOWNSTREAM else without_port(text(record, "upstream_host"))
