"""The chart as it stands, without Helm: so these run everywhere, and hold chart and plain manifest together."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # comes with kubernetes-validate, which is made of it
import pytest
import yaml

from release.helm import CHART
from release.manifests import DIRECTORY, MANIFEST, SUMS, config_text, sums
from release.values_schema import SCHEMA, completed
from shipper import __version__
from shipper.config.file import parse
from tests.deploy.chart import VALUES

DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA_TEXT = SCHEMA.read_text("utf-8")
VALIDATOR = jsonschema.Draft7Validator(json.loads(SCHEMA_TEXT))


def merged(below: Any, above: Any) -> Any:
    """Helm's way of laying values over others: keys are merged, null takes one away, a list is replaced."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    both = below | {key: merged(below.get(key), value) for key, value in above.items()}
    return {key: value for key, value in both.items() if value is not None}


def refusals(values: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(merged(DEFAULTS, values))]


# One source


def test_the_manifest_is_what_was_last_rendered_of_the_chart() -> None:
    """If this fails, the chart or the manifest was changed by hand: `make helm manifests` renders it anew."""
    assert SUMS.read_text() == sums()


@pytest.mark.parametrize(("manifest", "section"), [(MANIFEST, ""), (DIRECTORY, "directory")])
def test_a_manifests_configuration_is_the_charts_word_by_word(manifest: Path, section: str) -> None:
    documents = list(yaml.safe_load_all(manifest.read_text()))
    (config,) = (document["data"]["config.yaml"] for document in documents if document["kind"] == "ConfigMap")
    assert config == config_text((CHART / "values.yaml").read_text(), section)
    assert yaml.safe_load(config) == (DEFAULTS[section] if section else DEFAULTS)["config"]


def test_chart_and_agent_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__


def test_what_the_chart_includes_are_the_files_of_deploy_themselves() -> None:
    links = {link.name: link for link in (CHART / "files").iterdir()}
    assert links.keys() == {"grafana", "mesh", "prometheus"}
    for name, link in links.items():
        assert link.is_symlink()
        assert link.resolve() == MANIFEST.parent / name


def test_every_file_a_template_reads_is_there() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").rglob("*.*"))
    read = set(re.findall(r"files/[\w./-]+\.yaml", templates)) | {
        f"files/mesh/{name}" for name in re.findall(r'"(envoyfilter[\w-]*\.yaml)"', templates)
    }
    assert {Path(path).name for path in read} == {
        *("envoyfilter.yaml", "envoyfilter-inbound.yaml", "envoyfilter-short.yaml"),
        *("telemetry.yaml", "waypoint.yaml", "rules.yaml"),
    }
    assert all((CHART / path).is_file() for path in read)


# Its values


def test_the_schema_has_the_agents_keys() -> None:
    """If this fails, `make manifests` writes them."""
    assert completed(SCHEMA_TEXT) == SCHEMA_TEXT


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(json.loads(SCHEMA_TEXT))


def test_the_schema_takes_the_defaults_and_every_example() -> None:
    assert len(VALUES) >= 12
    assert refusals({}) == []
    for path in VALUES:
        assert refusals(yaml.safe_load(path.read_text()) or {}) == [], path.name


def test_every_value_there_is_has_a_default_that_shows_it() -> None:
    """Whoever reads values.yaml has seen all. But for the agent's own, which docs/configuration.md has."""
    assert json.loads(SCHEMA_TEXT)["properties"].keys() - {"global"} == DEFAULTS.keys()
    for name, schema in json.loads(SCHEMA_TEXT)["properties"].items():
        if schema.get("additionalProperties") is False and name not in {"config", "affinity", "podSecurityContext"}:
            assert schema["properties"].keys() == DEFAULTS[name].keys(), name


@pytest.mark.parametrize(
    "values",
    [
        {"imagePullSecret": []},
        {"image": {"repo": "x"}},
        {"image": {"digest": "sha256:abc"}},
        {"image": {"architectures": ["x86_64"]}},
        {"config": {"client": []}},
        {"config": {"clients": [{"url": "http://loki/loki/api/v1/push", "batchwiat": "1s"}]}},
        {"config": {"clients": [{"tenant_id": "a"}]}},
        {"config": {"clients": [{"url": "http://a"}, {"url": "http://b"}]}},
        {"config": {"scrape_configs": [{"keep": "all"}]}},
        {"config": {"server": {"http_listen_port": "9080"}}},
        {"config": "server: {}"},
        {"mesh": {"envoyFilter": {"form": "long"}}},
        {"networkPolicy": {"enabled": "no"}},
        {"podSecurityContext": {"runAsUser": 0}},
        {"podAnnotations": {"a": 1}},
        {"tolerations": {}},
        {"priorityClass": {"value": 2_000_000_000}},
        {"terminationGracePeriodSeconds": 1},
        {"state": {"path": "relative"}},
        {"directory": {"config": {"directory": {"cluster_range": []}}}},
        {"directory": {"config": {"clients": []}}},
        {"directory": {"podSecurityContext": {"runAsUser": 0}}},
    ],
    ids=str,
)
def test_a_slip_in_the_values_is_refused(values: dict[str, Any]) -> None:
    assert len(refusals(values)) == 1


@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def test_the_agent_reads_the_configuration_of_every_example(path: Path) -> None:
    values = merged(DEFAULTS, yaml.safe_load(path.read_text()) or {})
    environ = {"LOKI_HOST": "loki.example.com"}
    config = parse(yaml.safe_dump(values["config"]).encode(), path.name, environ)
    assert config.clients[0].url.endswith("/loki/api/v1/push")
    assert parse(yaml.safe_dump(values["directory"]["config"]).encode(), path.name, environ).directory


def test_a_value_may_come_from_the_environment() -> None:
    assert refusals({"config": {"scrape_configs": [{"keep": "${KEEP}", "count_failures": "${COUNT}"}]}}) == []


def test_what_is_left_out_of_the_package_is_none_of_what_templates_read() -> None:
    patterns = [line for line in (CHART / ".helmignore").read_text().splitlines() if line and line[0] != "#"]
    assert patterns == ["ci/", "README.md", "alertmanager-slack.yaml"]
