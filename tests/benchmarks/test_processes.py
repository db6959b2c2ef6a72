import sys
from pathlib import Path

import pytest

from benchmarks.processes import Child


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_cpu_memory_and_exit_code_of_a_process_are_told(tmp_path: Path) -> None:
    with Child(python("x = bytearray(100 << 20); print(len(x)); raise SystemExit(3)"), tmp_path / "out") as child:
        usage = child.wait(20)
    assert usage.code == 3
    assert 0 < usage.cpu <= 2 * usage.wall + 1
    assert (tmp_path / "out").read_text() == f"{100 << 20}\n"


def test_cpu_of_a_running_process_rises_to_that_at_its_end(tmp_path: Path) -> None:
    with Child(python("while True: pass"), tmp_path / "out") as child:
        first = child.cpu()
        while child.cpu() < first + 0.05:
            assert not child.has_ended()
        last = child.cpu()
        usage = child.stop()
    assert usage.code < 0
    assert usage.cpu >= last
    assert usage.peak > 1 << 20


def test_a_process_that_does_not_end_in_time_is_told(tmp_path: Path) -> None:
    with Child(python("import time; time.sleep(60)"), tmp_path / "out") as child:
        with pytest.raises(TimeoutError):
            child.wait(0.0)
        assert not child.has_ended()
    assert child.has_ended()
