"""Channels beside Discord: a server like ntfy on this machine, through apprise; and what no output may show."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from channel_stubs import NtfyStub, running_ntfy
from discord_stub import running_discord
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.redaction import without_secrets
from fitness_buddy.core.retry import ATTEMPTS
from fitness_buddy.core.variables import NOTIFY
from fitness_buddy.notify.channels import open_channels
from fitness_buddy.notify.discord import Webhook
from fitness_buddy.notify.message import Attachment, OutgoingMessage, Section, as_text, escape_markdown, plain
from fitness_buddy.notify.services import Service, without_mentions

MESSAGE = OutgoingMessage(
    "Hello **you**",
    "Steps · Monday",
    fields=[("Goal", "10,000")],
    items=["- one", "- two"],
    sections=[Section("Week", "More.", picture=Attachment("a.png", b"\x89PNG", "image/png", "Bars."))],
    attachments=[Attachment("days.csv", b"day\n", "text/csv")],
    note="Loaded.",
)


@pytest.fixture
def ntfy(monkeypatch: pytest.MonkeyPatch) -> Iterator[NtfyStub]:
    monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0")
    with running_ntfy() as stub:
        yield stub


def test_a_message_arrives_as_plain_text_with_its_files(ntfy: NtfyStub) -> None:
    Service(ntfy.address(), "here").post(MESSAGE)
    first, second = ntfy.notes
    assert (first.topic, first.title) == ("planted-topic", "Steps · Monday")
    assert first.message == "Hello you\nGoal: 10,000\n- one\n- two\n\nWeek\nMore.\nLoaded."
    assert [(note.file, note.content) for note in (first, second)] == [("a.png", b"\x89PNG"), ("days.csv", b"day\n")]
    assert ntfy.texts == [first.message]


def test_a_message_without_a_title_has_one_there(ntfy: NtfyStub) -> None:
    Service(ntfy.address(), "here").post(OutgoingMessage(f"⏰ {escape_markdown('drink_*_')} (reminder 1)"))
    assert [(note.title, note.message) for note in ntfy.notes] == [("Buddy", "⏰ drink_*_ (reminder 1)")]


def test_an_instant_is_shown_in_the_athletes_zone() -> None:
    message = OutgoingMessage("Yoga, <t:1795172400:t>", timezone="Europe/Berlin")
    assert as_text(message) == "Yoga, 12:00"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_escaped_words_are_read_as_they_were_written(words: str) -> None:
    assert plain(escape_markdown(words)) == " ".join(words.split())


@pytest.mark.parametrize("words", ["<!channel>", "<@U123>", "@everyone", "hey @here", "<#C1>", "<&1>"])
def test_nobody_is_notified_by_a_text(words: str) -> None:
    assert words not in without_mentions(words)
    assert without_mentions(words).replace("\u200b", "") == words


@pytest.mark.parametrize(
    ("statuses", "attempts", "is_taken"),
    [([500, 502], 3, True), ([429], 2, True), ([500] * 9, ATTEMPTS, False), ([403], 1, False), ([400], 1, False)],
)
def test_what_may_pass_is_tried_again_and_what_is_refused_is_not(
    ntfy: NtfyStub, statuses: list[int], attempts: int, is_taken: bool
) -> None:
    ntfy.statuses.extend(statuses)
    channel = Service(ntfy.address(), "BUDDY_NOTIFY, address 2")
    if is_taken:
        channel.post(MESSAGE)
    else:
        with pytest.raises(BuddyError, match=rf"ntfy \(BUDDY_NOTIFY, address 2\) did not take .*error={statuses[0]}"):
            channel.post(MESSAGE)
    assert ntfy.attempts == attempts + is_taken  # the second file


ADDRESSES = [
    "ntfy://planted-topic",
    "ntfys://someone:planted-password@ntfy.example.com/planted-topic",
    "tgram://123456789:planted_bot_token_AAbb/12315544/",
    "slack://T1PLANTED/A1PLANTED/plantedTokenOfSlack99/#general",
    "mailto://someone:planted-password@example.com?to=planted.person@example.com",
    "discord://417429632298/planted_token_JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "pbul://o.plantedgn5kj6nfhv736I7jC3cj3QLRiyhgl98b",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_part_of_an_address_that_may_be_the_secret_is_shown(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("BUDDY_NOTIFY", f"json://localhost, {address}")
    for words in (address, f"posting to {address.partition('://')[2]} failed", *address.split("/")):
        assert "planted" not in without_secrets(words).lower(), words
    assert without_secrets("the message of ntfy.sh on localhost") == "the message of ntfy.sh on localhost"
    first, second = open_channels()
    assert "planted" not in (first.key + second.key).lower()


def test_errors_and_logs_hold_no_address(
    ntfy: NtfyStub, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    address = ntfy.address()
    ntfy.statuses.extend([403])
    with pytest.raises(BuddyError) as refused:
        Service(address, "here").post(MESSAGE)
    gone = Service("ntfy://127.0.0.1:9/planted-topic", "here")
    with pytest.raises(BuddyError) as lost:
        gone.post(MESSAGE)
    said = [str(refused.value), str(lost.value), str(refused.value.details()), caplog.text, *capfd.readouterr()]
    assert [text for text in said if "planted-topic" in text] == []


@pytest.mark.parametrize("address", ["nothing://planted", "http://127.0.0.1/planted", "tgram://planted"])
def test_an_address_that_nothing_knows_is_refused_by_its_place(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("BUDDY_NOTIFY", f"ntfy://topic {address}")
    with pytest.raises(UsageError, match=r"^BUDDY_NOTIFY, address 2: apprise knows no such address") as refused:
        open_channels()
    assert "planted" not in str(refused.value)


def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_NOTIFY", "planted")
    with pytest.raises(UsageError, match="BUDDY_NOTIFY: expected addresses") as refused:
        open_channels()
    assert "planted" not in str(refused.value)


def test_addresses_are_split_where_the_next_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_NOTIFY", "mailto://u:p@example.com?to=a@x.org,b@x.org, ntfy://one,\nntfy://two")
    assert NOTIFY.read() == ("mailto://u:p@example.com?to=a@x.org,b@x.org", "ntfy://one", "ntfy://two")


def test_each_channel_is_opened_once_and_discord_is_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_discord() as stub:
        monkeypatch.setenv("BUDDY_DISCORD_WEBHOOK", stub.webhook("buddy"))
        monkeypatch.setenv("BUDDY_NOTIFY", f"{stub.webhook('buddy')},ntfy://one,ntfy://one,discord://1/token?thread=5")
        channels = open_channels()
    assert [type(channel) for channel in channels] == [Webhook, Service, Webhook]
    assert len({channel.key for channel in channels}) == 3
