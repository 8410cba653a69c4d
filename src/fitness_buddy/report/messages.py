"""Compose the message of a report: choose the day, check that the marts cover it, and write text and files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from fitness_buddy.core.errors import UsageError
from fitness_buddy.notify.message import OutgoingMessage, as_text
from fitness_buddy.notify.persona import Persona
from fitness_buddy.report import text
from fitness_buddy.report.daily import macros_message, steps_message, workout_message
from fitness_buddy.report.data import Report, load_built_range, load_report
from fitness_buddy.report.digest import digest_message, week_of
from fitness_buddy.report.freshness import loaded_sentence, stale_sentence
from fitness_buddy.report.kinds import ReportKind
from fitness_buddy.report.training import DAYS_OF_RECORDS, NewRecord, Training, load_new_records, load_training

if TYPE_CHECKING:
    from fitness_buddy.core.settings import Settings
    from fitness_buddy.warehouse import Warehouse

# The title of each message, and the area of the marts that it reports on; None for all areas.
_TITLES: Mapping[ReportKind, tuple[str, str | None]] = {
    ReportKind.DAILY_WORKOUT: ("Workouts", "activities"),
    ReportKind.DAILY_STEPS: ("Steps", "steps"),
    ReportKind.DAILY_MACROS: ("Food", "meals"),
    ReportKind.WEEKLY_DIGEST: ("Week", None),
}
# The messages that have form, new records, goals and gear.
_WITH_TRAINING = (ReportKind.DAILY_WORKOUT, ReportKind.WEEKLY_DIGEST)
# A digest is written in the week after its own; it says of which day its goals and gear are.
_DAYS_OF_WEEK = 7
# Returns the keys of the records that a message says.
ChooseNews: TypeAlias = Callable[[Mapping[str, bool], date], Collection[str]]
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:g|m|km|mi|mph|h|kcal|bpm)\b|[%×/])")
_NO_BREAK = "\u00a0"


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """A report as a message.

    Attributes:
        day: the day of the report; of a digest the last day.
        is_stale: the marts do not cover the day, and the message says only that.
    """

    kind: ReportKind
    day: date
    is_stale: bool
    message: OutgoingMessage


def compose_report(
    warehouse: Warehouse,
    settings: Settings,
    persona: Persona,
    kind: ReportKind,
    *,
    stated: date | None,
    now: datetime,
    is_build_failed: bool = False,
    choose: ChooseNews | None = None,
) -> ReportMessage:
    """Compose the message of a report; the same marts, day and ``now`` give the same message.

    Args:
        stated: the day to report on, for a digest any day of its week; None for today, or the week that has ended.
        now: timezone-aware.
        is_build_failed: the build before this report failed.
        choose: returns the records that the message says, by the keys of those that it could say and whether each is
            recent, and the day of the report. None for those of the day, or of the week.

    Raises:
        UsageError: the day is in the future.
        BuddyError: the marts have nothing of the athlete, or the day is before their first day.
        NotBuiltError: the marts do not exist yet.
    """
    built = load_built_range(warehouse, settings)
    today = now.astimezone(built.timezone).date()
    if stated and stated > today:
        raise UsageError(f"--date {stated}: expected a day up to today, {today} in {built.timezone.key}")
    title, area = _TITLES[kind]
    day = week_of(stated, today, built.week_began) if kind == ReportKind.WEEKLY_DIGEST else stated or today
    stale = stale_sentence(built, day, is_build_failed=is_build_failed)
    if stale is None:
        report = load_report(warehouse, settings, day, built)
        stale = stale_sentence(built, day, area=area, has_records=_has_records(report, area))
    note = loaded_sentence(built, area)
    if stale:
        warning = OutgoingMessage(f"⚠️ Stale: {stale}", f"{title} · {text.full_day(day)}", note=note)
        return ReportMessage(kind, day, is_stale=True, message=warning)
    with text.shown_in(built.distance_unit):
        training, records = None, []
        if kind in _WITH_TRAINING:
            lag_days = _DAYS_OF_WEEK if kind == ReportKind.WEEKLY_DIGEST else 0
            training = load_training(warehouse, settings, day, built.as_of_day, lag_days=lag_days)
            first_day = report.week.first_day if kind == ReportKind.WEEKLY_DIGEST else day
            records = _news(load_new_records(warehouse, settings, day), first_day, day, choose)
        message = _message(kind, report, persona, today, note, records, training)
        return ReportMessage(kind, day, is_stale=False, message=_with_no_break_spaces(message))


def _news(found: Sequence[NewRecord], first_day: date, day: date, choose: ChooseNews | None) -> list[str]:
    """Return the sentences of the chosen records, with the day where it is another than that of the report."""
    recent_from = day - timedelta(days=DAYS_OF_RECORDS - 1)
    if choose:
        chosen = choose({record.key: record.achieved_on >= recent_from for record in found}, day)
    else:
        chosen = {record.key for record in found if record.achieved_on >= first_day}
    return [
        record.sentence if record.achieved_on == day else f"{record.sentence} on {text.weekday_day(record.achieved_on)}"
        for record in found
        if record.key in chosen
    ]


def write_files(message: OutgoingMessage, folder: Path) -> list[Path]:
    """Write a message to a folder: its text as ``message.txt``, and its pictures and files; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "message.txt"]
    written[0].write_text(terminal_text(message) + "\n", encoding="utf-8")
    for attachment in message.files:
        written.append(folder / attachment.name)
        written[-1].write_bytes(attachment.content)
    return written


def terminal_text(message: OutgoingMessage) -> str:
    """Return a message without markup and without control characters, for a terminal."""
    words = "\n".join(part for part in [message.title, as_text(message)] if part)
    return "\n".join(text.printable(line.replace(_NO_BREAK, " ")) for line in words.split("\n"))


def _with_no_break_spaces(message: OutgoingMessage) -> OutgoingMessage:
    """Put no-break spaces between numbers and units, so that no line of a narrow screen ends between them."""

    def together(words: str) -> str:
        return _BEFORE_UNIT.sub(_NO_BREAK, words)

    return dataclasses.replace(
        message,
        text=together(message.text),
        fields=[(label, together(value)) for label, value in message.fields],
        items=[together(item) for item in message.items],
        sections=[dataclasses.replace(section, text=together(section.text)) for section in message.sections],
    )


def _has_records(report: Report, area: str | None) -> bool:
    return {
        "activities": bool(report.sessions),
        "steps": report.steps_of_day.steps is not None,
        "meals": report.macros_of_day is not None,
        None: True,
    }[area]


def _message(
    kind: ReportKind,
    report: Report,
    persona: Persona,
    today: date,
    note: str,
    records: Sequence[str],
    training: Training | None,
) -> OutgoingMessage:
    if kind == ReportKind.WEEKLY_DIGEST:
        return digest_message(report, note, records, training)
    if kind == ReportKind.DAILY_WORKOUT:
        return workout_message(report, persona, today, note, records, training)
    daily = {
        ReportKind.DAILY_STEPS: steps_message,
        ReportKind.DAILY_MACROS: macros_message,
    }
    return daily[kind](report, persona, today, note)
