"""Whatever the cluster and the watch do: nobody is named who was not it."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.pod_addresses import Cluster, Directory, wrong_answers

HAPPENS = ("start", "start", "stop", "restart", "crash", "force", "end_forced", "die", "collect")
WATCHED = ("open", "end", "end", "lose", "list", "read", "end_late", "restart_directory")
step = st.tuples(st.sampled_from(HAPPENS + WATCHED), st.sampled_from((0, 1, 10, 100, 300, 700, 1500, 4000, 20_000)))


@settings(max_examples=300)
@given(steps=st.lists(step, min_size=5, max_size=60), offset=st.sampled_from((-200, 0, 200)), seed=st.integers(0, 999))
def test_no_answer_is_ever_wrong(steps: list[tuple[str, int]], offset: int, seed: int) -> None:
    cluster = Cluster(random.Random(seed))
    directory = Directory(cluster, offset)
    moments = [cluster.now]
    for name, time in steps:
        cluster.wait(time)
        if name in HAPPENS:
            getattr(cluster, name)()
        elif name in ("list", "end_late"):
            getattr(directory, name)(time)
        elif name == "restart_directory":
            directory.restart()
        elif name == "read":
            directory.read(1 + time % 3)
        else:
            getattr(directory, name)()
        moments += range(cluster.now - 2, cluster.now + 3, 2)
        if name in WATCHED:
            assert wrong_answers(cluster, directory.history, moments[-30:]) == [], steps
    directory.open()
    cluster.wait(5000)
    directory.end()
    spread = range(moments[0], cluster.now, max(1, (cluster.now - moments[0]) // 60))
    assert wrong_answers(cluster, directory.history, [*moments, *spread]) == []
