"""Take the README's pictures of the demo's report and site again: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path += [str(REPOSITORY / "tests" / "support"), str(REPOSITORY / "benchmarks")]

from chromium import find_chromium  # noqa: E402
from serve_load import running_site  # noqa: E402

REPORT = REPOSITORY / "data" / "demo" / "report.html"
WIDTH_PX = 1160
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> None:
    """Take a picture of the top of the report and of a page of the site, in both themes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        take_site(browser)
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


def take_site(browser: Browser) -> None:
    with running_site({"BUDDY_ATHLETE": "demo"}) as site:
        for theme in THEMES:
            page = browser.new_page(viewport={"width": WIDTH_PX, "height": 1000}, color_scheme=theme)
            page.goto(site.address)
            page.goto(f"http://{site.host}/training?span=12w")
            page.evaluate("document.querySelectorAll('img').forEach(picture => { picture.loading = 'eager'; })")
            page.wait_for_load_state("networkidle")
            bottom = page.evaluate("document.querySelectorAll('section')[1].getBoundingClientRect().bottom + 16")
            page.screenshot(
                path=REPOSITORY / "docs" / "images" / f"site-{theme}.png",
                full_page=True,
                clip={"x": 0, "y": 0, "width": WIDTH_PX, "height": bottom},
            )


if __name__ == "__main__":
    main()
