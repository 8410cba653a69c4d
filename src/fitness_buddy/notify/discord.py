"""Posting to a Discord channel by its incoming webhook."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from urllib3.filepost import encode_multipart_formdata

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import LONGEST_PAUSE_S, Api, RateLimitedError, retry_after_s
from fitness_buddy.notify.message import MAX_FILES, OutgoingMessage

VARIABLE = "BUDDY_DISCORD_WEBHOOK"
_ATTEMPTS = 5


class Webhook:
    """One channel. Its address is a secret: whoever knows it can post there."""

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """
        Raises:
            UsageError: it is no address of a webhook.
        """
        parts = urlsplit(url)
        self._path = parts.path
        token = parts.path.rpartition("/")[2]
        if "/webhooks/" not in parts.path or not token:
            raise UsageError(
                f"{VARIABLE}: expected the address of a Discord webhook, https://discord.com/api/webhooks/…"
            )
        self._api = Api(f"{parts.scheme}://{parts.netloc}", secrets=[token], sleep=sleep)
        self._sleep = sleep

    def post(self, message: OutgoingMessage) -> str:
        """Post it once Discord takes it; the id that Discord gives it.

        Where the answer of a post is lost it is posted again: twice is better than never.

        Raises:
            RateLimitedError: Discord asks for more patience than one run has.
            BuddyError: Discord does not take it, or is not there.
        """
        paused_s = 0.0
        for _ in range(_ATTEMPTS):
            # With wait, Discord answers when the message is there, and not before.
            answer = self._api.call("POST", self._path, params={"wait": "true"}, content=_body(message))
            if answer.status != 429:
                break
            # Discord says it to the millisecond in the body; whoever stands before it answers with a page.
            stated = answer.document.get("retry_after") if isinstance(answer.document, dict) else None
            if not isinstance(stated, int | float):
                stated = retry_after_s(answer.headers, time.time())
            pause_s = 60.0 if stated is None else float(stated)
            paused_s += pause_s
            if paused_s > LONGEST_PAUSE_S:
                raise RateLimitedError("Discord", datetime.now(UTC) + timedelta(seconds=pause_s))
            self._sleep(pause_s)
        else:
            raise RateLimitedError("Discord", datetime.now(UTC) + timedelta(minutes=1))
        if answer.status >= 400:
            raise answer.error("Discord did not take the message")
        return str(answer.document["id"]) if isinstance(answer.document, dict) and "id" in answer.document else ""


def open_webhook() -> Webhook:
    """The channel in which the buddy speaks to the athlete.

    Raises:
        UsageError: BUDDY_DISCORD_WEBHOOK is not set, or no address of a webhook.
    """
    url = os.environ.get(VARIABLE, "")
    if not url:
        raise UsageError(f"{VARIABLE} is not set: it holds the address of the channel's webhook (docs/notify/buddy.md)")
    return Webhook(url)


def _body(message: OutgoingMessage) -> tuple[str, bytes]:
    payload = message.payload_json().encode()
    if not message.attachments:
        return "application/json", payload
    if len(message.attachments) > MAX_FILES:
        raise BuddyError(f"Discord takes {MAX_FILES} files a message, this one has {len(message.attachments)}")
    parts = {
        f"files[{number}]": (one.name, one.content, one.media_type) for number, one in enumerate(message.attachments)
    }
    body, content_type = encode_multipart_formdata({"payload_json": payload.decode(), **parts})
    return content_type, body
