"""The ledger of what is to be told, on both warehouses: of two who decide at once one adds, the other looks again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from reminder_support import NOON, Channel, Clock
from support import DATASETS

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.remind.delivery import deliver
from fitness_buddy.remind.ledger import CANCELLED, CLAIMED, CREATED, DELIVERIES, REMINDER, SNOOZED, Entry, Ledger
from fitness_buddy.warehouse import NotBuiltError, Warehouse, connect


@pytest.fixture(autouse=True)
def schema_prefix(monkeypatch: pytest.MonkeyPatch) -> str:
    """The schema `ops` of the test's own, since an emulator serves many tests."""
    name = f"{DATASETS}{uuid4().hex[:8]}_"
    monkeypatch.setenv("BUDDY_SCHEMA_PREFIX", name)
    return name


def entry(number: int, minutes: float, *, sequence: int = 0) -> Entry:
    due_at = NOON + timedelta(minutes=minutes)
    text = f"wait {number}"
    return Entry(f"id-{number}", REMINDER, CREATED, NOON, due_at, text, "Europe/Berlin", number, sequence=sequence)


def rows(*entries: Entry) -> list[dict[str, Any]]:
    return [{"athlete_id": "me", **asdict(one)} for one in entries]


def ledger(warehouse: Warehouse, athlete_id: str = "me") -> Ledger:
    return Ledger(warehouse, load_settings(athlete_id=athlete_id))


def add(book: Ledger, *entries: Entry) -> None:
    book.change(lambda: (entries, None))


def sequences(warehouse: Warehouse) -> list[int]:
    table = f"{load_settings().ops_schema}.{DELIVERIES.name}"
    return [row["sequence"] for row in warehouse.query(f"select sequence from {table} order by athlete_id, sequence")]


def test_rows_are_added_only_after_those_that_were_seen(warehouse: Warehouse) -> None:
    def append(*entries: Entry, after: int) -> bool:
        return warehouse.append_next(DELIVERIES, rows(*entries), athlete_id="me", last_sequence=after)

    with warehouse.exclusive():
        assert append(entry(1, 1, sequence=1), entry(2, 2, sequence=2), after=0)
        assert not append(entry(3, 3, sequence=1), after=0)
        assert not append(entry(3, 3, sequence=2), after=1)
        assert append(entry(3, 3, sequence=3), after=2)
    assert sequences(warehouse) == [1, 2, 3]


def test_the_last_row_of_each_is_its_state_and_athletes_do_not_meet(warehouse: Warehouse) -> None:
    book, other = ledger(warehouse), ledger(warehouse, "other")
    assert (book.newest("id-1"), book.waiting(10), book.waiting_count(), book.last_number()) == (None, [], 0, 0)
    assert (book.due(NOON, NOON, 10), book.last_delivered(), book.made_by("7")) == ([], None, [])
    first = replace(entry(1, 1), message_id="7", reply="Stored.")
    add(book, first, entry(2, 2), entry(3, 600))
    add(other, entry(1, 0))
    add(book, first.after(SNOOZED, NOON, due_at=NOON + timedelta(minutes=3)))
    add(book, entry(3, 600).after(CANCELLED, NOON, due_at=None))
    assert [one.number for one in book.waiting(10)] == [2, 1]
    assert (book.waiting_count(), book.last_number(), other.waiting_count()) == (2, 3, 1)
    snoozed = book.numbered(1)
    assert snoozed is not None
    assert (snoozed.kind, snoozed.due_at, snoozed.message_id) == (SNOOZED, NOON + timedelta(minutes=3), None)
    assert [(one.kind, one.number, one.reply) for one in book.made_by("7")] == [(CREATED, 1, "Stored.")]
    assert other.made_by("7") == []
    assert [one.number for one in book.waiting(10, containing="WAIT 2")] == [2]
    assert book.waiting(1, containing="%") == []
    until = NOON + timedelta(minutes=3)
    assert [one.number for one in book.due(until, NOON, 10)] == [2, 1]
    assert [one.number for one in book.due(until, NOON, 1)] == [2]
    claimed_until = NOON + timedelta(minutes=5)
    add(book, entry(2, 2).after(CLAIMED, NOON, claim_id="x", claimed_until=claimed_until))
    assert [one.number for one in book.due(until, NOON, 10)] == [1]
    assert [one.number for one in book.due(until, claimed_until, 10)] == [2, 1]


def test_whoever_has_read_what_others_have_changed_since_decides_again(warehouse: Warehouse) -> None:
    book, meanwhile = ledger(warehouse), ledger(warehouse)
    numbers = []

    def decide() -> tuple[Sequence[Entry], None]:
        numbers.append(book.last_number())
        if len(numbers) == 1:
            # On DuckDB the lock keeps others away; without it, as on BigQuery, they come in between.
            appended = warehouse.append_next(
                DELIVERIES, rows(entry(1, 1, sequence=1)), athlete_id="me", last_sequence=0
            )
            assert appended
        return [entry(numbers[-1] + 1, 5)], None

    book.change(decide)
    assert numbers == [0, 1]
    assert [one.number for one in meanwhile.waiting(10)] == [1, 2]


def test_reminders_are_told_once_and_what_discord_refuses_stays_due(warehouse: Warehouse) -> None:
    book, channel, clock = ledger(warehouse), Channel(problem=BuddyError("down")), Clock()
    add(book, entry(1, 1), replace(entry(2, 2), rule="DTSTART:20261120T120200\nRRULE:FREQ=DAILY"))
    assert len(deliver(book, [channel], window_s=120, clock=clock, lease_s=300).failures) == 1
    channel.problem = None
    for _ in range(2):
        deliver(book, [channel], window_s=120, clock=clock, lease_s=300)
    assert channel.numbers() == [1, 2]
    assert [(one.number, one.due_at) for one in book.waiting(10)] == [(2, NOON + timedelta(days=1, minutes=2))]
    last = book.last_delivered()
    assert last is not None
    assert last.number == 2


def test_a_ledger_of_an_earlier_version_goes_on_under_its_new_name(warehouse: Warehouse) -> None:
    """It was called ops.tellings, and said told where it says delivered now."""
    former = replace(DELIVERIES, name=DELIVERIES.former_name, former_name="")
    first = entry(1, 1, sequence=1)
    states = [first, entry(2, 600, sequence=2), replace(first, kind="told", due_at=None, sequence=3)]
    with warehouse.exclusive():
        assert warehouse.append_next(former, rows(*states), athlete_id="me", last_sequence=0)
    book = ledger(warehouse)
    last = book.last_delivered()
    assert ([one.number for one in book.waiting(10)], book.last_number()) == ([2], 2)
    assert last is not None
    assert last.number == 1
    add(book, entry(3, 1))
    assert sequences(warehouse) == [1, 2, 3, 4]
    assert [one.number for one in book.waiting(10)] == [3, 2]
    with pytest.raises(NotBuiltError):
        warehouse.query(f"select * from {load_settings().ops_schema}.{former.name}")
    deliver(book, [Channel()], window_s=120, clock=Clock(), lease_s=300)
    last = book.last_delivered()
    assert last is not None
    assert last.number == 3


def test_of_several_who_have_read_the_same_at_once_one_adds_on_bigquery(bigquery_dataset: Warehouse) -> None:
    """There nothing is held while deciding."""
    settings = load_settings(target="bigquery")
    first = connect(settings)
    assert first.append_next(DELIVERIES, rows(entry(1, 1, sequence=1)), athlete_id="me", last_sequence=0)

    def append(number: int) -> bool:
        mine = rows(entry(number, number, sequence=2))
        return connect(settings).append_next(DELIVERIES, mine, athlete_id="me", last_sequence=1)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(append, range(2, 6))) == [False, False, False, True]
    assert sequences(first) == [1, 2]
