"""`POST /v1/who`: questions in, answers out. Errors are JSON as well: `{"error": "…"}`."""

import hmac
from collections.abc import Callable
from typing import Final

from aiohttp import web

from shipper.config import DirectoryConfig
from shipper.credentials import CredentialError, authorization
from shipper.directory.knowledge import Knowledge
from shipper.directory.metrics import Metrics
from shipper.who import Answer, Reason
from shipper.who.protocol import PATH, Answers, BadQuestion, encode, questions, told

JSON: Final = "application/json"


class Refused(Exception):
    """A request that gets no answers: its status, and why."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


def who(config: DirectoryConfig, knowledge: Knowledge, metrics: Metrics) -> web.RouteDef:
    """The route."""
    may_ask = _token_check(config.bearer_token_file)

    async def answer(request: web.Request) -> web.Response:
        try:
            body = await _answered(request)
        except Refused as refused:
            metrics.requests.labels(status=str(refused.status)).inc()
            headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
            text = encode({"error": str(refused)})
            return web.Response(status=refused.status, body=text, content_type=JSON, headers=headers)
        metrics.requests.labels(status="200").inc()
        return web.Response(body=body, content_type=JSON)

    async def _answered(request: web.Request) -> bytes:
        may_ask(request.headers.get("Authorization", ""))
        asked = await _questions(request, config.max_questions)
        if not knowledge.is_ready:
            raise Refused(503, "not ready: pods and nodes are not yet all known; ask the other replica, or again")
        found = [knowledge.at(*question) for question in asked]
        if early := [at for (_, at), answer in zip(asked, found, strict=True) if answer.reason is Reason.TOO_RECENT]:
            await knowledge.settled(early, config.wait)
            found = [
                knowledge.at(*question) if answer.reason is Reason.TOO_RECENT else answer
                for question, answer in zip(asked, found, strict=True)
            ]
        _count(metrics, found)
        history = knowledge.history
        return encode(Answers(history.since, history.known, [told(answer) for answer in found]))

    return web.post(PATH, answer)


async def _questions(request: web.Request, most: int) -> list[tuple[str, int]]:
    try:
        asked = questions(await request.read())
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(413, "the body is larger than 1 MiB; ask in parts") from error
    except BadQuestion as error:
        raise Refused(400, f'expected [{{"ip": …, "at": …}}, …]: {error}') from error
    if len(asked) > most:
        raise Refused(413, f"expected at most {most} questions, got {len(asked)}; see directory.max_questions")
    return asked


def _count(metrics: Metrics, found: list[Answer]) -> None:
    counted: dict[tuple[str, str], int] = {}
    for answer in found:
        key = answer.holder.kind, str(answer.reason)
        counted[key] = counted.get(key, 0) + 1
    for (kind, reason), number in counted.items():
        metrics.answers.labels(kind=kind, reason=reason).inc(number)


def _token_check(bearer_token_file: str) -> Callable[[str], None]:
    """Raises Refused for a header Authorization that is not the one of the file's token."""
    expected = authorization(bearer_token_file)

    def check(given: str) -> None:
        if expected is None:
            return
        try:
            token = expected.value()
        except CredentialError as error:
            raise Refused(503, "the directory cannot read its own token") from error
        scheme, _, rest = given.partition(" ")
        same = f"{scheme.title()} {rest.strip()}".encode()
        if not hmac.compare_digest(same, token.encode()):
            raise Refused(401, "expected the header Authorization: Bearer and the token of bearer_token_file")

    return check
