"""What is asked of the Kubernetes API about one resource: all objects, and their changes since a version.

Facts: kubernetes.io/docs/reference/using-api/api-concepts.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import msgspec

from shipper.kubernetes.client import Get, Query
from shipper.kubernetes.errors import BodyTooLarge, refusal
from shipper.kubernetes.rows import Page, decode_page
from shipper.kubernetes.timing import ApiTiming

METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
TABLE: Final = "application/json;as=Table;g=meta.k8s.io;v=v1,"  # first; its rows have the metadata and no more

# Bytes. A page is held as a whole: 0.7 MiB for 110 pods with a sidecar, 67 MiB for 10,000.
MAX_PAGE: Final = 80 << 20
READ_BYTES: Final = 64 << 10  # bytes taken from the connection at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """The objects that are followed: of one kind, all that the selector selects."""

    path: str  # such as `/api/v1/pods`
    selector: Query = ()  # such as `fieldSelector`
    # Objects in a page of the list. None: all at once, as the server's cache has them; it ignores a limit then. Pages
    # come from the server's database, or from a snapshot of its cache in newer ones, and are of one version.
    page: int | None = None
    columns: tuple[str, ...] = ()  # of the Table that is asked for: those whose cells are wanted; none: metadata alone

    @property
    def name(self) -> str:
        """As a rule of a role names it."""
        return self.path.rpartition("/")[2]


# All pods with a network of their own, and all nodes, whose address the other pods share. Since Kubernetes 1.28.
PODS: Final = Resource(
    path="/api/v1/pods",
    selector=(("fieldSelector", "spec.hostNetwork=false"),),
    page=500,
    columns=("IP", "Node", "Restarts"),
)
NODES: Final = Resource(path="/api/v1/nodes", page=500, columns=("Internal-IP",))


def pods_of(node: str) -> Resource:
    """The pods of one node, each with its address.

    All at once: the cache keeps them by node, while the database would look at every pod of the cluster.
    """
    selector = ("fieldSelector", f"spec.nodeName={node}")
    return Resource(path="/api/v1/pods", selector=(selector,), columns=("IP",))


class Requests:
    """About one resource."""

    def __init__(self, resource: Resource, timing: ApiTiming, max_page: int = MAX_PAGE) -> None:
        """`max_page` is bytes."""
        self._resource, self._timing, self._max_page = resource, timing, max_page
        first = TABLE if resource.columns else ""
        self._accept_list, self._accept = first + METADATA_LIST, first + METADATA

    async def pages(self, get: Get) -> AsyncIterator[Page]:
        """All objects. Raises what `watch` raises, BodyTooLarge, and ValidationError.

        VersionGone after the first page: the list took longer than the server keeps its version; begin again.
        """
        limit = self._resource.page
        # Version 0 is what the server's cache has; without it the database is asked.
        query: Query = (("resourceVersion", "0"),) if limit is None else (("limit", str(limit)),)
        page = await self._page(get, query)
        yield page
        while limit is not None and page.metadata.rest:
            page = await self._page(get, (("limit", str(limit)), ("continue", page.metadata.rest)))
            yield page

    async def _page(self, get: Get, query: Query) -> Page:
        within = self._timeout(self._timing.list, self._timing.list_silence)
        async with self._response(get, self._accept_list, within, *query) as response:
            body = await self._body(response)
        try:
            page = decode_page(body)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a proxy's page, or a list that broke off
            raise aiohttp.ClientPayloadError(f"not a list of {self._resource.name}: {error}") from error
        if not page.metadata.version:
            raise aiohttp.ClientPayloadError(f"not a list of {self._resource.name}: it has no version")
        return page

    async def _body(self, response: aiohttp.ClientResponse) -> bytearray:
        body = bytearray()
        while data := await response.content.read(READ_BYTES):
            body += data
            if len(body) > self._max_page:
                raise BodyTooLarge(f"the list of {self._resource.name} has more than {self._max_page} bytes at once")
        return body

    def watch_seconds(self) -> int:
        """How long the next watch shall last."""
        return int(random.uniform(*self._timing.watch))

    def watch(self, get: Get, version: str, seconds: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The changes since a version, as lines. Raises ApiRefused, VersionGone, aiohttp.ClientError, TimeoutError."""
        query = (
            ("watch", "1"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(seconds)),
        )
        # A server that does not end the watch at its time is given a little longer.
        within = self._timeout(seconds + self._timing.list_silence, self._timing.watch_silence)
        return self._response(get, self._accept, within, *query)

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
            response = await get(self._resource.path, (*self._resource.selector, *query), headers, within)
            refused = await refusal(response)
        try:
            if refused:
                raise refused
            yield response
        finally:
            response.close()  # a watch has no end to wait for
