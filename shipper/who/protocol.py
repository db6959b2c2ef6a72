"""What is asked of a directory, and what it answers: JSON, for `POST /v1/who`.

    [{"ip": "10.0.1.20", "at": 1763893800000000000}, {"ip": "fd00::20", "at": "2026-11-23T10:30:00.5Z"}]

    {"since": 1763807400000000000, "known": 1763893805000000000, "answers": [
      {"kind": "pod", "namespace": "default", "pod": "legacy-client", "from": …, "to": …},
      {"kind": "unknown", "reason": "changed_hands", "from": …, "to": …}]}

Pure. All times are nanoseconds since 1970, UTC; a question may also name an RFC 3339 time.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from shipper.times import parse_time
from shipper.who.holder import Answer, Holder, Kind

PATH: Final = "/v1/who"
LATEST: Final = 1 << 63  # nanoseconds; the year 2262


class BadQuestion(ValueError):
    """The body is not what is asked for: which part of it, and why."""


class Question(msgspec.Struct, frozen=True, gc=False):
    """Who had this address then?"""

    ip: str
    at: int | str


class Told(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An answer as it is sent; see `Holder` and `Answer`. What is empty is left out."""

    kind: Kind
    start: int = msgspec.field(name="from")
    end: int = msgspec.field(name="to")
    namespace: str = ""
    pod: str = ""
    app: str = ""
    owner: str = ""
    node: str = ""
    service_account: str = ""
    reason: str = ""

    @property
    def answer(self) -> Answer:
        """As the history gives it."""
        holder = Holder(self.kind, self.namespace, self.pod, self.app, self.owner, self.node, self.service_account)
        return Answer(holder, self.start, self.end, self.reason)


class Answers(msgspec.Struct, frozen=True):
    """The answers in the order of the questions.

    `since`: what was given up before is not known; `known`: all changes up to then are.
    """

    since: int
    known: int
    answers: list[Told]


_questions: Final = msgspec.json.Decoder(list[Question])
_answers: Final = msgspec.json.Decoder(Answers)
encode: Final = msgspec.json.Encoder().encode


def questions(body: bytes) -> list[tuple[str, int]]:
    """Addresses and times. Raises BadQuestion."""
    try:
        asked = _questions.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadQuestion(str(error)) from error
    except RecursionError as error:
        raise BadQuestion("nested too deeply") from error
    return [(one.ip, _time(one.at, index)) for index, one in enumerate(asked)]


def _time(at: int | str, index: int) -> int:
    nanos = parse_time(at.encode(errors="replace")) if isinstance(at, str) else at
    if nanos is None or not 0 <= nanos < LATEST:
        raise BadQuestion(f"expected nanoseconds since 1970 or an RFC 3339 time - at `$[{index}].at`")
    return nanos


def told(answer: Answer) -> Told:
    """An answer as it is sent."""
    holder = answer.holder
    return Told(
        holder.kind,
        answer.start,
        answer.end,
        holder.namespace,
        holder.pod,
        holder.app,
        holder.owner,
        holder.node,
        holder.service_account,
        str(answer.reason),
    )


def answers(body: bytes) -> Answers:
    """What a directory has answered. Raises msgspec.MsgspecError, UnicodeDecodeError."""
    return _answers.decode(body)


def asking(questions: Sequence[tuple[str, int]]) -> bytes:
    """Addresses and times as a body."""
    return encode([Question(ip, at) for ip, at in questions])
