"""When a directory is asked, for how long it is waited for, and how much is remembered of what it says."""

from dataclasses import dataclass, replace
from typing import Final

from shipper.config import KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTiming:
    """Times are in seconds."""

    # In which questions gather. A directory holds one about now for a second and more, so many are under way at a time.
    linger: float = 0.1
    requests: int = 16  # under way at a time; one while the directory fails
    # For a whole answer, also where lines wait for less: the directory holds back what is not settled yet, and what it
    # says late is right for the next lines.
    response: float = 5.0
    questions: int = 200  # in a request; fewer for a directory that refuses so many
    failures: int = 3  # in a row, after which the directory counts as away
    first_backoff: float = 0.1
    longest_backoff: float = 15.0
    spans: int = 8192  # that are remembered, about 0.3 KiB each; beyond, the oldest go,
    spans_of_address: int = 64  # as with those of one address
    body: int = 1024 * KIB  # bytes of a response

    def within(self, timeout: float) -> "PeerTiming":
        """The same, but gathering takes no more than a small part of the time that a line waits."""
        return replace(self, linger=min(self.linger, timeout / 20))


PEER_TIMING: Final = PeerTiming()
