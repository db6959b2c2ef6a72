"""The other end: takes pushes as Loki does, in a process of its own, and tells later what has arrived.

While a shipper runs, bodies are only put aside; they are decoded when someone asks, so that the sink takes as little
of the machine as it can. Takes protobuf in a snappy block, and Loki's JSON.
"""

import asyncio
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.request import ProxyHandler, Request, build_opener

import snappy
from aiohttp import web

from benchmarks.tally import Tally, label_key
from lab.label_text import parse
from shipper.push_pb2 import PushRequest

SECOND = 1_000_000_000
PROTOBUF = "application/x-protobuf"
DIRECT = build_opener(ProxyHandler({}))  # a proxy of the environment has no business here
START_WITHIN = 20.0  # seconds

Decoded = tuple[str, int, bytes]  # label key, nanoseconds, line


def decode(kind: str, body: bytes) -> Iterator[Decoded]:
    """The entries of one push. Raises when it is not what Loki would take."""
    if kind == PROTOBUF:
        for stream in PushRequest.FromString(snappy.decompress(body)).streams:
            key = label_key(parse(stream.labels))
            for entry in stream.entries:
                yield key, entry.timestamp.seconds * SECOND + entry.timestamp.nanos, entry.line
        return
    for told in json.loads(body)["streams"]:
        key = label_key({name: value for name, value in told["stream"].items() if value})
        for nanos, line, *_ in told["values"]:
            yield key, int(nanos), line.encode()


@dataclass(slots=True)
class Arrivals:
    """What has come since the last reset."""

    raw: list[tuple[int, str, bytes]] = field(default_factory=list)  # wall clock in ns, content type, body
    first: float = 0.0  # monotonic clock
    pushes: int = 0
    size: int = 0  # of the bodies
    tally: Tally = field(default_factory=Tally)
    delays: list[int] = field(default_factory=list)  # nanoseconds from the line's time to its arrival

    def add(self, kind: str, body: bytes) -> None:
        """A push has come."""
        self.first = self.first or time.monotonic()
        self.raw.append((time.time_ns(), kind, body))
        self.pushes += 1
        self.size += len(body)

    def digest(self) -> None:
        """Decode what was put aside."""
        waiting, self.raw = self.raw, []
        for came, kind, body in waiting:
            for key, nanos, line in decode(kind, body):
                self.tally.add(key, nanos, line)
                self.delays.append(came - nanos)


def application() -> web.Application:
    """The sink's HTTP interface."""
    arrivals = Arrivals()

    async def push(request: web.Request) -> web.Response:
        arrivals.add(request.content_type, await request.read())
        return web.Response(status=204)

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ready\n")

    async def seen(_: web.Request) -> web.Response:
        arrivals.digest()
        told = {"entries": len(arrivals.delays), "pushes": arrivals.pushes, "first": arrivals.first}
        return web.json_response(told | {"size": arrivals.size})

    async def tally(_: web.Request) -> web.Response:
        arrivals.digest()
        return web.json_response({"streams": arrivals.tally.streams, "delays": arrivals.delays})

    async def reset(_: web.Request) -> web.Response:
        for name, fresh in ((name, getattr(Arrivals(), name)) for name in Arrivals.__slots__):
            setattr(arrivals, name, fresh)
        return web.json_response({})

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/loki/api/v1/push", push)
    app.router.add_get("/ready", ready)
    app.router.add_get("/seen", seen)
    app.router.add_get("/tally", tally)
    app.router.add_post("/reset", reset)
    return app


@dataclass(frozen=True, slots=True)
class Seen:
    """What the sink tells at any time."""

    entries: int
    pushes: int
    size: int  # of the bodies, in bytes
    first: float  # when the first push came (monotonic clock); 0: none has


class Sink:
    """The sink's process, from outside; a context."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.sink"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], START_WITHIN)[0]:
            self._process.kill()
            raise TimeoutError("the sink did not start")
        self._base = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    @property
    def url(self) -> str:
        """Where to push."""
        return f"{self._base}/loki/api/v1/push"

    def reset(self) -> None:
        """Forget what has come."""
        self._ask("/reset", b"")

    def seen(self) -> Seen:
        """How much has come."""
        return Seen(**self._ask("/seen"))

    def arrived(self) -> tuple[Tally, list[int]]:
        """All that has come, and how late each entry was, in nanoseconds from its own time."""
        told = self._ask("/tally")
        return Tally({key: (count, digest) for key, (count, digest) in told["streams"].items()}), told["delays"]

    def _ask(self, path: str, data: bytes | None = None) -> Any:
        with DIRECT.open(Request(self._base + path, data), timeout=120) as answer:
            return json.load(answer)


def main() -> None:
    """Serve on a free port, and tell it on standard output."""

    async def serve() -> None:
        runner = web.AppRunner(application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
