"""The file as nodes: places, variables, merge keys, and what a ConfigMap holds."""

import pytest

from shipper.config import ConfigError
from shipper.promtail.node import parse

CONFIG_MAP = """\
kind: ConfigMap
data:
  other: text
  promtail.yaml: |
    # a comment
    scrape_configs:
      - job_name: ${JOB}
"""


def test_a_value_knows_its_key_and_its_line() -> None:
    node = parse(b"server:\n\n  log_level: warn\n", "p.yaml").at("server").at("log_level")
    assert (node.key, node.line, node.text) == ("server.log_level", 3, "warn")


def test_what_is_not_there_says_nothing() -> None:
    node = parse(b"server: up\n", "p.yaml").at("server").at("log_level").at("deeper")
    assert (node.text, list(node.items()), node.each()) == ("", [], [])


def test_variables_stay_as_they_stand() -> None:
    node = parse(b"a: ${X}\nb: $1/${1}\nc: $$\n", "p.yaml")
    assert [child.text for _, child in node.items()] == ["${X}", "$1/${1}", "$$"]


def test_a_merge_key_gives_what_the_mapping_does_not_say() -> None:
    node = parse(b"a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc:\n  <<: [*a, {z: 4}]\n", "p.yaml")
    assert {key: child.text for key, child in node.at("b").items()} == {"x": "1", "y": "3"}
    assert {key: child.text for key, child in node.at("c").items()} == {"x": "1", "y": "2", "z": "4"}


def test_the_file_in_a_config_map_keeps_its_lines() -> None:
    job = parse(CONFIG_MAP.encode(), "cm.yaml").at("scrape_configs").each()[0]
    assert (job.at("job_name").text, job.line) == ("${JOB}", 7)


def test_a_file_in_quotes_is_all_on_one_line() -> None:
    text = 'kind: Secret\nstringData:\n  promtail.yaml: "scrape_configs:\\n  - job_name: a\\n"\n'
    job = parse(text.encode(), "secret.yaml").at("scrape_configs").each()[0]
    assert (job.at("job_name").text, job.line) == ("a", 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"- a", "p.yaml: expected Promtail's configuration, which is a mapping"),
        (b"a: b: c", "p.yaml:1: not YAML: mapping values are not allowed here"),
        (b"\xff", "p.yaml:1: not UTF-8 text"),
        (b"kind: ConfigMap\ndata: {x: y}\n", "p.yaml: no Promtail configuration in this ConfigMap"),
        (b"kind: Secret\ndata: {x: eQ==}\n", "p.yaml: no Promtail configuration in this Secret; decode"),
        (b"kind: ConfigMap\ndata:\n  p: |\n    scrape_configs: [\n", "p.yaml, data.p:2: not YAML: "),
        (b"kind: ConfigMap\ndata:\n  p: |\n    - scrape_configs\n", "p.yaml: expected Promtail's configuration"),
    ],
)
def test_what_is_no_configuration_is_refused_in_one_line(text: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, "p.yaml")
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
