"""A file ends without a newline and the next one starts with a partial line: they are not joined."""

from lab.containerd import LogWriter, cri_line
from lab.lines import timed_out
from tests.faults.whole_agent import World


def test_an_unfinished_end_is_not_joined_to_the_first_piece_of_the_next_file() -> None:
    world = World()
    try:
        with LogWriter(world.root) as log:
            last, long = timed_out(1), timed_out(2, padding="x" * 100)
            log.write_raw(cri_line(log.now(), last)[:-1])
            log.rotate(1000)
            log.write_raw(cri_line(log.now(), long[:50], tag="P"))
            world.start()
            assert world.until(lambda: world.stored == {last})
            log.write_raw(cri_line(log.now(), long[50:]))
            assert world.until(lambda: world.stored == {last, long})
    finally:
        world.close()
