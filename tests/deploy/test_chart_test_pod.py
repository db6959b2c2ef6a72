"""`helm test`: the pod's own commands, run as they stand, against a Loki of ours."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.loki import LokiReceiver
from tests.deploy.chart import config_of, needs_helm, rendered
from tests.deploy.rendered import Manifest, of_kind

pytestmark = needs_helm


def _container(manifests: list[Manifest], name: str) -> dict[str, Any]:
    pod = of_kind(manifests, "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = (each for each in pod["spec"]["containers"] if each["name"] == name)
    return dict(container)


def test_no_daemonset_takes_the_test_for_its_own() -> None:
    selector = of_kind(rendered(), "DaemonSet")["spec"]["selector"]["matchLabels"]
    assert not selector.items() <= of_kind(rendered(), "Pod")["metadata"]["labels"].items()


@pytest.mark.parametrize(
    "value",
    [
        "tests.push=false",
        "config.scrape_configs[0].fields.response_flags=flags",  # the agent would not look for the line's keys
    ],
)
def test_without_a_push_the_configuration_alone_is_checked(value: str) -> None:
    pod = of_kind(rendered("--set", value), "Pod")
    assert [container["name"] for container in pod["spec"]["containers"]] == ["configuration"]


async def test_the_line_of_helm_test_reaches_loki(tmp_path: Path) -> None:
    """The container's own command, with the mounted directories in another place."""
    command = [part.replace("/etc/shipper", str(tmp_path)) for part in _container(rendered(), "loki")["command"]]
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NODE_NAME": "node-1"}
    async with LokiReceiver() as loki:
        text = config_of(rendered()).replace("http://loki-gateway.loki.svc/loki/api/v1/push", loki.url)
        (tmp_path / "config.yaml").write_text(text.replace("/var/lib/shipper", str(tmp_path)))
        process = await asyncio.create_subprocess_exec(*command, env=environ, stderr=asyncio.subprocess.PIPE)
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        (pushed,) = loki.pushes[-1].streams
    assert 'app="mtls-shipper-test"' in pushed.labels
    assert 'response_flags="UT"' in pushed.labels
    assert [json.loads(entry.line) for entry in pushed.entries] == [
        {"response_flags": "UT", "connection_termination_details": "sent by helm test"}
    ]


def test_the_other_container_checks_the_configuration(tmp_path: Path) -> None:
    arguments = [
        part.replace("/etc/shipper", str(tmp_path)) for part in _container(rendered(), "configuration")["args"]
    ]
    command = [str(Path(sys.executable).with_name("shipper")), *arguments]
    (tmp_path / "config.yaml").write_text(config_of(rendered()))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (tmp_path / "config.yaml").write_text(config_of(rendered()) + "\nclient: []\n")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
