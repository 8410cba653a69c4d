"""Write the daily messages for Discord: workouts, steps, food.

Names of activities and meals are texts of other people, so their Markdown is escaped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date

from fitness_buddy.core.printing import csv_cell
from fitness_buddy.notify.message import MAX_CHARACTERS, Attachment, OutgoingMessage, escape_markdown, truncate
from fitness_buddy.notify.persona import Persona
from fitness_buddy.report import lines, pictures, text
from fitness_buddy.report.data import MacroDay, MacroShares, Report, Session

# In the CSV an empty field means: not recorded.
SESSION_COLUMNS = (
    "activity_date",
    "started_at",
    "name",
    "sport_type",
    "sport_family",
    "distance_m",
    "moving_time_s",
    "pace_min_per_km",
    "speed_km_h",
    "elevation_gain_m",
    "average_heartrate_bpm",
    "source",
)
_MAX_CHARACTERS_OF_A_NAME = 80
PNG = "image/png"


def workout_message(report: Report, persona: Persona, today: date, note: str) -> OutgoingMessage:
    """Return the message about the activities of the day, with totals and a CSV; a nudge if there are none.

    Args:
        today: the buddy adds a line of its own only for this day; for an earlier day the message has facts only.
        note: the last line, in Markdown.
    """
    title = f"**Workouts · {text.full_day(report.day)}**"
    sessions = report.sessions
    if not sessions:
        said = persona.line("no_workout", report.day) if report.day == today else "No workout recorded."
        return OutgoingMessage("\n".join([title, said, f"-# {note}"]))
    content = fit_items(
        [title, _totals(sessions)],
        [f"**{format_name(session.name)}** · {format_name(lines.session_facts(session))}" for session in sessions],
        [f"-# {note}"],
        lambda left: f"… and {text.counted(left, 'more session')}: all of them are in the file.",
    )
    return OutgoingMessage(
        content, attachments=[Attachment(f"workouts-{report.day}.csv", session_csv(report).encode(), "text/csv")]
    )


def session_csv(report: Report) -> str:
    """Return the activities of the day as CSV with SESSION_COLUMNS, ordered by start; times are local."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(SESSION_COLUMNS)
    for row in report.sessions:
        speed_m_s = row.speed_m_s
        cells = [
            report.day,
            row.started_at.isoformat() if row.started_at else None,
            text.printable(row.name),
            text.printable(row.sport_type),
            row.sport_family,
            _rounded(row.distance_m, 1),
            _rounded(row.moving_time_s, 0),
            _rounded(1000 / speed_m_s / 60 if speed_m_s else None, 2),
            _rounded(speed_m_s * 3.6 if speed_m_s else None, 2),
            _rounded(row.elevation_gain_m, 1),
            _rounded(row.average_heartrate_bpm, 0),
            text.printable(row.source),
        ]
        writer.writerow(map(csv_cell, cells))
    return stream.getvalue()


def steps_message(report: Report, persona: Persona, today: date, note: str) -> OutgoingMessage:
    """Return the message about the steps of the day: goal, streak, both 7-day averages, and a chart.

    A day without an observation is named as such.
    """
    day = report.steps_of_day
    said = [f"**Steps · {text.full_day(report.day)}**"]
    if day.steps is None:
        said.append(persona.line("no_steps", report.day) if report.day == today else "No steps recorded.")
        if day.goal:
            said.append(f"The goal is {text.whole(day.goal)}.")
    elif day.goal:
        share = text.percent(int(day.steps * 100 / day.goal))
        left = "goal met" if day.is_goal_met else f"{text.whole(day.goal - day.steps)} to go"
        said.append(f"**{text.whole(day.steps)}** of {text.whole(day.goal)} steps · {share} · {left}")
    else:
        said.append(f"**{text.whole(day.steps)}** steps")
    streak = report.streaks.step_goal_days
    until = "" if day.is_goal_met else ", up to the day before"
    said.append(
        f"Goal met {text.counted(streak, 'day')} in a row{until}." if streak else "No streak of goals at the moment."
    )
    if day.average_7d_observed is not None and day.average_7d_calendar is not None:
        observed = sum(row.steps is not None for row in report.steps[-7:])
        said.append(
            f"7-day average: {text.whole(day.average_7d_observed)} over the {text.counted(observed, 'recorded day')}, "
            f"{text.whole(day.average_7d_calendar)} over all seven."
        )
    if report.day == today and day.steps is not None and day.is_goal_met is not None:
        said.append(persona.line("goal_met" if day.is_goal_met else "goal_missed", report.day))
    return _with_picture([*said, f"-# {note}"], "steps", report.day, pictures.steps_picture(report))


def macros_message(report: Report, persona: Persona, today: date, note: str) -> OutgoingMessage:
    """Return the message about the meals of the day: mean split of the meals, split of the totals, target, and a pie.

    A day without meals is named as such.
    """
    title = f"**Food · {text.full_day(report.day)}**"
    day = report.macros_of_day
    if day is None:
        said = persona.line("no_meals", report.day) if report.day == today else "No meals recorded."
        return OutgoingMessage("\n".join([title, said, f"-# {note}"]))
    head = [
        title,
        f"{text.counted(day.meals, 'meal')} · **{text.whole(day.energy_kcal)} kcal** · "
        f"{text.whole(day.carbs_g)} g carbs · {text.whole(day.protein_g)} g protein · {text.whole(day.fat_g)} g fat",
    ]
    if day.mean_of_meals is None:
        head.append("No meal states energy, so there is no split.")
    else:
        head.append(f"Average of the meals: **{_shares(day.mean_of_meals)}** of energy")
    if day.of_totals:
        head.append(f"Weighed by energy: {_shares(day.of_totals)}")
    if day.target:
        head.append(f"Target: {_shares(day.target)}{_adherence(day)}")
    content = fit_items(
        head,
        [f"- {format_name(meal.description)} · {format_name(lines.meal_facts(meal))}" for meal in report.meals],
        [f"-# {note}"],
        lambda left: f"… and {text.counted(left, 'more meal')}.",
    )
    return _with_picture([content], "macros", report.day, pictures.macros_picture(report))


def fit_items(
    head: Sequence[str],
    items: Sequence[str],
    tail: Sequence[str],
    more: Callable[[int], str],
    most: int = MAX_CHARACTERS,
) -> str:
    """Return the lines with as many items as fit into a message, and a line that counts the others."""

    def together(shown: int) -> str:
        rest = [more(len(items) - shown)] if shown < len(items) else []
        return "\n".join([*head, *items[:shown], *rest, *tail])

    shown = next(
        (number for number in range(len(items), -1, -1) if truncate(together(number), most) == together(number)), 0
    )
    return together(shown)


def format_name(words: str) -> str:
    """Return somebody's name for something, shortened and with escaped Markdown."""
    return escape_markdown(truncate(text.printable(words), _MAX_CHARACTERS_OF_A_NAME)) or text.NONE


def _with_picture(said: Sequence[str], what: str, day: date, picture: bytes | None) -> OutgoingMessage:
    content = "\n".join(said)
    if picture is None:
        return OutgoingMessage(content)
    name = f"{what}-{day}.png"
    # In an embed Discord shows the whole picture, at its place in the text.
    return OutgoingMessage(content, [{"image": {"url": f"attachment://{name}"}}], [Attachment(name, picture, PNG)])


def _totals(sessions: Sequence[Session]) -> str:
    distance_m = sum(session.distance_m or 0 for session in sessions)
    elevation_m = sum(session.elevation_gain_m or 0 for session in sessions)
    facts = [
        text.counted(len(sessions), "session"),
        text.km(distance_m) if distance_m else "",
        text.duration(sum(session.moving_time_s or 0 for session in sessions)),
        f"{text.whole(elevation_m)} m up" if elevation_m else "",
    ]
    return " · ".join(fact for fact in facts if fact)


def _shares(shares: MacroShares) -> str:
    return " · ".join(f"{name} {text.percent(share)}" for name, share in shares.by_macro().items())


def _adherence(day: MacroDay) -> str:
    """Return what is outside the tolerance, such as `` (± 5 points): carbs 6 over, protein 2 under``."""
    if day.tolerance_pct is None or day.mean_of_meals is None or day.target is None:
        return ""
    target = day.target.by_macro()
    off = {name: share - target[name] for name, share in day.mean_of_meals.by_macro().items()}
    beyond = [
        f"{name} {abs(points):.0f} {'over' if points > 0 else 'under'}"
        for name, points in off.items()
        if abs(points) > day.tolerance_pct
    ]
    return f" (± {day.tolerance_pct:g} points): {', '.join(beyond) or 'all three on it'}"


def _rounded(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"
