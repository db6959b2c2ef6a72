"""What a tool has put around lines: records of docker and of Fluent Bit, colours, a last part without content."""

import json

from lab.containerd import LogWriter, cri_line
from lab.lines import timed_out
from shipper.times import rfc3339
from tests.faults.whole_agent import World


def test_lines_are_read_whatever_stands_around_them() -> None:
    world = World()
    lines = [timed_out(number) for number in range(5)]
    text = [line.decode() for line in lines]
    try:
        with LogWriter(world.root) as log:
            log.write_raw(json.dumps({"log": f"{text[0]}\n", "stream": "stdout", "time": rfc3339(log.now())}).encode())
            log.write_raw(b"\n")
            log.write_raw(json.dumps({"date": 1.5, "log": text[1], "kubernetes": {"pod_name": "x"}}).encode() + b"\n")
            log.write_raw(cri_line(log.now(), b"\x1b[36m" + lines[2] + b"\x1b[0m"))
            log.write_raw(cri_line(log.now(), lines[3], tag="P"))
            log.write_raw(cri_line(log.now(), b"").rstrip(b" \n") + b"\n")
            log.write_raw(cri_line(log.now(), lines[4]))
            world.start()
            assert world.until(lambda: world.stored == set(lines), 10), world.stored
            assert world.until(lambda: world.ledger()["pending"] == 0)
            assert world.ledger()["read"] == 5
    finally:
        world.close()
