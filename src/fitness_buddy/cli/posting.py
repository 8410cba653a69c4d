"""What commands that make a message share: the options ``--post`` and ``--again``, and one way to post."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import Run, options
from fitness_buddy.core.errors import EXIT_NOT_POSTED, BuddyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fitness_buddy.notify.message import OutgoingMessage
    from fitness_buddy.remind.posting import Outbox

post_option = click.option("--post", is_flag=True, help="Post it to the channels of BUDDY_NOTIFY, once on each.")
post_options = options(
    click.option("--again", is_flag=True, help="With --post: post it although it was posted before."),
    post_option,
)


class NotPostedError(BuddyError):
    """What a message asked for is done, but the reply to it was not posted. The details have the command's answer."""

    exit_code = EXIT_NOT_POSTED

    def __init__(self, cause: BuddyError, answer: Mapping[str, Any]) -> None:
        words = f"{cause}\nOnly the reply was not posted; what was asked for is done. The same message again posts it."
        super().__init__(words, details={**answer, **cause.details(), "post_error": str(cause)})


def open_outbox(run: Run, *, is_awaited: bool = False) -> Outbox:
    """Return the channels of the settings with the ledger of the athlete.

    Args:
        is_awaited: see :func:`fitness_buddy.notify.channels.open_channels`.

    Raises:
        UsageError: no channel is set, or an address is none.
    """
    from fitness_buddy.notify.channels import open_channels
    from fitness_buddy.remind.ledger import Ledger
    from fitness_buddy.remind.posting import Outbox
    from fitness_buddy.warehouse.athlete_settings import current_timezone

    channels = open_channels(is_awaited=is_awaited)
    timezone = current_timezone(run.warehouse, run.settings)
    return Outbox(Ledger(run.warehouse, run.settings), channels, run.clock, timezone)


def subject_id(run: Run, *parts: str, again: bool = False) -> str:
    """Return the id of a message in the ledger; with ``again`` one that only this call and its repetition have."""
    return "/".join([*parts, *([run.now.isoformat()] if again else [])])


def post_once(run: Run, outbox: Outbox, source: str, messages: Sequence[tuple[str, OutgoingMessage]]) -> dict[str, Any]:
    """Post messages with the ids of their subjects, say what happened, and return the counts of the delivery."""
    delivery = outbox.post(source, messages)
    if delivery.delivered:
        run.say("Posted.")
    elif messages:
        run.say("It was posted before.")
    return delivery.to_dict()


def post_reply(
    run: Run, outbox: Outbox | None, kind: str, message_id: str | None, text: str, answer: Mapping[str, Any]
) -> dict[str, Any]:
    """Post the reply to a message, once for each message id; nothing without an outbox or without words.

    Args:
        answer: of the command, JSON-ready.

    Returns:
        The answer, with the counts of the delivery.

    Raises:
        NotPostedError: a channel did not take it.
    """
    from fitness_buddy.notify.message import OutgoingMessage
    from fitness_buddy.remind.ledger import REPLY

    if outbox is None or not text:
        return dict(answer)
    subject = subject_id(run, REPLY, kind, *([message_id] if message_id else []), again=message_id is None)
    try:
        posted = post_once(run, outbox, REPLY, [(subject, OutgoingMessage(text, timezone=outbox.timezone))])
    except BuddyError as error:
        raise NotPostedError(error, answer) from None
    return {**answer, **posted}
