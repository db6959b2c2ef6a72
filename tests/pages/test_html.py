"""Whatever a text holds, a browser shows it as text."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from shipper.pages.html import element, joined, lines, printable

HOSTILE = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onload='x", "&lt;b&gt;", "]]><!--", "\u202eevil"]
)


class Seen(HTMLParser):
    """What is in a document: its elements, their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(markup: str) -> Seen:
    parser = Seen()
    parser.feed(markup)
    parser.close()
    return parser


@given(HOSTILE, HOSTILE)
def test_a_text_is_text_and_a_value_is_a_value(text: str, value: str) -> None:
    found = seen(element("p", text, title=value))
    assert (found.tags, found.attributes, found.text) == (["p"], [("title", printable(value))], printable(text))


@given(HOSTILE)
def test_what_is_written_can_be_sent_and_steers_nothing(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode("utf-8").decode() == shown


def test_what_is_none_or_false_is_left_out() -> None:
    assert element("option", None, "a", value="b", selected=False, title=None) == '<option value="b">a</option>'
    assert element("p", hidden=True, class_="x", data_label=1) == '<p hidden class="x" data-label="1"></p>'
    assert joined("a", None, element("br"), 3) == "a<br>3"


def test_lines_stay_lines() -> None:
    assert lines(["a <b>", "c"]) == "a &lt;b&gt;\nc\n"
