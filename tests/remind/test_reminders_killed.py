"""A delivery that is killed, wherever that happens, loses nothing; without kills each thing is told exactly once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reminder_support import Channel, Clock, KillableChannel, KillableWarehouse, Killed, Killer, ask, ledger

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.remind.delivery import deliver
from fitness_buddy.warehouse import NotBuiltError, as_utc, connect

LEASE_S = 300


def run_delivery(channel: Channel, clock: Clock, killer: Killer | None = None) -> bool:
    """Deliver, in a process that may be killed; whether it lived."""
    killer = killer or Killer()
    warehouse = KillableWarehouse(connect(load_settings()), killer)
    try:
        deliver(
            ledger(warehouse=warehouse),
            [KillableChannel(channel, killer)],
            window_s=120,
            clock=clock,
            lease_s=LEASE_S,
        )
    except Killed:
        return False
    return True


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with two reminders that are due, one of them recurring."""
    path = tmp_path_factory.mktemp("stored") / "buddy.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUDDY_DUCKDB_PATH", str(path))
        ask("remind me to stretch in 1 minute")
        ask("remind me to drink every day at 12:02")
    return path


def steps_of_a_delivery(stored: Path) -> int:
    """How often it turns to the outside; the same in every process, so that tests have the same names."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUDDY_DUCKDB_PATH", str(shutil.copy(stored, folder)))
        killer = Killer()
        assert run_delivery(Channel(), Clock(), killer)
        return killer.steps


@pytest.mark.slow
def test_whatever_step_a_process_is_killed_before_nothing_is_lost_and_at_most_one_is_told_twice(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = steps_of_a_delivery(stored)
    assert steps > 12
    repeats = []
    for before in range(steps):
        monkeypatch.setenv("BUDDY_DUCKDB_PATH", str(tmp_path / f"{before}.duckdb"))
        shutil.copy(stored, tmp_path / f"{before}.duckdb")
        channel, clock = Channel(), Clock()
        assert not run_delivery(channel, clock, Killer(before))
        by_the_dead = list(channel.numbers())
        clock.forward(seconds=LEASE_S + 1)
        assert run_delivery(channel, clock)
        numbers = channel.numbers()
        assert set(numbers) == {1, 2}, f"killed before step {before}: {channel.posts}"
        assert len(numbers) <= 3, f"killed before step {before}: {channel.posts}"
        assert by_the_dead == [1, 2][: len(by_the_dead)]
        repeats.append(len(numbers) - 2)
        # And from then on as if nothing had been.
        clock.forward(days=1)
        run_delivery(channel, clock)
        assert channel.numbers()[len(numbers) :] == [2]
    # Some are killed after posting and before that is known; the others tell nothing twice.
    assert 0 < sum(repeats) < steps / 2


@dataclass
class Expected:
    """What the model knows of a reminder: when it is told next, and how often that was told, perhaps by the dead."""

    due_at: datetime | None
    is_daily: bool
    posts_before: int = 0
    is_doubtful: bool = False


class Reminders(RuleBasedStateMachine):
    """Messages, deliveries, kills and outages in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("BUDDY_DUCKDB_PATH", str(Path(self.folder.name) / "buddy.duckdb"))
        self.clock, self.channel = Clock(), Channel()
        self.expected: dict[int, Expected] = {}

    def teardown(self) -> None:
        self.clock.forward(days=3)
        self.deliver()
        self.patch.undo()
        self.folder.cleanup()

    @initialize()
    def one_reminder(self) -> None:
        self.request(1, is_daily=False)

    @rule(minutes=st.integers(1, 20), is_daily=st.booleans())
    def request(self, minutes: int, is_daily: bool) -> None:
        due_at = self.clock.now + timedelta(minutes=minutes)
        berlin = due_at + timedelta(hours=1)  # no clock changes in these days
        when = f"every day at {berlin:%H:%M}" if is_daily else f"in {minutes} minutes"
        reply = ask(f"remind me to do it {when}", self.clock.now)
        assert reply.number == len(self.expected) + 1
        self.expected[reply.number] = Expected(due_at, is_daily)

    @rule(choice=st.integers(0, 100))
    def cancel(self, choice: int) -> None:
        number = 1 + choice % len(self.expected)
        one = self.expected[number]
        assert (ask(f"cancel {number}", self.clock.now).outcome == "cancelled") == (one.due_at is not None)
        one.due_at = None

    @rule(choice=st.integers(0, 100), minutes=st.integers(1, 20))
    def snooze(self, choice: int, minutes: int) -> None:
        number = 1 + choice % len(self.expected)
        if ask(f"snooze {number} {minutes} minutes", self.clock.now).outcome == "snoozed":
            one = self.expected[number]
            one.due_at, one.is_doubtful = self.clock.now + timedelta(minutes=minutes), False
            one.posts_before = self.posts(number)

    @rule(minutes=st.integers(0, 30))
    def wait(self, minutes: int) -> None:
        self.clock.forward(minutes=minutes)

    @rule()
    def deliver(self) -> None:
        # What the dead were telling is told when their claims have ended.
        if any(one.is_doubtful for one in self.expected.values()):
            self.clock.forward(seconds=LEASE_S + 60)
        until = self.clock.now + timedelta(seconds=120)
        assert run_delivery(self.channel, self.clock)
        self.check_all_delivered(until)
        assert all(due_at is None or due_at > until for due_at in self.stored().values())

    @rule()
    def deliver_while_discord_is_down(self) -> None:
        self.channel.problem = BuddyError("down")
        run_delivery(self.channel, self.clock)
        self.channel.problem = None

    @rule(before=st.integers(0, 25))
    def be_killed_while_delivering(self, before: int) -> None:
        until = self.clock.now + timedelta(seconds=120)
        if run_delivery(self.channel, self.clock, Killer(before)):
            self.check_all_delivered(until, but_doubtful=True)
            return
        for number, due_at in self.stored().items():
            one = self.expected[number]
            if one.due_at is None or one.due_at > until:
                continue
            if due_at != one.due_at:
                self.check_delivered(number, one)
            else:
                one.is_doubtful = True

    @precondition(lambda self: self.expected)
    @invariant()
    def the_ledger_is_as_expected(self) -> None:
        assert self.stored() == {number: one.due_at for number, one in self.expected.items()}

    def check_all_delivered(self, until: datetime, *, but_doubtful: bool = False) -> None:
        """All that was due by then; what the dead have claimed may have to wait."""
        for number, one in self.expected.items():
            if one.due_at is None or one.due_at > until:
                continue
            if not (but_doubtful and one.is_doubtful and self.stored()[number] == one.due_at):
                self.check_delivered(number, one)

    def check_delivered(self, number: int, one: Expected) -> None:
        """It was told for the time that it was due, and waits for the next one if it has any."""
        posts = self.posts(number) - one.posts_before
        assert posts >= 1, f"reminder {number} was lost"
        assert posts == 1 or one.is_doubtful, f"reminder {number} was told {posts} times"
        one.posts_before, one.is_doubtful = self.posts(number), False
        due_at = one.due_at
        assert due_at is not None
        one.due_at = None
        if one.is_daily:
            first = self.first_due[number]
            covered = max(due_at, self.clock.now + timedelta(seconds=120))
            days = (covered - first) // timedelta(days=1) + 1
            one.due_at = first + timedelta(days=days)

    @property
    def first_due(self) -> dict[int, datetime]:
        """When each was first due; put off or not, a daily one comes back to that time of the day."""
        rows = self.rows("select number, due_at from ops.deliveries where kind = 'created'")
        return {row["number"]: as_utc(row["due_at"]) for row in rows}

    def stored(self) -> dict[int, datetime | None]:
        """When each is told next, by all rows of the ledger."""
        rows = self.rows("select number, due_at from ops.deliveries order by sequence")
        return {row["number"]: as_utc(row["due_at"]) if row["due_at"] else None for row in rows}

    def posts(self, number: int) -> int:
        return self.channel.numbers().count(number)

    def rows(self, sql: str) -> Sequence[dict[str, Any]]:
        try:
            return connect(load_settings()).query(sql)
        except NotBuiltError:
            return []


Reminders.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=10,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each step opens a database: what fails is short enough
    suppress_health_check=list(HealthCheck),
)
TestEachIsToldOnceAndLostNever = Reminders.TestCase
