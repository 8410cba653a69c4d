"""The reports as Discord gets them: their words on data small enough to count by hand, their limits and their files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support import REPOSITORY, Answer, Demo
from test_reports import SETTINGS, Eaten, Life, Workout, day, report_of, small_life, write_marts

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.printing import csv_cell
from fitness_buddy.core.settings import load_settings
from fitness_buddy.core.weeks import FIRST_DAYS, MONDAY
from fitness_buddy.notify.discord import payload
from fitness_buddy.notify.message import OutgoingMessage, as_text, plain
from fitness_buddy.notify.persona import load_persona
from fitness_buddy.remind.ledger import DELIVERED, REPORT, Entry, Ledger
from fitness_buddy.remind.news import claim_news
from fitness_buddy.report import pictures
from fitness_buddy.report.daily import SESSION_COLUMNS, macros_message, session_csv, workout_message
from fitness_buddy.report.data import BuiltRange, Coverage, MacroShares, Meal, Report, Session, load_built_range
from fitness_buddy.report.digest import digest_message, week_of
from fitness_buddy.report.freshness import stale_sentence
from fitness_buddy.report.kinds import ReportKind
from fitness_buddy.report.messages import ReportMessage, compose_report, terminal_text
from fitness_buddy.report.text import printable
from fitness_buddy.warehouse import Warehouse

ZURICH = ZoneInfo("Europe/Zurich")
LOADED = "-# Last loaded: {area} Wed 28 Oct 00:30 ({source})."
HOSTILE = "**@everyone** <@1> [x](https://e.org) {{ secret('X') }} {% y %} `z` | ~~_#_~~ > \x1b[31m \U0001f600" * 4
Speak = Callable[..., ReportMessage]


def evening(month: int, number: int, hour: int = 21) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=ZURICH)


SMALL_EVENING = evening(10, 28)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Speak:
    """Speaks of the two weeks of ``small_life``, whose last day is Wednesday 28 October 2026, on that evening."""
    warehouse = write_marts(tmp_path_factory.mktemp("small") / "life.duckdb", small_life())

    def speak_of_small(
        kind: str, stated: date | None = None, now: datetime = SMALL_EVENING, **more: Any
    ) -> ReportMessage:
        return compose_report(warehouse, SETTINGS, load_persona(), ReportKind(kind), stated=stated, now=now, **more)

    return speak_of_small


def speak_of(
    folder: Path, life: Life, kind: str, stated: date | None = None, now: datetime | None = None
) -> ReportMessage:
    now = now or evening(life.as_of.month, life.as_of.day)
    folder.mkdir(exist_ok=True)
    warehouse = write_marts(folder / "life.duckdb", life)
    return compose_report(warehouse, SETTINGS, load_persona(), ReportKind(kind), stated=stated, now=now)


def said(composed: ReportMessage) -> list[str]:
    """Its lines on Discord; numbers and their units are kept together."""
    return content_of(composed.message).replace("\u00a0", " ").splitlines()


def content_of(message: OutgoingMessage) -> str:
    """Its text on Discord."""
    return str(payload(message)["content"])


def section(message: OutgoingMessage, title: str) -> list[str]:
    (found,) = (one for one in message.sections if one.title == title)
    return found.text.replace("\u00a0", " ").splitlines()


# Workouts ----------------------------------------------------------------------------------------------------------


def test_the_workouts_of_a_day_have_their_totals_and_a_file(small: Speak) -> None:
    composed = small("daily-workout", day(10, 27))
    assert said(composed) == [
        "**Workouts · Tuesday 27 October 2026**",
        "1 session · 10.0 km · 1:00 h · 60 m up",
        "**Session** · 07:30 · 10.0 km · 1:00 h · 6:00 /km · 60 m up",
        LOADED.format(area="activities", source="strava export"),
    ]
    (file,) = composed.message.attachments
    assert file.name == "workouts-2026-10-27.csv"
    assert file.content.decode() == (
        "activity_date,started_at,name,sport_type,sport_family,distance_m,moving_time_s,pace_min_per_km,speed_km_h,"
        "elevation_gain_m,average_heartrate_bpm,source\n"
        "2026-10-27,2026-10-27T07:30:00+01:00,Session,Run,run,10000.0,3600,6.00,10.00,60.0,,strava_export\n"
    )


def test_two_workouts_are_added_up_each_with_the_effort_of_its_sport(small: Speak) -> None:
    assert said(small("daily-workout"))[1:4] == [
        "2 sessions · 1.0 km · 1:05 h",
        "**Session** · 07:30 · 1.0 km · 0:20 h · 2:00 /100 m",
        "**Gym** · 07:30 · 0:45 h",
    ]


def test_a_day_without_a_workout_is_nudged_kindly_and_a_past_one_is_only_stated(tmp_path: Path) -> None:
    life = dataclasses.replace(small_life(), as_of=day(10, 29), loaded_at=datetime(2026, 10, 29, 18))  # noqa: DTZ001
    today = speak_of(tmp_path, life, "daily-workout")
    assert said(today)[1] == load_persona().line("no_workout", day(10, 29))
    assert not today.message.attachments
    past = speak_of(tmp_path / "past", life, "daily-workout", day(10, 20))
    assert said(past)[:2] == ["**Workouts · Tuesday 20 October 2026**", "No workout recorded."]


def sessions_of(names: Sequence[str], template: Report) -> Report:
    first = template.sessions[0]
    sessions = [dataclasses.replace(first, name=name, sport_type=name[:40]) for name in names]
    return dataclasses.replace(template, sessions=tuple(sessions))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(tmp_path_factory.mktemp("template"), small_life())


def test_thirty_sessions_of_a_day_are_counted_and_all_in_the_file(template: Report) -> None:
    report = sessions_of([f"{HOSTILE} {number}" for number in range(30)], template)
    message = workout_message(report, load_persona(), report.day, "Note.")
    lines = content_of(message).splitlines()
    assert lines[1].startswith("30 sessions")
    shown = [line for line in lines if "everyone" in line]
    assert lines[-2:] == [f"… and {30 - len(shown)} more sessions: all of them are in the file.", "-# Note."]
    assert 5 <= len(shown) < 30
    rows = list(csv.DictReader(io.StringIO(message.attachments[0].content.decode())))
    assert [row["name"] for row in rows] == [printable(session.name) for session in report.sessions]
    assert tuple(rows[0]) == SESSION_COLUMNS


def check_limits(message: OutgoingMessage) -> None:
    """What Discord's documentation says that it takes."""
    rendered = json.loads(json.dumps(payload(message)))
    embeds = rendered.get("embeds", [])
    length = sum(len(embed.get(key, "")) for embed in embeds for key in ("title", "description"))
    assert rendered["allowed_mentions"] == {"parse": []}
    assert 0 < len(rendered["content"].encode("utf-16-le")) // 2 <= 2000
    assert "…" not in rendered["content"][-1:]
    assert len(embeds) <= 10
    assert length <= 6000
    assert all(len(embed.get("description", "")) <= 4096 for embed in embeds)
    names = [attachment.name for attachment in message.files]
    assert len(set(names)) == len(names) <= 10
    shown = [embed["image"]["url"] for embed in embeds if "image" in embed]
    assert shown == [f"attachment://{name}" for name in names if name.endswith(".png")]
    assert sum(len(attachment.content) for attachment in message.files) < 8_000_000
    described = {entry["filename"]: entry.get("description", "") for entry in rendered.get("attachments", [])}
    assert [name for name in names if name.endswith(".png") and len(described[name]) < 20] == []


texts = st.text(st.characters(codec="utf-8"), max_size=120) | st.just(HOSTILE)


@given(st.lists(texts, min_size=1, max_size=40))
@settings(max_examples=60)
def test_whatever_sessions_are_called_discord_takes_the_message(template: Report, names: list[str]) -> None:
    report = sessions_of(names, template)
    message = workout_message(report, load_persona(), report.day, "Note.")
    check_limits(message)
    assert content_of(message).splitlines()[-1] == "-# Note."
    rows = csv.DictReader(io.StringIO(session_csv(report).encode().decode(), newline=""))
    assert [row["name"] for row in rows] == [csv_cell(printable(name)) for name in names]


@given(st.lists(texts, min_size=1, max_size=40))
@settings(max_examples=15)
def test_whatever_meals_are_called_discord_takes_the_message(template: Report, names: list[str]) -> None:
    meals = [Meal(name, None, 80.0, 32.0, 20.0, 640.0, 0.0, None) for name in names]
    message = macros_message(dataclasses.replace(template, meals=tuple(meals)), load_persona(), template.day, "Note.")
    check_limits(message)
    assert content_of(message).splitlines()[-1] == "-# Note."


def test_somebody_s_markdown_has_no_force(template: Report) -> None:
    report = sessions_of(["**@everyone** [x](y) <@1>\n# `z`"], template)
    line = content_of(workout_message(report, load_persona(), report.day, "Note.")).splitlines()[2]
    assert line.startswith(r"**\*\*@everyone\*\* \[x\]\(y\) \<@1\> \# \`z\`** · ")


def test_a_terminal_gets_the_words_and_obeys_none_of_them(template: Report) -> None:
    report = sessions_of(["\x1b[31mRed_run"], template)
    words = terminal_text(workout_message(report, load_persona(), report.day, "Note."))
    assert words.splitlines()[2].startswith("[31mRed_run · 07:30")
    assert words.splitlines()[-1] == "Note."
    assert "\x1b" not in words


# Steps -------------------------------------------------------------------------------------------------------------


def test_the_steps_of_a_day_stand_against_the_goal_with_both_averages(small: Speak) -> None:
    composed = small("daily-steps")
    assert said(composed) == [
        "**Steps · Wednesday 28 October 2026**",
        "**6,000** of 8,000 steps · 75 % · 2,000 to go",
        "No streak of goals at the moment.",
        # 9000 and 6000, of the days from 22 to 28
        "7-day average: 7,500 over the 2 recorded days, 2,143 over all seven.",
        load_persona().line("goal_missed", day(10, 28)),
        LOADED.format(area="steps", source="garmin"),
    ]
    assert [file.name for file in composed.message.attachments] == ["steps-2026-10-28.png"]
    check_limits(composed.message)


def test_a_goal_that_is_met_is_praised_on_its_day_only(tmp_path: Path) -> None:
    life = Life(steps={day(10, 31): 12_000, day(11, 1): 8000})
    assert said(speak_of(tmp_path, life, "daily-steps"))[1:5] == [
        "**8,000** of 8,000 steps · 100 % · goal met",
        "Goal met 2 days in a row.",
        "7-day average: 10,000 over the 2 recorded days, 2,857 over all seven.",
        load_persona().line("goal_met", day(11, 1)),
    ]
    past = said(speak_of(tmp_path / "past", life, "daily-steps", day(10, 31)))
    assert past[1] == "**12,000** of 8,000 steps · 150 % · goal met"
    assert len(past) == 5


def test_a_streak_that_the_day_has_not_met_yet_ends_with_the_day_before(tmp_path: Path) -> None:
    life = Life(steps={day(10, 30): 12_000, day(10, 31): 8000, day(11, 1): 100})
    assert said(speak_of(tmp_path, life, "daily-steps"))[2] == "Goal met 2 days in a row, up to the day before."


def test_a_streak_of_one_day_is_no_row_of_days(tmp_path: Path) -> None:
    life = Life(steps={day(10, 30): 12_000, day(10, 31): 100, day(11, 1): 9000})
    assert said(speak_of(tmp_path, life, "daily-steps"))[2] == "The first day of a new streak."
    life = Life(steps={day(10, 30): 100, day(10, 31): 9000, day(11, 1): 100})
    assert said(speak_of(tmp_path / "before", life, "daily-steps"))[2] == "The goal was met the day before."
    assert "met on 1 day so far." in said(speak_of(tmp_path / "week", life, "weekly-digest"))[3]


def test_just_below_the_goal_is_not_a_hundred_percent(tmp_path: Path) -> None:
    life = Life(steps={day(11, 1): 7999})
    assert said(speak_of(tmp_path, life, "daily-steps"))[1] == "**7,999** of 8,000 steps · 99 % · 1 to go"


def test_a_day_without_an_observation_is_not_one_of_zero_steps(small: Speak, tmp_path: Path) -> None:
    missing = said(small("daily-steps", day(10, 27)))
    assert missing[1:3] == ["No steps recorded.", "The goal is 8,000."]
    life = dataclasses.replace(small_life(), as_of=day(10, 29), loaded_at=datetime(2026, 10, 29, 18))  # noqa: DTZ001
    assert said(speak_of(tmp_path, life, "daily-steps"))[1] == load_persona().line("no_steps", day(10, 29))
    zero = speak_of(tmp_path / "zero", Life(steps={day(11, 1): 0}), "daily-steps")
    assert said(zero)[1] == "**0** of 8,000 steps · 0 % · 8,000 to go"


# Food --------------------------------------------------------------------------------------------------------------


def test_the_average_of_the_meals_is_beside_the_split_of_the_totals(tmp_path: Path) -> None:
    life = Life(
        meals=[
            Eaten(day(11, 1), 100, 0, 0, "Juice", 8),  # 400 kcal, all carbs
            Eaten(day(11, 1), 0, 25, 0, "Quark", 12),  # 100 kcal, all protein
        ]
    )
    composed = speak_of(tmp_path, life, "daily-macros")
    assert said(composed) == [
        "**Food · Sunday 1 November 2026**",
        "2 meals · **500 kcal** · 100 g carbs · 25 g protein · 0 g fat",
        "**Average of the meals:** carbs 50 % · protein 50 % · fat 0 % of energy",
        "**Whole day:** carbs 80 % · protein 20 % · fat 0 % of energy",
        "**Target:** carbs 50 % · protein 25 % · fat 25 % (± 5 points): protein 25 over, fat 25 under",
        "- Juice · 08:00 · 400 kcal · 100 g carbs · 0 g protein · 0 g fat",
        "- Quark · 12:00 · 100 kcal · 0 g carbs · 25 g protein · 0 g fat",
        "-# Last loaded: meals Sun 1 Nov 20:00 (webhook).",
    ]
    assert [file.name for file in composed.message.attachments] == ["macros-2026-11-01.png"]
    check_limits(composed.message)


def test_alcohol_is_a_part_of_the_energy_of_the_day(tmp_path: Path) -> None:
    # 200 of 500 kcal are alcohol: of the wine 100 %, of the day 40 %.
    life = Life(
        meals=[Eaten(day(11, 1), 50, 25, 0, "Quark", 12), Eaten(day(11, 1), 0, 0, 0, "Wine", 20, alcohol_g=200 / 7)]
    )
    composed = speak_of(tmp_path, life, "daily-macros")
    assert said(composed)[1:4] == [
        "2 meals · **500 kcal** · 50 g carbs · 25 g protein · 0 g fat · 29 g alcohol",
        "**Average of the meals:** carbs 33 % · protein 17 % · fat 0 % · alcohol 50 % of energy",
        "**Whole day:** carbs 40 % · protein 20 % · fat 0 % · alcohol 40 % of energy",
    ]
    (pie,) = composed.message.attachments
    # The shares and the grams are of the same thing: the whole day.
    assert pie.alt == (
        "Pie of the energy of the day: carbs 40 % (50 g), protein 20 % (25 g), fat 0 % (0 g), alcohol 40 % (29 g)."
    )


@given(st.lists(st.floats(0, 1000), min_size=3, max_size=3).filter(lambda parts: sum(parts) > 1), st.floats(0, 0.6))
def test_shown_shares_make_up_the_whole(parts: list[float], alcohol: float) -> None:
    scale = 100 * (1 - alcohol) / sum(parts)
    shares = MacroShares(*(part * scale for part in parts))
    shown = {name: int(words.removesuffix(" %")) for name, words in shares.words().items()}
    assert sum(shown.values()) == 100
    assert all(abs(shown[name] - share) <= 1 for name, share in shares.by_part().items())


def test_a_day_on_target_says_so(small: Speak) -> None:
    # 50, 25 and 25 % are the target itself.
    assert said(small("daily-macros"))[4].endswith("(± 5 points): all three on it")


def test_a_day_without_meals_has_a_line_and_no_chart(small: Speak, tmp_path: Path) -> None:
    past = small("daily-macros", day(10, 27))
    assert said(past)[1] == "No meals recorded."
    assert not past.message.files
    life = dataclasses.replace(small_life(), as_of=day(10, 29), loaded_at=datetime(2026, 10, 29, 18))  # noqa: DTZ001
    assert said(speak_of(tmp_path, life, "daily-macros"))[1] == load_persona().line("no_meals", day(10, 29))


def test_a_day_of_water_has_no_split_and_no_pie(template: Report) -> None:
    assert template.macros_of_day is not None
    water = dataclasses.replace(template.macros_of_day, energy_kcal=0.0, mean_of_meals=None, of_totals=None)
    report = dataclasses.replace(template, macros_of_day=water)
    message = macros_message(report, load_persona(), report.day, "Note.")
    assert "No meal states energy, so there is no split." in content_of(message)
    assert message.files == []


# The digest --------------------------------------------------------------------------------------------------------


def test_a_week_so_far_is_compared_with_the_same_days(small: Speak) -> None:
    composed = small("weekly-digest")
    assert composed.day == day(10, 28)
    assert said(composed)[:4] == [
        "**Week 44 so far · Mon 26 Oct – Wed 28 Oct 2026, against the same days of the week before**",
        "4 sessions on 3 days · 16.0 km · 2:30 h",
        "▼ 60 % against 40.0 km on the same days last week.",
        "Active 3 days in a row, no streak of step goals.",
    ]
    assert said(composed)[4].startswith("Missing: No steps on 5 of the last 7 days")


def test_the_week_is_compared_as_counted_by_hand(small: Speak) -> None:
    message = small("weekly-digest").message
    assert section(message, "Workouts") == [
        "**Run** 2 × · 15.0 km · 1:25 h · 5:40 /km (before: 1 ×, 10.0 km)",
        "**Swim** 1 × · 1.0 km · 0:20 h · 2:00 /100 m (before: none)",
        "**Strength** 1 × · 0:45 h (before: none)",
        "**Ride** none (before: 1 ×, 30.0 km)",
        "Climbed **70 m** (before: 140 m) ▼ 50 %",
    ]
    assert section(message, "Time in motion") == ["2:30 h on 3 days (before: 1:50 h on 2 days) ▲ 36 %"]
    assert section(message, "Steps") == [
        "Average of the 2 recorded days: **7,500** (before: 7,000) ▲ 7 %",
        "Average of all 3 days: **5,000** (before: 4,667) ▲ 7 %",
        "Goal met on 1 of 2 recorded days (before: 1 of 2)",
    ]
    assert section(message, "Food") == [
        "Energy on 1 day with meals: **800 kcal** (before: 600 kcal) ▲ 33 %",
        "Average split: carbs 50 % · protein 25 % · fat 25 %",
        "Before: carbs 67 % · protein 33 % · fat 0 %",
        "Target: carbs 50 % · protein 25 % · fat 25 %",
        "On target on 1 of 1 day with meals",
    ]


def test_a_whole_week_is_said_without_so_far(small: Speak) -> None:
    composed = small("weekly-digest", day(10, 20))
    assert composed.day == day(10, 25)
    assert said(composed)[:3] == [
        "**Week 43 · Mon 19 Oct – Sun 25 Oct 2026, against the week before**",
        "3 sessions on 3 days · 47.0 km · 2:25 h",
        "▼ 6 % against 50.0 km the week before.",
    ]


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 2000))
def test_a_digest_ends_with_its_week_or_with_today(today: date, ago: int) -> None:
    stated = today - timedelta(days=ago)
    last = week_of(stated, today)
    assert last.isocalendar()[:2] == stated.isocalendar()[:2]
    assert last == today or (last < today and last.weekday() == 6)
    alone = week_of(None, today)
    assert alone == (today - timedelta(days=1) if today.weekday() == 0 else today)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(["saturday", "sunday"]))
def test_a_digest_has_the_athlete_s_own_weeks(today: date, first: str) -> None:
    last_weekday = {"saturday": 4, "sunday": 5}[first]
    last = week_of(None, today, FIRST_DAYS[first])
    assert last == today or last.weekday() == last_weekday
    assert (last < today) == (today.weekday() == 0)


def test_the_weeks_of_a_report_begin_on_the_athlete_s_own_day(tmp_path: Path) -> None:
    life = dataclasses.replace(small_life(), first_day_of_week="sunday")
    composed = speak_of(tmp_path, life, "weekly-digest", stated=day(10, 20))
    assert said(composed)[0] == "**Week 43 · Sun 18 Oct – Sat 24 Oct 2026, against the week before**"


def test_a_monday_reports_the_week_that_has_ended(tmp_path: Path) -> None:
    life = dataclasses.replace(small_life(), as_of=day(10, 26))
    life.workouts = [row for row in life.workouts if row.day <= life.as_of]
    life.steps = {d: steps for d, steps in life.steps.items() if d <= life.as_of}
    life.meals = [row for row in life.meals if row.day <= life.as_of]
    composed = speak_of(tmp_path, life, "weekly-digest", now=evening(10, 26, 7))
    assert said(composed)[0] == "**Week 43 · Mon 19 Oct – Sun 25 Oct 2026, against the week before**"
    check_limits(composed.message)


@pytest.mark.parametrize(
    ("life", "drawn"),
    [
        (Life(workouts=[Workout(day(11, 1), "run", 8000, 45)]), ["workouts", "time"]),
        (Life(workouts=[Workout(day(11, 1), "strength", 0, 45)]), ["time"]),
        (Life(steps={day(11, 1): 0}), ["steps"]),
        (Life(meals=[Eaten(day(11, 1), 60, 30, 20)]), ["macros"]),
        # Nine weeks ago is within the twelve that are drawn.
        (Life([Workout(day(9, 1), "run", 8000, 45)]), ["workouts", "time"]),
    ],
    ids=["a run", "strength", "steps", "meals", "a run long ago"],
)
def test_a_digest_draws_what_there_is(tmp_path: Path, life: Life, drawn: list[str]) -> None:
    message = speak_of(tmp_path, life, "weekly-digest").message
    names = [attachment.name.partition("-")[0] for attachment in message.files]
    assert names == drawn
    check_limits(message)


def test_a_digest_of_every_sport_fits(template: Report) -> None:
    message = digest_message(template, "Note.")
    check_limits(message)
    assert [attachment.name for attachment in message.files] == [
        f"{what}-2026-10-28.png" for what in ("workouts", "time", "steps", "macros")
    ]


# What cannot be sent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ReportKind)
def test_a_day_that_is_not_built_yet_is_stale_and_no_number_is_sent(small: Speak, kind: str) -> None:
    composed = small(kind, now=evening(10, 29))
    assert (composed.is_stale, composed.day) == (True, day(10, 29))
    assert said(composed)[1] == (
        "⚠️ Stale: my numbers end with Wednesday 28 October 2026, so there are none of Thursday 29 October 2026."
    )
    assert len(said(composed)) == 3
    assert composed.message.files == []


@pytest.mark.parametrize("kind", ReportKind)
def test_a_failed_build_is_reported_instead_of_what_it_left(small: Speak, kind: str) -> None:
    composed = small(kind, is_build_failed=True)
    assert composed.is_stale
    assert "the last update of the numbers failed" in content_of(composed.message)
    assert "6,000" not in content_of(composed.message)


def test_the_day_is_the_athlete_s_own(small: Speak) -> None:
    late = datetime(2026, 10, 28, 23, 30, tzinfo=UTC)  # half past midnight in Zurich
    assert small("daily-steps", now=late).day == day(10, 29)
    assert small("daily-steps", now=late.replace(hour=22)).day == day(10, 28)


def built_of(loads: dict[tuple[str, str], datetime]) -> BuiltRange:
    sources = [
        Coverage(source, area, 1, day(1, 1), day(10, 1), 1, 0, loaded_at) for (area, source), loaded_at in loads.items()
    ]
    return BuiltRange(ZURICH, MONDAY, True, day(1, 1), day(11, 30), tuple(sources))


@pytest.mark.parametrize(
    ("area", "source", "loaded_at", "is_stale"),
    [
        # A phone counts every day.
        ("steps", "phone", evening(10, 29, 0), False),
        ("steps", "phone", evening(10, 28, 23), True),
        # People rest and skip meals for some days.
        ("activities", "strava_api", evening(10, 26, 8), False),
        ("activities", "strava_api", evening(10, 25, 20), True),
        ("meals", "webhook", evening(10, 26, 8), False),
        ("meals", "webhook", evening(10, 25, 20), True),
        # An export knows nothing of the days after it.
        ("activities", "strava_export", evening(10, 29, 8), False),
        ("activities", "strava_export", evening(10, 28, 23), True),
    ],
)
def test_a_stale_source_says_nothing_about_a_day(area: str, source: str, loaded_at: datetime, is_stale: bool) -> None:
    built = built_of({(area, source): loaded_at, ("other", "one"): evening(10, 29)})
    sentence = stale_sentence(built, day(10, 29), area=area)
    assert (sentence is not None) == is_stale
    if sentence:
        assert (
            f"nothing new of {area} has arrived since {loaded_at:%a} {loaded_at.day} Oct {loaded_at:%H:%M}" in sentence
        )
    # What is there is there, and one source that speaks is enough.
    assert stale_sentence(built, day(10, 29), area=area, has_records=True) is None
    speaking = built_of({(area, source): loaded_at, (area, "watch"): evening(10, 29, 8)})
    assert stale_sentence(speaking, day(10, 29), area=area) is None


def test_an_area_that_never_had_a_source_is_not_stale(tmp_path: Path) -> None:
    composed = speak_of(tmp_path, Life(steps={day(11, 1): 9000}), "daily-macros")
    assert not composed.is_stale
    assert said(composed)[1:] == [load_persona().line("no_meals", day(11, 1)), "-# No meals loaded yet."]


def test_a_number_and_its_unit_stay_on_one_line(small: Speak) -> None:
    assert "**Session** · 07:30 · 10.0\u00a0km · 1:00\u00a0h · " in content_of(
        small("daily-workout", day(10, 27)).message
    )


def test_days_that_cannot_be_reported_are_refused(small: Speak) -> None:
    with pytest.raises(UsageError, match="--date 2026-10-29: expected a day up to today, 2026-10-28 in Europe/Zurich"):
        small("daily-steps", day(10, 29))
    with pytest.raises(BuddyError, match="no report for 2026-10-17"):
        small("daily-steps", day(10, 17))


def test_the_built_range_is_asked_for_once(tmp_path: Path) -> None:
    built = load_built_range(write_marts(tmp_path / "life.duckdb", small_life()), SETTINGS)
    assert (built.first_day, built.as_of_day, built.timezone.key) == (day(10, 18), day(10, 28), "Europe/Zurich")


# Pictures ----------------------------------------------------------------------------------------------------------

PICTURES = {
    "steps": pictures.steps_picture,
    "macros": pictures.macros_picture,
    "macro days": pictures.macro_days_picture,
    "distance": pictures.distance_picture,
    "time": pictures.time_picture,
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_as_wide_as_a_message_and_always_the_same(template: Report, name: str) -> None:
    first, second = PICTURES[name](template), PICTURES[name](template)
    assert first is not None
    assert first == second
    assert first.content[:8] == b"\x89PNG\r\n\x1a\n"
    assert first.alt.startswith(("Bars of ", "Pie of "))
    width_px, height_px = struct.unpack(">II", first.content[16:24])
    assert width_px == pictures.WIDTH_PX
    assert 400 <= height_px <= 800


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_to_draw_is_no_picture(template: Report, name: str) -> None:
    nothing = dataclasses.replace(template, steps=(), macros_of_day=None, macros=(), week_distances=())
    assert PICTURES[name](nothing) is None


# The command -------------------------------------------------------------------------------------------------------


def test_every_kind_has_a_flow_that_sends_it_at_its_hour() -> None:
    """Kestra's flows cannot read the enum, so their copies of the kinds are compared with it."""
    flows = {path.stem: yaml.safe_load(path.read_text()) for path in (REPOSITORY / "flows/report").glob("*.yaml")}
    (kind,) = (given for given in flows.pop("send")["inputs"] if given["id"] == "kind")
    assert kind["values"] == list(ReportKind)
    senders = {
        name: [task["inputs"]["kind"] for task in flow["tasks"] if task.get("flowId") == "send"]
        for name, flow in flows.items()
        if name != "ask"
    }
    assert senders == {kind.replace("-", "_"): [kind] for kind in ReportKind}
    assert all(flows[name]["triggers"][0]["type"].endswith(".Schedule") for name in senders)


@pytest.mark.parametrize("kind", ReportKind)
def test_the_same_day_gives_the_same_bytes(buddy: Callable[..., Answer], demo: Demo, tmp_path: Path, kind: str) -> None:
    found = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        answer = buddy(
            *("report", kind, "--athlete", "demo", "--now", "2026-11-01T21:00:00+01:00"),
            *("--out", folder, "--json"),
            environment=demo.environment,
        )
        assert answer.exit_code == 0, answer.errors
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        text = files.pop("message.txt").decode()
        assert (answer.json["is_stale"], answer.json["day"]) == (False, "2026-11-01")
        assert answer.json["text"] + "\n" == text
        stated = [(one["name"], one["bytes"]) for one in answer.json["files"]]
        assert stated == [(name, len(files[name])) for name in sorted_as(answer, files)]
        found.append((text, files))
    assert found[0] == found[1]


def sorted_as(answer: Answer, files: dict[str, bytes]) -> list[str]:
    """The files in the answer's order; all of them."""
    names = [one["name"] for one in answer.json["files"]]
    assert sorted(names) == sorted(files)
    return names


def test_a_person_reads_the_message(buddy: Callable[..., Answer], demo: Demo) -> None:
    answer = buddy(
        *("report", "weekly-digest", "--athlete", "demo", "--date", "2026-10-28", "--now", "2026-11-10T08:00:00Z"),
        environment=demo.environment,
    )
    assert answer.exit_code == 0, answer.errors
    assert not any(mark in answer.output for mark in ("**", "\\", "-#"))
    assert answer.output.startswith("Week 44 · Mon 26 Oct – Sun 1 Nov 2026, against the week before\n")
    assert "Average of the 7 recorded days:" in answer.output
    assert "With it: steps-2026-11-01.png" in answer.output


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--out", "x"], "--out, --post, --again and --build-failed need a KIND"),
        (["daily-steps", "--again"], "--again goes with --post"),
        (["daily-steps", "--post"], "BUDDY_NOTIFY is not set"),
        (["daily-steps", "--html", "x.html"], "--html is not for the report daily-steps"),
        (["daily-steps", "--now", "2026-11-01"], "--now: expected an instant with its offset"),
        (["daily-steps", "--now", "soon"], "--now: expected an instant with its offset"),
        (["daily-steps", "--date", "2026-11-02", "--now", "2026-11-01T08:00:00Z"], "expected a day up to today"),
        (["daily-sleep"], "daily-workout"),
    ],
)
def test_wrong_use_is_explained(buddy: Callable[..., Answer], demo: Demo, words: list[str], problem: str) -> None:
    answer = buddy("report", *words, "--athlete", "demo", environment=demo.environment)
    assert answer.exit_code == 2
    assert problem in answer.errors


def test_a_session_without_numbers_is_still_one(template: Report) -> None:
    bare = Session("1", "Yoga", "strava_export", "Yoga", "other", None, None, None, None, None, None)
    report = dataclasses.replace(template, sessions=(bare,))
    message = workout_message(report, load_persona(), report.day, "Note.")
    assert content_of(message).splitlines()[1:3] == ["1 session · 0:00 h", "**Yoga** · Yoga"]


# Form, records, goals, gear ----------------------------------------------------------------------------------------


def record(activity_id: str, day_of_it: date, distance_m: float, before_m: float | None) -> tuple[object, ...]:
    return "longest_distance", "run", None, distance_m, "m", activity_id, day_of_it, before_m, None, True


TRAINING: dict[str, list[tuple[Any, ...]]] = {
    "fct_training_load": [(day(10, 28), 48.4, 55.6, -6.4, 310.0, False, "grey_zone")],
    "fct_records": [record("a7", day(10, 28), 16_093.44, 15_000)],
    "fct_goals": [("a_*year*", "distance_m", "year", day(1, 1), day(12, 31), 1_000_000.0, 804_672.0, 64, True)],
    "fct_gear_distance": [("Old_Shoe", 640_000.0, 800_000.0, 80.0), ("New Shoe", 10_000.0, 800_000.0, 1.25)],
    "fct_eddington": [
        *(("run", "km", 21, 4), ("run", "mi", 13, 2), ("walk", "km", 5, 1), ("walk", "mi", 3, 1)),
        *(("ride", "km", 22, 1), ("ride", "mi", 14, 1)),
    ],
    "fct_streaks": [
        ("workout_days", 5, 9, True),
        ("meal_log_days", 4, 9, True),
        ("workout_weeks", 5, 5, True),
        ("step_goal_days", 0, 9, False),
    ],
}
SAID_IN_KM = [
    "Fitness 48, fatigue 56, form -6 (grey zone).",
    "Load of the last 7 days: 310.",
    "Eddington number of ride: 22; 1 more day of 23 km for the next.",
    "Eddington number of run: 21; 4 more days of 22 km for the next.",
    "Days with a workout: 5 in a row; 5 more days for a record (longest: 9).",
    "A *year*: 804.7 km of 1,000.0 km, 64 days left, on track.",
    "Old_Shoe: 640.0 km of 800.0 km (80 %).",
]
SAID_IN_MILES = [
    *SAID_IN_KM[:2],
    "Eddington number of ride: 14; 1 more day of 15 mi for the next.",
    "Eddington number of run: 13; 2 more days of 14 mi for the next.",
    SAID_IN_KM[4],
    "A *year*: 500.0 mi of 621.4 mi, 64 days left, on track.",
    "Old_Shoe: 397.7 mi of 497.1 mi (80 %).",
]


def of_training(composed: ReportMessage) -> list[str]:
    """The sentences of the section as a reader sees them."""
    return plain("\n".join(section(composed.message, "Form, records and goals"))).splitlines()


@pytest.mark.parametrize(("unit", "sentences"), [("km", SAID_IN_KM), ("mi", SAID_IN_MILES)])
def test_workouts_and_digest_say_form_goals_gear_and_what_the_next_record_needs(
    tmp_path: Path, unit: str, sentences: list[str]
) -> None:
    life = dataclasses.replace(small_life(), training=TRAINING, distance_unit=unit)
    daily = speak_of(tmp_path / "daily", life, "daily-workout")
    assert of_training(daily) == sentences
    value, before = {"km": ("16.1 km", "15.0 km"), "mi": ("10.0 mi", "9.3 mi")}[unit]
    assert f"**Record!** longest run, {value} (before: {before})" in said(daily)
    digest = speak_of(tmp_path / "digest", life, "weekly-digest")
    assert of_training(digest) == [
        f"Record: longest run, {value} (before: {before}).",
        *sentences,
    ]
    # Also where a channel has neither sections nor markup; names of the athlete have no force.
    assert "A *year*: " in terminal_text(daily.message)
    assert "A \\*year\\*: " in daily.message.sections[0].text


def test_a_digest_after_its_week_says_of_which_day_its_goals_and_gear_are(tmp_path: Path) -> None:
    """Defect: they were those of the build, and read as those of the week's end."""
    life = dataclasses.replace(small_life(), training=TRAINING)
    sentences = of_training(speak_of(tmp_path, life, "weekly-digest", day(10, 25)))
    assert sentences == ["As of Wed 28 Oct:", *SAID_IN_KM[2:]]


def test_without_training_form_has_no_band(tmp_path: Path) -> None:
    idle = dataclasses.replace(
        small_life(), training={"fct_training_load": [(day(10, 28), 0.0, 0.0, 0.0, 0.0, False, None)]}
    )
    assert of_training(speak_of(tmp_path, idle, "daily-workout")) == [
        "Fitness 0, fatigue 0, form +0; without training, form says nothing.",
        "Load of the last 7 days: 0.",
    ]


def test_in_the_first_six_weeks_form_has_no_band(tmp_path: Path) -> None:
    load = (day(10, 28), 8.0, 20.0, -12.0, None, True, None)
    composed = speak_of(
        tmp_path, dataclasses.replace(small_life(), training={"fct_training_load": [load]}), "daily-workout"
    )
    assert of_training(composed) == ["Fitness 8, fatigue 20, form -12; the first six weeks: fitness is still too low."]


def test_distances_paces_and_speeds_are_in_the_athlete_s_unit(tmp_path: Path) -> None:
    life = dataclasses.replace(small_life(), distance_unit="mi")
    lines = said(speak_of(tmp_path / "run", life, "daily-workout", day(10, 27)))
    assert lines[1:3] == [
        "1 session · 6.2 mi · 1:00 h · 60 m up",
        "**Session** · 07:30 · 6.2 mi · 1:00 h · 9:39 /mi · 60 m up",
    ]
    assert "18.6 mph" in said(speak_of(tmp_path / "ride", life, "daily-workout", day(10, 21)))[2]
    digest = speak_of(tmp_path / "digest", life, "weekly-digest").message
    assert digest.sections[0].picture
    assert "distance per week in mi. This week 9.9 mi" in digest.sections[0].picture.alt.replace("\u00a0", " ")
    assert "km" not in as_text(digest).replace("Kilometre", "")


def test_a_record_of_a_late_file_is_in_one_message(tmp_path: Path, duckdb_file: Warehouse) -> None:
    """The run of the 25th is loaded on the 28th, after the message of the 27th."""
    ledger = Ledger(duckdb_file, load_settings(athlete_id="me"))

    def records_in(number: int, kind: str, known: list[tuple[Any, ...]]) -> list[str]:
        now = evening(10, number)
        life = dataclasses.replace(small_life(), as_of=day(10, number), training={"fct_records": known})
        life.workouts = [row for row in life.workouts if row.day <= life.as_of]
        life.steps = {one: steps for one, steps in life.steps.items() if one <= life.as_of}
        life.meals = [row for row in life.meals if row.day <= life.as_of]
        path = tmp_path / f"{kind}-{number}"
        path.mkdir()
        message_id = f"report/{kind}/{number}"

        def choose(found: Mapping[str, bool], _: date) -> Collection[str]:
            return claim_news(ledger, found, message_id, now, "Europe/Zurich")

        composed = compose_report(
            write_marts(path / "life.duckdb", life),
            SETTINGS,
            load_persona(),
            ReportKind(kind),
            stated=life.as_of,
            now=now,
            choose=choose,
        )
        ledger.change(lambda: ([Entry(message_id, REPORT, DELIVERED, now, None, "", "UTC")], None))
        words = [*said(composed), *(line for one in composed.message.sections for line in one.text.splitlines())]
        return [line.replace("\u00a0", " ") for line in words if "ecord" in line and "longest run" in line]

    first = [record("a3", day(10, 26), 12_000, 10_000)]
    assert records_in(26, "daily-workout", first) == ["**Record!** longest run, 12.0 km (before: 10.0 km)"]
    assert records_in(27, "daily-workout", first) == []
    # The late run beats it, and was never said.
    late = [record("late", day(10, 25), 30_000, 10_000)]
    assert records_in(28, "daily-workout", late) == ["**Record!** longest run, 30.0 km (before: 10.0 km) on Sun 25 Oct"]
    assert records_in(28, "weekly-digest", late) == []
