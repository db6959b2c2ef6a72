"""The disk of the positions hangs, or takes them in its own way only: shipping goes on, and the operator is told."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from lab.containerd import SECOND, LogWriter
from lab.lines import timed_out
from lab.loki import LokiReceiver
from tests.faults.whole_agent import World

WEEKS = 14 * 86_400 * SECOND
HANGS = """
import os, sys, threading
os.fsync = lambda _: threading.Event().wait()
os.write = lambda *_: threading.Event().wait()  # of the quarantine file, beside the positions
from shipper.__main__ import main
sys.exit(main())
"""


@asynccontextmanager
async def agent_whose_disk_hangs(root: Path, loki: LokiReceiver, positions: Path) -> AsyncIterator[tuple[Process, str]]:
    """An agent as a process, and the address of its HTTP server."""
    arguments = ["run", "--log-dir", root, "--client.url", loki.url, "--positions.file", positions]
    command = [sys.executable, "-c", HANGS, *map(str, arguments), "--server.http-listen-port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    assert process.stderr
    try:
        while not (found := re.search(rb"serving .* port (\d+)", await process.stderr.readline())):
            pass
        yield process, f"http://127.0.0.1:{found[1].decode()}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def page(address: str, path: str) -> str:
    async with aiohttp.ClientSession(address) as session, session.get(path) as response:
        return await response.text()


async def test_a_positions_disk_that_hangs_stops_no_line_and_no_exit(tmp_path: Path) -> None:
    root = tmp_path / "pods"
    root.mkdir()
    with LogWriter(root) as log, LogWriter(root, pod="late-0", uid="u2") as late:
        log.write(timed_out(1))
        async with (
            LokiReceiver() as loki,
            agent_whose_disk_hangs(root, loki, tmp_path / "p.json") as (process, address),
        ):
            await loki.entries(1, within=20)
            late.write(timed_out(2))
            log.write(timed_out(4), nanos=log.now() - WEEKS)
            log.write(timed_out(3))
            await loki.entries(3, within=20)
            async with asyncio.timeout(20):
                while "shipper_quarantine_errors_total 1.0" not in (metrics := await page(address, "/metrics")):
                    await asyncio.sleep(0.05)
            told = json.loads(await page(address, "/targets"))
            assert re.fullmatch(r"a write has not returned for \d+ s", told["positions"]["failing"])
            assert told["loki"]["failing"] == ""
            age = re.search(r"^shipper_positions_write_age_seconds (\S+)", metrics, re.MULTILINE)
            assert age
            assert float(age[1]) >= 1.0
            process.send_signal(signal.SIGTERM)
            _, err = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 0
        assert b"takes more than 2 s" in err
        assert b"refused entries to the quarantine file" in err


async def test_a_positions_disk_that_hangs_at_the_start_is_said_and_stops_no_exit(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.json")  # to read it waits for a writer
    arguments = ["run", "--log-dir", str(tmp_path), "--client.url", "http://localhost/", "--positions.file"]
    command = [sys.executable, "-m", "shipper", *arguments, str(tmp_path / "p.json")]
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    assert process.stderr
    async with asyncio.timeout(20):
        while b"no log is read before" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("mount", ["link", "in place"])
def test_positions_stay_where_they_were_put(mount: str) -> None:
    world = World()
    path = world.root.parent / "positions.json"
    try:
        if mount == "link":
            (world.root.parent / "volume").mkdir()
            path.symlink_to("volume/real.json")
        else:  # as a file that is mounted by itself: nothing can be put in its place
            path.write_bytes(b'{"version":1,"targets":{}}')
            path.with_name("positions.json.tmp").mkdir()
        inode = path.stat().st_ino if path.exists() else 0
        with LogWriter(world.root) as log:
            for number in range(3):
                line = timed_out(number)
                world.written.note(line, log.write(line), {})
                world.start()
                assert world.until(world.is_delivered)
                world.stop()
        assert sum(len(entries) for entries in world.loki.streams.values()) == 3  # nothing was sent again
        if mount == "link":
            assert path.is_symlink()
        else:
            assert path.stat().st_ino == inode
    finally:
        world.close()
