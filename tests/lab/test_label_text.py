import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.label_text import LabelTextError, parse, render

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(st.dictionaries(names, values, max_size=5))
def test_what_is_rendered_is_read_back(labels: dict[str, str]) -> None:
    assert parse(render(labels)) == labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{}", {}),
        (' { a = "b" , c="d", } ', {"a": "b", "c": "d"}),
        ("{a='b\"c'}", {"a": 'b"c'}),
        ('{a=`b"\\n`}', {"a": 'b"\\n'}),
        (r'{a="\u0041\x41\101\U00000041\n\t\\\""}', {"a": 'AAAA\n\t\\"'}),
        (r'{a="\xc3\xa9"}', {"a": "é"}),
        ('{b="x", a="y"}', {"a": "y", "b": "x"}),
        ('{a="", b="x"}', {"b": "x"}),
        ('{a="}, {"}', {"a": "}, {"}),
    ],
)
def test_reads_what_loki_reads(text: str, labels: dict[str, str]) -> None:
    assert parse(text) == labels
    assert list(parse(text)) == sorted(labels)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        'a="b"',
        '{a="b"',
        "{a=b}",
        '{a="b" c="d"}',
        "{,}",
        '{a="b",,}',
        '{1a="b"}',
        '{a-b="c"}',
        '{é="b"}',
        '{a="b", a="c"}',
        '{a!="b"}',
        r'{a="\q"}',
        r'{a="\'"}',
        r'{a="\ud800"}',
        r'{a="\777"}',
        r'{a="\x4"}',
        '{a="b\nc"}',
        '{a="b\\\nc"}',
    ],
)
def test_refuses_what_loki_refuses(text: str) -> None:
    with pytest.raises(LabelTextError, match="parse error"):
        parse(text)


def test_unprintable_values_are_quoted_as_in_go() -> None:
    assert render({"b": 'x"\\\n\x01', "a": "\x7f\u200b\U000e0001é"}) == (
        r'{a="\x7f\u200b\U000e0001é", b="x\"\\\n\x01"}'
    )
