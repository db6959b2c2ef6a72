"""No name server answers: the process serves its pages, and ends when it is told to."""

import asyncio
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp

from lab.containerd import LogWriter
from lab.lines import timed_out

# A resolver that is silent for longer than the kubelet waits before it kills.
AGENT = """
import sys, time
from functools import partial
from pathlib import Path

from shipper import log
from shipper.agent import Options, run
from shipper.config.file import parse
from shipper.loop import Loop

def silent(*asked, **hints):
    print("asked", file=sys.stderr, flush=True)
    time.sleep(60)

log.set_up("info", "logfmt")
config = parse(Path(sys.argv[1]).read_bytes(), "test.yaml", {})
sys.exit(run(config, Options(), partial(Loop, getaddrinfo=silent)))
"""


async def said(stream: asyncio.StreamReader, pattern: str) -> str:
    """Read the agent's log up to a line that holds this."""
    async with asyncio.timeout(20):
        async for line in stream:
            if found := re.search(pattern, line.decode()):
                return found[0]
    raise AssertionError(f"never said: {pattern}")


async def test_sigterm_while_dns_is_silent_ends_it_at_once_and_until_then_it_is_ready(tmp_path: Path) -> None:
    root = tmp_path / "pods"
    root.mkdir()
    config = tmp_path / "agent.yaml"
    config.write_text(f"""
server: {{http_listen_address: 127.0.0.1, http_listen_port: 0}}
positions: {{filename: {tmp_path}/positions.json}}
clients: [{{url: "http://loki.monitoring:3100/loki/api/v1/push"}}]
scrape_configs: [{{pod_logs: {{root: {root}}}}}]
""")
    with LogWriter(root) as log:
        log.write(timed_out(1))
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT, str(config), stderr=PIPE)
        try:
            assert process.stderr
            port = (await said(process.stderr, r"port \d+")).split()[1]
            await said(process.stderr, "asked")
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
                for page in ("/ready", "/metrics", "/healthz"):
                    async with session.get(page, timeout=aiohttp.ClientTimeout(5)) as response:
                        assert response.status == 200
            told = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 30) == 0
            assert time.monotonic() - told < 8  # what is under way gets five
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
