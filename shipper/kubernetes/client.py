"""Where the Kubernetes API is, and as whom this process asks it.

In a pod, two variables and the service account that the kubelet mounts say all of it. Outside a cluster a kubeconfig
does, which may name a program that makes a token: only then is kubernetes_asyncio imported, which is 980 modules and
38 MiB.

Facts: kubernetes.io/docs/tasks/run-application/access-api-from-pod.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp

from shipper import __version__
from shipper.errors import fault
from shipper.kubernetes.errors import NotConfigured
from shipper.tls import client_context

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
READ_BUFFER: Final = 2 << 20  # bytes that aiohttp takes from a connection before anyone asks for them
USER_AGENT: Final = f"mtls-shipper/{__version__}"

Query = Sequence[tuple[str, str]]

# A GET of path, query and headers: the response once its own headers are there. Raises aiohttp.ClientError,
# TimeoutError, NotConfigured.
Get = Callable[[str, Query, Mapping[str, str], aiohttp.ClientTimeout], Awaitable[aiohttp.ClientResponse]]
Connect = Callable[[], AbstractAsyncContextManager[Get]]


@asynccontextmanager
async def connected() -> AsyncIterator[Get]:
    """The API as this process may reach it: by its service account in a pod, else by the kubeconfig of its user.

    Address, authorities and credentials are read anew each time. Raises NotConfigured.
    """
    in_cluster = bool(os.environ.get("KUBERNETES_SERVICE_HOST"))
    async with by_service_account() if in_cluster else by_kubeconfig() as get:
        yield get


@asynccontextmanager
async def by_service_account(directory: Path | None = None) -> AsyncIterator[Get]:
    """The API of the cluster that this pod is in; `directory` holds `token` and `ca.crt`. Raises NotConfigured."""
    directory = directory or SERVICE_ACCOUNT
    try:
        base = address(os.environ)
        context = client_context(directory / "ca.crt")
        _token(directory)  # without one nothing need be asked
    except OSError as error:
        raise NotConfigured(f"{directory}: {fault(error).text}") from error
    session = aiohttp.ClientSession(
        base,
        connector=aiohttp.TCPConnector(ssl=context),
        headers={"User-Agent": USER_AGENT},
        trust_env=True,
        read_bufsize=READ_BUFFER,
    )

    async def get(
        path: str, query: Query, headers: Mapping[str, str], within: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        # The kubelet replaces the token long before it runs out, and requests are minutes apart.
        authorized = {**headers, "Authorization": f"Bearer {_token(directory)}"}
        return await session.get(path, params=query, headers=authorized, timeout=within)

    async with session:
        yield get


def _token(directory: Path) -> str:
    try:
        token = (directory / "token").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotConfigured(f"{directory / 'token'}: {fault(error).text}") from error
    if not token:
        raise NotConfigured(f"{directory / 'token'} is empty")
    return token


def address(environ: Mapping[str, str]) -> str:
    """Base URL of the API, from the variables that a pod is given. Raises NotConfigured."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not port.isdecimal():
        raise NotConfigured(f"KUBERNETES_SERVICE_PORT is no port: {port!r}")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


@asynccontextmanager
async def by_kubeconfig() -> AsyncIterator[Get]:
    """The API that $KUBECONFIG or ~/.kube/config names. Raises NotConfigured."""
    try:
        from kubernetes_asyncio import client, config

        configuration = client.Configuration()
        configuration.disable_strict_ssl_verification = True  # see shipper.tls
        await config.load_kube_config(os.environ.get("KUBECONFIG") or None, client_configuration=configuration)
        api = client.ApiClient(configuration)  # reads certificates
    except Exception as error:  # files of any shape, and whatever program they name for a token
        raise NotConfigured(f"kubeconfig: {fault(error).text}") from error
    api.user_agent = USER_AGENT

    async def get(
        path: str, query: Query, headers: Mapping[str, str], within: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await api.call_api(
            path,
            "GET",
            query_params=list(query),
            header_params=dict(headers),
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=within,
        )
        return response

    async with api:
        yield get
