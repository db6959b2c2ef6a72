"""Names as a person reads them: the trust domain that nearly all identities share is said once, not in each.

Only for reading. JSON has the names as they are.
"""

import re
from collections import Counter
from typing import Final

from shipper.report.model import Party, Report

_SPIFFE: Final = re.compile(r"spiffe://([^/,]+)/ns/([^/,]+)/sa/([^/,]+)")
_LOCAL: Final = re.compile(r"(.+)\.svc\.cluster\.local")


class ShortNames:
    """Shortens the names of one report."""

    def __init__(self, report: Report) -> None:
        parties = [party for row in report.rows for party in (row.client, row.server)]
        domains = Counter(found[1] for party in parties if (found := _SPIFFE.fullmatch(party.name)))
        self.trust_domain = domains.most_common(1)[0][0] if domains else ""

    def of(self, party: Party) -> str:
        """`shop/sa/checkout` of an identity in the shared trust domain, else the whole name."""
        if not party.name:
            return "unknown"
        if party.kind == "identity" and (found := _SPIFFE.fullmatch(party.name)) and found[1] == self.trust_domain:
            return f"{found[2]}/sa/{found[3]}"
        if party.kind == "service" and (local := _LOCAL.fullmatch(party.name)):
            return local[1]
        return party.name

    def of_text(self, name: str) -> str:
        """The same for a name whose kind is not known."""
        return self.of(Party(name, "identity" if _SPIFFE.fullmatch(name) else "address"))


def more(count: int, shown: int) -> str:
    """` and 12 more`; empty for none."""
    return f" and {count - shown:,} more" if count > shown else ""
