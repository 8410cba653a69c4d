"""Run the bot on Discord's gateway: it posts what an athlete writes to the webhooks of Kestra's flows.

The bot decides only who may write to it and which flow gets the message; the flows read the words. It holds two
secrets, its token and the key of the webhooks, and no database.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import discord

from fitness_buddy.core import variables
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import ApiError, HttpClient
from fitness_buddy.llm.client import PICTURES
from fitness_buddy.meals.picture import MAX_BYTES
from fitness_buddy.meals.request import MAX_CHARACTERS, MAX_PICTURES

REMINDERS = "buddy.remind/requests"
MEALS = "buddy.ingest/meal"
QUESTIONS = "buddy.report/ask"
# A message belongs to the flow of the words that it begins with; a picture with any other words is a meal.
TRIGGER_WORDS: Mapping[str, Sequence[str]] = {
    REMINDERS: (
        *("remind", "reminder", "reminders", "list reminders", "my reminders", "cancel", "snooze"),
        *("erinnere", "erinnerung", "erinnerungen"),
    ),
    MEALS: ("meal", "ate", "i ate", "correct", "delete meal", "mahlzeit", "gegessen", "ich habe gegessen"),
    QUESTIONS: ("ask", "frage"),
}
# A flow that asks a model may take its time.
_ANSWER_TIMEOUT_S = 300.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BotSettings:
    """Who may write to the bot, and the server that gets the messages; ids are Discord's.

    Attributes:
        channel_ids: where it listens; direct messages of the allowed users count always.
    """

    token: str = field(repr=False)
    webhook_key: str = field(repr=False)
    kestra_url: str
    user_ids: frozenset[int]
    channel_ids: frozenset[int]


def bot_settings() -> BotSettings:
    """Read the bot's settings from the environment.

    Raises:
        UsageError: one is missing or not of its type.
    """
    token, key = variables.DISCORD_BOT_TOKEN, variables.KESTRA_WEBHOOK_KEY
    users = variables.DISCORD_USERS
    missing = [variable.name for variable in (token, key, users) if not variable.read()]
    if missing:
        raise UsageError(f"not set: {', '.join(missing)} (docs/notify/buddy.md says how a bot is made)")
    return BotSettings(
        token=token.read(),
        webhook_key=key.read(),
        kestra_url=variables.KESTRA_URL.read(),
        user_ids=users.read(),
        channel_ids=variables.DISCORD_CHANNELS.read(),
    )


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file of a message, not downloaded yet."""

    name: str
    media_type: str
    size_bytes: int
    read: Callable[[], Awaitable[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message as it came; ``channel_id`` is None for a direct one."""

    message_id: int
    user_id: int
    is_bot: bool
    channel_id: int | None
    text: str
    files: Sequence[IncomingFile] = ()


class Forwarder:
    """Posts messages to Kestra's webhooks."""

    def __init__(self, settings: BotSettings) -> None:
        """Create a client for the server.

        Raises:
            UsageError: the server's address would send the key unencrypted.
        """
        self._key = settings.webhook_key
        # One attempt: a flow that failed has retried by itself, and would answer in the channel for each request.
        self._client = HttpClient(
            settings.kestra_url, secrets=[settings.webhook_key], timeout_s=_ANSWER_TIMEOUT_S, attempts=1
        )

    def forward(self, flow: str, body: Mapping[str, Any]) -> None:
        """Post to the flow's webhook, which answers when the flow has ended; once.

        Raises:
            BuddyError: the server was not reached or does not know the flow, or the flow failed.
        """
        path = f"/api/v1/main/executions/webhook/{flow}/{self._key}"
        response = self._client.call("POST", path, body_json=body, expects_json=False)
        if response.status >= 400:
            raise response.error(f"{flow} did not take the message")


class Handler:
    """Decides about a message: ignore it, forward it, or answer why not."""

    def __init__(self, settings: BotSettings, forward: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._settings = settings
        self._forward = forward

    async def handle(self, message: IncomingMessage) -> str | None:
        """Return the reply for the channel; None if the flow replies or the message is not for the bot."""
        if not self._is_for_us(message):
            return None
        text = _without_mention(message.text)
        flow = _flow_of(text)
        pictures = [one for one in message.files if one.media_type.startswith("image/")]
        if flow is None and pictures:
            flow = MEALS
        if flow is None:
            return None
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
            "pictures": contents,
        }
        try:
            await asyncio.to_thread(self._forward, flow, body)
        except BuddyError as error:
            # The message may name the server: it is for the operator, not for the channel.
            _log.error("%s", error)
            if isinstance(error, ApiError) and error.status is not None:
                return "Something went wrong with that, sorry. It is written in the log."
            return "I cannot reach my own head right now. Please send that again in a few minutes."
        _log.info("handed message %s to %s", message.message_id, flow)
        return None

    def _is_for_us(self, message: IncomingMessage) -> bool:
        if message.is_bot or message.user_id not in self._settings.user_ids:
            return False
        return message.channel_id is None or message.channel_id in self._settings.channel_ids


def _flow_of(text: str) -> str | None:
    for flow, beginnings in TRIGGER_WORDS.items():
        if re.match(rf"(?:{'|'.join(beginnings)})\b", text, re.IGNORECASE):
            return flow
    return None


async def _content(picture: IncomingFile) -> bytes | str:
    """Return the picture's bytes, or a reply that says why it is not accepted."""
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
    # The name and the content of a file can differ.
    if not content.startswith(beginning):
        return "I can look at PNG and JPEG pictures only."
    return content


def _without_mention(text: str) -> str:
    """The words after a mention of the bot and an address such as "Buddy,"."""
    return re.sub(r"^\s*(?:<@!?\d+>\s*|buddy[,:]\s*)*", "", text, flags=re.IGNORECASE).strip()


def incoming_of(message: discord.Message) -> IncomingMessage:
    """A message as discord.py hands it over."""
    return IncomingMessage(
        message_id=message.id,
        user_id=message.author.id,
        is_bot=message.author.bot or message.webhook_id is not None,
        channel_id=None if isinstance(message.channel, discord.DMChannel) else message.channel.id,
        text=message.content,
        files=[IncomingFile(one.filename, one.content_type or "", one.size, one.read) for one in message.attachments],
    )


class BuddyClient(discord.Client):
    """The bot on Discord's gateway."""

    def __init__(self, handler: Handler) -> None:
        intents = discord.Intents.none()
        # Only the intents that reading messages needs; members and presences are not among them.
        intents.guilds = intents.guild_messages = intents.dm_messages = intents.message_content = True
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
        )
        self._handler = handler

    async def on_ready(self) -> None:
        """Log that the bot is connected."""
        _log.warning("listening on Discord as %s", self.user)

    async def on_message(self, message: discord.Message) -> None:
        """Deal with one message; discord.py logs what goes wrong and listens on."""
        answer = await self._handler.handle(incoming_of(message))
        if answer:
            await message.reply(answer, mention_author=False)


def run_bot(settings: BotSettings) -> None:
    """Run the bot until it is stopped.

    Raises:
        UsageError: Discord does not know the token.
        BuddyError: Discord refuses or ends the connection.
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
