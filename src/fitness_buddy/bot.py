"""Run the bot on Discord's gateway: it posts what an athlete writes to the webhooks of Kestra's flows.

The bot decides only who may write to it, whose messages they are, and which flow gets them; the flows read the words.
It holds its token and the keys of the webhooks, and no database.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import discord

from fitness_buddy.core import variables
from fitness_buddy.core.athletes import listed_athletes
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import ApiError, HttpClient
from fitness_buddy.meals.picture import KINDS, MAX_BYTES, MEDIA_TYPES, kind_of
from fitness_buddy.meals.request import MAX_CHARACTERS, MAX_PICTURES
from fitness_buddy.remind.routing import MEALS, QUESTIONS, REMINDERS, route
from fitness_buddy.remind.times import language_setting

# A flow that asks a model may take its time.
_ANSWER_TIMEOUT_S = 300.0

_KEYS = {
    MEALS: variables.KESTRA_MEAL_WEBHOOK_KEY,
    QUESTIONS: variables.KESTRA_ASK_WEBHOOK_KEY,
    REMINDERS: variables.KESTRA_REMIND_WEBHOOK_KEY,
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BotSettings:
    """Who may write to the bot, and the server that gets the messages; ids are Discord's.

    Attributes:
        webhook_keys: the keys of the flows' webhooks, by the athlete and the flow.
        athletes: by the ids of the users who may write.
        channel_ids: where it listens; direct messages of the allowed users count always.
        languages: in which messages about reminders may be written, the athlete's first.
        is_in_clear: whether messages may go to the server over http://.
    """

    token: str = field(repr=False)
    webhook_keys: Mapping[str, Mapping[str, str]] = field(repr=False)
    kestra_url: str
    athletes: Mapping[int, str]
    channel_ids: frozenset[int]
    languages: Sequence[str] = ("en",)
    is_in_clear: bool = False


def bot_settings() -> BotSettings:
    """Read the bot's settings from the environment.

    Raises:
        UsageError: one is missing or not of its type, or two athletes have one key.
    """
    token, users = variables.DISCORD_BOT_TOKEN, variables.DISCORD_USERS
    athletes = _athletes_of_users()
    own_athlete_id = variables.ATHLETE.read()
    keys = {
        athlete_id: {
            flow: key if athlete_id == own_athlete_id else key.of_further(athlete_id) for flow, key in _KEYS.items()
        }
        for athlete_id in sorted({*athletes.values()} or {own_athlete_id})
    }
    needed: list[variables.Variable[Any]] = [token, *(key for of in keys.values() for key in of.values()), users]
    missing = [variable.name for variable in needed if not variable.read()]
    if missing:
        raise UsageError(f"not set: {', '.join(missing)} (docs/notify/buddy.md says how a bot is made)")
    for flow, key in _KEYS.items():
        if len({of[flow].read() for of in keys.values()}) < len(keys):
            raise UsageError(f"{key.name}: two athletes have the same key, so one would write for the other")
    return BotSettings(
        token=token.read(),
        webhook_keys={athlete_id: {flow: key.read() for flow, key in of.items()} for athlete_id, of in keys.items()},
        kestra_url=variables.KESTRA_URL.read(),
        athletes=athletes,
        channel_ids=variables.DISCORD_CHANNELS.read(),
        languages=language_setting(),
        is_in_clear=variables.KESTRA_IN_CLEAR.read() == "true",
    )


def _athletes_of_users() -> dict[int, str]:
    """Return the athletes of BUDDY_DISCORD_USERS; without BUDDY_ATHLETES all users are BUDDY_ATHLETE."""
    listed, own_athlete_id = listed_athletes(), variables.ATHLETE.read()
    athletes = {}
    for user_id, athlete_id in variables.DISCORD_USERS.read().items():
        if listed and athlete_id not in listed:
            expected = f"ATHLETE={user_id} with an athlete of {variables.ATHLETES.name} ({', '.join(listed)})"
            raise UsageError(f"{variables.DISCORD_USERS.name}: expected {expected}, found {athlete_id or 'no athlete'}")
        if not listed and athlete_id not in ("", own_athlete_id):
            raise UsageError(f"{variables.DISCORD_USERS.name}: {athlete_id} is not in {variables.ATHLETES.name}")
        athletes[user_id] = athlete_id or own_athlete_id
    return athletes


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file of a message, not downloaded yet."""

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


@dataclass(frozen=True, slots=True)
class FlowReply:
    """What a flow answers to a message.

    Attributes:
        outcome: of the flow; None if it names none.
        unposted: its reply, if no channel took it; else empty.
    """

    outcome: str | None
    unposted: str = ""


class Forwarder:
    """Posts messages to Kestra's webhooks."""

    def __init__(self, settings: BotSettings) -> None:
        """Create a client for the server.

        Raises:
            UsageError: the server's address would send the key unencrypted.
        """
        self._keys = settings.webhook_keys
        # One attempt: a flow that failed has retried by itself, and would answer in the channel for each request.
        self._client = HttpClient(
            settings.kestra_url,
            secrets=[key for keys in settings.webhook_keys.values() for key in keys.values()],
            is_clear_text_allowed=settings.is_in_clear,
            timeout_s=_ANSWER_TIMEOUT_S,
            attempts=1,
        )

    def forward(self, athlete_id: str, flow: str, body: Mapping[str, Any]) -> FlowReply:
        """Post to the athlete's webhook of the flow, which answers when the flow has ended; once.

        Raises:
            BuddyError: the server was not reached or does not know the flow, or the flow failed.
        """
        path = f"/api/v1/main/executions/webhook/{flow}/{self._keys[athlete_id][flow]}"
        response = self._client.call("POST", path, body_json=body, expects_json=False)
        if response.status >= 400:
            raise response.error(f"{flow} did not take the message")
        outputs = response.document if isinstance(response.document, dict) else {}
        outcome = str(outputs["outcome"]) if "outcome" in outputs else None
        is_posted = outputs.get("is_posted") is not False
        return FlowReply(outcome, "" if is_posted else str(outputs.get("answer") or ""))


class Handler:
    """Decides about a message: ignore it, forward it, or answer why not."""

    def __init__(self, settings: BotSettings, forward: Callable[[str, str, Mapping[str, Any]], FlowReply]) -> None:
        """
        Args:
            forward: hands a message of an athlete on to a flow.
        """
        self._settings = settings
        self._forward = forward
        # Who was asked something last, and where. Forgotten with the process: then only a time is taken for an answer.
        self._asked: set[tuple[int, int | None]] = set()

    async def handle(self, message: IncomingMessage) -> str | None:
        """Return the reply for the channel; None if the flow replies or the message is not for the bot."""
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
            reply = await asyncio.to_thread(self._forward, self._settings.athletes[message.user_id], flow, body)
        except BuddyError as error:
            # The message may name the server: it is for the operator, not for the channel.
            _log.error("%s", error)
            if isinstance(error, ApiError) and error.status is not None:
                return "Something went wrong with that, sorry. It is written in the log."
            return "I cannot reach my own head right now. Please send that again in a few minutes."
        _log.info("handed message %s to %s", message.message_id, flow)
        # The next message of that person there may be the answer, whatever it says.
        (self._asked.add if (flow, reply.outcome) == (REMINDERS, "asked") else self._asked.discard)(where)
        return reply.unposted or None

    def _is_for_us(self, message: IncomingMessage) -> bool:
        if message.is_bot or message.user_id not in self._settings.athletes:
            return False
        return message.channel_id is None or message.channel_id in self._settings.channel_ids


async def _content(picture: IncomingFile) -> bytes | str:
    """Return the picture's bytes, or a reply that says why it is not accepted."""
    stated = picture.media_type.partition(";")[0].strip().lower()
    if stated not in MEDIA_TYPES:
        return f"I can look at {KINDS} pictures only."
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
    if not kind_of(content):
        return f"I can look at {KINDS} pictures only."
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
        answer = await self._handler.handle(incoming_of(message, self.user.id if self.user else None))
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
