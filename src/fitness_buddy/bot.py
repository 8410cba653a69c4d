"""The gateway bot: hands what the athlete writes in Discord to the webhooks of Kestra's flows.

It decides only who may speak, and which flow is meant; what the words say is the flows' business. It knows two secrets
of its own, the bot's token and the key of the webhooks, and no database.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import discord

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import Api, ApiError
from fitness_buddy.kestra.api import DEFAULT_URL
from fitness_buddy.llm.client import PICTURES
from fitness_buddy.meals.picture import MAX_BYTES
from fitness_buddy.meals.request import MAX_CHARACTERS, MAX_PICTURES
from fitness_buddy.notify.routing import MEALS, REMINDERS, route
from fitness_buddy.remind.times import language_setting

_ID = re.compile(r"\d{5,20}")
_KEY = re.compile(r"[A-Za-z0-9._~-]{8,}")
# A flow that asks a model may take its time.
_ANSWER_TIMEOUT_S = 300.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BotSettings:
    """Who may speak to the bot and where it hands on to; ids are Discord's.

    Attributes:
        channel_ids: where it listens; direct messages of the allowed users count always.
        languages: in which messages about reminders may be written, the athlete's first.
    """

    token: str = field(repr=False)
    webhook_key: str = field(repr=False)
    kestra_url: str
    user_ids: frozenset[int]
    channel_ids: frozenset[int]
    languages: Sequence[str] = ("en",)


def bot_settings() -> BotSettings:
    """Of the environment: BUDDY_DISCORD_BOT_TOKEN, BUDDY_KESTRA_WEBHOOK_KEY, BUDDY_DISCORD_USERS,
    BUDDY_DISCORD_CHANNELS (ids, comma separated) and BUDDY_KESTRA_URL.

    Raises:
        UsageError: one is missing or none.
    """
    values = {
        name: os.environ.get(name, "").strip()
        for name in ("BUDDY_DISCORD_BOT_TOKEN", "BUDDY_KESTRA_WEBHOOK_KEY", "BUDDY_DISCORD_USERS")
    }
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise UsageError(f"not set: {', '.join(missing)} (docs/notify/buddy.md says how a bot is made)")
    if not _KEY.fullmatch(values["BUDDY_KESTRA_WEBHOOK_KEY"]):
        raise UsageError("BUDDY_KESTRA_WEBHOOK_KEY: expected 8 letters, digits and . _ ~ - or more")
    return BotSettings(
        token=values["BUDDY_DISCORD_BOT_TOKEN"],
        webhook_key=values["BUDDY_KESTRA_WEBHOOK_KEY"],
        kestra_url=os.environ.get("BUDDY_KESTRA_URL") or DEFAULT_URL,
        user_ids=_ids("BUDDY_DISCORD_USERS"),
        channel_ids=_ids("BUDDY_DISCORD_CHANNELS"),
        languages=language_setting(),
    )


def _ids(variable: str) -> frozenset[int]:
    stated = [part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()]
    for part in stated:
        if not _ID.fullmatch(part):
            raise UsageError(f"{variable}: expected Discord's ids, whole numbers with commas between; found {part!r}")
    return frozenset(map(int, stated))


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file of a message, not read yet."""

    name: str
    media_type: str
    size_bytes: int
    read: Callable[[], Awaitable[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message as it came; ``channel_id`` is None for a direct one, ``is_addressed`` where it mentions the bot."""

    message_id: int
    user_id: int
    is_bot: bool
    channel_id: int | None
    text: str
    files: Sequence[IncomingFile] = ()
    is_addressed: bool = False


class Forwarder:
    """Hands messages on to Kestra's webhooks."""

    def __init__(self, settings: BotSettings) -> None:
        """
        Raises:
            UsageError: the server's address would send the key in the clear.
        """
        self._key = settings.webhook_key
        # A flow that failed has tried again itself, and would answer in the channel each time that it is asked.
        self._api = Api(settings.kestra_url, secrets=[settings.webhook_key], timeout_s=_ANSWER_TIMEOUT_S, attempts=1)

    def forward(self, flow: str, body: Mapping[str, Any]) -> str | None:
        """Post to the flow's webhook, which answers when the flow has ended; once. Return the flow's outcome.

        Raises:
            BuddyError: the server was not reached or does not know the flow, or the flow failed.
        """
        path = f"/api/v1/main/executions/webhook/{flow}/{self._key}"
        answer = self._api.call("POST", path, body_json=body, expects_json=False)
        if answer.status >= 400:
            raise answer.error(f"{flow} did not take the message")
        outputs = answer.document if isinstance(answer.document, dict) else {}
        return str(outputs["outcome"]) if "outcome" in outputs else None


class Handler:
    """What is done with a message: nothing, handing it on, or words about why not."""

    def __init__(self, settings: BotSettings, forward: Callable[[str, Mapping[str, Any]], str | None]) -> None:
        """
        Args:
            forward: hands a message on to a flow, and returns its outcome.
        """
        self._settings = settings
        self._forward = forward
        # Who was asked something last, and where. Forgotten with the process: then only a time is taken for an answer.
        self._asked: set[tuple[int, int | None]] = set()

    async def handle(self, message: IncomingMessage) -> str | None:
        """What to answer in the channel; None where the flow answers, or nobody was spoken to."""
        if not self._is_for_us(message):
            return None
        pictures = [one for one in message.files if one.media_type.startswith("image/")]
        where = (message.user_id, message.channel_id)
        found = route(
            message.text,
            self._settings.languages,
            is_addressed=message.is_addressed or message.channel_id is None,
            has_picture=bool(pictures),
            has_asked=where in self._asked,
        )
        flow, text = found.flow, found.text
        if not flow:
            return found.reply or None
        if len(text) > MAX_CHARACTERS:
            return f"That is too long for me: up to {MAX_CHARACTERS} characters, please."
        contents = []
        if flow == MEALS:
            if len(pictures) > MAX_PICTURES:
                return f"Too many pictures at once: up to {MAX_PICTURES}, please."
            for picture in pictures:
                content = await _content(picture)
                if isinstance(content, str):
                    return content
                contents.append({"name": picture.name, "content_base64": base64.b64encode(content).decode()})
        body = {
            "text": text,
            "message_id": str(message.message_id),
            "user_id": str(message.user_id),
            "is_addressed": found.is_addressed,
            "pictures": contents,
        }
        try:
            outcome = await asyncio.to_thread(self._forward, flow, body)
        except BuddyError as error:
            # Its words may name the server; they are for whoever keeps it running.
            _log.error("%s", error)
            if isinstance(error, ApiError) and error.status is not None:
                return "Something went wrong with that, sorry. It is written in the log."
            return "I cannot reach my own head right now. Please send that again in a few minutes."
        _log.info("handed message %s to %s", message.message_id, flow)
        # The next message of that person there may be the answer, whatever it says.
        (self._asked.add if (flow, outcome) == (REMINDERS, "asked") else self._asked.discard)(where)
        return None

    def _is_for_us(self, message: IncomingMessage) -> bool:
        if message.is_bot or message.user_id not in self._settings.user_ids:
            return False
        return message.channel_id is None or message.channel_id in self._settings.channel_ids


async def _content(picture: IncomingFile) -> bytes | str:
    """The picture's bytes, or words about why it is not taken."""
    stated = picture.media_type.partition(";")[0].strip().lower()
    beginning = next((beginning for beginning, kind in PICTURES.items() if kind == stated), None)
    if beginning is None:
        return "I can look at PNG and JPEG pictures only."
    too_large = f"That picture is too large for me: up to {MAX_BYTES // 2**20} MB, please."
    if picture.size_bytes > MAX_BYTES:
        return too_large
    try:
        content = await picture.read()
    except (discord.DiscordException, OSError):
        return "I could not get that picture from Discord. Please send it again."
    if len(content) > MAX_BYTES:
        return too_large
    # What it is called and what it is are two things.
    if not content.startswith(beginning):
        return "I can look at PNG and JPEG pictures only."
    return content


def incoming_of(message: discord.Message, bot_id: int | None = None) -> IncomingMessage:
    """Return a message as discord.py hands it over."""
    return IncomingMessage(
        message_id=message.id,
        user_id=message.author.id,
        is_bot=message.author.bot or message.webhook_id is not None,
        channel_id=None if isinstance(message.channel, discord.DMChannel) else message.channel.id,
        text=message.content,
        files=[IncomingFile(one.filename, one.content_type or "", one.size, one.read) for one in message.attachments],
        is_addressed=any(one.id == bot_id for one in message.mentions),
    )


class BuddyClient(discord.Client):
    """The bot on Discord's gateway."""

    def __init__(self, handler: Handler) -> None:
        intents = discord.Intents.none()
        # To read what is written; of people and servers it wants to know nothing.
        intents.guilds = intents.guild_messages = intents.dm_messages = intents.message_content = True
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
        )
        self._handler = handler

    async def on_ready(self) -> None:
        """Say that it listens."""
        _log.warning("listening on Discord as %s", self.user)

    async def on_message(self, message: discord.Message) -> None:
        """Deal with one message; discord.py logs what goes wrong and listens on."""
        answer = await self._handler.handle(incoming_of(message, self.user.id if self.user else None))
        if answer:
            await message.reply(answer, mention_author=False)


def run_bot(settings: BotSettings) -> None:
    """Listen until it is stopped.

    Raises:
        BuddyError: Discord does not let it in.
    """
    client = BuddyClient(Handler(settings, Forwarder(settings).forward))
    try:
        client.run(settings.token, log_handler=None)
    except discord.LoginFailure:
        raise UsageError("BUDDY_DISCORD_BOT_TOKEN: Discord does not know this token") from None
    except discord.PrivilegedIntentsRequired:
        raise BuddyError(
            "Discord does not let the bot read messages: switch on its Message Content Intent "
            "(discord.com/developers, your application, Bot)"
        ) from None
    except (discord.DiscordException, OSError) as error:
        raise BuddyError(f"Discord's gateway: {type(error).__name__}; try again later") from None
