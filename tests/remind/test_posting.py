"""Messages over two channels: each once on each, whatever one of them does and wherever a process is killed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from reminder_support import (
    NOON,
    TIMEZONE,
    Channel,
    Clock,
    KillableChannel,
    KillableWarehouse,
    Killed,
    Killer,
    ledger,
    waiting,
)
from reminder_support import ask as ask_for

from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.notify.message import OutgoingMessage
from fitness_buddy.remind.delivery import Delivery, deliver, deliver_in_time
from fitness_buddy.remind.ledger import REPORT
from fitness_buddy.remind.posting import Outbox
from fitness_buddy.warehouse import connect

LEASE_S = 300
DOWN = BuddyError("down")
STEPS, FOOD = ("report/daily-steps/2026-11-20", "Steps"), ("report/daily-macros/2026-11-20", "Food")


class RefusedError(BuddyError):
    """What a channel says of a message that it never takes."""

    status = 400


@dataclass
class Two:
    """Two channels, of which each may fail."""

    first: Channel = field(default_factory=lambda: Channel(key="first"))
    second: Channel = field(default_factory=lambda: Channel(key="second"))

    @property
    def channels(self) -> list[Channel]:
        return [self.first, self.second]

    @property
    def posts(self) -> tuple[list[str], list[str]]:
        return self.first.posts, self.second.posts


def post(
    channels: Sequence[Any],
    clock: Clock,
    *subjects: tuple[str, str],
    warehouse: Any = None,
    sleeps: list[float] | None = None,
) -> Delivery:
    """Post reports."""

    def sleep(seconds: float) -> None:
        if sleeps is not None:
            sleeps.append(seconds)
        clock.forward(seconds=seconds)

    outbox = Outbox(ledger(warehouse=warehouse), channels, clock, TIMEZONE, sleep)
    return outbox.post(REPORT, [(subject, OutgoingMessage("All is well.", title)) for subject, title in subjects])


def titles(posts: Sequence[str]) -> list[str]:
    return [one.partition("\n")[0] for one in posts]


def test_a_report_is_posted_once_on_each_channel() -> None:
    two, clock = Two(), Clock()
    for _ in range(3):
        post(two.channels, clock, STEPS, FOOD)
    assert [titles(posts) for posts in two.posts] == [["Steps", "Food"]] * 2


def test_what_one_channel_has_is_not_posted_there_again_while_the_other_is_retried() -> None:
    two, clock = Two(), Clock()
    two.second.problem = DOWN
    for _ in range(3):
        with pytest.raises(BuddyError, match="down"):
            post(two.channels, clock, STEPS, FOOD)
        clock.forward(minutes=1)
    assert [titles(posts) for posts in two.posts] == [["Steps", "Food"], []]
    two.second.problem = None
    assert len(post(two.channels, clock, STEPS, FOOD).delivered) == 2
    assert post(two.channels, clock, STEPS, FOOD).delivered == []
    assert [titles(posts) for posts in two.posts] == [["Steps", "Food"]] * 2
    assert not any("perhaps" in text for posts in two.posts for text in posts)


def test_a_channel_that_is_named_no_more_keeps_nothing_open() -> None:
    two, clock = Two(), Clock()
    two.second.problem = DOWN
    with pytest.raises(BuddyError):
        post(two.channels, clock, STEPS)
    gone = Channel(key="third")
    assert len(post([two.first, gone], clock, STEPS).delivered) == 1
    assert (titles(two.first.posts), titles(gone.posts)) == (["Steps"], ["Steps"])


def test_a_message_that_a_channel_never_takes_keeps_no_other_from_it() -> None:
    two, clock = Two(), Clock()
    two.first.problem = RefusedError("no")
    with pytest.raises(BuddyError):
        post(two.channels, clock, STEPS, FOOD)
    assert titles(two.second.posts) == ["Steps", "Food"]


def test_another_run_waits_for_the_one_that_posts_and_takes_over_if_that_was_killed() -> None:
    two, clock, sleeps = Two(), Clock(), list[float]()
    with pytest.raises(Killed):
        post([KillableChannel(two.first, Killer(before=0))], clock, STEPS)
    assert len(post([two.first], clock, STEPS, sleeps=sleeps).delivered) == 1
    assert 0 < sum(sleeps) <= LEASE_S + 1
    assert titles(two.first.posts)[-1] == "Steps"


def test_a_message_that_others_claim_again_and_again_is_left_to_them() -> None:
    clock = Clock()

    def be_killed() -> None:
        with pytest.raises(Killed):
            post([KillableChannel(Channel(), Killer(before=0))], clock, STEPS)

    def sleep(seconds: float) -> None:
        clock.forward(seconds=LEASE_S)
        be_killed()

    be_killed()
    with pytest.raises(BuddyError, match="other runs keep posting") as busy:
        Outbox(ledger(), [Channel()], clock, TIMEZONE, sleep).post(REPORT, [(STEPS[0], OutgoingMessage("Hello"))])
    assert busy.value.exit_code == EXIT_TRY_LATER


def test_a_daily_reminder_is_on_time_on_one_channel_while_the_other_is_down_for_days() -> None:
    two, clock = Two(), Clock()
    ask_for("remind me to drink every day at 12:02")
    two.second.problem = DOWN
    for _ in range(3):
        deliver(ledger(), two.channels, window_s=120, clock=clock, lease_s=LEASE_S)
        deliver(ledger(), two.channels, window_s=120, clock=clock, lease_s=LEASE_S)
        clock.forward(days=1)
    assert len(two.first.posts) == 3
    two.second.problem = None
    deliver(ledger(), two.channels, window_s=120, clock=clock, lease_s=LEASE_S)
    assert (len(two.first.posts), len(two.second.posts)) == (4, 1)
    assert [entry.due_at for entry in waiting()] == [NOON + timedelta(days=4, minutes=2)]
    assert "late" not in "".join(two.first.posts)


def test_the_next_time_of_a_reminder_is_waited_for_where_one_channel_has_the_time_before() -> None:
    two, clock = Two(), Clock()
    ask_for("remind me to drink every day at 12:01")
    two.second.problem = DOWN
    clock.forward(minutes=1)
    deliver(ledger(), two.channels, window_s=0, clock=clock, lease_s=LEASE_S)
    two.second.problem = None
    clock.now = NOON + timedelta(days=1)
    times: list[datetime] = []

    class Timed(Channel):
        def post(self, message: OutgoingMessage) -> str:
            times.append(clock.now)
            return super().post(message)

    first, second = Timed(key="first"), Timed(key="second")
    deliver_in_time(
        ledger(), [first, second], window_s=100, clock=clock, wait=lambda seconds: clock.forward(seconds=seconds)
    )
    # The second gets what it missed at once. Both get the next one in time.
    assert times == [NOON + timedelta(days=1), *[NOON + timedelta(days=1, minutes=1)] * 2]
    assert (len(first.posts), len(second.posts)) == (1, 2)


def run(clock: Clock, two: Two, killer: Killer) -> bool:
    """Post two reports in a process that may be killed; return whether it lived."""
    channels = [KillableChannel(channel, killer) for channel in two.channels]
    try:
        post(channels, clock, STEPS, FOOD, warehouse=KillableWarehouse(connect(load_settings()), killer))
    except Killed:
        return False
    return True


@pytest.mark.slow
def test_whatever_step_a_run_is_killed_before_no_report_is_lost_and_at_most_one_is_doubled_on_one_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.duckdb"
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(empty))
    ask_for("remind me to stretch in 1 minute")
    counted = Killer()
    monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(shutil.copy(empty, tmp_path / "counted.duckdb")))
    assert run(Clock(), Two(), counted)
    assert counted.steps > 20
    doubled = 0
    for before in range(counted.steps):
        monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(shutil.copy(empty, tmp_path / f"{before}.duckdb")))
        two, clock = Two(), Clock()
        assert not run(clock, two, Killer(before))
        by_the_killed = [list(titles(posts)) for posts in two.posts]
        assert run(clock, two, Killer())
        for posts, already in zip(two.posts, by_the_killed, strict=True):
            assert sorted(set(titles(posts))) == ["Food", "Steps"], f"killed before step {before}: {posts}"
            assert titles(posts)[: len(already)] == already
            # Only the message that was posted last may come twice, and then it says so.
            repeats = [text for text in posts if "perhaps I said so before" in text]
            assert len(posts) - 2 <= len(repeats) <= 1, f"killed before step {before}: {posts}"
        extra = sum(map(len, two.posts)) - 4
        assert extra <= 1, f"killed before step {before}: {two.posts}"
        doubled += extra
        assert run(clock, two, Killer())
        assert sum(map(len, two.posts)) == 4 + extra
    # Each of the four posts can be killed before the ledger has a note of it; all other steps double nothing.
    assert 0 < doubled < counted.steps / 2
