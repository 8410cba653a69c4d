"""Posting to a Discord channel by its incoming webhook."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from urllib3.filepost import encode_multipart_formdata

from fitness_buddy.core import variables
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import HttpClient, HttpResponse, RateLimit, retry_after
from fitness_buddy.notify.message import MAX_FILES, OutgoingMessage


class Webhook:
    """One channel. Its address is a secret: whoever knows it can post there."""

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """
        Raises:
            UsageError: the URL is not the address of a webhook.
        """
        parts = urlsplit(url)
        self._path = parts.path
        token = parts.path.rpartition("/")[2]
        if "/webhooks/" not in parts.path or not token:
            raise UsageError(
                f"{variables.DISCORD_WEBHOOK.name}: expected the address of a Discord webhook, https://discord.com/api/webhooks/…"
            )
        self._client = HttpClient(
            f"{parts.scheme}://{parts.netloc}",
            rate_limit=RateLimit("Discord", opens_at=_opens_at),
            secrets=[token],
            sleep=sleep,
        )

    def post(self, message: OutgoingMessage) -> str:
        """Post a message and return the id that Discord gives it.

        Where the response of a post is lost it is posted again: twice is better than never.

        Raises:
            RateLimitedError: Discord asks for a longer pause than a run waits.
            BuddyError: Discord refuses the message, or does not answer.
        """
        # With wait, Discord answers when the message is there, and not before.
        response = self._client.call("POST", self._path, params={"wait": "true"}, content=_body(message))
        if response.status >= 400:
            raise response.error("Discord did not take the message")
        return str(response.document["id"]) if isinstance(response.document, dict) and "id" in response.document else ""


def open_webhook() -> Webhook:
    """Return the channel in which the buddy speaks to the athlete.

    Raises:
        UsageError: BUDDY_DISCORD_WEBHOOK is not set, or is not the address of a webhook.
    """
    url = variables.DISCORD_WEBHOOK.read()
    if not url:
        raise UsageError(
            f"{variables.DISCORD_WEBHOOK.name} is not set: it holds the address of the channel's webhook "
            "(docs/notify/buddy.md)"
        )
    return Webhook(url)


def _opens_at(response: HttpResponse, now: float) -> float | None:
    """Return when Discord takes the next message; see :class:`fitness_buddy.core.http.RateLimit`."""
    is_refused = response.status == 429 and isinstance(response.document, dict)
    stated = response.document.get("retry_after") if is_refused else None
    # Discord states it to the millisecond in the body; a proxy in front of it answers with a page and a header.
    return now + stated if isinstance(stated, int | float) else retry_after(response, now)


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
