"""A browser gets a page, everything else gets data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pages.accept import wants_html

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("accept", [FIREFOX, CHROME, "text/html", "TEXT/HTML", "text/*, application/json;q=0.5"])
def test_a_browser_wants_a_page(accept: str) -> None:
    assert wants_html(accept)


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "application/json", "application/json, text/html", "text/html;q=0", "text/html;q=x", "text/plain",
     "application/json, text/plain, */*", "text/html;q=0.5, application/json"],
)  # fmt: skip
def test_a_program_wants_data(accept: str) -> None:
    assert not wants_html(accept)


@given(st.text())
def test_no_header_is_an_error(accept: str) -> None:
    wants_html(accept)
