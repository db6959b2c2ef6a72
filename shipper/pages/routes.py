"""The paths of the agent's pages. What answers them is imported when one is first asked for."""

from typing import Final

from aiohttp import web

from shipper.pages.facts import Facts
from shipper.server import probes

PATHS: Final = ("/", "/targets", "/config")


def routes(facts: Facts) -> list[web.RouteDef]:
    """Everything that the agent serves."""

    async def answer(request: web.Request) -> web.StreamResponse:
        from shipper.pages.answers import ANSWERS

        return await ANSWERS[request.path](facts, request)

    return [
        *(web.get(path, answer) for path in PATHS),
        web.get("/tap", answer, allow_head=False),  # it has no end
        *probes(facts.metrics.registry, facts.is_ready),
        web.get("/style.css", answer),
    ]
