"""Where the API is and as whom it is asked: in a pod by its service account, elsewhere by a kubeconfig."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson
import pytest
import trustme

from lab.kubernetes import ApiServer
from lab.service_account import ServiceAccount, environment
from shipper import __version__
from shipper.kubernetes.client import Connect, address, by_kubeconfig, by_service_account, connected
from shipper.kubernetes.errors import NotConfigured
from tests.kubernetes.watching import CHECKOUT, FAST, LEDGER, Watching
from tests.plain_ca import PlainCa, check_as_python_3_13_does

# In a pod


@pytest.fixture
def account(tmp_path: Path) -> ServiceAccount:
    """As the kubelet mounts it."""
    return ServiceAccount(tmp_path, "first")


@pytest.fixture
async def secured(account: ServiceAccount, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    """A server over HTTPS, and this process in a pod of its cluster."""
    async with ApiServer(context=account.context(), tokens={"first"}) as server:
        for name, value in environment(server.address).items():
            monkeypatch.setenv(name, value)
        yield server
    assert server.violations == []


@pytest.fixture
def connect(account: ServiceAccount) -> Connect:
    return partial(by_service_account, account.directory)


async def test_a_service_account_is_enough(secured: ApiServer, connect: Connect) -> None:
    secured.put(CHECKOUT)
    watching = Watching(connect)
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
        await secured.until(lambda: secured.watching)
        secured.put(LEDGER)
        await watching.until(lambda: watching.app(LEDGER))
    assert {asked.headers["User-Agent"] for asked in secured.asked} == {f"mtls-shipper/{__version__}"}


async def test_a_token_that_is_not_taken_any_more_is_read_again(
    secured: ApiServer, connect: Connect, account: ServiceAccount
) -> None:
    secured.put(CHECKOUT)
    watching = Watching(connect)
    async with watching.running():
        await secured.until(lambda: secured.watching)
        secured.tokens = {"second"}
        secured.end_watches()
        await watching.until(lambda: watching.errors("401") >= 1)
        account.renew("second")
        await secured.until(lambda: secured.watching)
    assert secured.asked[-1].headers["Authorization"] == "Bearer second"


async def test_a_token_that_was_renewed_is_used_before_the_old_one_has_run_out(
    secured: ApiServer, connect: Connect, account: ServiceAccount
) -> None:
    watching = Watching(connect)
    async with watching.running():
        await secured.until(lambda: secured.watching)
        secured.tokens = {"first", "second"}
        account.renew("second\n")
        secured.end_watches()
        await secured.until(lambda: secured.verbs().count("watch") == 2)
    assert [asked.headers["Authorization"] for asked in secured.asked] == ["Bearer first"] * 2 + ["Bearer second"]
    assert watching.errors("401") == 0


@pytest.mark.parametrize("text", [b"", b"\n", b"\xff"])
async def test_a_token_that_cannot_be_used_is_an_error_with_a_name(
    secured: ApiServer, connect: Connect, account: ServiceAccount, text: bytes
) -> None:
    (account.directory / "token").write_bytes(text)
    with pytest.raises(NotConfigured):
        async with connect():
            pass
    assert secured.asked == []


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.96.0.1", "https://10.96.0.1:443"),
        ("fd00:10:96::1", "https://[fd00:10:96::1]:443"),
        ("kubernetes.default.svc", "https://kubernetes.default.svc:443"),
    ],
)
def test_the_address_is_of_either_family_or_a_name(host: str, expected: str) -> None:
    assert address({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}) == expected


@pytest.mark.parametrize("port", ["", "https", "-1"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(NotConfigured, match="KUBERNETES_SERVICE_PORT"):
        address({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": port})


async def test_a_server_that_takes_connections_and_says_nothing_is_given_up(
    secured: ApiServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like one whose process is stopped: the kernel still accepts connections for it."""
    watching = Watching(connect, replace(FAST, connect=0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(silent.getsockname()[1]))
        async with watching.running():
            await watching.until(lambda: watching.errors("timeout"))
            monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(secured.address[1]))
            await secured.until(lambda: secured.watching)


@pytest.mark.parametrize("name", ["token", "ca.crt"])
async def test_a_service_account_that_comes_late_is_found(
    secured: ApiServer, connect: Connect, account: ServiceAccount, name: str
) -> None:
    (account.directory / name).rename(account.directory / "later")
    secured.put(CHECKOUT)
    watching = Watching(connect)
    async with watching.running():
        await watching.until(lambda: watching.errors("configuration") >= 1)
        (account.directory / "later").rename(account.directory / name)
        await watching.until(lambda: watching.app(CHECKOUT))


async def test_a_server_of_another_authority_is_not_trusted_until_the_file_says_so(
    secured: ApiServer, connect: Connect, account: ServiceAccount
) -> None:
    account.trust(trustme.CA())
    secured.put(CHECKOUT)
    watching = Watching(connect)
    async with watching.running():
        await watching.until(lambda: watching.errors("tls") >= 1)
        assert secured.asked == []  # not even a token was shown
        account.trust()
        await watching.until(lambda: watching.app(CHECKOUT))


async def test_an_authority_without_key_usage_is_trusted_on_every_python(
    tmp_path: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old GKE and EKS clusters have one."""
    check_as_python_3_13_does(monkeypatch)
    ca = PlainCa(tmp_path)
    ca.ca_file.rename(tmp_path / "ca.crt")
    (tmp_path / "token").write_text("mine")
    async with ApiServer(context=ca.server("apiserver"), tokens={"mine"}) as server:
        server.put(CHECKOUT)
        kubeconfig.write_bytes(_kubeconfig(f"https://127.0.0.1:{server.address[1]}", tmp_path / "ca.crt"))
        for name, value in environment(server.address).items():
            monkeypatch.setenv(name, value)
        for connect in (partial(by_service_account, tmp_path), by_kubeconfig):
            watching = Watching(connect)
            async with watching.running():
                await watching.until(lambda: watching.app(CHECKOUT) or watching.errors("tls"))  # noqa: B023
            assert watching.errors("tls") == 0


async def test_a_pod_does_without_the_client_library() -> None:
    """It is 980 modules and 38 MiB, and only kubeconfigs need it."""
    program = (
        "import asyncio, sys, shipper.agent; from shipper.kubernetes.client import NotConfigured, connected\n"
        "async def main():\n"
        "    try:\n"
        "        async with connected(): raise AssertionError('there is no service account')\n"
        "    except NotConfigured: pass\n"
        "asyncio.run(main()); assert not any('kubernetes_asyncio' in name for name in sys.modules)"
    )
    in_pod = environment(("127.0.0.1", 1))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=in_pod)
    assert await process.wait() == 0


# Elsewhere


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process looks for one."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


def _kubeconfig(server: str, authority: Path | None = None) -> bytes:
    cluster = {"server": server} | ({"certificate-authority": str(authority)} if authority else {})
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "mine"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    }
    return orjson.dumps(config)


async def test_outside_a_pod_the_kubeconfig_is_used(api: ApiServer, kubeconfig: Path) -> None:
    kubeconfig.write_bytes(_kubeconfig(api.url))
    api.tokens = {"mine"}
    api.put(CHECKOUT)
    watching = Watching(connected)
    async with watching.running():
        await watching.until(lambda: watching.app(CHECKOUT))
    assert {asked.headers["User-Agent"] for asked in api.asked} == {f"mtls-shipper/{__version__}"}


@pytest.mark.parametrize("text", [None, b"", b"users: [", b"apiVersion: v1\nclusters: 7"])
async def test_a_kubeconfig_of_any_shape_is_an_error_with_a_name(kubeconfig: Path, text: bytes | None) -> None:
    if text is not None:
        kubeconfig.write_bytes(text)
    with pytest.raises(NotConfigured):
        async with connected():
            pass
