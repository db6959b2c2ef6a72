"""Whose names this machine goes by, and what is hidden of a text. Who is refused: tests/pages/test_answers.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.labels import label_text
from shipper.tap.access import is_loopback
from shipper.tap.label_text import HIDDEN, labels_of, without_names


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"])
def test_a_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io", "", "2130706433"]
)
def test_no_loopback(host: str) -> None:
    assert not is_loopback(host)


VALUES = st.text('a"\\={},\n\u00e9 ', min_size=1)
LABELS = st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), VALUES, max_size=4)


@given(LABELS)
def test_a_label_text_is_taken_apart_again(labels: dict[str, str]) -> None:
    assert labels_of(label_text(labels)) == labels


@given(LABELS, VALUES)
def test_identities_in_a_label_text_are_hidden_and_nothing_else_is(labels: dict[str, str], san: str) -> None:
    hidden = labels_of(without_names(f"refused: {label_text({**labels, 'source_san': san})} for 3 s"))
    assert hidden == {**labels, "source_san": HIDDEN}


def test_spiffe_names_are_hidden_wherever_they_stand() -> None:
    assert (
        without_names("entry 'spiffe://a/b': too old, spiffe://c")
        == f"entry 'spiffe://{HIDDEN}': too old, spiffe://{HIDDEN}"
    )
