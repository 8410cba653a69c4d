"""Decide which records a message says: each is in one message, whenever its file was loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from fitness_buddy.remind.delivery import claim_setting
from fitness_buddy.remind.ledger import DELIVERED, RECORD, REPORT, Entry, Ledger


def choose_news(ledger: Ledger, found: Mapping[str, bool], message_id: str, now: datetime) -> frozenset[str]:
    """Return which records are news for a message, without keeping it.

    Before the first message that says records, only recent ones are news. From then on all that no message has said.

    Args:
        found: the ids of the records, and whether each is recent.
        message_id: the subject of the message. Asked again for the same message, the answer has the same records.
    """
    return _chosen(ledger, _known(ledger), found, message_id, now)


def claim_news(
    ledger: Ledger, found: Mapping[str, bool], message_id: str, now: datetime, timezone: str
) -> frozenset[str]:
    """Return the same, and keep in the ledger that this message says them."""

    def decide() -> tuple[Sequence[Entry], frozenset[str]]:
        known = _known(ledger)
        chosen = _chosen(ledger, known, found, message_id, now)
        return [*_said(chosen, known), *_skipped(found.keys() - chosen - known.keys())], chosen

    def _said(chosen: Collection[str], known: Mapping[str, Entry]) -> list[Entry]:
        until = now + timedelta(seconds=claim_setting())
        return [
            Entry(record_id, RECORD, DELIVERED, now, None, message_id, timezone, claimed_until=until)
            for record_id in sorted(chosen)
            if record_id not in known or known[record_id].text != message_id
        ]

    def _skipped(record_ids: Collection[str]) -> list[Entry]:
        return [Entry(record_id, RECORD, DELIVERED, now, None, "", timezone) for record_id in sorted(record_ids)]

    return ledger.change(decide)


def _known(ledger: Ledger) -> dict[str, Entry]:
    """Return the records that a message has said or skipped, by their ids."""
    return {entry.subject_id: entry for entry in ledger.of_source(RECORD)}


def _chosen(
    ledger: Ledger, known: Mapping[str, Entry], found: Mapping[str, bool], message_id: str, now: datetime
) -> frozenset[str]:
    reports = ledger.of_source(REPORT) if found.keys() & known.keys() else []

    def is_news(record_id: str, *, is_recent: bool) -> bool:
        if record_id in known:
            return _is_open(reports, known[record_id], message_id, now)
        return is_recent or bool(known)

    return frozenset(record_id for record_id, is_recent in found.items() if is_news(record_id, is_recent=is_recent))


def _is_open(reports: Sequence[Entry], entry: Entry, message_id: str, now: datetime) -> bool:
    """Return whether a known record is for this message: it is its own, or of a message that was never delivered."""
    if entry.text == message_id or not entry.text:
        return entry.text == message_id
    if entry.is_claimed(now):
        return False
    # Posted again, a message has an id of its own that begins with the first one's.
    posted = [one for one in reports if f"{one.subject_id}/".startswith(f"{entry.text}/")]
    return all(one.due_at is not None for one in posted)
