"""Write the daily messages: workouts, steps, food.

Names of activities and meals are texts of other people, so their Markdown is escaped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from fitness_buddy.core.printing import csv_cell
from fitness_buddy.notify.message import Attachment, OutgoingMessage, Section, escape_markdown, truncate
from fitness_buddy.notify.persona import Persona
from fitness_buddy.report import lines, pictures, text
from fitness_buddy.report.data import MacroDay, MacroShares, Report, Session
from fitness_buddy.report.training import Training, training_sentences

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
_COLOUR = "#8a63d2"


def workout_message(
    report: Report,
    persona: Persona,
    today: date,
    note: str,
    records: Sequence[str] = (),
    training: Training | None = None,
) -> OutgoingMessage:
    """Return the message about the activities of the day, with totals and a CSV; a nudge if there are none.

    Args:
        records: new records, such as ``5 km in 24:31 (before: 25:02)``.
        training: what a section on form, goals and gear says.
        today: the buddy adds a line of its own only for this day; for an earlier day the message has facts only.
        note: the last line.
    """
    title = f"Workouts · {text.full_day(report.day)}"
    sessions = report.sessions
    news = [f"**Record!** {' · '.join(records)}"] if records else []
    sections = training_sections(training)
    if not sessions:
        said = persona.line("no_workout", report.day) if report.day == today else "No workout recorded."
        return OutgoingMessage("\n".join([said, *news]), title, sections=sections, note=note)
    return OutgoingMessage(
        "\n".join([_totals(sessions), *news]),
        title,
        sections=sections,
        items=[
            f"**{format_name(session.name)}** · {format_name(lines.session_facts(session))}" for session in sessions
        ],
        more=lambda left: f"… and {text.counted(left, 'more session')}: all of them are in the file.",
        attachments=[Attachment(f"workouts-{report.day}.csv", session_csv(report).encode(), "text/csv")],
        note=note,
    )


def training_sections(training: Training | None, records: Sequence[str] = ()) -> list[Section]:
    """Return a section on form, records, goals and gear; none if there is nothing to say.

    Args:
        records: new records, in place of those of the last days.
    """
    sentences = [f"Record: {record}." for record in records]
    if training:
        # Goals and gear have names that the athlete chose.
        others = training_sentences(replace(training, records=()))
        sentences += [escape_markdown(text.printable(sentence)) for sentence in others]
    said = "\n".join(sentences)
    return [Section("Form, records and goals", said, colour=_COLOUR)] if said else []


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
    said = []
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
    said.append(_goal_streak(report.streaks.step_goal_days, is_met=bool(day.is_goal_met)))
    if day.average_7d_observed is not None and day.average_7d_calendar is not None:
        said.append(_seven_days(report))
    if report.day == today and day.steps is not None and day.is_goal_met is not None:
        said.append(persona.line("goal_met" if day.is_goal_met else "goal_missed", report.day))
    picture = pictures.steps_picture(report)
    return OutgoingMessage(
        "\n".join(said),
        f"Steps · {text.full_day(report.day)}",
        attachments=[picture] if picture else [],
        note=note,
    )


def _goal_streak(days: int, *, is_met: bool) -> str:
    if not days:
        return "No streak of goals at the moment."
    if days == 1:
        return "The first day of a new streak." if is_met else "The goal was met the day before."
    return f"Goal met {text.counted(days, 'day')} in a row{'' if is_met else ', up to the day before'}."


def _seven_days(report: Report) -> str:
    """Return both 7-day averages; one number if every day has an observation."""
    day = report.steps_of_day
    observed = day.observed_days_7d or 0
    if observed == 7:
        return f"7-day average: {text.whole(day.average_7d_observed)}."
    return (
        f"7-day average: {text.whole(day.average_7d_observed)} over the {text.counted(observed, 'recorded day')}, "
        f"{text.whole(day.average_7d_calendar)} over all seven."
    )


def macros_message(report: Report, persona: Persona, today: date, note: str) -> OutgoingMessage:
    """Return the message about the meals of the day: mean split of the meals, split of the totals, target, and a pie.

    A day without meals is named as such.
    """
    title = f"Food · {text.full_day(report.day)}"
    day = report.macros_of_day
    if day is None:
        said = persona.line("no_meals", report.day) if report.day == today else "No meals recorded."
        return OutgoingMessage(said, title, note=note)
    grams = {"carbs": day.carbs_g, "protein": day.protein_g, "fat": day.fat_g}
    grams |= {"alcohol": day.alcohol_g} if day.alcohol_g else {}
    said = " · ".join(
        [
            text.counted(day.meals, "meal"),
            f"**{text.whole(day.energy_kcal)} kcal**",
            *(f"{text.whole(amount)} g {name}" for name, amount in grams.items()),
        ]
    )
    fields = []
    if day.mean_of_meals is None:
        said += "\nNo meal states energy, so there is no split."
    else:
        fields.append(("Average of the meals", f"{shares_line(day.mean_of_meals)} of energy"))
    if day.of_totals:
        fields.append(("Whole day", f"{shares_line(day.of_totals)} of energy"))
    if day.target:
        fields.append(("Target", f"{shares_line(day.target)}{_adherence(day)}"))
    picture = pictures.macros_picture(report)
    return OutgoingMessage(
        said,
        title,
        fields=fields,
        items=[f"- {format_name(meal.description)} · {format_name(lines.meal_facts(meal))}" for meal in report.meals],
        more=lambda left: f"… and {text.counted(left, 'more meal')}.",
        attachments=[picture] if picture else [],
        note=note,
    )


def format_name(words: str) -> str:
    """Return somebody's name for something, shortened and with escaped Markdown."""
    return escape_markdown(truncate(text.printable(words), _MAX_CHARACTERS_OF_A_NAME)) or text.NONE


def _totals(sessions: Sequence[Session]) -> str:
    distance_m = sum(session.distance_m or 0 for session in sessions)
    elevation_m = sum(session.elevation_gain_m or 0 for session in sessions)
    facts = [
        text.counted(len(sessions), "session"),
        text.distance(distance_m) if distance_m else "",
        text.duration(sum(session.moving_time_s or 0 for session in sessions)),
        f"{text.whole(elevation_m)} m up" if elevation_m else "",
    ]
    return " · ".join(fact for fact in facts if fact)


def shares_line(shares: MacroShares) -> str:
    """Return ``carbs 45 % · protein 31 % · fat 24 %``, and alcohol if there is any."""
    return " · ".join(f"{name} {share}" for name, share in shares.words().items())


def _adherence(day: MacroDay) -> str:
    """Return what is outside the tolerance, such as `` (± 5 points): carbs 6 over, protein 2 under``."""
    if day.tolerance_pct is None or day.mean_of_meals is None or day.target is None:
        return ""
    shares, target = day.mean_of_meals.by_macro(), day.target.by_macro()
    off = {name: shares[name] - target[name] for name in day.off_target}
    beyond = [f"{name} {abs(points):.0f} {'over' if points > 0 else 'under'}" for name, points in off.items()]
    return f" (± {day.tolerance_pct:g} points): {', '.join(beyond) or 'all three on it'}"


def _rounded(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"
