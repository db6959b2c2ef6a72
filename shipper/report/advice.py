"""What `explain` says of a row: cause, evidence and commands, from one of its lines, with the names of its log.

Only names that are harmless in a shell are put into commands.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from shipper.explain.report import Report, explain
from shipper.reading.origin import Origin, peer_of
from shipper.report.fold import Sample
from shipper.report.model import Dates

_NAME: Final = re.compile(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?")
_PLACES: Final[Mapping[str, str]] = {
    "<pod>": "pod",
    "<namespace>": "namespace",
}
"""Placeholders of commands, with the field that fills each; those of the peer `explain` fills itself."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What is said of the failures of a row."""

    summary: str
    causes: tuple[str, ...]
    next: tuple[str, ...]
    certificate: Dates | None
    evidence: dict[str, str]
    limits: tuple[str, ...]


def advice(sample: Sample) -> Advice:
    """What to say of this line's failure."""
    origin = sample.line.origin.or_else(Origin(peer=peer_of(sample.fields)))
    said = explain(replace(sample.line, origin=origin))
    return Advice(
        summary=said.summary,
        causes=said.causes,
        next=tuple(_filled(command, sample.fields) for command in said.next),
        certificate=_certificate(said),
        evidence=said.evidence,
        limits=said.limits,
    )


def _filled(command: str, fields: Mapping[str, str]) -> str:
    for place, field in _PLACES.items():
        name = fields.get(field, "")
        if place in command and _NAME.fullmatch(name):
            command = command.replace(place, name)
    return command


def _certificate(said: Report) -> Dates | None:
    who, dates = said.who, said.certificate
    if dates is None and not who.subject and not who.serial:
        return None
    return Dates(
        subject=who.subject or "",
        issuer=who.issuer or "",
        serial=who.serial or "",
        begin=(dates.start if dates else None) or "",
        end=(dates.end if dates else None) or "",
        in_words=dates.in_words if dates else "",
    )
