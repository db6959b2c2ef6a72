"""The values of a line's fields, and the structured metadata made of them: of one line, or of many at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from shipper.fields import KEYS, LINE_FIELDS, PEER_FIELDS
from shipper.model import Metadata
from shipper.pipeline.answers import UNKNOWN, Fields
from shipper.pipeline.failure import Failure
from shipper.pipeline.peers import Peer
from shipper.pipeline.record import Record, source_ip, text


@cache  # all targets share them
def getter(field: str) -> Callable[[Record, Failure, Fields], str]:
    """How to get a line's field from a record, the verdict on it, and the fields of its peer.

    Raises ValueError for any other field.
    """
    if field in PEER_FIELDS:
        return lambda _, __, peer: peer.get(field, "")
    if field == "source_ip":
        return lambda record, _, __: source_ip(record)
    if field == "failure_reason":
        return lambda _, verdict, __: verdict.reason
    if field == "side":
        return lambda _, verdict, __: verdict.side
    if field not in KEYS:
        raise ValueError(f"{field} is no field of a line")
    key = KEYS[field]
    return lambda record, _, __: text(record, key)


class LineMetadata:
    """Makes the structured metadata of one target's lines."""

    def __init__(self, names: Sequence[str], fields: Mapping[str, str]) -> None:
        """`names`: what is configured; `fields`: the target's, the same for all its lines."""
        self._getters = [(name, getter(name)) for name in names if name in LINE_FIELDS]
        self._own = [(name, fields[name]) for name in names if name not in LINE_FIELDS and fields.get(name)]

    def __bool__(self) -> bool:
        """Whether any line has any."""
        return bool(self._getters or self._own)

    def of(self, record: Record, verdict: Failure, peer: Fields = UNKNOWN) -> Metadata:
        """Names and values; a value that says nothing is left out. `peer`: the fields of the line's peer."""
        return (*self._own, *[(name, value) for name, get in self._getters if (value := get(record, verdict, peer))])

    def of_many(
        self, records: Iterable[tuple[Failure | None, Record]], peers: Sequence[Peer | None] = ()
    ) -> list[Metadata]:
        """The same for each record and its peer, if there are any; of one without a verdict nothing."""
        of = self.of
        if not peers:
            return [of(record, verdict) if verdict else () for verdict, record in records]
        return [
            of(record, verdict, peer.fields) if verdict and peer else ()
            for (verdict, record), peer in zip(records, peers, strict=True)
        ]
