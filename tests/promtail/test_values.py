"""Promtail's ways to write a value, and ours."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.config.document import expand
from shipper.config.units import seconds, size
from shipper.promtail import values


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("1s", "1s"),
        ("1500ms", "1500ms"),
        ("1m30s", "90s"),
        ("1h0m0s", "1h"),
        ("1.5h", "90m"),
        ("0s", "0s"),
        ("100us", "0s"),
        ("7d", "7d"),
        ("soon", None),
        ("1.2.3s", None),
        ("5", None),
        ("", None),
    ],
)
def test_a_duration_of_go(theirs: str, ours: str | None) -> None:
    assert values.duration(theirs) == ours


@given(st.integers(0, 10**8))
def test_a_duration_keeps_its_length(milliseconds: int) -> None:
    ours = values.duration(f"{milliseconds}ms")
    assert seconds(ours) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("256kb", 256 << 10),
        ("1MB", 1 << 20),
        ("1000", 1000),
        ("2 GiB", 2 << 30),
        ("0", 0),
        ("1.5MB", None),
        ("x", None),
    ],
)
def test_a_size_counts_by_1024(theirs: str, ours: int | None) -> None:
    found = values.size(theirs)
    assert (size(found) if found else None) == ours


@given(st.text(alphabet="${}:-1ABx ", max_size=20))
@example("$${A}${B:-$x}${1}")
def test_a_dollar_stands_for_itself_and_a_variable_for_its_value(text: str) -> None:
    replaced = re.sub(r"\$\{[A-Z_a-z]\w*(:-[^}]*)?\}", "?", text)
    assert expand(values.dollars(text), dict.fromkeys(re.findall(r"\w+", text), "?")) == replaced


@pytest.mark.parametrize(
    ("pattern", "listed"),
    [
        ("istio-proxy", ("istio-proxy",)),
        ("^(a|b)$", ("a", "b")),
        ("(?:a|b)", ("a", "b")),
        ("a|a", ("a",)),
        ("istio-.*", None),
        ("(a|b)c", None),
        ("", None),
        ("a|", None),
    ],
)
def test_a_pattern_that_only_lists_names(pattern: str, listed: tuple[str, ...] | None) -> None:
    assert values.names(pattern) == listed


def test_a_pod_label_gets_its_own_name_back_where_it_is_known() -> None:
    names = ["app", "app_kubernetes_io_part_of", "k8s_app", "some_label"]
    assert [*map(values.pod_label, names)] == ["app", "app.kubernetes.io/part-of", "k8s-app", "some_label"]
