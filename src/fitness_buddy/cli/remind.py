"""The commands ``buddy remind …``, ``buddy events`` and ``buddy meditation``."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import PATH, Run, command, main
from fitness_buddy.cli.posting import open_outbox, post_once, post_option, post_options, post_reply, subject_id
from fitness_buddy.core.errors import BuddyError, UsageError

if TYPE_CHECKING:
    from fitness_buddy.remind.events import FoundEvents
    from fitness_buddy.remind.ledger import Ledger
    from fitness_buddy.remind.questions import Proposal
    from fitness_buddy.remind.requests import Message
    from fitness_buddy.remind.times import Times


@main.group()
def remind() -> None:
    """Store reminders from messages, post due ones, list waiting ones."""


@command(remind, "request", takes_now=True)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True), required=False)
@click.option("--text", metavar="WORDS", help="The message itself, instead of FILE.")
@post_option
def remind_request(run: Run, path: Path | None, text: str | None, post: bool) -> dict[str, Any]:
    """Do what a message asks for: "remind me to stretch tomorrow at 7am", "my reminders", "cancel 3", "snooze".

    FILE holds it as JSON, {"text": …, "message_id": …}; "-" reads that from standard input. The same message_id again
    changes nothing. What is not clear is asked back, and the next message may answer it: "9am". BUDDY_LANGUAGES names
    the languages it may be in, the athlete's first, such as de,en [en].
    """
    from fitness_buddy.remind.requests import Message, read_message

    if (path is None) == (text is None):
        raise UsageError("give the message as FILE or as --text, one of them")
    if text is not None:
        message = Message(text)
    else:
        message = read_message(_read(path), "standard input" if str(path) == "-" else str(path))
    return answer_message(run, message, post=post)


def answer_message(run: Run, message: Message, *, post: bool = False) -> dict[str, Any]:
    """Do what a message asks of the reminders, print the reply, and post it."""
    from fitness_buddy.core.state import open_state
    from fitness_buddy.llm.client import model_settings
    from fitness_buddy.notify.message import plain
    from fitness_buddy.remind.questions import Questions
    from fitness_buddy.remind.requests import answer
    from fitness_buddy.remind.times import language_setting

    outbox = open_outbox(run, is_awaited=True) if post else None
    model = None

    def propose(text: str, times: Times, name: str) -> Proposal | None:
        from fitness_buddy.llm.calls import open_model
        from fitness_buddy.remind.proposals import propose as ask_model

        nonlocal model
        model = open_model(run.warehouse, run.settings)
        return ask_model(model, text, times, name) if model else None

    reply = answer(
        _ledger(run),
        message,
        now=run.now,
        timezone=_timezone(run),
        languages=language_setting(),
        questions=Questions(open_state(), run.settings.athlete_id),
        propose=propose if model_settings() else None,
    )
    if reply.message:
        run.say(plain(reply.message))
    answered = reply.to_dict() | (model.totals() if model else {})
    return post_reply(run, outbox, "reminders", message.message_id, reply.message, answered)


@command(remind, "deliver", takes_now=True)
@click.option(
    "--window-s",
    type=click.FloatRange(min=0, max=3600),
    default=100,
    show_default=True,
    help="Wait for reminders that become due in so many seconds; less than the time until the next run.",
)
def remind_deliver(run: Run, window_s: float) -> dict[str, Any]:
    """Post the due reminders on the channels of BUDDY_NOTIFY, in their order, each once and none before its time.

    Late ones are marked. If a channel does not take a reminder, it stays due there, and the command fails. If a run was
    killed during a post, another run posts the reminder again after BUDDY_CLAIM_S seconds [300].
    """
    from fitness_buddy.notify.channels import open_channels
    from fitness_buddy.remind.delivery import deliver_in_time

    delivery = deliver_in_time(_ledger(run), open_channels(), window_s=window_s, clock=run.clock)
    for entry in delivery.delivered:
        run.say(f"Delivered: {entry.text} (reminder {entry.number})")
    if failure := delivery.failure("reminders"):
        raise failure
    if not delivery.delivered:
        run.say("Nothing is due.")
    return delivery.to_dict()


@command(remind, "list", takes_now=True)
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many are shown.")
def remind_list(run: Run, most: int) -> dict[str, Any]:
    """List the waiting reminders, the next one first, and which of them are due."""
    from fitness_buddy.remind.requests import entry_line, reminder_dict

    ledger = _ledger(run)
    waiting, count = ledger.waiting(most), ledger.waiting_count()
    due = {entry.number for entry in waiting if entry.due_at and entry.due_at <= run.now}
    for entry in waiting:
        run.say(entry_line(entry) + (" (due)" if entry.number in due else ""))
    if count > len(waiting):
        run.say(f"… and {count - len(waiting):,} more")
    if not waiting:
        run.say("No reminder is waiting.")
    return {
        "waiting_count": count,
        "reminders": [{**reminder_dict(entry), "text": entry.text, "is_due": entry.number in due} for entry in waiting],
    }


@command(main, "events", takes_now=True)
@click.option("--within", default="30m", show_default=True, metavar="TIME", help="How far to look ahead: 30m, 1h.")
@click.option("--write-to", type=PATH, metavar="FILE", help="Post nothing, and write what was read, for --read-from.")
@click.option("--read-from", type=PATH, metavar="FILE", help="Post from the file of --write-to.")
def events(run: Run, within: str, write_to: Path | None, read_from: Path | None) -> dict[str, Any]:
    """Post on the channels of BUDDY_NOTIFY which events begin soon, each once; events of a whole day from 7:00 on.

    The events come from an iCalendar feed (BUDDY_CALENDAR_URL) and from a sheet as CSV with the columns Title and Start
    Date (BUDDY_EVENTS_SHEET_URL): addresses, or paths of files. The sheet may also have the columns Start Time, End
    Date, End Time, Location and Link. BUDDY_EVENTS_EACH_DAY=true posts an event of several days on each of them.
    """
    from fitness_buddy.notify.channels import open_channels
    from fitness_buddy.remind.events import announce, each_day_setting, read_events, window_option
    from fitness_buddy.remind.found import read_found
    from fitness_buddy.remind.times import language_setting

    if write_to and read_from:
        raise UsageError("--write-to and --read-from are two steps: give one of them")
    span, timezone = window_option(within), _timezone(run)
    channels = [] if write_to else open_channels()
    if read_from:
        found = read_found(read_from)
    else:
        found = read_events(run.settings.data_dir, timezone, language_setting(), run.now, span)
    for refusal in found.refusals:
        run.say(f"Note: {refusal}")
    if write_to:
        return _write_events(run, found, write_to, span, timezone)
    delivery = announce(
        _ledger(run),
        channels,
        found,
        span=span,
        timezone=timezone,
        clock=run.clock,
        is_each_day=each_day_setting(),
    )
    for entry in delivery.delivered:
        run.say(f"Delivered: {entry.text}")
    delivery.failures.extend(found.failures)
    if failure := delivery.failure("events"):
        raise failure
    if not delivery.delivered:
        run.say("No further event begins soon.")
    return delivery.to_dict() | _refused(found)


def _write_events(run: Run, found: FoundEvents, path: Path, span: timedelta, timezone: str) -> dict[str, Any]:
    """Write what was read, also where a source could not be read.

    Raises:
        BuddyError: a source could not be read; the details have the answer.
    """
    from fitness_buddy.remind.events import count_due, each_day_setting
    from fitness_buddy.remind.found import write_found

    write_found(path, found)
    begin_count = count_due(
        _ledger(run), found, span=span, timezone=timezone, now=run.now, is_each_day=each_day_setting()
    )
    run.say(f"Read: {len(found.events):,} events, {begin_count:,} to announce.")
    answer = {"events_count": len(found.events), "begin_count": begin_count, **_refused(found)}
    if found.failures:
        first = found.failures[0]
        raise BuddyError(str(first), details={**first.details(), **answer}, exit_code=first.exit_code)
    return answer


def _refused(found: FoundEvents) -> dict[str, Any]:
    return {"rows_refused": len(found.refusals), "refusals": [str(refusal) for refusal in found.refusals]}


@command(main, "meditation", takes_now=True)
@post_options
def meditation(run: Run, post: bool, again: bool) -> dict[str, Any]:
    """Write an encouraging message for the morning: by the language model, or a line of the persona without one.

    With --post it is posted, once a day.
    """
    from fitness_buddy.llm.calls import open_model
    from fitness_buddy.llm.facts import read_day_facts
    from fitness_buddy.notify.message import OutgoingMessage, plain
    from fitness_buddy.notify.persona import load_persona
    from fitness_buddy.remind.ledger import MEDITATION
    from fitness_buddy.remind.meditation import morning_words

    outbox = open_outbox(run) if post else None
    morning = run.today(_timezone(run))
    subject = subject_id(run, MEDITATION, str(morning), again=again)
    if outbox and not outbox.is_open(subject):
        run.say("It was posted before.")
        return {"message": "", "written_by": "", "reason": "it was posted before"}
    model = open_model(run.warehouse, run.settings)
    facts = read_day_facts(run.warehouse, run.settings, morning - timedelta(days=1)) if model else []
    words = morning_words(model, load_persona(), morning, facts)
    run.say(plain(words.text))
    posted = post_once(run, outbox, MEDITATION, [(subject, OutgoingMessage(words.text))]) if outbox else {}
    return {
        **posted,
        "message": words.text,
        "written_by": words.written_by,
        "reason": words.reason,
        **(model.totals() if model else {}),
    }


def _ledger(run: Run) -> Ledger:
    from fitness_buddy.remind.ledger import Ledger

    return Ledger(run.warehouse, run.settings)


def _timezone(run: Run) -> str:
    from fitness_buddy.warehouse.athlete_settings import current_timezone

    return current_timezone(run.warehouse, run.settings)


def _read(path: Path | None) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else Path(str(path)).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: expected JSON in UTF-8") from None
