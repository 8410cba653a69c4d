"""The gateway bot without a gateway: messages as Discord sends them, Kestra's webhooks over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import discord
import pytest
from support import REPOSITORY, run_buddy, serving

from fitness_buddy.bot import (
    BotSettings,
    BuddyClient,
    Forwarder,
    Handler,
    IncomingFile,
    IncomingMessage,
    bot_settings,
)
from fitness_buddy.core.errors import UsageError
from fitness_buddy.meals.picture import MAX_BYTES
from fitness_buddy.remind.routing import MEALS, QUESTIONS, REMINDERS

ADA, STRANGER, CHANNEL = 100000000000000001, 100000000000000002, 200000000000000001
KEY = "planted-webhook-key"
WEBHOOKS = {MEALS: "MEAL", QUESTIONS: "ASK", REMINDERS: "REMIND"}
KEYS = {"me": {flow: f"{KEY}-{name}" for flow, name in WEBHOOKS.items()}}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
ENVIRONMENT = {
    "BUDDY_DISCORD_BOT_TOKEN": "planted.bot.token",
    **{f"BUDDY_KESTRA_{name}_WEBHOOK_KEY": f"{KEY}-{name}" for name in ("MEAL", "ASK", "REMIND")},
    "BUDDY_DISCORD_USERS": f"{ADA}",
    "BUDDY_DISCORD_CHANNELS": f"{CHANNEL}, 200000000000000003",
}


@dataclass
class Kestra:
    """What its webhooks were sent, and the status and the outputs that they answer with."""

    url: str = ""
    status: int = 200
    answer: dict[str, Any] = field(default_factory=dict)
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def kestra() -> Iterator[Kestra]:
    place = Kestra()

    class Webhooks(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            place.posts.append((self.path, body))
            self.send_response(place.status)
            content = json.dumps(place.answer).encode()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Webhooks)) as place.url:
        yield place


@pytest.fixture
def settings(kestra: Kestra) -> BotSettings:
    return BotSettings("planted.bot.token", KEYS, kestra.url, {ADA: "me"}, frozenset({CHANNEL}))


@pytest.fixture
def say(settings: BotSettings) -> Callable[..., str | None]:
    handler = Handler(settings, Forwarder(settings).forward)

    def say(
        text: str, *files: IncomingFile, user_id: int = ADA, channel_id: int | None = CHANNEL, is_bot: bool = False
    ) -> Any:
        return asyncio.run(handler.handle(IncomingMessage(1, user_id, is_bot, channel_id, text, files)))

    return say


def picture(
    content: bytes = PNG, media_type: str = "image/png", size_bytes: int | None = None, name: str = "lunch.png"
) -> IncomingFile:
    async def read() -> bytes:
        return content

    return IncomingFile(name, media_type, len(content) if size_bytes is None else size_bytes, read)


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        ("remind please to stretch tomorrow at 7am", REMINDERS),
        ("Remind me to call Ada in 20 minutes", REMINDERS),
        (f"<@{STRANGER}> remind me at noon", REMINDERS),
        ("buddy, my reminders", REMINDERS),
        ("cancel 3", REMINDERS),
        ("Erinnere mich bitte morgen um 7 Uhr", REMINDERS),
        ("meal: oats with milk", MEALS),
        ("I ate two eggs", MEALS),
        ("correct: it was 200 g", MEALS),
        ("ask how far did I run in October?", QUESTIONS),
    ],
)
def test_a_message_goes_to_the_flow_of_its_first_words(
    kestra: Kestra, say: Callable[..., str | None], text: str, flow: str
) -> None:
    assert say(text) is None
    ((path, body),) = kestra.posts
    assert path == f"/api/v1/main/executions/webhook/{flow}/{KEY}-{WEBHOOKS[flow]}"
    assert body["text"] == text.partition("> ")[2] or text.removeprefix("buddy, ") == body["text"]
    assert (body["message_id"], body["user_id"], body["pictures"]) == ("1", str(ADA), [])


def test_a_reply_that_no_channel_took_is_said_by_the_bot(kestra: Kestra, say: Callable[..., str | None]) -> None:
    kestra.answer = {"outcome": "noted", "answer": "Noted: **Oats**", "is_posted": True}
    assert say("meal: oats") is None
    kestra.answer["is_posted"] = False
    assert say("meal: oats") == "Noted: **Oats**"


@pytest.mark.parametrize("text", ["", "good morning", "reminding is fine", "askew", "delete this", "my day", "😀"])
def test_other_talk_is_nobodys_business(kestra: Kestra, say: Callable[..., str | None], text: str) -> None:
    assert (say(text), kestra.posts) == (None, [])


@pytest.mark.parametrize("flow", [REMINDERS, MEALS, QUESTIONS])
def test_each_flow_that_is_spoken_to_is_there_and_has_a_webhook(flow: str) -> None:
    namespace, _, flow_id = flow.partition("/")
    text = (REPOSITORY / "flows" / namespace.partition(".")[2] / f"{flow_id}.yaml").read_text()
    assert "io.kestra.plugin.core.trigger.Webhook" in text and f"secret('{WEBHOOKS[flow]}_WEBHOOK_KEY')" in text


@pytest.mark.parametrize(
    "who",
    [
        {"user_id": STRANGER},
        {"channel_id": 200000000000000009},
        {"is_bot": True},
        {"user_id": STRANGER, "channel_id": None},
    ],
    ids=["a stranger", "another channel", "a bot", "a stranger's direct message"],
)
def test_who_is_not_allowed_is_not_answered_either(
    kestra: Kestra, say: Callable[..., str | None], who: dict[str, Any]
) -> None:
    assert (say("remind me at 7am to run", picture(), **who), kestra.posts) == (None, [])


def test_a_direct_message_of_an_allowed_user_counts(kestra: Kestra, say: Callable[..., str | None]) -> None:
    assert say("cancel 3", channel_id=None) is None
    assert len(kestra.posts) == 1


def test_a_picture_is_a_meal_whatever_is_said_with_it(kestra: Kestra, say: Callable[..., str | None]) -> None:
    jpeg = b"\xff\xd8\xff\xe0" + b"\1" * 10
    assert say("lunch!", picture(), picture(jpeg, "image/jpeg", name="b.jpg")) is None
    ((path, body),) = kestra.posts
    assert MEALS in path
    assert [base64.b64decode(one["content_base64"]) for one in body["pictures"]] == [PNG, jpeg]
    assert [one["name"] for one in body["pictures"]] == ["lunch.png", "b.jpg"]


def test_a_picture_of_a_reminder_stays_where_it_is(kestra: Kestra, say: Callable[..., str | None]) -> None:
    say("remind me at 7am to eat this", picture())
    ((path, body),) = kestra.posts
    assert REMINDERS in path and body["pictures"] == []


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        ([picture(size_bytes=MAX_BYTES + 1)], "too large"),
        ([picture(PNG + b"\0" * MAX_BYTES, size_bytes=10)], "too large"),
        ([picture(media_type="image/gif")], "PNG and JPEG"),
        ([picture(b"<svg onload='x'>", "image/png")], "PNG and JPEG"),
        ([picture()] * 5, "Too many pictures"),
    ],
    ids=["stated too large", "found too large", "another kind", "not what it says", "too many"],
)
def test_a_picture_that_cannot_be_taken_is_answered_and_not_handed_on(
    kestra: Kestra, say: Callable[..., str | None], files: list[IncomingFile], answer: str
) -> None:
    assert answer in (say("meal", *files) or "")
    assert kestra.posts == []


def test_a_picture_that_discord_does_not_give_is_asked_for_again(
    kestra: Kestra, say: Callable[..., str | None]
) -> None:
    async def read() -> bytes:
        raise discord.DiscordException("gone")

    assert "send it again" in (say("meal", IncomingFile("a.png", "image/png", 10, read)) or "")
    assert kestra.posts == []


def test_a_very_long_message_is_not_handed_on(kestra: Kestra, say: Callable[..., str | None]) -> None:
    assert "too long" in (say("remind me at 7am to " + "x" * 2000) or "")
    assert kestra.posts == []


@pytest.mark.parametrize("status", [404, 500], ids=["unknown", "failed"])
def test_a_flow_that_does_not_take_it_is_reported_and_the_key_is_nowhere(
    kestra: Kestra,
    say: Callable[..., str | None],
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    kestra.status = status
    with caplog.at_level(logging.INFO):
        assert "went wrong" in (say("cancel 3") or "")
    assert len(kestra.posts) == 1
    assert f"answered {status}" in caplog.text and "***" in caplog.text
    assert KEY not in caplog.text


def test_a_server_that_is_not_reached_is_reported(settings: BotSettings) -> None:
    away = BotSettings("t", KEYS, "http://127.0.0.1:9", settings.athletes, settings.channel_ids)
    handler = Handler(away, Forwarder(away).forward)
    answer = asyncio.run(handler.handle(IncomingMessage(1, ADA, False, CHANNEL, "cancel 3")))
    assert "cannot reach" in (answer or "")


def gateway_message(**overrides: Any) -> dict[str, Any]:
    """MESSAGE_CREATE as the gateway sends it (Discord's documentation of the message object)."""
    return {
        "id": "300000000000000001",
        "channel_id": str(CHANNEL),
        "guild_id": "400000000000000001",
        "author": {"id": str(ADA), "username": "ada", "discriminator": "0", "avatar": None},
        "content": "cancel 3",
        "timestamp": "2026-11-22T07:00:00.000000+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
        **overrides,
    }


# Settings of a bot that nobody may write to.
NOBODY = BotSettings("t", KEYS, "http://localhost", {}, frozenset())


def received(payload: Mapping[str, Any]) -> list[IncomingMessage]:
    """What discord.py makes of a gateway's message, and we of that."""
    heard: list[IncomingMessage] = []

    class Listener(Handler):
        async def handle(self, message: IncomingMessage) -> str | None:
            heard.append(message)
            return None

    async def dispatch() -> None:
        client = BuddyClient(Listener(NOBODY, Forwarder(NOBODY).forward))
        async with client:
            client._connection.parse_message_create(payload)  # type: ignore[arg-type]
            await asyncio.sleep(0.05)

    asyncio.run(dispatch())
    return heard


def test_the_gateways_messages_are_read_as_they_are() -> None:
    attachment = {
        "id": "500000000000000001",
        "filename": "lunch.png",
        "content_type": "image/png",
        "size": 1234,
        "url": "https://cdn.discordapp.com/attachments/1/2/lunch.png",
        "proxy_url": "https://media.discordapp.net/attachments/1/2/lunch.png",
    }
    (message,) = received(gateway_message(attachments=[attachment]))
    assert (message.message_id, message.user_id, message.is_bot) == (300000000000000001, ADA, False)
    assert (message.channel_id, message.text) == (CHANNEL, "cancel 3")
    assert [(one.name, one.media_type, one.size_bytes) for one in message.files] == [("lunch.png", "image/png", 1234)]


def test_a_direct_message_has_no_channel_of_its_own() -> None:
    (message,) = received({key: value for key, value in gateway_message().items() if key != "guild_id"})
    assert message.channel_id is None


@pytest.mark.parametrize(
    "overrides",
    [
        {"author": {"id": str(ADA), "username": "ada", "discriminator": "0", "avatar": None, "bot": True}},
        {"webhook_id": "600000000000000001"},
    ],
    ids=["a bot", "a webhook"],
)
def test_what_no_person_wrote_is_known(overrides: dict[str, Any]) -> None:
    (message,) = received(gateway_message(**overrides))
    assert message.is_bot


def test_the_bot_asks_for_no_more_than_it_reads() -> None:
    client = BuddyClient(Handler(NOBODY, Forwarder(NOBODY).forward))
    assert {name for name, is_on in client.intents if is_on} == {
        *("guilds", "guild_messages", "dm_messages", "message_content"),
    }
    assert client.allowed_mentions is not None
    assert dict(client.allowed_mentions.to_dict()) == {"parse": []}


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings = bot_settings()
    assert (settings.athletes, settings.webhook_keys) == ({ADA: "me"}, KEYS)
    assert settings.channel_ids == {CHANNEL, 200000000000000003}
    assert "planted" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUDDY_DISCORD_BOT_TOKEN", ""),
        ("BUDDY_KESTRA_MEAL_WEBHOOK_KEY", ""),
        ("BUDDY_KESTRA_ASK_WEBHOOK_KEY", "a/../../key"),
        ("BUDDY_DISCORD_USERS", ""),
        ("BUDDY_DISCORD_USERS", "ada"),
        ("BUDDY_DISCORD_CHANNELS", "#general"),
    ],
)
def test_what_is_missing_or_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    for variable, stated in {**ENVIRONMENT, name: value}.items():
        monkeypatch.setenv(variable, stated)
    with pytest.raises(UsageError, match=name):
        bot_settings()


BEN = 100000000000000003
TWO = {
    **ENVIRONMENT,
    "BUDDY_ATHLETE": "ada",
    "BUDDY_ATHLETES": "ada=Europe/Berlin,ben.x=America/New_York",
    "BUDDY_DISCORD_USERS": f"ada={ADA}, ben.x={BEN}",
    **{f"BUDDY_KESTRA_{name}_WEBHOOK_KEY_BEN_X": f"{KEY}-of-ben-{name}" for name in ("MEAL", "ASK", "REMIND")},
}


def test_each_message_goes_to_its_athletes_webhook_and_a_stranger_s_nowhere(
    kestra: Kestra, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**TWO, "BUDDY_KESTRA_URL": kestra.url}.items():
        monkeypatch.setenv(name, value)
    settings = bot_settings()
    assert "planted" not in repr(settings)
    handler = Handler(settings, Forwarder(settings).forward)
    for number, user_id in enumerate((ADA, BEN, STRANGER)):
        message = IncomingMessage(number, user_id, False, None, "meal: oats")
        assert asyncio.run(handler.handle(message)) is None
    assert [(path.rpartition("/")[2], body["user_id"]) for path, body in kestra.posts] == [
        (f"{KEY}-MEAL", str(ADA)),
        (f"{KEY}-of-ben-MEAL", str(BEN)),
    ]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("BUDDY_DISCORD_USERS", f"ada={ADA}, {BEN}", f"expected ATHLETE={BEN} with an athlete of .*, found no athlete"),
        ("BUDDY_DISCORD_USERS", f"bem={BEN}", r"BUDDY_ATHLETES \(ada, ben.x\), found bem"),
        ("BUDDY_ATHLETES", "", "BUDDY_DISCORD_USERS: ben.x is not in BUDDY_ATHLETES"),
        ("BUDDY_KESTRA_ASK_WEBHOOK_KEY_BEN_X", "", "not set: BUDDY_KESTRA_ASK_WEBHOOK_KEY_BEN_X"),
        ("BUDDY_KESTRA_ASK_WEBHOOK_KEY_BEN_X", f"{KEY}-ASK", "two athletes have the same key"),
    ],
)
def test_who_would_write_for_another_athlete_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    for variable, stated in {**TWO, name: value}.items():
        monkeypatch.setenv(variable, stated)
    with pytest.raises(UsageError, match=problem):
        bot_settings()


def test_the_command_says_what_it_needs(tmp_path: Path) -> None:
    answer = run_buddy("bot", "--json")
    assert answer.exit_code == 2
    assert "BUDDY_DISCORD_BOT_TOKEN" in answer.json["error"]
