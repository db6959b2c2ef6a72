"""What a body says, for a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.sink.answers.page import described, readable

LOGIN = "<!doctype html><html><head><title>\n Sign in &lt;Acme&gt; </title></head><body>form</body></html>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no org id\n", "no org id"),
        ("one;\ntwo\t\x00three", "one; two three"),
        (LOGIN, "Sign in Acme"),
        ("\ufeff\r\n<html><head><TITLE lang=en>502 Bad Gateway</TITLE></head>", "502 Bad Gateway"),
        (
            "<html><head><style>h1 {}</style><script>x < 1</script></head><h1>Down</h1><!-- a --> for now",
            "Down for now",
        ),
        ("<html><script>never ends", ""),
        ('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "AccessDenied"),
        ("<", ""),
    ],
)
def test_a_body_is_one_line_without_tags(text: str, shown: str) -> None:
    assert readable(text) == shown


@given(st.text() | st.text(alphabet="<>/a\n&;ltgscrip!-").map(lambda text: f"<{text}"))
def test_a_page_of_any_text_is_one_printable_line(text: str) -> None:
    shown = readable(text, "text/html")
    assert not set("<>\n\x00") & set(shown)
    assert shown == shown.strip()


@pytest.mark.parametrize(
    ("text", "content_type", "shown"),
    [
        (LOGIN, "text/html; charset=utf-8", 'a login page ("Sign in Acme")'),
        ('<html><form><input type="password"></form></html>', "", "a login page"),
        ("<html><title>Grafana</title></html>", "text/html", 'a web page ("Grafana")'),
        ("Please log in", "text/html", 'a login page ("Please log in")'),
        ('{"output":[]}', "application/json", 'application/json that begins "{"output":[]}"'),
        ("ok\n", "", 'an answer without a content type that begins "ok"'),
        ("", "text/plain", "an empty answer"),
        ("x", "<evil>", 'an answer without a content type that begins "x"'),
    ],
)
def test_what_answered_instead_of_loki(text: str, content_type: str, shown: str) -> None:
    assert described(text, content_type) == shown
