"""The list and watch of a node's pods, against a server with and without faults, over real HTTP."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import orjson
import pytest
from aiohttp import web

from lab import faults
from lab.faults import Fault
from lab.kubernetes import ApiServer
from lab.pods import Pod, event
from shipper.kubernetes.client import Get
from shipper.kubernetes.errors import NotConfigured
from tests.kubernetes.watching import CHECKOUT, FAST, LEDGER, Watching, connecting

LIST = '{"metadata":{"resourceVersion":"1000"}'  # how a list begins


def numbered(first: float, limit: float) -> Iterator[float]:
    """Numbers instead of waits: the back-off from refusals counts from 1, that of the search for a server from 1001."""
    return itertools.count(1 if limit == FAST.longest_backoff else 1001)


@pytest.fixture
async def watching(api: ApiServer) -> AsyncIterator[Watching]:
    watching = Watching(connecting(api))
    async with watching.running():
        yield watching


# When all is well


async def test_pods_of_the_node_are_listed_and_followed(api: ApiServer, watching: Watching) -> None:
    api.put(CHECKOUT)
    api.put(Pod("shop", "elsewhere-0", uid="u-9", node="node-2", labels={"app": "elsewhere"}))
    await watching.until(lambda: watching.app(CHECKOUT))
    await api.until(lambda: api.watching)
    api.put(LEDGER)
    await watching.until(lambda: watching.app(LEDGER))
    api.label(LEDGER, app="ledger-2")
    await watching.until(lambda: watching.app(LEDGER) == "ledger-2")
    assert len(watching.pods) == 2
    assert api.verbs() == ["list", "watch"]


async def test_a_pod_that_is_deleted_is_still_known_for_a_while(api: ApiServer, watching: Watching) -> None:
    api.put(CHECKOUT)
    await api.until(lambda: api.watching)
    api.delete(CHECKOUT)
    api.put(LEDGER)
    await watching.until(lambda: watching.app(LEDGER))
    assert watching.app(CHECKOUT) == "checkout"
    assert watching.pods.begin_list() == {"shop_ledger-0_u-2"}


async def test_a_watch_goes_on_from_the_last_event_or_bookmark(api: ApiServer, watching: Watching) -> None:
    await api.until(lambda: api.watching)
    api.put(CHECKOUT)
    await watching.until(lambda: watching.app(CHECKOUT))
    api.put(Pod("shop", "elsewhere-0", node="node-2"))  # moves the version on, and is no event of ours
    api.bookmark()
    api.end_watches()
    await api.until(lambda: api.verbs().count("watch") == 2)
    assert api.asked[-1].query["resourceVersion"] == api.version
    assert api.verbs() == ["list", "watch", "watch"]


async def test_a_server_that_knows_no_metadata_alone_sends_whole_pods(api: ApiServer) -> None:
    api.forms = frozenset()
    api.put(CHECKOUT)
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))


async def test_a_long_list_is_read_to_its_end(api: ApiServer) -> None:
    pods = [api.put(Pod("shop", f"pod-{number}", labels={"app": f"app-{number}"})) for number in range(500)]
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: len(watching.pods) == 500)
        assert {watching.app(pod) for pod in pods} == {f"app-{number}" for number in range(500)}


# When it is not


@pytest.mark.parametrize("expires", ["by status", "by event"])
async def test_a_version_that_is_gone_leads_to_a_list(
    api: ApiServer, expires: Literal["by status", "by event"]
) -> None:
    api.expires = expires
    api.put(CHECKOUT)
    watching = Watching(connecting(api))
    async with watching.running():
        await api.until(lambda: api.watching)
        await api.kill()
        api.delete(CHECKOUT)
        api.put(LEDGER)
        api.forget()
        await api.listen()
        await watching.until(lambda: watching.app(LEDGER))
        assert api.verbs() == ["list", "watch", "watch", "list"][: len(api.asked)]
        assert watching.errors("410") == 1
        assert watching.pods.begin_list() == {"shop_ledger-0_u-2"}  # the other is known to be gone


async def test_a_server_that_is_away_is_tried_again_and_nothing_is_forgotten(
    api: ApiServer, watching: Watching
) -> None:
    api.put(CHECKOUT)
    await api.until(lambda: api.watching)
    await api.kill()
    await api.until(lambda: not api.watching)
    await api.listen()
    await api.until(lambda: api.watching)
    assert watching.app(CHECKOUT) == "checkout"
    assert "list" not in api.verbs()[1:]  # it goes on where it was


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (faults.status(500, "oops"), "500"),
        (faults.status(503), "503"),
        (faults.status(429, headers={"Retry-After": "0"}), "429"),
        (faults.status(429, headers={"Retry-After": "soon"}), "429"),
        (faults.status(403, '{"kind":"Status","message":"forbidden"}'), "403"),
        (faults.reset_before(), "connection"),
        (faults.status(200, "<html>a login page</html>"), "connection"),
        (faults.status(200, '{"metadata":{"resourceVersion":7},"items":[]}'), "malformed"),
        (faults.status(200, '{"metadata":{"resourceVersion":"7"},"items":['), "connection"),
    ],
    ids=["500", "503", "429", "429 in words", "403", "reset", "no JSON", "no list", "half a list"],
)
async def test_a_list_that_fails_is_asked_for_again(api: ApiServer, trouble: Fault, reason: str) -> None:
    api.put(CHECKOUT)
    api.script += [trouble, trouble]
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors(reason) >= 1


@pytest.mark.parametrize("fault", [faults.hang(), faults.stall(200)], ids=["no answer", "no end of the answer"])
async def test_a_list_that_never_ends_is_given_up(api: ApiServer, fault: Fault) -> None:
    api.put(CHECKOUT)
    api.script += [fault]
    watching = Watching(connecting(api), replace(FAST, list_silence=0.05))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors("timeout") == 1


async def test_a_list_that_trickles_without_end_is_given_up(api: ApiServer) -> None:
    async def trickle(arrival: faults.Arrival) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(arrival.request)
        while not arrival.closing.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.01)
        return response

    api.put(CHECKOUT)
    api.script += [trickle]
    watching = Watching(connecting(api), replace(FAST, list=0.2))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors("timeout") == 1


async def test_a_watch_that_has_gone_silent_is_opened_again_on_another_list(api: ApiServer) -> None:
    watching = Watching(connecting(api), replace(FAST, watch_silence=0.05))
    async with watching.running():
        await api.until(lambda: api.verbs().count("watch") == 3)
    assert watching.errors("timeout") >= 2
    assert api.verbs()[:4] == ["list", "watch"] * 2


async def test_a_server_from_an_old_backup_is_listed_again(api: ApiServer) -> None:
    """A real one accepts a watch from a version in its future, and sends it nothing, not even bookmarks."""
    api.put(CHECKOUT)
    watching = Watching(connecting(api), replace(FAST, watch_silence=0.1))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
        await api.until(lambda: api.watching)
        api.go_back()
        api.end_watches()
        await api.until(lambda: api.verbs()[-1] == "watch" and api.watching)
        api.put(LEDGER)
        await watching.until(lambda: watching.app(LEDGER))


async def test_a_watch_that_is_never_answered_is_given_up(api: ApiServer) -> None:
    api.put(CHECKOUT)
    watching = Watching(connecting(api), replace(FAST, response=0.1))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
        await api.until(lambda: api.watching)
        api.fault = faults.hang()
        api.end_watches()
        await api.until(lambda: api.verbs().count("watch") >= 3)
    assert watching.errors("timeout") >= 1


async def test_a_role_that_may_list_and_not_watch_makes_no_busy_loop(
    api: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    api.forbids = {"watch"}
    api.put(CHECKOUT)
    watching = Watching(connecting(api))
    async with watching.running():
        await api.until(lambda: len(api.asked) == 8)
    assert api.verbs() == ["list", *["watch"] * 7]
    assert watching.errors("403") >= 6
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "ClusterRole" in said


async def test_waits_grow_while_nothing_goes_well_and_begin_anew_after(api: ApiServer) -> None:
    watching = Watching(connecting(api), replace(FAST, longest_search=0.01), waits=numbered)
    api.forbids = {"watch"}
    assert [await watching.watch.attempt() for _ in range(3)] == [1, 2, 3]  # the list that succeeded changes nothing
    assert api.verbs() == ["list", "watch", "watch", "watch"]
    api.forbids = set()
    attempt = asyncio.create_task(watching.watch.attempt())
    await api.until(lambda: api.watching)
    api.bookmark()  # even an event that says nothing new
    api.fault = faults.status(503)
    api.end_watches()
    assert await attempt == 1


async def test_a_server_that_was_searched_for_long_is_asked_again_soon_when_it_answers(api: ApiServer) -> None:
    """One that has just started forbids what it will soon allow, and no longer has older versions."""
    watch = Watching(connecting(api), replace(FAST, longest_search=0.01), waits=numbered).watch
    await api.kill()
    assert [await watch.attempt() for _ in range(3)] == [1001, 1002, 1003]
    await api.listen()
    api.script += [faults.status(403)]
    assert await watch.attempt() == 1
    await api.kill()
    assert await watch.attempt() == 1001
    await api.listen()
    api.script += [faults.status(410)]
    assert await watch.attempt() == 2


async def test_an_event_that_is_cut_off_is_told_again_by_the_next_watch(api: ApiServer, watching: Watching) -> None:
    await api.until(lambda: api.watching)
    line = event("ADDED", CHECKOUT.metadata(1001))
    api.say(line[:100])
    api.end_watches()
    await api.until(lambda: api.verbs().count("watch") == 2)
    assert watching.app(CHECKOUT) is None
    await api.until(lambda: api.watching)
    api.put(CHECKOUT)
    await watching.until(lambda: watching.app(CHECKOUT))


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON",
        b"[]",
        b'{"type":"ADDED","object":{"metadata":{"labels":{"app":7}}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}',
        b'{"type":"SOMETHING","object":null}',
    ],
)
async def test_an_event_that_makes_no_sense_is_passed_over(api: ApiServer, watching: Watching, line: bytes) -> None:
    await api.until(lambda: api.watching)
    api.say(line + b"\n")
    api.put(CHECKOUT)
    await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors("malformed") == 1
    assert api.verbs() == ["list", "watch"]


async def test_an_event_in_many_pieces_is_one(api: ApiServer, watching: Watching) -> None:
    await api.until(lambda: api.watching)
    line = event("ADDED", CHECKOUT.metadata(1001))
    for at in range(0, len(line), 100):
        api.say(line[at : at + 100])
    await watching.until(lambda: watching.app(CHECKOUT))


async def test_an_endless_event_is_given_up(api: ApiServer) -> None:
    watching = Watching(connecting(api), max_event=1000)
    async with watching.running():
        await api.until(lambda: api.watching)
        api.say(b"x" * 2000)
        await api.until(lambda: api.verbs().count("watch") == 2)
    assert watching.errors("too_large") == 1


async def test_a_list_of_more_bytes_than_may_be_held_is_given_up_and_asked_for_again(
    api: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    api.put(CHECKOUT)
    watching = Watching(connecting(api), max_page=5000)
    async with watching.running():
        await watching.until(lambda: watching.errors("too_large") == 2)
        assert watching.app(CHECKOUT) is None
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "more than 5000 bytes" in said


async def test_a_list_that_is_too_large_is_asked_for_as_seldom_as_one_that_is_refused(api: ApiServer) -> None:
    api.put(CHECKOUT)
    watch = Watching(connecting(api), replace(FAST, longest_search=0.01), waits=numbered, max_page=5000).watch
    assert [await watch.attempt() for _ in range(2)] == [1, 2]


async def test_a_pod_that_makes_no_sense_is_passed_over(api: ApiServer) -> None:
    items = '{"metadata":{"labels":{"app":7}}},{"metadata":{"namespace":"shop","name":"ledger-0","uid":"u-2"}}'
    api.script += [faults.status(200, LIST + f',"items":[{items}]' + "}")]
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: len(watching.pods) == 1)
        await api.until(lambda: api.watching)
    assert watching.errors("malformed") == 1
    assert api.verbs() == ["list", "watch"]


@pytest.mark.parametrize("items", ["", ',"items":null', ',"items":[]'])
async def test_a_node_without_pods_is_no_error(api: ApiServer, items: str) -> None:
    api.script += [faults.status(200, LIST + items + "}")]
    async with Watching(connecting(api)).running():
        await api.until(lambda: api.watching)
    assert api.verbs() == ["list", "watch"]


async def test_an_error_that_a_watch_tells_leads_to_a_list(api: ApiServer, watching: Watching) -> None:
    await api.until(lambda: api.watching)
    api.say(orjson.dumps({"type": "ERROR", "object": {"code": 500, "message": "etcd"}}) + b"\n")
    await api.until(lambda: api.verbs() == ["list", "watch", "list", "watch"])
    assert watching.errors("500") == 1


async def test_trouble_is_said_once_and_its_end_too(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    api.fault = faults.status(500, "etcd is down")
    watching = Watching(connecting(api))
    async with watching.running():
        await api.until(lambda: len(api.asked) == 5)
        api.fault = None
        await api.until(lambda: api.watching)
    told = [record.getMessage() for record in caplog.records if record.name.startswith("shipper")]
    assert len(told) == 2
    assert "500: etcd is down" in told[0]
    assert "the API answers again" in told[1]


async def test_nothing_that_goes_wrong_ends_it(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    tries = iter([NotConfigured("users"), RuntimeError("a bug"), None])

    @asynccontextmanager
    async def connect() -> AsyncIterator[Get]:
        if error := next(tries):
            raise error
        async with connecting(api)() as get:
            yield get

    api.put(CHECKOUT)
    watching = Watching(connect)
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert (watching.errors("configuration"), watching.errors("other")) == (1, 1)


@pytest.mark.parametrize("moment", ["before the list", "during the list", "in the watch", "between watches"])
async def test_it_stops_at_any_moment(api: ApiServer, moment: str) -> None:
    first = 1e6 if moment == "before the list" else 0.0
    between = 1e6 if moment == "between watches" else 0.0
    timing = replace(FAST, first_request=(first, first), between_watches=(between, between))
    api.fault = faults.stall(200) if moment == "during the list" else None
    async with Watching(connecting(api), timing).running():
        if moment == "during the list":
            await api.until(lambda: api.asked)
        elif moment != "before the list":
            await api.until(lambda: api.watching)
            api.end_watches() if moment == "between watches" else None
            await api.until(lambda: moment == "in the watch" or not api.watching)
