"""Who had a peer's address when the line was written, told by a file of pods."""

from collections.abc import Mapping

from shipper.who.history import History
from shipper.who.holder import Answer


class Holders:
    """Asks a history; remembers the last answer for each address."""

    MOST: int = 10_000

    def __init__(self, history: History) -> None:
        self._history = history
        self._answers: dict[str, Answer] = {}

    def named(self, fields: Mapping[str, str], address: str, nanos: int | None) -> Mapping[str, str]:
        """The fields, with those of the peer that had this address; unchanged where that is not known for sure."""
        if not address or nanos is None or "peer_app" in fields:
            return fields
        answer = self._answers.get(address)
        if answer is None or not answer.start <= nanos <= answer.end:
            if len(self._answers) >= self.MOST:
                self._answers.clear()
            answer = self._answers[address] = self._history.at(address, nanos)
        holder = answer.holder
        if holder.kind != "pod":
            return {**fields, "peer_node": holder.node} if holder.node else fields
        return {
            **fields,
            "peer_namespace": holder.namespace,
            "peer_app": holder.owner or holder.app,
            "peer_pod": holder.pod,
            "peer_node": holder.node,
        }
