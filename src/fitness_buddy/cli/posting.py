"""What commands that make a message share: the options ``--post`` and ``--again``, and one way to post."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import Run, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fitness_buddy.notify.message import OutgoingMessage
    from fitness_buddy.remind.posting import Outbox

post_option = click.option("--post", is_flag=True, help="Post it to the channels of BUDDY_NOTIFY, once on each.")
post_options = options(
    click.option("--again", is_flag=True, help="With --post: post it although it was posted before."),
    post_option,
)


def open_outbox(run: Run) -> Outbox:
    """Return the channels of the settings with the ledger of the athlete.

    Raises:
        UsageError: no channel is set, or an address is none.
    """
    from fitness_buddy.notify.channels import open_channels
    from fitness_buddy.remind.ledger import Ledger
    from fitness_buddy.remind.posting import Outbox
    from fitness_buddy.warehouse.athlete_settings import current_settings

    channels = open_channels()
    stated, _ = current_settings(run.warehouse, run.settings)
    return Outbox(Ledger(run.warehouse, run.settings), channels, run.clock, stated.timezone)


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


def post_reply(run: Run, outbox: Outbox | None, kind: str, message_id: str | None, text: str) -> dict[str, Any]:
    """Post the reply to a message, once for each message id; nothing without an outbox or without words."""
    from fitness_buddy.notify.message import OutgoingMessage
    from fitness_buddy.remind.ledger import REPLY

    if outbox is None or not text:
        return {}
    subject = subject_id(run, REPLY, kind, *([message_id] if message_id else []), again=message_id is None)
    return post_once(run, outbox, REPLY, [(subject, OutgoingMessage(text, timezone=outbox.timezone))])
