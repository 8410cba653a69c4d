"""The page as a person sees it: in a browser, from a file, in both themes, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from chromium import running_chromium
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request
from support import HANGS_AFTER_S
from test_reports import (
    AS_OF,
    DRAWN,
    HOSTILE,
    LIVES,
    SETTINGS,
    Eaten,
    Life,
    Workout,
    believable_marts,
    report_of,
)

from fitness_buddy.report import charts
from fitness_buddy.report.data import load_report
from fitness_buddy.report.html import render_html

Theme: TypeAlias = Literal["light", "dark"]
WIDTHS_PX = {"wide": 1280, "narrow": 390}
# Fewer marks than this and the chart has lost its data (two years of it are there).
LEAST_MARKS = {"week-distance": 24, "year": 180, "steps": 70, "macro-day": 3, "macro-month": 60, "coverage": 270}
COUNT_MARKS = """name => document.querySelectorAll(
    `#chart-${name} svg .role-mark:not(.role-axis *):not(.role-legend *) path, #chart-${name} svg .role-mark text`
).length"""


@dataclass
class Opened:
    """A page that has drawn its charts, and whatever went wrong on the way."""

    page: Page
    troubles: list[str] = field(default_factory=list)

    def listen(self, file: Path) -> None:
        """Note errors, dialogs and every request but the file's own."""
        note = self.troubles.append

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                note(message.text)

        def on_dialog(dialog: Dialog) -> None:
            note(f"dialog: {dialog.message}")
            dialog.dismiss()

        def on_request(request: Request) -> None:
            if not request.url.startswith((file.as_uri(), "data:", "blob:")):
                note(f"request: {request.url}")

        self.page.on("console", on_console)
        self.page.on("dialog", on_dialog)
        self.page.on("request", on_request)
        self.page.on("pageerror", lambda error: note(str(error)))

    def wait(self, drawn: str) -> None:
        self.page.wait_for_selector(f'html[data-drawn="{drawn}"]', timeout=HANGS_AFTER_S * 1000, state="attached")

    def marks(self, name: str) -> int:
        count = self.page.evaluate(COUNT_MARKS, name)
        assert isinstance(count, int)
        return count


Open: TypeAlias = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open a file and collect console errors, page errors and every request but the file's own."""
    contexts = []

    def open_file(file: Path, width: str = "wide", theme: Theme = "light") -> Opened:
        # Far behind UTC: there a day taken for UTC midnight would slip to the day before.
        context = browser.new_context(
            viewport={"width": WIDTHS_PX[width], "height": 900},
            color_scheme=theme,
            timezone_id="America/Los_Angeles",
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.listen(file)
        opened.page.goto(file.as_uri())
        opened.wait(f"{theme} {width}")
        return opened

    yield open_file
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    file = folder / "report.html"
    file.write_text(render_html(load_report(believable_marts(folder), SETTINGS, None)), encoding="utf-8")
    return file


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS_PX)
def test_every_chart_is_drawn_and_nothing_is_fetched(
    open_page: Open, report_file: Path, width: str, theme: Theme
) -> None:
    opened = open_page(report_file, width, theme)
    marks = {name: opened.marks(name) for name in charts.CHARTS}
    assert {name: count for name, count in marks.items() if count < LEAST_MARKS[name]} == {}
    assert opened.troubles == []
    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(244, 246, 249)", "dark": "rgb(17, 21, 27)"}[theme]


@pytest.mark.parametrize("width", WIDTHS_PX)
def test_nothing_is_wider_than_its_place(open_page: Open, report_file: Path, width: str) -> None:
    page = open_page(report_file, width).page
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS_PX[width]
    too_wide = page.evaluate(
        """[...document.querySelectorAll('.chart svg, table, .card, section')]
            .filter(e => e.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right + 1)
            .map(e => e.parentElement.id || e.className)"""
    )
    assert too_wide == []
    # The words of a chart lie inside its picture.
    cut = page.evaluate(
        """[...document.querySelectorAll('.chart svg text:not([opacity="0"])')].filter(t => {
            const words = t.getBoundingClientRect(), picture = t.ownerSVGElement.getBoundingClientRect();
            return words.left < picture.left - 1 || words.right > picture.right + 1
                || words.top < picture.top - 1 || words.bottom > picture.bottom + 1;
        }).map(t => t.textContent)"""
    )
    assert cut == []


def test_charts_follow_the_theme_and_the_width(open_page: Open, report_file: Path) -> None:
    opened = open_page(report_file)
    label_colour = "document.querySelector('#chart-steps .role-axis-label text').getAttribute('fill')"
    light = opened.page.evaluate(label_colour)
    opened.page.emulate_media(color_scheme="dark")
    opened.wait("dark wide")
    assert opened.page.evaluate(label_colour) != light
    weeks = opened.marks("year")
    opened.page.set_viewport_size({"width": 390, "height": 900})
    opened.wait("dark narrow")
    assert opened.marks("year") < weeks
    assert opened.troubles == []


def test_the_browser_s_timezone_moves_no_day(open_page: Open, report_file: Path) -> None:
    page = open_page(report_file).page
    labels = page.eval_on_selector_all("#chart-coverage .role-axis-label text", "all => all.map(e => e.textContent)")
    assert "19 Oct" in labels  # a Monday


def test_hovering_shows_the_value(open_page: Open, report_file: Path) -> None:
    page = open_page(report_file).page
    page.locator("#chart-week-distance svg .mark-rect path").first.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "km" in page.inner_text("#vg-tooltip-element")


def test_foreign_text_does_nothing_in_the_browser(open_page: Open, tmp_path: Path) -> None:
    life = Life([Workout(AS_OF, "run", 5000, 30, name=HOSTILE)], {}, [Eaten(AS_OF, 50, 20, 10, HOSTILE)])
    file = tmp_path / "report.html"
    file.write_text(render_html(report_of(tmp_path, life)), encoding="utf-8")
    opened = open_page(file)
    assert opened.troubles == []
    assert HOSTILE in opened.page.inner_text("#training")
    assert HOSTILE in opened.page.inner_text("#food")


def test_a_script_that_got_in_would_not_run(open_page: Open, report_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    page = report_file.read_text(encoding="utf-8")
    file.write_text(page.replace("<main>", "<main><script>alert(1)</script>", 1), encoding="utf-8")
    opened = open_page(file)
    assert not any(trouble.startswith("dialog") for trouble in opened.troubles)
    assert any("Content Security Policy" in trouble for trouble in opened.troubles)


@pytest.mark.parametrize("name", LIVES)
def test_other_lives_draw_what_they_have(open_page: Open, tmp_path: Path, name: str) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_html(report_of(tmp_path, LIVES[name])), encoding="utf-8")
    opened = open_page(file, "narrow", "dark")
    assert [chart for chart in DRAWN[name] if opened.marks(chart) == 0] == []
    assert opened.troubles == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == WIDTHS_PX["narrow"]
