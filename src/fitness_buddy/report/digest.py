"""Write the weekly message: the week compared with the week before, with its charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from fitness_buddy.core.weeks import MONDAY, first_day_of_week, last_day_of_week, week_number
from fitness_buddy.notify.message import OutgoingMessage, Section, escape_markdown
from fitness_buddy.report import charts, lines, pictures, text
from fitness_buddy.report.daily import shares_line, training_sections
from fitness_buddy.report.data import PeriodTotals, Report
from fitness_buddy.report.training import Training


def week_of(stated: date | None, today: date, week_began: date = MONDAY) -> date:
    """Return the last day to report on: the last day of the stated week or of this week, today at the latest; on
    the weekday when the flow sends the digest, of the athlete's week before.

    Args:
        week_began: any day on which one of the athlete's weeks began.
    """
    if stated is None and today == first_day_of_week(today, MONDAY):
        return first_day_of_week(today, week_began) - timedelta(days=1)
    return min(last_day_of_week(stated or today, week_began), today)


def digest_message(
    report: Report, note: str, records: Sequence[str] = (), training: Training | None = None
) -> OutgoingMessage:
    """Return the message about the week that the report's day ends, with its charts.

    Args:
        records: new records, such as ``longest run, 21.3 km (before: 20.1 km)``.
        training: what a section on form, goals and gear says.
        note: the last line, in Markdown.
    """
    week, before = report.week, report.week_before
    food = pictures.macro_days_picture(report) if week.meal_days or before.meal_days else None
    sections = [
        Section(
            "Workouts",
            _workouts(week, before),
            picture=pictures.distance_picture(report),
            colour=charts.SPORT_COLOURS["run"],
        ),
        Section(
            "Time in motion",
            _time(week, before),
            picture=pictures.time_picture(report),
            colour=charts.SPORT_COLOURS["swim"],
        ),
        Section(
            "Steps",
            _steps(week, before),
            picture=pictures.steps_picture(report),
            colour=charts.STEP_COLOURS["Goal met"],
        ),
        Section("Food", _food(week, before, report), picture=food, colour=charts.MACRO_COLOURS["carbs"]),
        *training_sections(training, records),
    ]
    said = [
        f"{text.counted(week.activities, 'session')} on {text.counted(week.active_days, 'day')} · "
        f"{text.distance(week.distance_m)} · {text.duration(week.moving_time_s)}",
        lines.week_sentence(report) if week.days < 7 else _whole_week_sentence(week, before),
        lines.streak_sentence(report),
        *(f"Missing: {escape_markdown(notice.sentence)}" for notice in report.notices),
    ]
    return OutgoingMessage("\n".join(said), _title(week), sections=sections, note=note)


def _title(week: PeriodTotals) -> str:
    number = week_number(week.first_day)
    days = f"{text.weekday_day(week.first_day)} – {text.weekday_day(week.last_day)} {week.last_day.year}"
    if week.days < 7:
        return f"Week {number} so far · {days}, against the same days of the week before"
    return f"Week {number} · {days}, against the week before"


def _whole_week_sentence(week: PeriodTotals, before: PeriodTotals) -> str:
    if not before.distance_m:
        return "No distance in the week before." if week.distance_m else "No distance in this week or the one before."
    return (
        f"{text.change(week.distance_m, before.distance_m)} against {text.distance(before.distance_m)} the week before."
    )


def _workouts(week: PeriodTotals, before: PeriodTotals) -> str:
    families = dict.fromkeys([sport.sport_family for sport in (*week.sports, *before.sports)])
    own, earlier = ({sport.sport_family: sport for sport in period.sports} for period in (week, before))
    said = []
    for family in families:
        now, then = own.get(family), earlier.get(family)
        facts = [f"{now.activities} ×" if now else "none"]
        if now and now.distance_m:
            facts.append(text.distance(now.distance_m))
        if now:
            facts.append(text.duration(now.moving_time_s))
            facts.append(text.effort(family, now.speed_m_s))
        was = "none"
        if then:
            amount = text.distance(then.distance_m) if then.distance_m else text.duration(then.moving_time_s)
            was = f"{then.activities} ×, {amount}"
        said.append(f"**{family.capitalize()}** {' · '.join(fact for fact in facts if fact)} (before: {was})")
    said.append(f"Climbed {_compared(week.elevation_gain_m, before.elevation_gain_m, 'm')}")
    return "\n".join(said) if families else "No workouts in either week."


def _time(week: PeriodTotals, before: PeriodTotals) -> str:
    return (
        f"{text.duration(week.moving_time_s)} on {text.counted(week.active_days, 'day')} "
        f"(before: {text.duration(before.moving_time_s)} on {text.counted(before.active_days, 'day')}) "
        f"{text.change(week.moving_time_s, before.moving_time_s)}"
    )


def _steps(week: PeriodTotals, before: PeriodTotals) -> str:
    if week.steps_total is None and before.steps_total is None:
        return "No steps recorded in either week."
    said = [
        f"Average of the {text.counted(week.steps_days, 'recorded day')}: "
        f"{_compared(week.steps_average, before.steps_average)}",
    ]
    # The same numbers if every day of both weeks has an observation.
    if (week.steps_days, before.steps_days) != (week.days, before.days):
        said.append(
            f"Average of all {text.counted(week.days, 'day')}: "
            f"{_compared(week.steps_average_calendar, before.steps_average_calendar)}"
        )
    said.append(
        f"Goal met on {week.step_goal_days} of {text.counted(week.steps_days, 'recorded day')} "
        f"(before: {before.step_goal_days} of {before.steps_days})"
    )
    return "\n".join(said)


def _food(week: PeriodTotals, before: PeriodTotals, report: Report) -> str:
    if not week.meal_days and not before.meal_days:
        return "No meals recorded in either week."
    said = [
        f"Energy on {text.counted(week.meal_days, 'day')} with meals: "
        f"{_compared(week.energy_average_kcal, before.energy_average_kcal, 'kcal')}"
    ]
    for words, shares in (
        ("Average split", week.macros_mean),
        ("Before", before.macros_mean),
        ("Target", report.macros_target),
    ):
        if shares:
            said.append(f"{words}: {shares_line(shares)}")
    if report.macros_target:
        said.append(f"On target on {week.macro_target_days} of {text.counted(week.meal_days, 'day')} with meals")
    return "\n".join(said)


def _compared(now: float | None, before: float | None, unit: str = "") -> str:
    unit = f" {unit}" if unit else ""
    words, was = (text.NONE if value is None else f"{text.whole(value)}{unit}" for value in (now, before))
    return f"**{words}** (before: {was}) {text.change(now, before)}"
