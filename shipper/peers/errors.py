"""Why a directory has not answered, and how often its operator is told.

No error here costs a line: peers go without their names meanwhile. Each is counted, and each kind is logged at most
once an hour.
"""

import logging
from typing import Final

from shipper.log import HOUR, Seldom

log = logging.getLogger(__name__)

# Why a peer is not known, where no directory has said why.
TIMEOUT: Final = "timeout"
AWAY: Final = "away"  # it cannot be reached, or has failed some times in a row: only a probe is sent
REFUSED: Final = "refused"  # it answers with an error
BAD_ANSWER: Final = "bad_answer"  # it says what cannot be
FORGOTTEN: Final = "forgotten"  # it was answered, and then too much else

# Outcomes of a request beside these: the status of a refusal.
ANSWERED: Final = "answered"
CONNECTION: Final = "connection"
CONFIGURATION: Final = "configuration"
TOO_LARGE: Final = "413"

_HINTS: Final = {
    "401": "it wants another token: see peers.bearer_token_file, which is read again when it changes",
    "403": "a proxy or policy before it forbids the request: the directory itself never does",
    "404": "no directory answers there: check peers.url",
    TOO_LARGE: "it takes fewer questions at a time: see directory.max_questions",
    "500": "see its log",
    "503": "it is starting, or cannot watch pods and nodes: see its log",
}


class NoAnswer(Exception):
    """A request that was not answered."""

    def __init__(self, outcome: str, reason: str, text: str) -> None:
        """`outcome` of the request, for the metric; the `reason` why its peers are not known; what has happened."""
        super().__init__(text)
        self.outcome, self.reason = outcome, reason


class Notices:
    """What the operator is told."""

    def __init__(self) -> None:
        self._seldom = Seldom()

    def failed(self, failure: NoAnswer) -> None:
        """The directory is away."""
        if self._seldom.due(failure.outcome, HOUR):
            hint = _HINTS.get(failure.outcome, "")
            log.warning(
                "peers: the directory does not answer: %s%s; failed handshakes are shipped without the names of their "
                "peers, and one request at a time probes it",
                failure,
                f" ({hint})" if hint else "",
            )

    def smaller(self, questions: int, failure: NoAnswer) -> None:
        """The directory refuses a request for its size; the next have so many questions at most."""
        if self._seldom.due("smaller", HOUR):
            log.warning(
                "peers: the directory refuses so many questions at a time: %s; it is asked %d at most from now on, and "
                "fewer if need be; see directory.max_questions",
                failure,
                questions,
            )

    def bad(self, number: int) -> None:
        """So many answers of a request cannot be true."""
        if self._seldom.due("bad", HOUR):
            log.warning(
                "peers: %d answers of the directory cannot be true (of another time, or names that Kubernetes does not "
                "allow) and are not used; check that peers.url leads to a directory of this agent's version",
                number,
            )

    def again(self) -> None:
        """The directory answers after it was away."""
        if self._seldom.over():
            log.info("peers: the directory answers again")
