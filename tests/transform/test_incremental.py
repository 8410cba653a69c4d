"""An incremental build gives what a build from empty gives, whatever was loaded, edited, moved, deleted or stated."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
from history import DEFAULTS, SETTINGS_HEADER, Chapter, marts, steps_day, story
from support import NO_TESTS, run_buddy, run_dbt

from fitness_buddy.core.clock import utc_now
from fitness_buddy.core.settings import Settings, load_settings
from fitness_buddy.ingest.landing import Batch, land, to_raw_row
from fitness_buddy.warehouse import Row, Warehouse, connect, new_load_id

# DuckDB builds from empty by default; this is how BigQuery builds.
INCREMENTAL = {"BUDDY_INCREMENTAL": "true"}
FROM_EMPTY = {"BUDDY_INCREMENTAL": "false"}


def load_chapter(warehouse: Warehouse, chapter: Chapter) -> None:
    for (athlete_id, batches), now in zip(chapter.loads, chapter.loaded_at, strict=True):
        land(warehouse, athlete_id, batches, now=now)


def state_settings(project: Path, chapter: Chapter) -> None:
    if chapter.settings:
        (project / "seeds" / "athlete_settings.csv").write_text(SETTINGS_HEADER + chapter.settings)


def build(chapter: Chapter, environment: dict[str, str], options: Sequence[str] = NO_TESTS) -> str:
    """Build as the chapter says; return the mode of the build."""
    built = run_buddy(
        *("build", "--quiet", "--json", "--as-of", str(chapter.as_of), *options, *chapter.options),
        environment=environment,
    )
    assert built.exit_code == 0, f"{chapter.name}: {built.errors}"
    return str(built.json["mode"])


def change(project: Path, *models: str) -> None:
    """Give models another text that gives the same rows."""
    for model in models:
        (path,) = (project / "models").rglob(f"{model}.sql")
        path.write_text(path.read_text() + "\n-- changed\n")


def last_window(warehouse: Warehouse, intermediate: str = "intermediate") -> date:
    """The first day that the last incremental build built."""
    rows = warehouse.query(
        f"select rebuild_from from {intermediate}.int_rebuild_window order by started_at desc limit 1"
    )
    day = rows[0]["rebuild_from"]
    assert isinstance(day, date)
    return day


def marts_from_empty(project: Path, settings: Settings, chapter: Chapter) -> dict[str, list[Row]]:
    """What a build from empty makes of the same raw tables; the warehouse is left as it was."""
    file = Path(connect(settings).name)
    kept = file.with_suffix(".kept")
    target = project / "target_from_empty"
    if not target.exists():
        shutil.copytree(project / "target", target)
    # What this build leaves for slim builds is not of the warehouse that is kept.
    environment = {"DBT_TARGET_PATH": str(target), "BUDDY_STATE_DIR": str(project / "state_from_empty")}
    shutil.copy(file, kept)
    try:
        build(replace(chapter, options=()), FROM_EMPTY | environment)
        return marts(settings)
    finally:
        kept.replace(file)


@contextmanager
def without_window(project: Path) -> Iterator[None]:
    """A ref that nothing filters, as an author writes it who knows nothing of windows."""
    model = project / "models" / "marts" / "nutrition" / "fct_meals.sql"
    before = model.read_text()
    after = before.replace("{{ ref('int_meals_localized') }}", "{{ builtins.ref('int_meals_localized') }}")
    assert after != before
    model.write_text(after)
    yield
    model.write_text(before)


def test_incremental_builds_equal_builds_from_empty(project: Path) -> None:
    """Slim ones, too: the second build of a day builds what new loads and changed models touch."""
    settings = load_settings()
    warehouse = connect(settings)
    before: dict[str, list[Row]] = {}
    for number, chapter in enumerate(story(seed=1)):
        state_settings(project, chapter)
        load_chapter(warehouse, chapter)
        if number == 5:
            change(project, "fct_meals", "int_activities_localized", "int_step_intervals_resolved")
        with without_window(project) if number == 1 else nullcontext():
            mode = build(chapter, INCREMENTAL, NO_TESTS if chapter.options else ("--slim", *NO_TESTS))
        assert (mode == "slim") == (number == 5), (chapter.name, mode)
        if chapter.rebuilt_from:
            assert last_window(warehouse) == chapter.rebuilt_from, chapter.name
        if number not in {0, 1, 7, 8, 11, 12}:
            continue
        after = marts(settings)
        if number == 1:
            day = last_window(warehouse)
            # Defect: on DuckDB the rows of a model without its own filter were added to those that were there.
            meals = [[row for row in rows["fct_meals"] if row["meal_date"] < day] for rows in (before, after)]
            assert meals[0] == meals[1]
            assert len(meals[0]) > 0
            assert [row["meal_date"] for row in after["fct_meals"] if row["athlete_id"] == "kiri"] == [day]
        if number == 7:
            assert after == marts_from_empty(project, settings, chapter), chapter.name
        if number == 8:
            assert max(row["date_day"] for row in after["fct_daily_health"]) == chapter.as_of
        if chapter.options == ("--full-refresh",):
            assert after == before, chapter.name
        before = after


def test_a_clock_that_was_ahead_hides_no_load(project: Path) -> None:
    """Loads after one of a wrong clock are found by their ids, and edits become current, whatever their times are."""
    settings = load_settings()
    warehouse = connect(settings)
    first, second = Chapter("ahead", date(2026, 3, 3)), Chapter("right", date(2026, 3, 4))
    ahead = utc_now() + timedelta(hours=72)

    def load(athlete: str, now: datetime, day: date, steps: int) -> None:
        land(warehouse, athlete, [Batch("steps_daily", [steps_day("phone", day, steps)])], now=now)

    state_settings(project, Chapter("settings", first.as_of, settings=DEFAULTS))
    load("other", ahead, first.as_of, 1)
    load("me", datetime(2026, 3, 3, 20, tzinfo=UTC), first.as_of, 100)
    build(first, INCREMENTAL)
    load("me", datetime(2026, 3, 4, 20, tzinfo=UTC), first.as_of, 111)  # an edit
    load("me", datetime(2026, 3, 4, 21, tzinfo=UTC), second.as_of, 222)
    # A loader that does not look at the loads of others, as those before this rule.
    with duckdb.connect(warehouse.name) as connection:
        row = to_raw_row(steps_day("phone", second.as_of, 333))
        at = utc_now().replace(tzinfo=None)
        connection.execute(
            "insert into raw.steps_daily values ('late', ?, ?, ?, ?, ?)",
            [row.record_id, row.payload, row.payload_hash, at, new_load_id(utc_now())],
        )
    build(replace(second, options=("--select", "+fct_daily_steps")), INCREMENTAL)
    assert warehouse.query("select athlete_id, steps_date, steps from marts.fct_daily_steps order by all") == [
        {"athlete_id": "late", "steps_date": second.as_of, "steps": 333},
        {"athlete_id": "me", "steps_date": first.as_of, "steps": 111},
        {"athlete_id": "me", "steps_date": second.as_of, "steps": 222},
        {"athlete_id": "other", "steps_date": first.as_of, "steps": 1},
    ]


def test_a_day_in_vars_needs_no_quotes(project: Path) -> None:
    """Defect: unquoted, as people type it, YAML makes a date of it; the second, incremental build broke."""
    for selection in ("+int_rebuild_window", "int_rebuild_window"):
        built = run_dbt(
            *("build", "--vars", "{as_of_date: 2026-01-21}", "--select", selection, *NO_TESTS),
            project=project,
            environment=INCREMENTAL,
        )
        assert built.exit_code == 0, built.output
