"""Requests to the Kubernetes API: where it is, as whom this process asks, and for what.

In a pod, two variables and the service account that the kubelet mounts say all of it. Outside a cluster a kubeconfig
does, which may name a program that makes a token: only then is kubernetes_asyncio imported, which is 980 modules and
38 MiB. Asked for are all pods of a node, and their changes since a version: metadata only, from the server's cache.

Facts: kubernetes.io/docs/tasks/run-application/access-api-from-pod, and reference/using-api/api-concepts.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from shipper import __version__
from shipper.errors import fault
from shipper.source.kubernetes.errors import BodyTooLarge, NotConfigured, refusal
from shipper.source.kubernetes.metadata import PodList, decode_list
from shipper.source.kubernetes.timing import ApiTiming
from shipper.tls import client_context

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
READ_BUFFER: Final = 2 << 20  # bytes that aiohttp takes from a connection before anyone asks for them
USER_AGENT: Final = f"mtls-shipper/{__version__}"

PATH: Final = "/api/v1/pods"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

# Bytes. A list is held as a whole: 0.7 MiB for 110 pods with a sidecar, 67 MiB for 10,000. It is not read in pages: the
# server's cache ignores `limit` where version 0 is asked for, and its database would look at every pod of the cluster.
MAX_LIST: Final = 80 << 20
READ_BYTES: Final = 64 << 10  # bytes taken from the connection at once

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


class PodRequests:
    """About the pods of one node."""

    def __init__(self, node: str, timing: ApiTiming, max_list: int = MAX_LIST) -> None:
        self._selector = ("fieldSelector", f"spec.nodeName={node}")
        self._timing, self._max_list = timing, max_list

    async def list(self, get: Get) -> PodList:
        """All pods. Raises what `watch` raises, BodyTooLarge, and ValidationError."""
        within = self._timeout(self._timing.list, self._timing.list_silence)
        # Version 0 is what the server's cache has, which it keeps by node; without it the database is asked.
        async with self._response(get, METADATA_LIST, within, ("resourceVersion", "0")) as response:
            body = await self._body(response)
        try:
            found = decode_list(body)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a proxy's page, or a list that broke off
            raise aiohttp.ClientPayloadError(f"not a list of pods: {error}") from error
        if not found.metadata.version:
            raise aiohttp.ClientPayloadError("not a list of pods: it has no version")
        return found

    async def _body(self, response: aiohttp.ClientResponse) -> bytearray:
        body = bytearray()
        while data := await response.content.read(READ_BYTES):
            body += data
            if len(body) > self._max_list:
                raise BodyTooLarge(f"the list of this node's pods has more than {self._max_list} bytes")
        return body

    def watch(self, get: Get, version: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The changes since a version, as lines. Raises ApiRefused, VersionGone, aiohttp.ClientError, TimeoutError."""
        seconds = random.uniform(*self._timing.watch)
        query = (
            ("watch", "1"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(int(seconds))),
        )
        # A server that does not end the watch at its time is given a little longer.
        within = self._timeout(seconds + self._timing.list_silence, self._timing.watch_silence)
        return self._response(get, METADATA, within, *query)

    def _timeout(self, total: float, silence: float) -> aiohttp.ClientTimeout:
        connect = self._timing.connect
        return aiohttp.ClientTimeout(total=total, connect=connect, sock_connect=connect, sock_read=silence)

    @asynccontextmanager
    async def _response(
        self, get: Get, accept: str, within: aiohttp.ClientTimeout, *query: tuple[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response of status 200."""
        # Uncompressed: a few hundred pods are less than a megabyte, and what gzip holds has no bound.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        async with asyncio.timeout(self._timing.response):  # a watch may be silent for long, but its headers may not
            response = await get(PATH, (self._selector, *query), headers, within)
            refused = await refusal(response)
        try:
            if refused:
                raise refused
            yield response
        finally:
            response.close()  # a watch has no end to wait for
