"""Whatever the file holds: a configuration that is valid, or one line that says why not."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from shipper.config import ConfigError
from shipper.config.file import parse
from shipper.promtail.convert import convert
from shipper.promtail.notes import report
from tests.promtail.imported import SAMPLES, imported

WHOLE: list[Any] = [yaml.safe_load((SAMPLES / name).read_text()) for name in ("chart.yaml", "static.yaml")]
WHOLE.append(yaml.safe_load(yaml.safe_load((SAMPLES / "original.yaml").read_text())["data"]["promtail.yaml"]))


def keys(value: Any) -> set[str]:
    """All keys there are."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return {str(key) for key in (value if isinstance(value, dict) else [])}.union(*map(keys, inner))


def texts(value: Any) -> set[str]:
    """All texts there are."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return ({value} if isinstance(value, str) else set()).union(*map(texts, inner))


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(CHARACTERS, max_size=10)
    | st.sampled_from(sorted(texts(WHOLE)))
    | st.sampled_from(["${X}", "${X:-y}", "${X", "${1}", "$$", "http://a:b@c", '{a=~"("}', "a|b", "1.5h", "99999999GB"])
)
KEYS = st.sampled_from([*sorted(keys(WHOLE)), "<<", "wal", "basic_auth", "password", "headers"]) | st.text(
    CHARACTERS, max_size=5
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


@st.composite
def mutilated(draw: st.DrawFn) -> Any:
    """One of the samples, with something else in some of its places."""

    def walk(value: Any) -> Any:
        if draw(st.integers(0, 15)) == 0:
            return draw(VALUES)
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items()}
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    return {key: walk(inner) for key, inner in draw(st.sampled_from(WHOLE)).items()}


def check(text: bytes) -> None:
    """What is said is one line each; what is made is a configuration, unless a variable holds what it must not."""
    ours, said = "", ""
    try:
        ours, notes = convert(text, "promtail.yaml")
        said = report(notes, "promtail.yaml").replace("\n", "")
    except ConfigError as refused:
        said = str(refused)
    assert said.isprintable()
    if "${" not in ours:
        parse(ours.encode(), "ours", {})


@given(mutilated() | st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_structure(value: Any) -> None:
    check(yaml.safe_dump(value, sort_keys=False).encode())


@given(st.binary(max_size=200))
def test_any_bytes(text: bytes) -> None:
    check(text)


@given(st.text("abc:-{}[]&*!|>'\"%@`#,? \n\t$", max_size=60))
def test_any_text_that_looks_like_yaml(text: str) -> None:
    check(text.encode())


def test_a_file_that_becomes_too_large() -> None:
    headers = {f"h{index}": "\N{LATIN SMALL LETTER E WITH ACUTE}" * 20_000 for index in range(9)}  # \\u00e9
    found = imported(yaml.safe_dump({"clients": [{"url": "http://a/", "headers": headers}]}, allow_unicode=True))
    assert 0 < len(found.config.clients[0].headers) < 9
    assert found.lines("larger than 1048576 bytes") != []


def test_a_name_that_is_too_long() -> None:
    found = imported(yaml.safe_dump({"clients": [{"url": "http://a/", "headers": {"x" * 2000: "a", "y": "b"}}]}))
    assert found.config.clients[0].headers == {"y": "b"}
