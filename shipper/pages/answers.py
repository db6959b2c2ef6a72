"""What each path answers: a page for a browser, data for a program."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web

from shipper.config.in_force import in_force
from shipper.pages.accept import wants_html
from shipper.pages.facts import Facts
from shipper.pages.html import Html
from shipper.pages.logs import chosen, logs_page
from shipper.pages.overview import overview
from shipper.tap.label_text import without_names
from shipper.tap.serve import serve

_STYLE: Final = Path(__file__).with_name("style.css")
_VARY: Final = {"Vary": "Accept"}

Answer = Callable[[Facts, web.Request], Awaitable[web.StreamResponse]]


async def _overview(facts: Facts, request: web.Request) -> web.StreamResponse:
    refusal = _refusal(facts, request)
    return _html(overview(facts, _told(facts, refusal), refusal))


async def _targets(facts: Facts, request: web.Request) -> web.StreamResponse:
    told = _told(facts, _refusal(facts, request))
    if wants_html(request.headers.get("Accept", "")):
        return _html(logs_page(facts, told["targets"], request.query))
    told["targets"] = chosen(told["targets"], request.query)
    body = orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=body, content_type="application/json", headers=_VARY)


async def _config(facts: Facts, _: web.Request) -> web.StreamResponse:
    return web.Response(text=in_force(facts.config), content_type="text/plain", charset="utf-8")


async def _style(_facts: Facts, _: web.Request) -> web.StreamResponse:
    return web.Response(body=_STYLE.read_bytes(), content_type="text/css", charset="utf-8")


async def _tap(facts: Facts, request: web.Request) -> web.StreamResponse:
    return await serve(request, facts.tap, _refusal(facts, request))


ANSWERS: Final[Mapping[str, Answer]] = {
    "/": _overview,
    "/targets": _targets,
    "/config": _config,
    "/tap": _tap,
    "/style.css": _style,
}


def _refusal(facts: Facts, request: web.Request) -> str:
    return facts.access.refusal(request.headers.get("Host", ""))


def _told(facts: Facts, refusal: str) -> dict[str, Any]:
    """What /targets shows; without identities where there is a refusal."""
    told = facts.describe()
    if refusal:
        loki = told["loki"]
        streams = {without_names(name): without_names(why) for name, why in loki["failing_streams"].items()}
        told["loki"] = {**loki, "failing": without_names(loki["failing"]), "failing_streams": streams}
    return told


def _html(page: Html) -> web.Response:
    return web.Response(text=page, content_type="text/html", charset="utf-8", headers=_VARY)
