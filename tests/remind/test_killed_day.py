"""A day of an athlete over two channels, with every process killed before each of its steps.

Killed processes are real (by SIGKILL), and so are the warehouse and both channels, over HTTP: a stub of Discord, and
a server like ntfy behind apprise. What comes after a kill runs in this process, which knows nothing of the killed one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from channel_stubs import NtfyStub, running_ntfy
from discord_stub import DiscordStub, running_discord
from killed_command import Commands, running_commands
from support import run_buddy
from test_reports import small_life, write_marts

REPEAT = "perhaps I said so before"
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//tests//EN
BEGIN:VEVENT
UID:1
DTSTART:20261028T110000Z
SUMMARY:Dentist
END:VEVENT
END:VCALENDAR
"""


@dataclass(frozen=True)
class Act:
    """What the server does at one time of the day.

    Attributes:
        texts: what each channel has afterwards that it had not before, as the beginnings of plain texts.
        stored: a query whose single value the act changes once, and the value then.
        every: 1 kills before each step; 3 before each third one, where an act of cheaper processes has the same.
    """

    name: str
    at: str
    words: tuple[str, ...]
    texts: tuple[str, ...]
    stored: tuple[str, int] = ("select 0", 0)
    every: int = 1


DAY = [
    Act("meditation", "09:00", ("meditation", "--post"), ("Before the first message",)),
    Act(
        "a reminder is asked for",
        "10:00",
        ("remind", "request", "reminder.json", "--post"),
        ("I will remind you: stretch",),
        ("select count(*) from ops.deliveries where kind = 'created'", 1),
    ),
    # As the flows take them, in steps of one file.
    Act("events are read", "10:35", ("events", "--within", "30m", "--write-to", "found.json"), ()),
    Act("events", "10:35", ("events", "--within", "30m", "--read-from", "found.json"), ("📅 In",)),
    Act("the reminder is due", "10:40", ("remind", "deliver", "--window-s", "0"), ("⏰ stretch",)),
    Act(
        "a meal is noted",
        "12:00",
        ("meal", "request", "meal.json", "--post"),
        ("Noted: oats",),
        ("select count(*) from raw.meals_entries", 1),
    ),
    Act("understood", "12:10", ("meal", "step", "understand", "--request", "soup.json", "--draft", "draft.json"), ()),
    Act(
        "stored",
        "12:10",
        ("meal", "step", "store", "--draft", "draft.json"),
        (),
        ("select count(*) from raw.meals_entries", 2),
    ),
    Act("answered", "12:10", ("meal", "step", "answer", "--draft", "draft.json"), ("Noted: soup",)),
    Act("a question", "13:00", ("ask", "--request", "question.json", "--post"), ("Without a language model",), every=3),
    Act("workouts", "21:00", ("report", "daily-workout", "--post"), ("2 sessions",)),
    # Each process draws a chart.
    Act("steps", "21:15", ("report", "daily-steps", "--post"), ("6,000 of 8,000 steps",), every=3),
]


@dataclass
class World:
    """The athlete's files and both channels."""

    folder: Path
    commands: Commands
    discord: DiscordStub
    ntfy: NtfyStub
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def texts(self) -> dict[str, list[str]]:
        """Return the texts of each channel; of Discord without the titles and the marks of Markdown."""
        on_discord = [re.sub(r"^\*\*[^*\n]+\*\*\n|\*\*|\\", "", text) for text in self.discord.sent("buddy")]
        return {"discord": on_discord, "ntfy": list(self.ntfy.texts)}

    def words(self, act: Act, later_min: int) -> list[str]:
        """Return the command of an act, so many minutes after its time."""
        now = datetime.fromisoformat(f"2026-10-28T{act.at}:00+00:00") + timedelta(minutes=later_min)
        names = ("reminder.json", "meal.json", "soup.json", "question.json", "draft.json", "found.json")
        files = {name: str(self.folder / name) for name in names}
        return [*(files.get(word, word) for word in act.words), "--now", now.isoformat()]

    def spawn(self, act: Act, killed_before: int | None = None) -> tuple[int, int]:
        """Run the command of an act in a process of its own; see :meth:`Commands.run`."""
        return self.commands.run(self.words(act, 0), self.environment, killed_before)

    def run(self, act: Act, where: str, later_min: int = 0) -> None:
        """Run the command of an act to its end."""
        answer = run_buddy(*self.words(act, later_min), environment=self.environment)
        assert answer.exit_code == 0, (where, answer.errors)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    write_marts(tmp_path / "life.duckdb", small_life())
    (tmp_path / "calendar.ics").write_text(CALENDAR)
    for name, text in {
        "reminder": "remind me to stretch at 10:40am",
        "meal": "meal oats: 60 carbs, 12 protein, 7 fat",
        "soup": "meal soup: 20 carbs, 5 protein, 3 fat",
        "question": "ask how are streaks counted?",
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"text": text, "message_id": name}))
    with running_commands(tmp_path / "commands") as commands, running_discord() as discord, running_ntfy() as ntfy:
        world = World(tmp_path, commands, discord, ntfy)
        world.environment = {
            "BUDDY_DUCKDB_PATH": str(tmp_path / "life.duckdb"),
            "BUDDY_STATE_DIR": str(tmp_path / "state"),
            "BUDDY_NOTIFY": f"{discord.webhook('buddy')},{ntfy.address()}",
            "BUDDY_CALENDAR_URL": str(tmp_path / "calendar.ics"),
            "BUDDY_HTTP_BACKOFF_S": "0",
        }
        yield world


def _copied(world: World) -> Callable[[], None]:
    """Return what puts the athlete's files back as they are now, and empties both channels."""
    kept = world.folder / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    shutil.copy(world.folder / "life.duckdb", kept)
    if (world.folder / "state").exists():
        shutil.copytree(world.folder / "state", kept / "state")

    def restore() -> None:
        for left in world.folder.glob("life.duckdb*"):
            left.unlink()
        shutil.copy(kept / "life.duckdb", world.folder)
        shutil.rmtree(world.folder / "state", ignore_errors=True)
        if (kept / "state").exists():
            shutil.copytree(kept / "state", world.folder / "state")
        world.discord.messages.clear()
        world.ntfy.notes.clear()

    return restore


def _counts(act: Act, texts: Mapping[str, list[str]]) -> dict[str, list[int]]:
    """Return for each channel how often it has each text of an act; nothing else may be there."""
    for channel, posted in texts.items():
        assert [text for text in posted if not text.startswith(act.texts)] == [], f"{act.name}, {channel}"
    return {
        channel: [sum(text.startswith(beginning) for text in posted) for beginning in act.texts]
        for channel, posted in texts.items()
    }


def _stored(world: World, act: Act) -> int:
    answer = run_buddy("sql", act.stored[0], "--json", environment=world.environment)
    assert answer.exit_code == 0, answer.errors
    (value,) = answer.json["rows"][0].values()
    return int(value)


@pytest.mark.slow
def test_a_day_over_two_channels_with_every_process_killed_at_its_steps_loses_and_doubles_nothing(
    world: World,
) -> None:
    repeats = steps = 0
    for act in DAY:
        restore = _copied(world)
        restore()
        status, last = world.spawn(act)
        assert status == 0, (act.name, world.commands.output)
        assert _counts(act, world.texts) == {"discord": [1] * len(act.texts), "ntfy": [1] * len(act.texts)}
        for before in range(0, last, act.every):
            where = f"{act.name}, killed before step {before} of {last}"
            restore()
            status, _ = world.spawn(act, killed_before=before)
            assert os.WIFSIGNALED(status), where
            by_the_killed = sum(map(len, world.texts.values()))
            # The server is back, and does what it did not end. The claim of the killed process is over by then.
            world.run(act, where, later_min=6)
            counts = _counts(act, world.texts)
            posted = [text for texts in world.texts.values() for text in texts]
            assert all(min(count, default=1) >= 1 for count in counts.values()), f"lost: {where}: {posted}"
            # A process that is killed between a post and its note cannot know: then one message comes twice on one
            # channel, and says so. No other message comes twice.
            doubled = sum(sum(count) - len(count) for count in counts.values())
            assert doubled <= (1 if by_the_killed else 0), f"doubled: {where}: {posted}"
            said = sum(REPEAT in text for text in posted)
            assert said >= doubled, f"doubled without a word: {where}: {posted}"
            repeats += doubled
            steps += 1
            if before % 4 == 0:
                # From then on as if nothing had been.
                world.run(act, where, later_min=12)
                assert _counts(act, world.texts) == counts, f"doubled later: {where}"
            assert _stored(world, act) == act.stored[1], where
        restore()
        world.run(act, act.name)
    assert steps > 80
    # Of each message on each channel two kills come between the post and the note of it.
    assert 0 < repeats < steps / 2
