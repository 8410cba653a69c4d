"""The commands ``buddy meal …``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from fitness_buddy.cli.command import PATH, Run, command, main, options
from fitness_buddy.cli.posting import open_outbox, post_once, post_option, post_options, post_reply, subject_id
from fitness_buddy.core.errors import BuddyError, UsageError

if TYPE_CHECKING:
    from fitness_buddy.llm.client import LanguageModel
    from fitness_buddy.meals.conversation import MealConversation
    from fitness_buddy.meals.request import MealIntent

_MEAL_ID = click.argument("meal_id")


@main.group()
def meal() -> None:
    """Note meals by picture or in words, estimated by a language model or with your numbers; correct and draw them."""


# The options of commands that note a meal; see :func:`_handle`.
_meal_options = options(
    post_option,
    click.option(
        "--eaten-at",
        metavar="TIME",
        help="When: 2026-11-20T19:30 in your time zone, or 2026-11-20T19:30+01:00 [now].",
    ),
    click.option("--text", default="", metavar="WORDS", help='Words, or numbers: "oats: 60 carbs, 12 protein, 7 fat".'),
)


@command(meal, "estimate", takes_now=True)
@click.argument("path", type=PATH, nargs=-1)
@_meal_options
def meal_estimate(run: Run, path: tuple[Path, ...], text: str, eaten_at: str | None, post: bool) -> dict[str, Any]:
    """Note a meal by its pictures (PNG, JPEG, WebP or HEIC), by words, or both.

    Numbers that you state are used unchanged; everything else is estimated by the language model. An uncertain estimate
    counts only after you have confirmed or corrected it.
    """
    from fitness_buddy.meals.request import MealIntent, read_pictures

    if not path and not text.strip():
        raise UsageError("give a picture's PATH, or --text")
    return handle_meal(run, MealIntent("note", words=text.strip()), read_pictures(path), eaten_at, post=post)


@command(meal, "correct", takes_now=True)
@_MEAL_ID
@click.argument("path", type=PATH, nargs=-1)
@click.option("--text", default="", metavar="WORDS", help="What it was; leave out to confirm the estimate.")
@post_option
def meal_correct(run: Run, meal_id: str, path: tuple[Path, ...], text: str, post: bool) -> dict[str, Any]:
    """Correct the meal whose id begins with MEAL_ID, or confirm it."""
    from fitness_buddy.meals.request import MealIntent, read_pictures

    return handle_meal(run, MealIntent("correct", meal_id.lower(), text.strip()), read_pictures(path), post=post)


@command(meal, "delete", takes_now=True)
@_MEAL_ID
@post_option
def meal_delete(run: Run, meal_id: str, post: bool) -> dict[str, Any]:
    """Delete the meal whose id begins with MEAL_ID."""
    from fitness_buddy.meals.request import MealIntent

    return handle_meal(run, MealIntent("delete", meal_id.lower()), [], post=post)


@command(meal, "request", takes_now=True)
@click.argument("path", type=PATH)
@post_option
def meal_request(run: Run, path: Path, post: bool) -> dict[str, Any]:
    """Do what the message in PATH asks for: note a meal, correct one ("correct 3f2a: …"), delete one.

    PATH is JSON: {"text": …, "message_id": …, "pictures": [{"name": …, "content_base64": …}]}. A message that comes
    again changes nothing.
    """
    from fitness_buddy.meals.request import parse_intent, read_message

    request = read_message(path)
    return handle_meal(run, parse_intent(request.text), request.pictures, message_id=request.message_id, post=post)


@command(meal, "step", takes_now=True)
@click.argument("step", type=click.Choice(["understand", "estimate", "store", "answer"]))
@click.option(
    "--request", type=PATH, metavar="FILE", help="The message of `buddy meal request`; the first two read it."
)
@click.option("--draft", type=PATH, required=True, metavar="FILE", help="What one step passes on to the next.")
def meal_step(run: Run, step: str, request: Path | None, draft: Path) -> dict[str, Any]:
    """Do one step of `buddy meal request --post`, as the flow `meal` does: a repeated step changes nothing.

    `understand` writes the reply, and what is to be stored, to the draft; not if the language model is needed for it.
    `estimate` does the same and asks the model. `store` stores what the draft has, `answer` posts its reply.
    """
    if step in {"understand", "estimate"}:
        if request is None:
            raise UsageError(f"the step {step} needs the message: --request FILE")
        return _understand(run, request, draft, may_ask=step == "estimate")
    return _store(run, draft) if step == "store" else _answer(run, draft)


def _understand(run: Run, request: Path, draft: Path, *, may_ask: bool) -> dict[str, Any]:
    from fitness_buddy.meals.conversation import ModelNeededError
    from fitness_buddy.meals.draft import Draft, write_draft
    from fitness_buddy.meals.request import parse_intent, read_message
    from fitness_buddy.notify.message import plain

    message = read_message(request)
    conversation, model = _open_conversation(run, may_ask=may_ask)
    eaten_at, intent = run.now.isoformat(timespec="seconds"), parse_intent(message.text)
    try:
        reply = conversation.understand(intent, message.pictures, eaten_at, message.message_id)
    except ModelNeededError:
        run.say("The language model has to be asked.")
        return {"is_to_estimate": True, "is_to_store": False}
    write_draft(draft, Draft(message.message_id, reply))
    run.say(plain(reply.message))
    costs = model.totals() if model and may_ask else {}
    return {"is_to_estimate": False, "is_to_store": reply.is_to_store, **reply.facts(), **costs}


def _store(run: Run, draft: Path) -> dict[str, Any]:
    from fitness_buddy.ingest.zone import keep_listed_zone
    from fitness_buddy.meals.draft import read_draft

    understood = read_draft(draft)
    keep_listed_zone(run.warehouse, run.settings, now=run.clock())
    conversation, _ = _open_conversation(run)
    reply = conversation.store(understood.reply, understood.message_id)
    run.say("Stored." if reply.landing else "Nothing was to be stored, or it was stored before.")
    return reply.to_dict()


def _answer(run: Run, draft: Path) -> dict[str, Any]:
    from fitness_buddy.meals.draft import read_draft
    from fitness_buddy.notify.message import plain

    understood = read_draft(draft)
    reply = understood.reply
    run.say(plain(reply.message))
    answer = {"outcome": reply.outcome, "message": reply.message}
    outbox = open_outbox(run, is_awaited=True)
    return post_reply(run, outbox, "meals", understood.message_id, reply.message, answer)


@command(meal, "picture", takes_now=True)
@click.argument("meal_id", required=False)
@click.option("--text", default="", metavar="WORDS", help="A meal that was not noted.")
@click.option("--out", type=PATH, metavar="FILE", help="Write the picture (PNG or JPEG) to this file.")
@post_options
def meal_picture(run: Run, meal_id: str | None, text: str, out: Path | None, post: bool, again: bool) -> dict[str, Any]:
    """Draw the buddy eating the meal whose id begins with MEAL_ID. Needs BUDDY_LLM_IMAGE_MODEL.

    With --post the picture of a meal is posted once.
    """
    from fitness_buddy.llm.calls import open_model
    from fitness_buddy.meals.diary import Diary
    from fitness_buddy.meals.picture import can_draw, draw_meal
    from fitness_buddy.notify.persona import load_persona
    from fitness_buddy.remind.ledger import REPLY

    if (meal_id is None) == (not text.strip()):
        raise UsageError("give the MEAL_ID of a meal that was noted, or --text")
    if out is None and not post:
        raise UsageError("give --out FILE, --post, or both")
    outbox = open_outbox(run) if post else None
    model = open_model(run.warehouse, run.settings)
    if model is None or not can_draw():
        raise UsageError(
            "no picture can be made: BUDDY_LLM_BASE_URL, BUDDY_LLM_MODEL and BUDDY_LLM_IMAGE_MODEL are needed"
        )
    subject = subject_id(run, "picture", again=True)
    if meal_id is not None:
        noted = Diary(run.warehouse, run.settings.athlete_id, run.now).only(meal_id.lower())
        text, subject = noted.description, subject_id(run, "picture", noted.meal_id, again=again)
        if outbox and out is None and not outbox.is_open(subject):
            run.say("It was posted before.")
            return {"delivered_count": 0}
    message = draw_meal(model, load_persona(), text)
    (picture,) = message.attachments
    answer: dict[str, Any] = {
        "media_type": picture.media_type,
        "size_bytes": len(picture.content),
        **model.totals(),
    }
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(picture.content)
        except OSError as error:
            raise BuddyError(f"{out}: the picture cannot be written: {error.strerror}", details=answer) from None
        answer["path"] = str(out)
        run.say(f"{out}: {len(picture.content) / 1024:,.0f} KB")
    if outbox is not None:
        answer |= post_once(run, outbox, REPLY, [(subject, message)])
    return answer


def handle_meal(
    run: Run,
    intent: MealIntent,
    pictures: Sequence[bytes],
    eaten_at: str | None = None,
    message_id: str | None = None,
    *,
    post: bool = False,
) -> dict[str, Any]:
    """Do what is asked for, once for each message, print the reply, and post it."""
    from fitness_buddy.ingest.zone import keep_listed_zone
    from fitness_buddy.meals.request import id_of_command
    from fitness_buddy.notify.message import plain

    keep_listed_zone(run.warehouse, run.settings, now=run.clock())
    outbox = open_outbox(run, is_awaited=True) if post else None
    # A time that is given as an option is the time, whatever the words say.
    conversation, model = _open_conversation(run, reads_times=not eaten_at)
    eaten_at = eaten_at or run.now.isoformat(timespec="seconds")
    message_id = message_id or id_of_command(intent, eaten_at, pictures)
    reply = conversation.handle(intent, pictures, eaten_at, message_id)
    run.say(plain(reply.message))
    answer = reply.to_dict() | (model.totals() if model else {})
    return post_reply(run, outbox, "meals", message_id, reply.message, answer)


def _open_conversation(
    run: Run, *, reads_times: bool = True, may_ask: bool = True
) -> tuple[MealConversation, LanguageModel | None]:
    """Return the athlete's conversation, and the language model of it, if there is one.

    Args:
        reads_times: whether the words may say when a meal was eaten.
        may_ask: whether the language model may be asked.
    """
    from fitness_buddy.ingest.load import load_clock
    from fitness_buddy.llm.calls import open_model
    from fitness_buddy.meals.conversation import MealConversation
    from fitness_buddy.meals.diary import Diary
    from fitness_buddy.remind.times import Times, language_setting
    from fitness_buddy.warehouse.athlete_settings import current_timezone

    timezone = current_timezone(run.warehouse, run.settings)
    times = Times(run.now, timezone, language_setting()) if reads_times else None
    model = open_model(run.warehouse, run.settings)
    clock = load_clock(run.clock, run.warehouse, run.settings.athlete_id)
    diary = Diary(run.warehouse, run.settings.athlete_id, clock.now)
    return MealConversation(diary, model, times, ZoneInfo(timezone), may_ask), model
