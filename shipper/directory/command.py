"""Runs the directory: two watches, a server, until a signal comes."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from shipper import __version__
from shipper.config import DirectoryConfig, ServerConfig
from shipper.config.units import duration_text
from shipper.credentials import CredentialError
from shipper.directory.certificate import server_context
from shipper.directory.clock import Clock
from shipper.directory.knowledge import SECOND, Knowledge
from shipper.directory.metrics import Metrics
from shipper.directory.service import who
from shipper.directory.stores import Observed, pod_reader, read_node
from shipper.errors import fault
from shipper.kubernetes.client import Connect, connected
from shipper.kubernetes.errors import ApiErrors, Without
from shipper.kubernetes.reflector import Reflector
from shipper.kubernetes.requests import NODES, PODS
from shipper.kubernetes.timing import ApiTiming
from shipper.loop import Loop
from shipper.server import probes, serving

log = logging.getLogger(__name__)

FINE, FAILED = 0, 1  # exit codes; 2 is usage and configuration
WITHOUT: Final = Without(
    "who has which address",
    "questions about times from now on are answered with unknown; it needs Kubernetes 1.28 or newer",
    "addresses are known again",
)
# Only a watch that the server has ended has told all for sure. So each is short, and the next begins at once. Its end
# is read after the events before it have gathered: each 0.1 s of that are 0.2 s more until a failure has its name.
SHORT: Final = ApiTiming(first_request=(0.0, 0.2), watch=(1.0, 1.0), between_watches=(0.0, 0.0), debounce=0.02)


@asynccontextmanager
async def directory(
    server: ServerConfig,
    config: DirectoryConfig,
    *,
    connect: Connect = connected,
    timing: ApiTiming = SHORT,
    clock: Clock | None = None,
) -> AsyncIterator[tuple[int, Knowledge]]:
    """Serve while the context lasts; gives the port. Raises OSError, CredentialError."""
    knowledge = Knowledge(config, clock or Clock(round(config.settle * SECOND) // 2))
    metrics, history, now = Metrics(knowledge), knowledge.history, knowledge.now
    errors = ApiErrors(metrics.errors, WITHOUT)

    def is_complete(resource: str, seconds: float) -> None:
        was_ready = knowledge.is_ready
        knowledge.complete(resource, seconds)
        if knowledge.is_ready and not was_ready:
            log.info("ready: %d addresses are known", history.addresses)
            gc.collect()
            gc.freeze()  # what is there now stays, most of it: no collection needs to look at it again

    pods = Observed(history, "pod/", pod_reader(config.app_label), now)
    nodes = Observed(history, "node/", read_node, now)
    tls = server_context(config.cert_file, config.key_file)
    not_ready = "pods and nodes are not yet all known"
    routes = [who(config, knowledge, metrics), *probes(metrics.registry, lambda: knowledge.is_ready, not_ready)]
    async with AsyncExitStack() as parts:
        for name, resource, store in (("pods", PODS, pods), ("nodes", NODES, nodes)):
            reflector = Reflector(
                resource, store, errors, _nothing, connect, timing, on_complete=partial(is_complete, name)
            )
            await parts.enter_async_context(reflector.running())
        port = await parts.enter_async_context(serving(server, routes, tls=tls))
        yield port, knowledge


def _nothing() -> None:
    """A change alone answers nothing: what is complete does."""


async def _main(server: ServerConfig, config: DirectoryConfig) -> None:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            os._exit(FAILED)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    log.info("shipper directory %s: former holders are known for %s", __version__, duration_text(config.history))
    async with directory(server, config):
        await stopping.wait()


def run(
    server: ServerConfig, config: DirectoryConfig, make_loop: Callable[[], asyncio.AbstractEventLoop] = Loop
) -> int:
    """Run the directory in an event loop of its own; the exit code. SIGTERM and SIGINT end it, a second one at once."""
    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(_main(server, config))
    except (OSError, CredentialError) as error:
        log.error("%s", fault(error).text if isinstance(error, OSError) else error)
        return FAILED
    return FINE
