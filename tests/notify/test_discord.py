"""Messages within Discord's limits, and their way to a channel over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from discord_stub import DiscordStub, Refusal, rate_limited, running_discord
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError, UsageError
from fitness_buddy.core.http import RateLimitedError
from fitness_buddy.core.retry import ATTEMPTS
from fitness_buddy.notify.channels import open_channels
from fitness_buddy.notify.discord import MAX_CHARACTERS, Webhook, payload
from fitness_buddy.notify.message import Attachment, OutgoingMessage, Section, escape_markdown, truncate

# Half of a character has no bytes that could be sent.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture
def discord() -> Iterator[DiscordStub]:
    with running_discord() as stub:
        yield stub


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def webhook(discord: DiscordStub, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> Webhook:
    monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0")
    return Webhook(discord.webhook("buddy"), sleep=pauses.append)


def test_a_message_arrives_as_it_is_and_calls_nobody(discord: DiscordStub, webhook: Webhook) -> None:
    sent = OutgoingMessage(
        "Grüße an @everyone 🚴",
        "Monday",
        fields=[("Steps", "9,000")],
        items=["- one"],
        sections=[Section("Day", "Ran.", [("Pace", "5:00 /km")], colour="#0000ff")],
        note="Loaded.",
    )
    assert webhook.post(sent) == "1"
    (message,) = discord.messages
    assert message.payload == {
        "content": "**Monday**\nGrüße an @everyone 🚴\n**Steps:** 9,000\n- one\n-# Loaded.",
        "embeds": [{"title": "Day", "description": "Ran.\n**Pace:** 5:00 /km", "color": 255}],
        "allowed_mentions": {"parse": []},
    }


def test_pictures_are_shown_at_their_place_and_described(discord: DiscordStub, webhook: Webhook) -> None:
    first, second = (Attachment(f"{name}.png", b"\x89PNG", "image/png", f"Bars of {name}.") for name in ("a", "b"))
    table = Attachment("days.csv", b"1\n", "text/csv")
    webhook.post(OutgoingMessage("Look.", sections=[Section("A", picture=first)], attachments=[table, second]))
    (message,) = discord.messages
    assert [embed["image"]["url"] for embed in message.payload["embeds"]] == [
        "attachment://a.png",
        "attachment://b.png",
    ]
    assert message.payload["attachments"] == [
        {"id": 0, "filename": "a.png", "description": "Bars of a."},
        {"id": 1, "filename": "days.csv"},
        {"id": 2, "filename": "b.png", "description": "Bars of b."},
    ]
    assert list(message.files) == ["a.png", "days.csv", "b.png"]


def test_a_thread_gets_what_is_meant_for_it(discord: DiscordStub) -> None:
    Webhook(discord.webhook("buddy") + "?thread_id=7").post(OutgoingMessage("Hello"))
    Webhook(discord.webhook("buddy") + "?thread=8").post(OutgoingMessage("Hello"))
    assert [message.thread_id for message in discord.messages] == ["7", "8"]


def test_a_message_in_a_forum_begins_a_thread_with_its_title(discord: DiscordStub, webhook: Webhook) -> None:
    discord.is_forum = True
    webhook.post(OutgoingMessage("Hello", "Steps · Monday"))
    webhook.post(OutgoingMessage("Drink"))
    assert [message.payload["thread_name"] for message in discord.messages] == ["Steps · Monday", "Buddy"]
    Webhook(discord.webhook("buddy") + "?thread_id=7").post(OutgoingMessage("Hello"))
    assert "thread_name" not in discord.messages[-1].payload


def test_files_arrive_byte_for_byte(discord: DiscordStub, webhook: Webhook) -> None:
    content = bytes(range(256)) * 40
    webhook.post(
        OutgoingMessage(
            "Grüße", attachments=[Attachment("chart.png", content, "image/png"), Attachment("a.csv", b"1\n")]
        )
    )
    (message,) = discord.messages
    assert message.files == {"chart.png": content, "a.csv": b"1\n"}
    assert message.content == "Grüße"


def test_more_files_than_discord_takes_are_refused_before_anything_is_sent(
    discord: DiscordStub, webhook: Webhook
) -> None:
    with pytest.raises(BuddyError, match="10 files a message, this one has 11"):
        webhook.post(OutgoingMessage("x", attachments=[Attachment(f"{number}", b"") for number in range(11)]))
    assert discord.attempts == 0


def test_where_discord_has_heard_enough_it_is_asked_again_when_it_says(
    discord: DiscordStub, webhook: Webhook, pauses: list[float]
) -> None:
    page = Refusal(429, headers={"Retry-After": "3"})
    discord.refusals.extend([rate_limited(1.25), page, Refusal(429)])
    webhook.post(OutgoingMessage("Hello"))
    assert pauses == pytest.approx([1.25, 3.0, 0.0], abs=0.2)
    assert (discord.sent("buddy"), discord.attempts) == (["Hello"], 4)


def test_more_patience_than_a_run_has_is_left_to_the_next(
    discord: DiscordStub, webhook: Webhook, pauses: list[float]
) -> None:
    discord.refusals.append(rate_limited(3600))
    with pytest.raises(RateLimitedError) as refused:
        webhook.post(OutgoingMessage("Hello"))
    assert refused.value.exit_code == EXIT_TRY_LATER
    assert (pauses, discord.attempts) == ([], 1)


def test_discord_is_not_asked_for_ever(discord: DiscordStub, webhook: Webhook) -> None:
    discord.refusals.extend([rate_limited(0.1)] * 20)
    with pytest.raises(RateLimitedError):
        webhook.post(OutgoingMessage("Hello"))
    assert (discord.attempts, discord.messages) == (ATTEMPTS, [])


def test_a_failure_is_tried_again_and_reported_once(discord: DiscordStub, webhook: Webhook) -> None:
    discord.refusals.extend([Refusal(500), Refusal(502)])
    webhook.post(OutgoingMessage("Hello"))
    assert (discord.sent("buddy"), discord.attempts) == (["Hello"], 3)


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_says_why_and_not_where(discord: DiscordStub, webhook: Webhook, status: int) -> None:
    discord.refusals.append(Refusal(status, {"message": "No, thank you"}))
    with pytest.raises(BuddyError, match=rf"answered {status} \(No, thank you\)") as refused:
        webhook.post(OutgoingMessage("Hello"))
    assert "planted_token" not in str(refused.value)
    assert discord.attempts == 1


def test_a_channel_that_is_not_there_says_not_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0")
    with pytest.raises(BuddyError, match="try again later") as failed:
        Webhook("http://127.0.0.1:9/api/webhooks/1/planted_token", sleep=lambda _: None).post(OutgoingMessage("Hello"))
    assert "planted_token" not in str(failed.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "https://discord.com/", "https://discord.com/api/webhooks/", "ftp://discord.com/api/webhooks/1/planted"),
        "https://discord.com/api/webhooks/planted_without_an_id",
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BUDDY_DISCORD_WEBHOOK", url)
    with pytest.raises(UsageError) as refused:
        open_channels()
    assert "planted" not in str(refused.value)


@given(text=st.text(max_size=2200), most=st.integers(1, 40))
def test_a_text_is_cut_to_what_discord_counts(text: str, most: int) -> None:
    def units(text: str) -> int:
        return len(text.encode("utf-16-le", "surrogatepass")) // 2

    kept = truncate(text, most)
    assert units(kept) <= most
    assert kept == text if units(text) <= most else (kept.endswith("…") and text.startswith(kept[:-1]))


def test_a_long_message_is_cut() -> None:
    assert payload(OutgoingMessage("🚴" * 1001))["content"] == "🚴" * 999 + "…"
    assert len(payload(OutgoingMessage("x" * MAX_CHARACTERS))["content"]) == MAX_CHARACTERS


@given(items=st.lists(TEXT, max_size=90))
def test_a_list_is_cut_at_whole_lines_and_what_is_left_out_is_counted(items: list[str]) -> None:
    lines = [f"- {' '.join(item.split())}" for item in items]
    content = payload(OutgoingMessage("Head", items=lines, note="Note"))["content"]
    assert len(content.encode("utf-16-le")) // 2 <= MAX_CHARACTERS
    said = content.split("\n")
    assert (said[0], said[-1]) == ("Head", "-# Note")
    shown = said[1:-1]
    if shown != lines:
        assert shown[:-1] == lines[: len(shown) - 1]
        assert shown[-1] == f"… and {len(lines) - len(shown) + 1} more"


def test_an_address_in_words_of_others_is_no_link() -> None:
    assert escape_markdown("see https://example.com/a_b") == r"see https\://example.com/a\_b"


@given(text=TEXT)
def test_words_of_others_have_no_markdown_in_force(text: str) -> None:
    spoken = escape_markdown(text)
    assert "\n" not in spoken
    unescaped = spoken
    for character in r"\*_~`|>#[]()<-":
        assert character == "\\" or f"{character}" not in spoken.replace(f"\\{character}", "")
    unescaped = unescaped.replace("\\://", "://")
    for character in r"*_~`|>#[]()<-":
        unescaped = unescaped.replace(f"\\{character}", character)
    assert unescaped.replace("\\\\", "\\") == " ".join(text.split())
