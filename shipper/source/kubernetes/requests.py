"""The two requests: all pods of a node, and their changes since a version. Metadata only, from the server's cache.

Facts: kubernetes.io/docs/reference/using-api/api-concepts.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import aiohttp
import msgspec

from shipper.source.kubernetes.client import Get
from shipper.source.kubernetes.errors import TooLarge, refusal
from shipper.source.kubernetes.metadata import PodList, decode_list
from shipper.source.kubernetes.timing import ApiTiming

PATH: Final = "/api/v1/pods"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

# Bytes. A list is held as a whole: 0.7 MiB for 110 pods with a sidecar, 67 MiB for 10,000. It is not read in pages: the
# server's cache ignores `limit` where version 0 is asked for, and its database would look at every pod of the cluster.
MAX_LIST: Final = 80 << 20
READ: Final = 64 << 10  # bytes taken from the connection at once


class PodRequests:
    """About the pods of one node."""

    def __init__(self, node: str, timing: ApiTiming, max_list: int = MAX_LIST) -> None:
        self._selector = ("fieldSelector", f"spec.nodeName={node}")
        self._timing, self._max_list = timing, max_list

    async def list(self, get: Get) -> PodList:
        """All pods. Raises ApiRefused, VersionGone, TooLarge, aiohttp.ClientError, TimeoutError, ValidationError."""
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
        while data := await response.content.read(READ):
            body += data
            if len(body) > self._max_list:
                raise TooLarge(f"the list of this node's pods has more than {self._max_list} bytes")
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
