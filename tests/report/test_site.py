"""The pages of the site: their numbers, their filters, and the folder in which every link leads somewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import Answer, Demo, run_buddy

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.core.weeks import FIRST_DAYS
from fitness_buddy.report.data import ActiveDay, BuiltRange, Coverage
from fitness_buddy.report.site.filters import SPANS, Days, Filters
from fitness_buddy.report.site.folder import write_site
from fitness_buddy.report.site.page import NoSuchPageError
from fitness_buddy.report.site.periods import starts_of
from fitness_buddy.report.site.quality import find_gaps
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.report.site.render import PAGES, read, render
from fitness_buddy.report.year import load_year
from fitness_buddy.serve.views import ServerLinks
from fitness_buddy.warehouse import connect

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
NAMES = [name for name, page in PAGES.items() if not page.key]
BUILT = BuiltRange(
    timezone=ZoneInfo("Europe/Berlin"),
    week_began=FIRST_DAYS["monday"],
    has_own_settings=True,
    first_day=date(2024, 11, 2),
    as_of_day=date(2026, 11, 1),
    coverage=(),
)
OpenSite = Callable[[Path], SiteReader]


@pytest.fixture
def open_site(monkeypatch: pytest.MonkeyPatch) -> OpenSite:
    def opened(duckdb_path: Path) -> SiteReader:
        monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(duckdb_path))
        of_demo = load_settings(athlete_id="demo")
        return SiteReader(connect(of_demo), of_demo, NOW)

    return opened


@pytest.fixture
def site(demo: Demo, open_site: OpenSite) -> SiteReader:
    return open_site(demo.duckdb_path)


def html_of(site: SiteReader, name: str, **query: str) -> str:
    return render(site, ServerLinks(), name, query, read(site, name, query))


# Filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"sprot": "run"}, "no filter 'sprot'"),
        ({"sport": "chess"}, "expected one of run"),
        ({"from": "2026-13-01"}, "expected a day"),
        ({"from": "20261101"}, "expected a day"),
        ({"from": "2026-11-01", "to": "2026-10-01"}, "is after"),
        ({"to": "2020-01-01"}, "nothing is built"),
        ({"span": "4w", "from": "2026-10-01"}, "not both"),
        ({"span": "5w"}, "expected one of 4w"),
        ({"page": "0"}, "whole number from 1"),
        ({"page": "99999"}, "there are"),
        ({"sort": "name; drop table"}, "expected one of"),
        ({"gear": "no such shoe"}, "no activity has it"),
    ],
)
def test_a_wrong_filter_is_refused_with_what_is_right(site: SiteReader, query: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        read(site, "activities", query)


@given(
    st.dictionaries(
        st.sampled_from(["from", "to", "span"]),
        st.one_of(
            st.dates(date(2020, 1, 1), date(2030, 1, 1)).map(str),
            st.sampled_from([*SPANS, "", "x"]),
            st.text(max_size=12),
        ),
    ),
    st.sampled_from(list(SPANS)),
)
def test_days_are_within_the_built_range_or_refused(query: dict[str, str], default: str) -> None:
    try:
        days = Filters(query, ("from", "to", "span")).days(BUILT, default)
    except UsageError:
        return
    assert BUILT.first_day <= days.first <= days.last <= BUILT.as_of_day
    if query.get("from"):
        assert days.first == max(date.fromisoformat(query["from"]), BUILT.first_day)
    elif not query.get("to"):
        number = SPANS[query.get("span") or default]
        assert days.last == BUILT.as_of_day
        assert number is None or days.number <= number


@given(
    st.dates(date(2000, 1, 1), date(2040, 1, 1)),
    st.integers(0, 4000),
    st.sampled_from(["week", "month", "year"]),
    st.sampled_from(sorted(FIRST_DAYS.values())),
)
def test_every_day_is_in_one_period(first: date, more: int, unit: str, began: date) -> None:
    days = Days(first, first + timedelta(days=more), "")
    starts = starts_of(days, unit, began)
    assert starts == sorted(set(starts))
    assert starts[0] <= days.first
    assert starts[-1] <= days.last
    longest = {"week": 7, "month": 31, "year": 366}[unit]
    assert all(0 < (later - earlier).days <= longest for earlier, later in pairwise(starts))
    assert (days.last - starts[-1]).days < longest


# Numbers ----------------------------------------------------------------------------------------------------------


def test_the_pages_of_the_list_have_every_activity_once(site: SiteReader, demo: Demo) -> None:
    ids: list[str] = []
    pages = read(site, "activities", {}).values["pages"]
    for number in range(1, pages + 1):
        ids += [row["activity_id"] for row in read(site, "activities", {"page": str(number)}).values["rows"]]
    rows = demo.query("select activity_id from marts.fct_activities where athlete_id = 'demo' and not is_transition")
    assert sorted(ids) == sorted(row["activity_id"] for row in rows)
    assert pages > 1


@pytest.mark.parametrize("sort", ["date", "distance", "time", "climb", "heartrate", "load"])
def test_the_list_is_sorted_over_all_pages_and_what_is_unknown_comes_last(site: SiteReader, sort: str) -> None:
    columns = {"date": "started_at", "time": "moving_time_s", "load": "training_load"}
    columns |= {"distance": "distance_m", "climb": "elevation_gain_m", "heartrate": "average_heartrate_bpm"}
    for word in (sort, f"-{sort}"):
        pages = [read(site, "activities", {"sort": word, "page": page}) for page in ("1", "2")]
        values = [row[columns[sort]] for content in pages for row in content.values["rows"]]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=word.startswith("-"))
        assert values[: len(known)] == known


def test_filters_select_what_sql_selects(site: SiteReader, demo: Demo) -> None:
    query = {"sport": "run", "gear": "Alltagstreter", "from": "2026-01-01", "to": "2026-06-30"}
    totals = read(site, "activities", query).values["totals"]
    (expected,) = demo.query(
        "select count(*) as activities, sum(distance_m) as distance_m from marts.fct_activities "
        "where athlete_id = 'demo' and sport_family = 'run' and gear_id = 'Alltagstreter' and not is_transition "
        "and activity_date between date '2026-01-01' and date '2026-06-30'"
    )
    assert totals["activities"] == expected["activities"] > 10
    assert float(totals["distance_m"]) == pytest.approx(expected["distance_m"])


@pytest.mark.parametrize("span", SPANS)
def test_the_sums_of_periods_are_those_of_all_days(site: SiteReader, span: str) -> None:
    steps = read(site, "steps", {"span": span}).values
    assert sum(row["observed"] for row in steps["periods"]) == steps["whole"]["observed"] > 0
    assert sum(row["goal_days"] for row in steps["periods"]) == steps["whole"]["goal_days"]
    mean = sum(row["mean"] * row["observed"] for row in steps["periods"]) / steps["whole"]["observed"]
    assert mean == pytest.approx(steps["whole"]["mean"])
    meals = read(site, "nutrition", {"span": span}).values
    assert sum(row["days"] for row in meals["periods"]) == meals["whole"]["days"] > 0


def test_a_year_has_the_sums_of_its_activities(site: SiteReader, demo: Demo) -> None:
    with site.marts() as marts:
        years = [load_year(marts.reader, site.settings, marts.built, year) for year in (2024, 2025, 2026)]
    rows = demo.query(
        "select extract(year from activity_date) as year, count(*) as activities, sum(moving_time_s) as moving_time_s "
        "from marts.fct_activities where athlete_id = 'demo' group by 1 order by 1"
    )
    assert [year.is_complete for year in years] == [True, True, False]
    for year, row in zip(years, rows, strict=True):
        total = year.totals[0]
        assert (year.year, total["activities"], total["moving_time_s"]) == tuple(map(int, row.values()))
        assert sum(one["activities"] for one in year.totals[1:]) == total["activities"]
        assert sum(one["moving_time_s"] for one in year.months) == total["moving_time_s"]
        assert sum(day.activities for day in year.days) == total["activities"]
    # 2026 is not over, and 2024 begins in November: neither is compared.
    assert {line[3] for year in years for line in year.lines} == {"–"}


@pytest.mark.parametrize(
    ("first_day", "as_of_day", "is_compared"),
    [
        (date(2024, 1, 1), date(2025, 12, 31), True),
        (date(2020, 5, 1), date(2026, 1, 1), True),
        (date(2024, 1, 2), date(2025, 12, 31), False),
        (date(2024, 1, 1), date(2025, 12, 30), False),
    ],
)
def test_only_whole_years_are_compared(site: SiteReader, first_day: date, as_of_day: date, is_compared: bool) -> None:
    with site.marts() as marts:
        built = replace(marts.built, first_day=first_day, as_of_day=as_of_day)
        year = load_year(marts.reader, site.settings, built, 2025)
    assert {line[3] == "–" for line in year.lines} == {not is_compared}


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.integers(0, 70))
def test_gaps_are_exactly_the_days_without_a_record_since_the_first(held: list[tuple[bool, bool]], since: int) -> None:
    begin = date(2026, 1, 1)
    days = [ActiveDay(begin + timedelta(days=n), 0, 0, 0, *one) for n, one in enumerate(held)]
    first = begin + timedelta(days=since)
    covers = [Coverage("a", area, 1, first, first, 1, 0, None) for area in ("steps", "meals")]
    gaps = find_gaps(days, covers)
    missing = [
        (area, row.day)
        for area, is_held in (("steps", "has_steps"), ("meals", "has_meals"))
        for row in days
        if row.day >= first and not getattr(row, is_held)
    ]
    listed = [(gap.area, gap.first + timedelta(days=n)) for gap in gaps for n in range(gap.days)]
    assert sorted(listed) == sorted(missing)
    assert find_gaps(days, []) == []


# Pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_no_page_has_a_script_a_style_of_its_own_or_an_address_elsewhere(site: SiteReader, name: str) -> None:
    html = html_of(site, name)
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://", html)
    assert "demo" in html


def test_an_activity_that_is_not_there_is_no_page(site: SiteReader) -> None:
    for query in ({"id": "nothing"}, {"id": "'; drop table x"}, {}):
        with pytest.raises(NoSuchPageError):
            read(site, "activity", query)
    with pytest.raises(NoSuchPageError):
        read(site, "year", {"year": "1999"})
    with pytest.raises(NoSuchPageError):
        read(site, "nothing", {})


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(PAGES)),
    st.dictionaries(
        st.sampled_from(["from", "to", "span", "sport", "gear", "sort", "page", "id", "year", "date"]),
        st.one_of(st.text(max_size=10), st.sampled_from(["2026-01-01", "4w", "run", "-load", "2", "2025"])),
        max_size=3,
    ),
)
def test_any_address_is_a_page_or_is_refused(site: SiteReader, name: str, query: dict[str, str]) -> None:
    try:
        content = read(site, name, query)
    except UsageError as error:
        assert str(error)
    else:
        assert render(site, ServerLinks(), name, query, content)


def test_the_route_of_an_activity_is_cut_at_a_privacy_zone(demo: Demo, tmp_path: Path, open_site: OpenSite) -> None:
    file = Path(shutil.copy(demo.duckdb_path, tmp_path / "zones.duckdb"))
    with duckdb.connect(str(file)) as connection:
        ((activity_id, latitude, longitude),) = connection.execute(
            "select activity_id, max_latitude_deg, (min_longitude_deg + max_longitude_deg) / 2 "
            "from marts.fct_activity_streams_summary where polyline is not null order by activity_date desc limit 1"
        ).fetchall()
    whole = html_of(open_site(file), "activity", id=activity_id)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "insert into staging.privacy_zones by name "
            "select 'demo' as athlete_id, ? as latitude_deg, ? as longitude_deg, 400 as radius_m",
            [latitude, longitude],
        )
    cut = html_of(open_site(file), "activity", id=activity_id)
    points = [
        sum(len(line.split()) for line in re.findall(r'<polyline points="([^"]+)"', html)) for html in (whole, cut)
    ]
    assert 0 < points[1] < points[0]
    assert f"{latitude:.3f}" not in whole + cut


# The folder -------------------------------------------------------------------------------------------------------


def links_of(file: Path) -> list[str]:
    found = re.findall(r'(?:href|src|srcset)="([^"]+)"', file.read_text())
    return [unescape(link) for link in found if not link.startswith(("#", "data:"))]


@pytest.mark.slow
def test_every_link_of_the_folder_leads_to_a_file_and_every_file_is_linked(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / "site").mkdir(parents=True)
    for old in ("index.html", "site/site.css", "site/activity--id-deleted.html"):
        (folder / old).write_text("of before")
    answer = run_buddy("report", "--site", folder, "--json", "--athlete", "demo", environment=demo.environment)
    assert answer.exit_code == 0, answer.errors
    files = {path for path in folder.rglob("*") if path.is_file()}
    pages = {path for path in files if path.suffix == ".html"}
    assert len(pages) == answer.json["pages"] > 500
    linked = {(page.parent / link).resolve() for page in pages for link in links_of(page)}
    assert linked == {path.resolve() for path in files}
    activities = demo.query("select count(*) as n from marts.fct_activities where athlete_id = 'demo'")
    assert sum(path.name.startswith("activity--") for path in pages) == activities[0]["n"]


def test_a_folder_with_other_files_is_left_alone(site: SiteReader, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UsageError, match=r"index\.html that is no site"):
        write_site(site, tmp_path)
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match="has other files"):
        write_site(site, tmp_path)
    assert (tmp_path / "diary.txt").read_text() == (tmp_path / "index.html").read_text() == "mine"


def test_what_excludes_each_other_is_refused(buddy: Callable[..., Answer], tmp_path: Path) -> None:
    for words in (["--site", tmp_path, "daily-steps"], ["daily-steps", "2026"], ["year", "--post"]):
        assert buddy("report", *words).exit_code == 2


def test_a_year_is_a_page_without_scripts(demo: Demo, tmp_path: Path) -> None:
    page = tmp_path / "year.html"
    answer = run_buddy(
        *("report", "year", "2025", "--html", page, "--json", "--athlete", "demo"), environment=demo.environment
    )
    html = page.read_text()
    assert answer.json["year"] == 2025
    assert answer.json["totals"][0]["activities"] > 200
    assert "<script" not in html
    assert html.count("data:image/svg+xml") == 2
    missing = run_buddy("report", "year", "2001", "--athlete", "demo", environment=demo.environment)
    assert missing.exit_code == 1
    assert "there are 2024 to 2026" in missing.errors
