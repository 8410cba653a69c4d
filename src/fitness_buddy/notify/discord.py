"""Posting to a Discord channel by its incoming webhook: within Discord's limits, and without notifying anybody.

Source of the limits and codes: Discord's documentation of "Execute Webhook", "Message Create" and "JSON Error Codes"
(2026-06).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from urllib3.filepost import encode_multipart_formdata

from fitness_buddy.core import variables
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import HttpClient, HttpResponse, RateLimit, retry_after
from fitness_buddy.core.retry import ATTEMPTS, ATTEMPTS_AWAITED
from fitness_buddy.notify.message import OutgoingMessage, Section, fit_items, truncate

# What Discord takes in one message; lengths are in UTF-16 units.
MAX_CHARACTERS = 2000
MAX_FILES = 10
_MAX_ALT_CHARACTERS = 1024
_MAX_THREAD_NAME_CHARACTERS = 100
# Discord allows 4096 characters in the text of one embed, and 6000 in all embeds of a message.
_MAX_SECTION_CHARACTERS = 1000
# No text can notify anybody, whoever it names.
NO_MENTIONS: dict[str, list[str]] = {"parse": []}
# "Webhooks posted to forum channels must have a thread_name or thread_id"
_NEEDS_THREAD = 220001
_TITLE_OF_A_THREAD = "Buddy"
# The deadline of an attempt while a person waits.
_AWAITED_S = 5.0


class Webhook:
    """One channel, or a thread of it. Its address is a secret: whoever knows it can post there."""

    def __init__(
        self,
        url: str,
        *,
        name: str = variables.DISCORD_WEBHOOK.name,
        is_awaited: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            url: ``https://discord.com/api/webhooks/ID/TOKEN``, with ``?thread_id=`` for a thread; or
                ``discord://ID/TOKEN``, with ``?thread=``.
            name: of the address, for messages.
            is_awaited: see :func:`fitness_buddy.notify.channels.open_channels`.

        Raises:
            UsageError: the URL is not the address of a webhook.
        """
        parts = urlsplit(url)
        if parts.scheme == "discord":
            place = f"{parts.netloc.rpartition('@')[2]}{parts.path}?{parts.query}"
            parts = urlsplit(f"https://discord.com/api/webhooks/{place}")
        self._path = parts.path.rstrip("/")
        before, _, token = self._path.rpartition("/")
        if "/webhooks/" not in self._path or not token or before.endswith("/webhooks"):
            raise UsageError(
                f"{name}: expected the address of a Discord webhook, https://discord.com/api/webhooks/… or discord://…"
            )
        query = dict(parse_qsl(parts.query))
        thread_id = query.get("thread_id") or query.get("thread")
        self._params = {"wait": "true", **({"thread_id": thread_id} if thread_id else {})}
        self.key = f"discord-{hashlib.sha256(f'{before}?{thread_id}'.encode()).hexdigest()[:12]}"
        self._client = HttpClient(
            f"{parts.scheme}://{parts.netloc}",
            rate_limit=RateLimit("Discord", opens_at=_opens_at),
            secrets=[token],
            attempts=ATTEMPTS_AWAITED if is_awaited else ATTEMPTS,
            timeout_s=min(variables.HTTP_TIMEOUT_S.read(), _AWAITED_S) if is_awaited else None,
            sleep=sleep,
        )

    def post(self, message: OutgoingMessage) -> str:
        """Post a message and return the id that Discord gives it.

        Where the response of a post is lost it is posted again: twice is better than never. In a forum every message
        without a thread begins one.

        Raises:
            RateLimitedError: Discord asks for a longer pause than a run waits.
            BuddyError: Discord refuses the message, or does not answer.
        """
        response = self._post(message, payload(message))
        if response.status == 400 and _code(response) == _NEEDS_THREAD:
            name = truncate(message.title or _TITLE_OF_A_THREAD, _MAX_THREAD_NAME_CHARACTERS)
            response = self._post(message, payload(message) | {"thread_name": name})
        if response.status >= 400:
            raise response.error("Discord did not take the message")
        return str(response.document["id"]) if isinstance(response.document, dict) and "id" in response.document else ""

    def _post(self, message: OutgoingMessage, rendered: dict[str, Any]) -> HttpResponse:
        # With wait, Discord answers when the message is there, and not before.
        return self._client.call("POST", self._path, params=self._params, content=_body(message, rendered))


def payload(message: OutgoingMessage) -> dict[str, Any]:
    """Return a message as Discord's JSON; its texts are Discord's Markdown already.

    A picture is an embed: there Discord shows all of it, at its place in the text.
    """
    rendered: dict[str, Any] = {"content": _content(message), "allowed_mentions": NO_MENTIONS}
    embeds = [_embed(section) for section in message.sections]
    embeds += [{"image": {"url": f"attachment://{one.name}"}} for one in message.attachments if one.is_picture]
    if embeds:
        rendered["embeds"] = embeds
    described = [
        {"id": number, "filename": one.name, "description": truncate(one.alt, _MAX_ALT_CHARACTERS)}
        for number, one in enumerate(message.files)
        if one.alt
    ]
    if described:
        # A file without a description needs no entry, but those with one are listed with all others.
        named = {entry["id"]: entry for entry in described}
        rendered["attachments"] = [
            named.get(number, {"id": number, "filename": one.name}) for number, one in enumerate(message.files)
        ]
    return rendered


def _content(message: OutgoingMessage) -> str:
    title = [f"**{message.title}**"] if message.title else []
    note = [f"-# {message.note}"] if message.note else []

    def together(items: Sequence[str]) -> str:
        lines = [*title, message.text, *_fields(message.fields), *items, *note]
        return "\n".join(line for line in lines if line)

    return fit_items(message, together, MAX_CHARACTERS)


def _fields(fields: Sequence[tuple[str, str]]) -> list[str]:
    """Return fields as lines: Discord's own fields are one below the other on a phone, and take two lines each."""
    return [f"**{label}:** {value}" for label, value in fields]


def _embed(section: Section) -> dict[str, Any]:
    said = "\n".join(line for line in [section.text, *_fields(section.fields)] if line)
    embed: dict[str, Any] = {"title": section.title}
    if said:
        embed["description"] = truncate(said, _MAX_SECTION_CHARACTERS)
    if section.colour:
        embed["color"] = int(section.colour[1:], 16)
    if section.picture:
        embed["image"] = {"url": f"attachment://{section.picture.name}"}
    return embed


def _opens_at(response: HttpResponse, now: float) -> float | None:
    """Return when Discord takes the next message; see :class:`fitness_buddy.core.http.RateLimit`."""
    is_refused = response.status == 429 and isinstance(response.document, dict)
    stated = response.document.get("retry_after") if is_refused else None
    # Discord states it to the millisecond in the body; a proxy in front of it answers with a page and a header.
    return now + stated if isinstance(stated, int | float) else retry_after(response, now)


def _code(response: HttpResponse) -> int | None:
    return response.document.get("code") if isinstance(response.document, dict) else None


def _body(message: OutgoingMessage, rendered: dict[str, Any]) -> tuple[str, bytes]:
    document = json.dumps(rendered)
    files = message.files
    if not files:
        return "application/json", document.encode()
    if len(files) > MAX_FILES:
        raise BuddyError(f"Discord takes {MAX_FILES} files a message, this one has {len(files)}")
    parts = {f"files[{number}]": (one.name, one.content, one.media_type) for number, one in enumerate(files)}
    body, content_type = encode_multipart_formdata({"payload_json": document, **parts})
    return content_type, body
