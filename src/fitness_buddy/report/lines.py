"""Write the lines that the terminal, the page and the messages share."""

from __future__ import annotations

from collections.abc import Callable

from fitness_buddy.report import text
from fitness_buddy.report.data import SPORT_FAMILIES, Meal, PeriodTotals, Report, Session


def session_facts(session: Session) -> str:
    """Return ``07:30 · 10.2 km · 0:56 h · 5:29 /km · 70 m up · 146 bpm``, without what is not recorded."""
    facts = [
        f"{session.started_at:%H:%M}" if session.started_at else "",
        text.distance(session.distance_m) if session.distance_m else "",
        text.duration(session.moving_time_s) if session.moving_time_s else "",
        text.effort(session.sport_family, session.speed_m_s),
        f"{text.whole(session.elevation_gain_m)} m up" if session.elevation_gain_m else "",
        f"{text.whole(session.average_heartrate_bpm)} bpm" if session.average_heartrate_bpm else "",
    ]
    return " · ".join(fact for fact in facts if fact) or session.sport_type


def meal_facts(meal: Meal) -> str:
    """Return ``12:00 · 640 kcal · 80 g carbs · 32 g protein · 20 g fat``, without what is not recorded."""
    facts = [
        f"{meal.eaten_at:%H:%M}" if meal.eaten_at else "",
        f"{text.whole(meal.energy_kcal)} kcal" if meal.energy_kcal is not None else "",
        *(
            f"{text.whole(grams)} g {macro}"
            for macro, grams in (("carbs", meal.carbs_g), ("protein", meal.protein_g), ("fat", meal.fat_g))
            if grams is not None
        ),
        f"{text.whole(meal.alcohol_g)} g alcohol" if meal.alcohol_g else "",
    ]
    return " · ".join(fact for fact in facts if fact)


def week_sentence(report: Report) -> str:
    """Return the distance of the week compared with the same days of the week before."""
    now, before = report.week.distance_m, report.week_before.distance_m
    if not before:
        return "No distance on the same days last week." if now else "No distance in this week or the last."
    return f"{text.change(now, before)} against {text.distance(before)} on the same days last week."


def streak_sentence(report: Report) -> str:
    """Return the sentence about both streaks."""
    active, goal = report.streaks.active_days, report.streaks.step_goal_days
    first = f"Active {_in_a_row(active)}" if active else "No streak of active days"
    second = f"step goal met {_in_a_row(goal)}" if goal else "no streak of step goals"
    return f"{first}, {second}."


def _in_a_row(days: int) -> str:
    return f"{text.counted(days, 'day')} in a row" if days > 1 else "on 1 day so far"


def week_rows(week: PeriodTotals, before: PeriodTotals) -> list[tuple[str, str, str, str]]:
    """Return (label, this week, week before, change) for every line in which one of the weeks has something."""
    lines: list[tuple[str, float | None, float | None, Callable[[float | None], str]]] = [
        ("Activities", week.activities, before.activities, text.whole),
        ("Distance", week.distance_m, before.distance_m, text.distance),
        *(
            (f"\u2003{family}", _distance_m(week, family), _distance_m(before, family), text.distance)
            for family in SPORT_FAMILIES
        ),
        ("Moving time", week.moving_time_s, before.moving_time_s, text.duration),
        ("Elevation gain, m", week.elevation_gain_m, before.elevation_gain_m, text.whole),
        ("Steps", week.steps_total, before.steps_total, text.whole),
        ("Steps per recorded day", week.steps_average, before.steps_average, text.whole),
        ("Days with step goal met", week.step_goal_days, before.step_goal_days, text.whole),
        ("kcal per day with meals", week.energy_average_kcal, before.energy_average_kcal, text.whole),
    ]
    return [(what, write(now), write(then), text.change(now, then)) for what, now, then, write in lines if now or then]


def _distance_m(period: PeriodTotals, family: str) -> float:
    return next((sport.distance_m for sport in period.sports if sport.sport_family == family), 0.0)
