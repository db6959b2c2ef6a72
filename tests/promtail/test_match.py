"""Selectors of match stages: how they are read, and what they do to a line that lacks the label."""

import pytest

from shipper.promtail.match import Matcher, parse_selector


def test_matchers_and_a_filter_on_the_line() -> None:
    selector = parse_selector('{app="a,}\\"b", flags=~`U.`} |= "x"')
    assert selector is not None
    assert selector.matchers == (Matcher("app", "=", 'a,}"b'), Matcher("flags", "=~", "U."))
    assert selector.rest == '|= "x"'


@pytest.mark.parametrize("text", ["", "app", "{}", "{app}", '{app="x"', '{app=="x"}', "{app='x'}", '|= "x"'])
def test_what_is_no_selector(text: str) -> None:
    assert parse_selector(text) is None


@pytest.mark.parametrize(
    ("matcher", "takes"),
    [
        ('a="x"', False),
        ('a=""', True),
        ('a!="x"', True),
        ('a!=""', False),
        ('a=~"x.*"', False),
        ('a=~".*"', True),
        ('a!~"x"', True),
        ('a!~".*"', False),
        ('a=~"("', False),
        ('a=~"[[a]"', False),
        ('a=~"x{99999999999}"', False),
    ],
)
def test_an_absent_label_counts_as_empty(matcher: str, takes: bool) -> None:
    selector = parse_selector(f"{{{matcher}}}")
    assert selector is not None
    assert selector.matchers[0].takes_absent is takes
