"""A new record is in one message, whenever its file was loaded; the ledger of deliveries decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fitness_buddy.core.settings import load_settings
from fitness_buddy.remind.ledger import DELIVERED, RECORD, REPORT, Entry, Ledger
from fitness_buddy.remind.news import choose_news, claim_news
from fitness_buddy.warehouse import Warehouse

NOW = datetime(2026, 11, 1, 20, tzinfo=UTC)
SUNDAY, MONDAY = "report/daily-workout/2026-11-01", "report/daily-workout/2026-11-02"


@pytest.fixture
def ledger(duckdb_file: Warehouse) -> Ledger:
    return Ledger(duckdb_file, load_settings(athlete_id="me"))


def claim(ledger: Ledger, message_id: str, now: datetime = NOW, **found: bool) -> set[str]:
    return set(claim_news(ledger, found, message_id, now, "UTC"))


def deliver(ledger: Ledger, message_id: str, now: datetime = NOW) -> None:
    ledger.change(lambda: ([Entry(message_id, REPORT, DELIVERED, now, None, "", "UTC")], None))


def test_at_first_only_recent_records_are_news_and_later_all_that_were_not_said(ledger: Ledger) -> None:
    assert claim(ledger, SUNDAY, old=False, new=True) == {"new"}
    deliver(ledger, SUNDAY)
    # The file of a day long ago came late; what was there before the first message stays unsaid.
    assert claim(ledger, MONDAY, old=False, new=True, late=False) == {"late"}
    deliver(ledger, MONDAY)
    assert claim(ledger, "report/weekly-digest/2026-11-08", old=False, new=True, late=False) == set()


def test_a_message_that_is_composed_again_has_the_same_records(ledger: Ledger) -> None:
    assert claim(ledger, SUNDAY, one=True) == claim(ledger, SUNDAY, one=True, two=True) - {"two"} == {"one"}
    deliver(ledger, SUNDAY)
    assert claim(ledger, SUNDAY, one=True, two=True) == {"one", "two"}


def test_a_record_of_a_message_that_no_channel_took_is_in_the_next_one(ledger: Ledger) -> None:
    assert claim(ledger, SUNDAY, one=True) == {"one"}
    # Its process may still be posting it.
    assert claim(ledger, MONDAY, one=True) == set()
    later = NOW + timedelta(days=1)
    assert claim(ledger, MONDAY, later, one=True) == {"one"}
    deliver(ledger, MONDAY, later)
    assert claim(ledger, SUNDAY, later + timedelta(days=1), one=True) == set()


def test_a_record_of_a_message_that_was_posted_again_only_is_not_said_twice(ledger: Ledger) -> None:
    assert claim(ledger, SUNDAY, one=True) == {"one"}
    deliver(ledger, f"{SUNDAY}/2026-11-01T20:00:00+00:00")
    assert claim(ledger, MONDAY, NOW + timedelta(days=1), one=True) == set()


def test_a_look_at_a_message_keeps_nothing(ledger: Ledger) -> None:
    for _ in range(2):
        assert choose_news(ledger, {"one": True, "old": False}, SUNDAY, NOW) == {"one"}
    assert ledger.of_source(RECORD) == []
