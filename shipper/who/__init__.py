"""Who had which address when: pure, and never wrong. Unknown is an answer, a guess is not."""

from shipper.who.claim import Margins
from shipper.who.history import History
from shipper.who.holder import UNKNOWN, Answer, Holder, Kind, Reason

__all__ = ["UNKNOWN", "Answer", "History", "Holder", "Kind", "Margins", "Reason"]
