"""Take the README's pictures of the demo's report again: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))

from chromium import find_chromium  # noqa: E402

REPORT = REPOSITORY / "data" / "demo" / "report.html"
WIDTH_PX = 1160
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> None:
    """Take a picture of the top of the report in both themes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for theme in THEMES:
            page = browser.new_page(viewport={"width": WIDTH_PX, "height": 900}, color_scheme=theme)
            page.goto(REPORT.as_uri())
            # Without the table of the week, the picture shows the cards and, below them, the charts.
            page.evaluate("document.querySelector('section:has(table):not(:has(.chart))').remove()")
            page.wait_for_timeout(1000)
            height = page.evaluate(
                "document.querySelector('section:has(#chart-steps)').getBoundingClientRect().bottom + 24"
            )
            page.screenshot(
                path=REPOSITORY / "docs" / "images" / f"report-{theme}.png",
                full_page=True,
                clip={"x": 0, "y": 0, "width": WIDTH_PX, "height": height},
            )
        browser.close()


if __name__ == "__main__":
    main()
