import re
from pathlib import Path

from benchmarks.corpus import Pod
from benchmarks.peers import PEERS, given
from benchmarks.peers.path import POD
from benchmarks.shipper import CONTAINER_LOGS, Job


def test_only_those_that_are_named_are_measured() -> None:
    assert given({}) == []
    assert {shipper.name for shipper in given({"ALLOY_BIN": "alloy"})} == {"Alloy, line filter first"}


def test_each_is_told_where_to_read_and_where_to_push(tmp_path: Path) -> None:
    for shipper in given(dict.fromkeys(PEERS, "binary")):
        state = tmp_path / shipper.name
        state.mkdir()
        command = shipper.command(Job(Path("/pods"), "http://sink:3100/loki/api/v1/push", state))
        assert command[0] == "binary"
        (configuration,) = (
            path for word in command if state in (path := Path(word.split("=")[-1])).parents and path.is_file()
        )
        text = configuration.read_text()
        assert f"/pods/{CONTAINER_LOGS}" in text
        assert "sink" in text
        assert "3100" in text


def test_the_path_tells_what_the_corpus_expects() -> None:
    pod = Pod.of(3, 1)
    found = re.search(POD, str(pod.log(Path("/pods"))))
    assert found
    assert found.groupdict() == {"namespace": pod.namespace, "pod": pod.name, "app": pod.app}
