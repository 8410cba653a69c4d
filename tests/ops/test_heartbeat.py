"""A stale source is reported once, and again only after it was loaded in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from discord_stub import running_discord
from hypothesis import given
from hypothesis import strategies as st
from support import REPOSITORY, run_buddy

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Batch, Record, land
from fitness_buddy.ingest.sources.registry import NEVER, raw_tables
from fitness_buddy.ops.heartbeat import Heartbeat, find_stale_sources, read_source_days, reported_episodes
from fitness_buddy.warehouse import RawSummary, Warehouse, connect, is_record_table

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOURS = 24 * 20


def source(table: str, days_ago: float) -> RawSummary:
    return RawSummary(table, versions=1, records=1, last_loaded_at=NOW - timedelta(days=days_ago))


def check(*sources: RawSummary, reported: Sequence[str] = ()) -> Heartbeat:
    return find_stale_sources(sources, reported, NOW, stale_after_days=3)


def test_a_source_is_stale_when_its_last_load_is_older_than_the_days() -> None:
    found = check(source("meals_entries", 3.01), source("steps_daily", 3))
    assert [(stale.source, stale.stale_days) for stale in found.stale] == [("meals_entries", 3)]


def test_a_stale_source_is_reported_then_kept_and_taken_back_when_it_is_loaded() -> None:
    quiet, loud = source("steps_daily", 4), source("steps_daily", 0)
    first = check(quiet)
    assert (first.newly_stale, first.recovered, first.reported) == (["steps_daily"], [], ["steps_daily"])
    assert first.message() == (
        "Nothing new from steps daily since 2026-11-16. No hurry: when you have a minute, see whether it still sends."
    )
    second = check(quiet, reported=first.reported)
    assert (second.newly_stale, second.recovered, second.reported, second.message()) == ([], [], ["steps_daily"], "")
    assert len(second.stale) == 1
    third = check(loud, reported=second.reported)
    assert (third.stale, third.recovered, third.reported) == ([], ["steps_daily"], [])
    assert third.message() == "Good to hear from steps daily again."
    assert check(loud, reported=third.reported).message() == ""


def test_who_is_gone_from_raw_has_not_spoken() -> None:
    found = check(reported=["steps_daily"])
    assert (found.recovered, found.reported, found.message()) == ([], ["steps_daily"], "")


def test_exports_may_rest_for_longer_and_gear_for_ever() -> None:
    found = check(source("strava_export_activities", 34), source("strava_export_gear", 400), source("meals_entries", 4))
    assert found.newly_stale == ["meals_entries"]
    assert check(source("strava_export_activities", 36)).newly_stale == ["strava_export_activities"]


def test_the_longest_name_decides_and_a_name_ends_at_an_underscore() -> None:
    days = read_source_days(["steps=10", "steps_daily=1", "meal=100", "strava_export=5"])
    sources = [source("steps_daily", 2), source("steps_intervals", 9), source("meals_entries", 4)]
    sources.append(source("strava_export_activities", 6))
    found = find_stale_sources(sources, [], NOW, stale_after_days=3, source_days=days)
    assert found.newly_stale == ["meals_entries", "steps_daily", "strava_export_activities"]


def test_tables_rest_as_long_as_dbt_s_freshness_has_it() -> None:
    """dbt's sources ask of a table what the heartbeat asks of it, unless it asks after everything."""
    for path in (REPOSITORY / "models/staging").rglob("_*__models.yml"):
        for stated in yaml.safe_load(path.read_text())["sources"]:
            of_source = stated.get("config", {}).get("freshness")
            for table in stated["tables"]:
                if not is_record_table(table["identifier"]):
                    continue
                freshness = table.get("config", {}).get("freshness", of_source)
                days = raw_tables()[table["identifier"]].stale_after_days
                if days is not None:
                    assert freshness is None if days == NEVER else freshness["warn_after"]["count"] == days


@given(
    loads=st.dictionaries(
        st.sampled_from(["steps_daily", "steps_intervals", "meals_entries"]),
        st.sets(st.integers(0, HOURS - 1), min_size=1, max_size=8),
    ),
    stale_after_days=st.integers(1, 4),
    start=st.integers(0, HOURS - 1),
)
def test_over_hourly_runs_each_stale_source_is_reported_once_and_each_recovery_once(
    loads: dict[str, set[int]], stale_after_days: int, start: int
) -> None:
    posted: list[str] = []
    newly, recovered = Counter[str](), Counter[str]()
    for hour in range(start, HOURS):
        sources = [
            RawSummary(
                table, 1, 1, NOW + timedelta(hours=max(hour_loaded for hour_loaded in hours if hour_loaded <= hour))
            )
            for table, hours in loads.items()
            if min(hours) <= hour
        ]
        now = NOW + timedelta(hours=hour)
        episodes = reported_episodes(posted)
        found = find_stale_sources(sources, episodes, now, stale_after_days=stale_after_days)
        posted += [subject for subject, _ in found.messages(episodes)]
        assert len(set(posted)) == len(posted)
        newly.update(found.newly_stale)
        recovered.update(found.recovered)
        assert bool(found.message()) == bool(found.newly_stale or found.recovered)
        assert set(found.newly_stale) <= set(found.reported) == {stale.source for stale in found.stale}
    for table, hours in loads.items():
        ordered = sorted(hours)
        # A stale source is found when a run falls into its pause: after the days are over, and before the next load.
        silences = [
            (loaded, after)
            for loaded, after in zip(ordered, [*ordered[1:], HOURS], strict=True)
            if max(start, loaded + 24 * stale_after_days + 1) < after
        ]
        assert newly[table] == len(silences)
        assert recovered[table] == sum(after < HOURS for _, after in silences)


@pytest.mark.parametrize("text", ["steps", "=3", "steps=", "steps=0", "steps=-1", "steps=1.5"])
def test_days_of_a_source_that_are_none_are_wrong_use(text: str) -> None:
    with pytest.raises(UsageError, match="--source-days"):
        read_source_days([text])


def load(warehouse: Warehouse, table: str, days_ago: int, athlete: str = "me") -> None:
    record = Record("a", {"days_ago": days_ago})
    land(warehouse, athlete, [Batch(table, [record])], now=NOW - timedelta(days=days_ago))


def test_the_command_hears_the_athlete_s_own_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = connect(load_settings())
    now = ("--now", NOW.isoformat())
    assert run_buddy("heartbeat", *now, "--json").json["stale"] == []
    load(warehouse, "strava_export_activities", 20)
    load(warehouse, "steps_daily", 5)
    load(warehouse, "meals_entries", 1)
    load(warehouse, "steps_daily", 0, athlete="you")
    words = ("heartbeat", "--stale-after-days", "4", "--source-days", "strava_export=10", *now, "--json")
    with running_discord() as discord:
        monkeypatch.setenv("BUDDY_DISCORD_WEBHOOK", discord.webhook("buddy"))
        first = run_buddy(*words, "--post")
        assert run_buddy(*words, "--post").json["newly_stale"] == []
        assert len(discord.messages) == first.json["delivered_count"] == 2
    assert first.exit_code == 0, first.errors
    answer = first.json
    assert [(stale["source"], stale["stale_days"]) for stale in answer["stale"]] == [
        ("steps_daily", 5),
        ("strava_export_activities", 20),
    ]
    assert datetime.fromisoformat(answer["stale"][0]["last_loaded_at"]).tzinfo
    assert answer["newly_stale"] == answer["reported"] == ["steps_daily", "strava_export_activities"]
    assert answer["message"].count("\n") == 1
    load(warehouse, "steps_daily", 0)
    second = run_buddy(*words).json
    assert (second["newly_stale"], second["recovered"], second["reported"]) == (
        [],
        ["steps_daily"],
        ["strava_export_activities"],
    )
    assert second["message"] == "Good to hear from steps daily again."
    assert "stale for 5 days" not in run_buddy("heartbeat", *now).output
