"""Names made one: the same workload is told by its identity in some lines and only by its log in others.

Plaintext has no certificate, so such a line names no identity of its own proxy; other lines of that workload do.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shipper.pipeline.failure import DOWNSTREAM
from shipper.report.fold import Group, Kind
from shipper.report.model import Party
from shipper.report.parties import IDENTITY, WORKLOAD, Names


class Connection(NamedTuple):
    """A group under the names that the report shows."""

    kind: Kind
    client: Party
    server: Party
    group: Group


def identities_of(kinds: Iterable[Kind]) -> dict[str, str]:
    """The identity of each workload whose own proxy has named one; empty where it has named several."""
    identities: dict[str, str] = {}
    for kind in kinds:
        own = kind.server if kind.side == DOWNSTREAM else kind.client
        if own.workload and own.identity and identities.setdefault(own.workload, own.identity) != own.identity:
            identities[own.workload] = ""
    return identities


def resolved(groups: Iterable[tuple[Kind, Group]], identities: Mapping[str, str]) -> list[Connection]:
    """All groups, with the best name of each end."""
    return [
        Connection(kind, _party(kind.client, identities), _party(kind.server, identities), group)
        for kind, group in groups
    ]


def _party(names: Names, identities: Mapping[str, str]) -> Party:
    if identity := names.identity or identities.get(names.workload):
        return Party(identity, IDENTITY)
    if names.workload:
        return Party(names.workload, WORKLOAD)
    kind, name = names.other
    return Party(name, kind)
