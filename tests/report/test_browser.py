"""The report in a real browser: nothing sticks out at 400 pixels, every text can be read, in light and in dark."""

from pathlib import Path

import pytest

from lab import browser
from shipper.report.model import Report
from shipper.report.page import page
from tests.pages.readable import check
from tests.report.hostile import hostile


@pytest.mark.skipif(browser.command() is None, reason=browser.MISSING)
async def test_it_fits_and_can_be_read_on_every_screen(few: Report, both: Report, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    async with browser.tab() as tab:
        for report in (few, both, hostile(few)):
            file.write_text(page(report), "utf-8")
            await check(tab, file.as_uri())
