"""The site as a person meets it: every page in a browser, on a phone and on a desk, in both themes, with axe."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import running_chromium
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    expect,
)
from serve_load import RunningSite, compared, running_site
from support import HANGS_AFTER_S, REPOSITORY, Demo
from test_reports import HOSTILE

NOW = "2026-11-02T09:00:00+01:00"
WIDTHS_PX = {"phone": 375, "desk": 1280}
LOOKS = [("phone", "dark"), ("desk", "light")]
# Every page, and the filters with another chart or a list of another length.
ADDRESSES = (
    "/",
    "/?date=2026-09-27",
    "/training",
    "/training?span=all",
    "/activities",
    "/activities?sport=run&sort=-load&page=2",
    "/activity/{recorded}",
    "/steps",
    "/steps?span=all",
    "/nutrition",
    "/nutrition?span=1y",
    "/records",
    "/year/2025",
    "/quality",
    "/load",
    "/nothing",
    "/training?span=x",
)


def environment_of(demo: Demo) -> dict[str, str]:
    return {**demo.environment, "BUDDY_PROJECT_DIR": str(REPOSITORY), "BUDDY_ATHLETE": "demo"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def site(demo: Demo) -> Iterator[RunningSite]:
    with running_site(environment_of(demo), "--now", NOW) as running:
        yield running


@pytest.fixture(scope="module")
def recorded(demo: Demo) -> str:
    """The id of an activity with a route, power and heart rate."""
    rows = demo.query(
        "select activity_id from marts.fct_activity_streams_summary where polyline is not null "
        "order by average_power_w desc nulls last limit 1"
    )
    return str(rows[0]["activity_id"])


def opened(browser: Browser, site: RunningSite, width: str = "desk", theme: Any = "light") -> tuple[Page, list[str]]:
    """Return a page that the site has let in, and what will go wrong on it."""
    context: BrowserContext = browser.new_context(
        viewport={"width": WIDTHS_PX[width], "height": 900}, color_scheme=theme, reduced_motion="reduce"
    )
    page, troubles = context.new_page(), list[str]()

    def on_request(request: Request) -> None:
        if not request.url.startswith((f"http://{site.host}/", "data:")):
            troubles.append(f"request: {request.url}")

    def on_console(message: ConsoleMessage) -> None:
        # Pages of errors have the status of an error, of which the browser writes as well.
        if "Failed to load resource" not in message.text:
            troubles.append(message.text)

    def on_dialog(dialog: Dialog) -> None:
        troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("request", on_request)
    page.on("console", on_console)
    page.on("dialog", on_dialog)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(site.address)
    return page, troubles


def draw_all(page: Page) -> list[int]:
    """Scroll through the page, as pictures load late; return their widths in pixels."""
    page.evaluate("document.querySelectorAll('img').forEach(picture => picture.scrollIntoView())")
    page.evaluate(
        "Promise.all([...document.images].map(picture => picture.complete"
        " || new Promise(resolve => { picture.onload = picture.onerror = resolve; })))"
    )
    found: list[int] = page.evaluate("[...document.images].map(picture => picture.naturalWidth)")
    return found


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_every_page_is_whole_fits_and_passes_axe(
    browser: Browser, site: RunningSite, recorded: str, width: str, theme: str
) -> None:
    page, troubles = opened(browser, site, width, theme)
    wrong: dict[str, object] = {}
    for address in ADDRESSES:
        page.goto(f"http://{site.host}{address.format(recorded=recorded)}")
        pictures = draw_all(page)
        if page.evaluate("document.documentElement.scrollWidth") > WIDTHS_PX[width]:
            wrong[f"{address} is wider than the screen"] = page.evaluate(
                "[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
                ".map(e => e.outerHTML.slice(0, 90))"
            )
        if any(picture != (340 if width == "phone" else 1040) for picture in pictures):
            wrong[f"{address} has pictures of other widths"] = pictures
        if any(not alt for alt in page.eval_on_selector_all("img", "all => all.map(one => one.alt)")):
            wrong[f"{address} has a picture without a text"] = True
        checked = Axe().run(page).response
        assert len(checked["passes"]) > 15
        if violations := checked["violations"]:
            wrong[f"{address} by axe"] = [(one["id"], one["nodes"][0]["html"][:120]) for one in violations]
    page.context.close()
    assert (wrong, troubles) == ({}, [])


def test_one_picture_has_both_themes(browser: Browser, site: RunningSite) -> None:
    page, troubles = opened(browser, site)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    corners = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.goto(f"http://{site.host}/")
        draw_all(page)
        with Image.open(io.BytesIO(page.locator("img").first.screenshot())) as picture:
            corners.append(picture.convert("RGB").getpixel((2, 2)))
    assert corners == [(255, 255, 255), (26, 31, 39)]
    assert len({url for url in requests if "/picture/overview/distance" in url}) == 1
    page.context.close()
    assert troubles == []


def test_filters_are_in_the_address_and_stay_when_the_page_turns(browser: Browser, site: RunningSite) -> None:
    page, troubles = opened(browser, site)
    page.goto(f"http://{site.host}/activities")
    page.locator("select[name=sport]").select_option("ride")
    page.locator("select[name=sort]").select_option("-distance")
    page.locator("input[name=from]").fill("2025-01-01")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"/activities\?from=2025-01-01&to=&sport=ride&gear=&sort=-distance$"))
    kilometres = page.locator("td[data-label=Distance]").all_inner_texts()
    assert kilometres[0] == "202.5 km"
    page.get_by_role("link", name="page 2 →").click()
    expect(page).to_have_url(re.compile(r"\?from=2025-01-01&page=2&sort=-distance&sport=ride$"))
    expect(page.locator("select[name=sport]")).to_have_value("ride")
    page.context.close()
    assert troubles == []


def test_the_keyboard_reaches_content_and_pages(browser: Browser, site: RunningSite) -> None:
    page, _ = opened(browser, site)
    page.keyboard.press("Tab")
    expect(page.get_by_text("To the content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Overview")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Training")
    page.context.close()


def test_text_of_others_does_nothing_on_any_page(browser: Browser, demo: Demo, tmp_path: Path) -> None:
    file = shutil.copy(demo.duckdb_path, tmp_path / "hostile.duckdb")
    with duckdb.connect(str(file)) as connection:
        for table, column in (
            ("fct_activities", "name"),
            ("fct_activities", "gear_id"),
            ("fct_gear_distance", "gear_id"),
            ("dim_gear", "gear_id"),
            ("fct_meals", "description"),
            ("fct_daily_steps", "step_source"),
            ("fct_source_coverage", "source"),
        ):
            connection.execute(f"update marts.{table} set {column} = ?", [HOSTILE])
        connection.execute(
            "update raw.activity_file_loads set outcome = 'refused', reason = ?, file_name = ?", [HOSTILE] * 2
        )
        ((activity_id,),) = connection.execute("select max(activity_id) from marts.fct_activities").fetchall()
    with running_site({**environment_of(demo), "BUDDY_DUCKDB_PATH": str(file)}, "--now", NOW) as hostile:
        page, troubles = opened(browser, hostile)
        shown = 0
        for address in ADDRESSES:
            page.goto(f"http://{hostile.host}{address.format(recorded=activity_id)}")
            draw_all(page)
            shown += HOSTILE in page.inner_text("body")
        page.context.close()
    assert troubles == []
    assert shown >= 6


# Loading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_site(demo: Demo, project: Path, tmp_path: Path) -> Iterator[RunningSite]:
    """A server over a copy of the demo, which a test may change; it takes files up to 1 MB."""
    shutil.copy(demo.duckdb_path, project / "data" / "buddy.duckdb")
    shutil.copytree(demo.folder / "state", tmp_path / "serve_state")
    environment = {
        "BUDDY_ATHLETE": "demo",
        "BUDDY_PROJECT_DIR": str(project),
        "BUDDY_STATE_DIR": str(tmp_path / "serve_state"),
        "TMPDIR": str(tmp_path),
    }
    with running_site(environment, "--now", NOW, "--max-upload-mb", "1") as running:
        yield running


@pytest.mark.slow
def test_a_dropped_file_is_loaded_built_and_shown(browser: Browser, own_site: RunningSite, tmp_path: Path) -> None:
    page, troubles = opened(browser, own_site)
    for name, text, words in (
        ("steps.csv", "date,steps\n2026-11-02,12345\n", "Loaded: steps.csv"),
        ("steps.csv", "date,steps\n2026-11-02,12345\n", "Nothing to build"),
        ("broken.csv", "date,steps\n2026-11-02,many\n", "Not all was loaded: broken.csv"),
        ("holiday.jpg", "no such thing", "Not all was loaded: holiday.jpg"),
    ):
        page.get_by_role("link", name="Load files").click()
        page.get_by_label("Drop a file here").set_input_files({"name": name, "mimeType": "", "buffer": text.encode()})
        page.get_by_role("button", name="Load").click()
        expect(page.locator("main")).to_contain_text(words, timeout=HANGS_AFTER_S * 1000)
    assert "/tmp" not in page.inner_text("main")
    assert list(tmp_path.glob("buddy-load-*")) == []
    page.goto(f"http://{own_site.host}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Monday 2 November 2026")
    expect(page.locator("#steps")).to_contain_text("12,345")
    page.context.close()
    assert troubles == []


def form(content: bytes) -> tuple[bytes, dict[str, str]]:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="steps.csv"\r\n\r\n' + content + b"\r\n--b--\r\n"
    )
    return body, {"Content-Type": "multipart/form-data; boundary=b"}


def test_a_form_of_others_a_large_one_and_one_without_a_file_are_refused(own_site: RunningSite) -> None:
    client = own_site.client()
    action = client.get("/load").body.partition('<form action="')[2].partition('"')[0]
    body, headers = form(b"date,steps\n2026-11-02,1\n")
    own: Mapping[str, str] = {"Origin": f"http://{own_site.host}", **headers}

    def status(path: str, content: bytes, stated: Mapping[str, str]) -> int:
        return client.request("POST", path, content, stated).status

    assert status(action, body, headers) == 403
    assert status(action, body, {**own, "Origin": "http://evil.example"}) == 403
    assert status("/load", body, own) == 403
    assert status("/load?csrf=" + "0" * 64, body, own) == 403
    assert status(action, b"", {**own, "Content-Type": "text/plain"}) == 400
    assert status(action, b"--b--\r\n", own) == 400
    assert status(action, form(b"x" * 1_000_001)[0], own) == 413
    client = own_site.client()  # after a refusal by size the server has closed the connection
    assert "Loading" not in client.get("/load").body
    assert client.get("/load", Host="evil.example").status == 421


def test_a_stranger_is_not_let_in(site: RunningSite) -> None:
    client = site.client()
    client.cookie = ""
    for path in ("/", "/activities", "/site.css", "/load", "/picture/overview/distance-wide.svg", "/?token=wrong"):
        answer = client.get(path)
        assert (answer.status, "demo" in answer.body) == (403, False)


def test_each_wrong_address_has_its_status(site: RunningSite) -> None:
    client = site.client()
    statuses = {
        "/?date=1999-01-01": 400,
        "/steps?span=4w&span=1y": 400,
        "/training?sport=run": 400,
        "/activity/nothing": 404,
        "/activity/a%2Fb": 404,
        "/year/1999": 404,
        "/picture/overview/nothing-wide.svg": 404,
        "/picture/overview/distance-huge.svg": 404,
        "/nothing": 404,
        "//evil.example/": 404,
    }
    assert {path: client.get(path).status for path in statuses} == statuses


def test_it_listens_on_loopback_only(site: RunningSite) -> None:
    port = int(site.host.partition(":")[2])
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{site.process.pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_the_load_run_walks_pages_and_pictures(demo: Demo) -> None:
    table = compared(environment_of(demo), rounds=1, longest=20)
    assert "| pages, first time | 20 |" in table
    assert "| pictures, first time |" in table
