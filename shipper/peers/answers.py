"""What a directory has sent, as answers that can be believed. Pure.

A directory may be another program, or an older one, or broken: no answer is taken about a time that was not asked
about, and no name that Kubernetes would not allow.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from shipper.peers.errors import BAD_ANSWER, NoAnswer
from shipper.pipeline.workloads import FOREVER, Answer
from shipper.who import protocol
from shipper.who.holder import Answer as HistoryAnswer
from shipper.who.holder import Kind, Reason

OTHER: Final = "other"  # reasons of a newer directory: what is counted by reason must have a bound

_NAME: Final = re.compile(r"[!-~]{0,253}")  # Kubernetes' longest; printable, and no blank
_NEEDED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "pod": ("peer_namespace", "peer_pod"),
    "node": ("peer_node",),
    "service": ("peer_namespace",),
}
# What is unknown only for now. It is no answer about any other time.
_FOR_NOW: Final = (Reason.TOO_RECENT, Reason.NOT_READY, Reason.WATCH_GAP)


def unknown(reason: str, start: int, end: int) -> Answer:
    """Nobody is named, for times from `start` to before `end`."""
    return Answer({"peer_kind": "unknown", "reason": reason}, start, end)


def of_history(answer: HistoryAnswer) -> Answer:
    """An answer of a history in this process."""
    told = protocol.told(answer)
    if told.kind == "unknown":
        return unknown(told.reason, told.start, told.end + 1)
    return Answer(_named(told), told.start, told.end + 1)


def answers(body: bytes, questions: Sequence[tuple[str, int]]) -> list[Answer | None]:
    """One answer for each question, in their order; None for one that cannot be true.

    Raises NoAnswer for what is no list of so many answers.
    """
    try:
        found = protocol.answers(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NoAnswer(BAD_ANSWER, BAD_ANSWER, f"not a directory's answer: {error}"[:200]) from error
    if len(found.answers) != len(questions):
        raise NoAnswer(
            BAD_ANSWER, BAD_ANSWER, f"{len(found.answers)} answers to {len(questions)} questions, as no directory gives"
        )
    return [_believed(told, at, found.known) for told, (_, at) in zip(found.answers, questions, strict=True)]


def _believed(told: protocol.Told, at: int, known: int) -> Answer | None:
    if not told.start <= at <= told.end:
        return None
    # Nothing is said of times of which the directory itself does not claim to know all.
    start, end = max(told.start, 0), min(told.end, max(at, known), FOREVER - 1) + 1
    if told.kind == "unknown":
        if told.reason in _FOR_NOW:
            start, end = at, at + 1
        return unknown(told.reason if told.reason in tuple(Reason) else OTHER, start, end)
    fields = _fields(told)
    if told.reason or fields is None:
        return None
    return Answer(fields, start, end)


def _fields(told: protocol.Told) -> dict[str, str] | None:
    """The peer's fields, where they are names and make sense together."""
    named = _named(told)
    given = {name: value for name, value in named.items() if name != "peer_kind"}
    if not all(_NAME.fullmatch(value) for value in given.values()):
        return None
    if told.kind == "external":
        return None if given else named
    if not all(name in given for name in _NEEDED[told.kind]):
        return None
    return named


def _named(told: protocol.Told) -> dict[str, str]:
    names = {
        "peer_kind": told.kind,
        "peer_namespace": told.namespace,
        "peer_app": told.app,
        "peer_pod": told.pod,
        "peer_node": told.node,
        "peer_owner": told.owner,
    }
    return {name: value for name, value in names.items() if value}
