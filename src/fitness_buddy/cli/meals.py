"""The commands ``buddy meal …``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from fitness_buddy.cli.command import PATH, Run, command, main, options
from fitness_buddy.core.errors import BuddyError, UsageError

if TYPE_CHECKING:
    from fitness_buddy.meals.request import MealIntent

_MEAL_ID = click.argument("meal_id")


@main.group()
def meal() -> None:
    """Note meals by picture or in words, estimated by a language model or with your numbers; correct and draw them."""


# The options of commands that note a meal; see :func:`_handle`.
_meal_options = options(
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
def meal_estimate(run: Run, path: tuple[Path, ...], text: str, eaten_at: str | None) -> dict[str, Any]:
    """Note a meal by its pictures (PNG, JPEG, WebP or HEIC), by words, or both.

    Numbers that you state are used unchanged; everything else is estimated by the language model. An uncertain estimate
    counts only after you have confirmed or corrected it.
    """
    from fitness_buddy.meals.request import MealIntent, read_pictures

    if not path and not text.strip():
        raise UsageError("give a picture's PATH, or --text")
    return handle_meal(run, MealIntent("note", words=text.strip()), read_pictures(path), eaten_at)


@command(meal, "correct", takes_now=True)
@_MEAL_ID
@click.argument("path", type=PATH, nargs=-1)
@click.option("--text", default="", metavar="WORDS", help="What it was; leave out to confirm the estimate.")
def meal_correct(run: Run, meal_id: str, path: tuple[Path, ...], text: str) -> dict[str, Any]:
    """Correct the meal whose id begins with MEAL_ID, or confirm it."""
    from fitness_buddy.meals.request import MealIntent, read_pictures

    return handle_meal(run, MealIntent("correct", meal_id.lower(), text.strip()), read_pictures(path))


@command(meal, "delete", takes_now=True)
@_MEAL_ID
def meal_delete(run: Run, meal_id: str) -> dict[str, Any]:
    """Delete the meal whose id begins with MEAL_ID."""
    from fitness_buddy.meals.request import MealIntent

    return handle_meal(run, MealIntent("delete", meal_id.lower()), [])


@command(meal, "request", takes_now=True)
@click.argument("path", type=PATH)
def meal_request(run: Run, path: Path) -> dict[str, Any]:
    """Do what the message in PATH asks for: note a meal, correct one ("correct 3f2a: …"), delete one.

    PATH is JSON: {"text": …, "message_id": …, "pictures": [{"name": …, "content_base64": …}]}. A message that comes
    again changes nothing.
    """
    from fitness_buddy.meals.request import parse_intent, read_message

    request = read_message(path)
    return handle_meal(run, parse_intent(request.text), request.pictures, message_id=request.message_id)


@command(meal, "picture", takes_now=True)
@click.argument("meal_id", required=False)
@click.option("--text", default="", metavar="WORDS", help="A meal that was not noted.")
@click.option("--out", type=PATH, metavar="FILE", help="Write the picture (PNG or JPEG) to this file.")
@click.option("--post", is_flag=True, help="Post the picture to the channel of BUDDY_DISCORD_WEBHOOK.")
def meal_picture(run: Run, meal_id: str | None, text: str, out: Path | None, post: bool) -> dict[str, Any]:
    """Draw the buddy eating the meal whose id begins with MEAL_ID. Needs BUDDY_LLM_IMAGE_MODEL."""
    from fitness_buddy.llm.calls import open_model
    from fitness_buddy.meals.diary import Diary
    from fitness_buddy.meals.picture import can_draw, draw_meal
    from fitness_buddy.notify.discord import open_webhook
    from fitness_buddy.notify.persona import load_persona

    if (meal_id is None) == (not text.strip()):
        raise UsageError("give the MEAL_ID of a meal that was noted, or --text")
    if out is None and not post:
        raise UsageError("give --out FILE, --post, or both")
    webhook = open_webhook() if post else None
    model = open_model(run.warehouse, run.settings)
    if model is None or not can_draw():
        raise UsageError(
            "no picture can be made: BUDDY_LLM_BASE_URL, BUDDY_LLM_MODEL and BUDDY_LLM_IMAGE_MODEL are needed"
        )
    if meal_id is not None:
        text = Diary(run.warehouse, run.settings.athlete_id, run.now).only(meal_id.lower()).description
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
    if webhook is not None:
        answer["discord_message_id"] = webhook.post(message)
        run.say("Posted.")
    return answer


def handle_meal(
    run: Run, intent: MealIntent, pictures: Sequence[bytes], eaten_at: str | None = None, message_id: str | None = None
) -> dict[str, Any]:
    """Do what is asked for, once for each message, and print the reply."""
    from fitness_buddy.ingest.load import load_clock
    from fitness_buddy.llm.calls import open_model
    from fitness_buddy.meals.conversation import MealConversation
    from fitness_buddy.meals.diary import Diary
    from fitness_buddy.meals.request import id_of_command
    from fitness_buddy.remind.times import Times, language_setting
    from fitness_buddy.warehouse.athlete_settings import current_settings

    timezone = current_settings(run.warehouse, run.settings)[0].timezone
    # A time that is given as an option is the time, whatever the words say.
    times = None if eaten_at else Times(run.now, timezone, language_setting())
    eaten_at = eaten_at or run.now.isoformat(timespec="seconds")
    model = open_model(run.warehouse, run.settings)
    clock = load_clock(run.clock, run.warehouse, run.settings.athlete_id)
    diary = Diary(run.warehouse, run.settings.athlete_id, clock.now)
    reply = MealConversation(diary, model, times, ZoneInfo(timezone)).handle(
        intent, pictures, eaten_at, message_id or id_of_command(intent, eaten_at, pictures)
    )
    run.say(reply.message)
    return reply.to_dict() | (model.totals() if model else {})
