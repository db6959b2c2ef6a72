"""A report in which every name is one that a peer has made up to do harm."""

from typing import Final

import msgspec

from shipper.report.model import Dates, Party, Report

NAME: Final = (
    "x|`<img src=x onerror=alert(1)>`\x1b]0;owned\x07[bold]\u202e @team **b** [l](http://evil)\r\n# h {{ 7*7 }}"
)


def hostile(report: Report) -> Report:
    """The report with one row, whose names and words are all NAME."""
    party = Party(NAME, "identity")
    replace = msgspec.structs.replace
    certificate = Dates(NAME, NAME, NAME, NAME, NAME, "it had expired")
    row = replace(report.rows[0], client=party, server=party, evidence={"error": NAME}, certificate=certificate)
    radius = replace(report.clients[0], party=party, others=(party,))
    return replace(
        report,
        source=NAME,
        rows=(row,),
        clients=(radius,),
        servers=(radius,),
        findings=(replace(report.findings[0], value=NAME),),
        notes=(NAME,),
    )
