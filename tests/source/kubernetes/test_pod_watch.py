"""The watch of a node's pods, against a server that behaves, and one that does not, over real HTTP and HTTPS."""

import asyncio
import itertools
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import trustme
from aiohttp import web

from lab import faults
from lab.kubernetes import ApiServer
from lab.pods import Pod, event
from shipper import __version__
from shipper.metrics import Metrics
from shipper.source.kubernetes import client as client_module
from shipper.source.kubernetes import json_objects, pod_watch
from shipper.source.kubernetes.pod_watch import PodWatch
from shipper.source.kubernetes.pods import Pods
from shipper.source.kubernetes.troubles import Troubles

CHECKOUT = Pod("shop", "checkout-1", uid="u-1", labels={"app": "checkout"})
LEDGER = Pod("shop", "ledger-0", uid="u-2", labels={"app": "ledger"})


class Watching:
    """What one watch has learnt."""

    def __init__(self, connect) -> None:
        self.metrics = Metrics()
        self.pods = Pods(lambda pod: dict(pod.labels or {}), self.metrics)
        self._changed = asyncio.Event()
        self.watch = PodWatch("node-1", self.pods, Troubles(self.metrics), self._changed.set, connect)

    def app(self, pod: Pod) -> str | None:
        """How a target of this pod would be named now."""
        return (self.pods.ask(f"{pod.namespace}_{pod.name}_{pod.uid}/istio-proxy") or {}).get("app")

    def errors(self, reason: str) -> float:
        return self.metrics.kubernetes_errors.labels(reason=reason)._value.get()

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something that a list or events bring about."""
        async with asyncio.timeout(20):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run())
        try:
            yield
            assert not task.done()  # whatever happens, it goes on
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Waits shortened; what they wait for is not."""
    for name, value in {
        "START": 0.0,
        "AGAIN": (0.0, 0.01),
        "FIRST_WAIT": 0.01,
        "LONGEST_WAIT": 0.02,
        "LONGEST_SEARCH": 0.02,
        "GATHER": 0.001,
    }.items():
        monkeypatch.setattr(pod_watch, name, value)


@pytest.fixture
async def api():
    async with ApiServer() as server:
        yield server
    assert server.violations == []


def connecting(api: ApiServer):
    """A connection to this server, without any file that would name it."""

    @asynccontextmanager
    async def connect():
        configuration = client_module._client.Configuration(host=api.url)
        async with client_module._client.ApiClient(configuration) as client:
            yield client

    return connect


@pytest.fixture
async def watching(api):
    watching = Watching(connecting(api))
    async with watching.running():
        yield watching


# When all is well


async def test_pods_of_the_node_are_listed_and_followed(api, watching):
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


async def test_a_pod_that_is_deleted_is_still_known_for_a_while(api, watching):
    api.put(CHECKOUT)
    await api.until(lambda: api.watching)
    api.delete(CHECKOUT)
    api.put(LEDGER)
    await watching.until(lambda: watching.app(LEDGER))
    assert watching.app(CHECKOUT) == "checkout"
    assert watching.pods.begin_list() == {"shop_ledger-0_u-2"}


async def test_a_watch_goes_on_from_the_last_event_or_bookmark(api, watching):
    await api.until(lambda: api.watching)
    api.put(CHECKOUT)
    await watching.until(lambda: watching.app(CHECKOUT))
    api.put(Pod("shop", "elsewhere-0", node="node-2"))  # moves the version on, and is no event of ours
    api.bookmark()
    await watching.until(lambda: watching.watch._version == api.version)
    api.end_watches()
    await api.until(lambda: api.verbs().count("watch") == 2)
    assert api.asked[-1].query["resourceVersion"] == api.version
    assert api.verbs() == ["list", "watch", "watch"]


async def test_a_server_that_knows_no_metadata_alone_sends_whole_pods(api):
    api.partial = False
    api.put(CHECKOUT)
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))


async def test_a_long_list_is_read_to_its_end(api):
    pods = [api.put(Pod("shop", f"pod-{number}", labels={"app": f"app-{number}"})) for number in range(500)]
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: len(watching.pods) == 500)
        assert {watching.app(pod) for pod in pods} == {f"app-{number}" for number in range(500)}


# When it is not


@pytest.mark.parametrize("expires", ["by status", "by event"])
async def test_a_version_that_is_gone_leads_to_a_list(api, expires):
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


async def test_a_server_that_is_away_is_tried_again_and_nothing_is_forgotten(api, watching):
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
async def test_a_list_that_fails_is_asked_for_again(api, trouble, reason):
    api.put(CHECKOUT)
    api.script += [trouble, trouble]
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors(reason) >= 1


@pytest.mark.parametrize("fault", [faults.hang(), faults.stall(200)], ids=["no answer", "no end of the answer"])
async def test_a_list_that_never_ends_is_given_up(api, fault, monkeypatch):
    monkeypatch.setattr(pod_watch, "LIST_SILENCE", 0.05)
    api.put(CHECKOUT)
    api.script += [fault]
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors("timeout") == 1


async def test_a_list_that_trickles_without_end_is_given_up(api, monkeypatch):
    monkeypatch.setattr(pod_watch, "LIST", 0.2)

    async def trickle(arrival: faults.Arrival) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(arrival.request)
        while not arrival.closing.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.01)
        return response

    api.put(CHECKOUT)
    api.script += [trickle]
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors("timeout") == 1


async def test_a_watch_that_has_gone_silent_is_opened_again_on_another_list(api, monkeypatch):
    monkeypatch.setattr(pod_watch, "WATCH_SILENCE", 0.05)
    watching = Watching(connecting(api))
    async with watching.running():
        await api.until(lambda: api.verbs().count("watch") == 3)
    assert watching.errors("timeout") >= 2
    assert api.verbs()[:4] == ["list", "watch"] * 2


async def test_a_server_from_an_old_backup_is_listed_again(api, monkeypatch):
    """A real one takes a watch from a version it has not come to, and tells it nothing, not even bookmarks."""
    monkeypatch.setattr(pod_watch, "WATCH_SILENCE", 0.1)
    api.put(CHECKOUT)
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
        await api.until(lambda: api.watching)
        api.go_back()
        api.end_watches()
        await api.until(lambda: api.verbs()[-1] == "watch" and api.watching)
        api.put(LEDGER)
        await watching.until(lambda: watching.app(LEDGER))


async def test_a_watch_that_is_never_answered_is_given_up(api, monkeypatch):
    monkeypatch.setattr(pod_watch, "ANSWER", 0.1)
    api.put(CHECKOUT)
    watching = Watching(connecting(api))
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
        await api.until(lambda: api.watching)
        api.fault = faults.hang()
        api.end_watches()
        await api.until(lambda: api.verbs().count("watch") >= 3)
    assert watching.errors("timeout") >= 1


async def test_a_role_that_may_list_and_not_watch_makes_no_busy_loop(api, caplog):
    api.forbids = {"watch"}
    api.put(CHECKOUT)
    watching = Watching(connecting(api))
    async with watching.running():
        await api.until(lambda: len(api.asked) == 8)
    assert api.verbs() == ["list", *["watch"] * 7]
    assert watching.errors("403") >= 6
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "ClusterRole" in said


async def test_waits_grow_while_nothing_goes_well_and_begin_anew_after(api, monkeypatch):
    made = []

    def waits(first, limit):
        made.append((first, limit))
        return itertools.repeat(0.0)

    monkeypatch.setattr(pod_watch, "waits", waits)
    monkeypatch.setattr(pod_watch, "LONGEST_WAIT", 30.0)
    api.forbids = {"watch"}
    watching = Watching(connecting(api))
    async with watching.running():
        await api.until(lambda: len(api.asked) == 10)
        assert made.count((0.01, 30.0)) == 1  # the list that succeeded changes nothing
        api.forbids = set()
        await api.until(lambda: api.watching)
        api.bookmark()
        await watching.until(lambda: made.count((0.01, 30.0)) == 2)  # even one that says nothing new


async def test_a_server_that_was_searched_for_long_is_asked_again_soon_when_it_answers(api, monkeypatch):
    """One that has just started forbids what it will allow in a moment, and has forgotten older versions."""

    def waits(first, limit):
        return itertools.count(1 if limit == 30.0 else 1001)

    monkeypatch.setattr(pod_watch, "waits", waits)
    monkeypatch.setattr(pod_watch, "LONGEST_WAIT", 30.0)
    watch = Watching(connecting(api)).watch
    await api.kill()
    assert [await watch._attempt() for _ in range(3)] == [1001, 1002, 1003]
    await api.listen()
    api.script += [faults.status(403)]
    assert await watch._attempt() == 1
    await api.kill()
    assert await watch._attempt() == 1001
    await api.listen()
    api.script += [faults.status(410)]
    assert await watch._attempt() == 2


async def test_an_event_that_is_cut_off_is_told_again_by_the_next_watch(api, watching):
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
async def test_an_event_that_makes_no_sense_is_passed_over(api, watching, line):
    await api.until(lambda: api.watching)
    api.say(line + b"\n")
    api.put(CHECKOUT)
    await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors("malformed") == 1
    assert api.verbs() == ["list", "watch"]


async def test_an_event_in_many_pieces_is_one(api, watching):
    await api.until(lambda: api.watching)
    line = event("ADDED", CHECKOUT.metadata(1001))
    for at in range(0, len(line), 100):
        api.say(line[at : at + 100])
    await watching.until(lambda: watching.app(CHECKOUT))


async def test_an_endless_event_is_given_up(api, watching, monkeypatch):
    monkeypatch.setattr(pod_watch, "MAX_OBJECT", 1000)
    monkeypatch.setattr(json_objects, "MAX_OBJECT", 1 << 20)
    await api.until(lambda: api.watching)
    api.say(b"x" * 2000)
    await api.until(lambda: api.verbs().count("watch") == 2)
    assert watching.errors("connection") == 1


async def test_an_error_that_a_watch_tells_leads_to_a_list(api, watching):
    await api.until(lambda: api.watching)
    api.say(orjson.dumps({"type": "ERROR", "object": {"code": 500, "message": "etcd"}}) + b"\n")
    await api.until(lambda: api.verbs() == ["list", "watch", "list", "watch"])
    assert watching.errors("500") == 1


async def test_trouble_is_said_once_and_its_end_too(api, caplog):
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
    assert "pods are known again" in told[1]


async def test_nothing_that_goes_wrong_ends_it(api, caplog):
    tries = iter([client_module.NotConfigured("users"), RuntimeError("a bug"), None])

    @asynccontextmanager
    async def connect():
        if error := next(tries):
            raise error
        async with connecting(api)() as client:
            yield client

    api.put(CHECKOUT)
    watching = Watching(connect)
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert (watching.errors("configuration"), watching.errors("other")) == (1, 1)


@pytest.mark.parametrize("moment", ["before the list", "during the list", "in the watch", "between watches"])
async def test_it_stops_at_any_moment(api, moment, monkeypatch):
    if moment == "before the list":
        monkeypatch.setattr(pod_watch, "START", 1e6)
    if moment == "between watches":
        monkeypatch.setattr(pod_watch, "AGAIN", (1e6, 1e6))
    api.fault = faults.stall(200) if moment == "during the list" else None
    watching = Watching(connecting(api))
    async with watching.running():
        if moment == "during the list":
            await api.until(lambda: api.asked)
        elif moment != "before the list":
            await api.until(lambda: api.watching)
            api.end_watches() if moment == "between watches" else None
            await api.until(lambda: moment == "in the watch" or not api.watching)


# In a pod


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
async def secured(authority, tmp_path, monkeypatch):
    """A server over HTTPS, and a service account as the kubelet mounts it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with ApiServer(context=context, tokens={"first"}) as server:
        host, port = server.address
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        mount(monkeypatch, tmp_path, authority, "first")
        yield server
    assert server.violations == []


def mount(monkeypatch, directory: Path, authority: trustme.CA, token: str) -> None:
    (directory / "token").write_text(token)
    (directory / "ca.crt").write_bytes(authority.cert_pem.bytes())
    where = client_module._config.incluster_config
    monkeypatch.setattr(where, "SERVICE_TOKEN_FILENAME", str(directory / "token"))
    monkeypatch.setattr(where, "SERVICE_CERT_FILENAME", str(directory / "ca.crt"))


async def test_a_service_account_is_enough(secured):
    secured.put(CHECKOUT)
    watching = Watching(client_module.connected)
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
        await secured.until(lambda: secured.watching)
        secured.put(LEDGER)
        await watching.until(lambda: watching.app(LEDGER))
    assert {asked.headers["User-Agent"] for asked in secured.asked} == {f"mtls-shipper/{__version__}"}


async def test_a_token_that_is_not_taken_any_more_is_read_again(secured, tmp_path):
    secured.put(CHECKOUT)
    watching = Watching(client_module.connected)
    async with watching.running():
        await secured.until(lambda: secured.watching)
        secured.tokens = {"second"}
        secured.end_watches()
        await secured.until(lambda: len(secured.asked) >= 4)
        assert watching.errors("401") >= 1
        (tmp_path / "token").write_text("second")
        await secured.until(lambda: secured.watching)
    assert secured.asked[-1].headers["Authorization"] == "Bearer second"


async def test_a_token_that_was_renewed_is_used_before_the_old_one_has_run_out(secured, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module._config.incluster_config, "TOKEN_REFRESH_PERIOD", timedelta(0))
    watching = Watching(client_module.connected)
    async with watching.running():
        await secured.until(lambda: secured.watching)
        secured.tokens.add("second")
        (tmp_path / "token").write_text("second")
        secured.end_watches()
        await secured.until(lambda: secured.verbs().count("watch") == 2)
    assert [asked.headers["Authorization"] for asked in secured.asked] == ["Bearer first"] * 2 + ["Bearer second"]
    assert watching.errors("401") == 0


async def test_a_server_that_takes_connections_and_says_nothing_is_given_up(secured, monkeypatch):
    """As one whose process is stopped: the kernel still answers for it."""
    monkeypatch.setattr(pod_watch, "CONNECT", 0.05)
    watching = Watching(client_module.connected)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(silent.getsockname()[1]))
        async with watching.running():
            async with asyncio.timeout(20):
                while not watching.errors("timeout"):
                    await asyncio.sleep(0.01)
            monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(secured.address[1]))
            await secured.until(lambda: secured.watching)


async def test_a_service_account_that_comes_late_is_found(secured, tmp_path):
    (tmp_path / "token").rename(tmp_path / "later")
    secured.put(CHECKOUT)
    watching = Watching(client_module.connected)
    counted = asyncio.Event()
    failed, watching.watch._troubles.failed = (
        watching.watch._troubles.failed,
        lambda *args: (failed(*args), counted.set()),
    )
    async with watching.running():
        await counted.wait()
        (tmp_path / "later").rename(tmp_path / "token")
        await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors("configuration") >= 1


async def test_a_server_of_another_authority_is_not_trusted_until_the_file_says_so(
    secured, authority, tmp_path, monkeypatch
):
    mount(monkeypatch, tmp_path, trustme.CA(), "first")
    secured.put(CHECKOUT)
    watching = Watching(client_module.connected)
    counted = asyncio.Event()
    failed, watching.watch._troubles.failed = (
        watching.watch._troubles.failed,
        lambda *args: (failed(*args), counted.set()),
    )
    async with watching.running():
        await counted.wait()
        assert secured.asked == []  # not even a token was shown
        (tmp_path / "ca.crt").write_bytes(authority.cert_pem.bytes())
        await watching.until(lambda: watching.app(CHECKOUT))
    assert watching.errors("tls") >= 1


async def test_outside_a_pod_the_kubeconfig_is_used(api, tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": api.url}}],
        "users": [{"name": "u", "user": {"token": "mine"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_bytes(orjson.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    api.tokens = {"mine"}
    api.put(CHECKOUT)
    watching = Watching(client_module.connected)
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))


@pytest.mark.parametrize("text", [None, b"", b"users: [", b"apiVersion: v1\nclusters: 7"])
async def test_a_kubeconfig_of_any_shape_is_an_error_with_a_name(tmp_path, monkeypatch, text):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    if text is not None:
        (tmp_path / "config").write_bytes(text)
    with pytest.raises(client_module.NotConfigured):
        async with client_module.connected():
            pass
