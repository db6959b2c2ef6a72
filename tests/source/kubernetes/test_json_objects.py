"""Objects are found in a text however it is cut, and whatever their strings hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.source.kubernetes import json_objects
from shipper.source.kubernetes.json_objects import ObjectSplitter, ObjectTooLarge

TEXT = st.text(st.sampled_from('{}[]",:\\ué\n '), max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


def split(text: bytes, sizes: list[int], depth: int = 2) -> list[bytes]:
    splitter, found, at = ObjectSplitter(depth), [], 0
    for size in [*sizes, len(text)]:
        found += splitter.feed(text[at : at + size])
        at += size
    return found


@given(
    st.lists(st.dictionaries(TEXT, VALUES, max_size=3), max_size=4),
    st.lists(st.integers(1, 9), max_size=60),
    st.booleans(),
)
def test_every_item_of_a_list_is_found_however_it_is_cut(items, sizes, compact):
    separators = (",", ":") if compact else (", ", ": ")
    text = json.dumps({"kind": "List", "metadata": {"resourceVersion": "7"}, "items": items}, separators=separators)
    assert [json.loads(found) for found in split(text.encode(), sizes)] == [{"resourceVersion": "7"}, *items]


def test_a_text_without_objects_has_none():
    assert split(b"<html>{oops}</html>", [3, 4]) == []


@pytest.mark.parametrize("start", [b'{"items":[{"a":"', b'{"a":"', b"{", b'"'])
def test_an_endless_object_is_given_up(start, monkeypatch):
    monkeypatch.setattr(json_objects, "MAX_OBJECT", 1000)
    with pytest.raises(ObjectTooLarge):
        split(start + b"x" * 1200, [5] * 240)


def test_a_list_of_any_length_is_not_held(monkeypatch):
    monkeypatch.setattr(json_objects, "MAX_OBJECT", 1000)
    splitter = ObjectSplitter(2)
    list(splitter.feed(b'{"items":['))
    assert sum(len(list(splitter.feed(b'{"a":"' + b"x" * 500 + b'"},'))) for _ in range(100)) == 100
