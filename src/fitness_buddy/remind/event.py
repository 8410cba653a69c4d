"""Define an event of a calendar or a sheet."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock_time
from zoneinfo import ZoneInfo

_LINK = re.compile(r"https?://[^\s<>\"'`\\]{3,400}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Event:
    """One event, or one occurrence of a recurring event.

    Attributes:
        source: calendar or sheet.
        event_id: does not change when the event is moved.
        starts_at: UTC; for an all-day event the first midnight in the athlete's zone.
        location: where it is, in somebody's words; may be empty.
        link: an address that begins with https:// or http://; may be empty.
        days: how many days of the athlete's zone it touches.
        day: which of them is meant; the first is 1.
    """

    source: str
    event_id: str
    title: str
    starts_at: datetime
    is_whole_day: bool = False
    location: str = ""
    link: str = ""
    days: int = 1
    day: int = 1

    @property
    def subject_id(self) -> str:
        """The id in the ledger; it changes when the event is moved."""
        key = f"{self.source}\n{self.event_id}\n{self.starts_at.isoformat()}"
        if self.day > 1:
            key += f"\n{self.day}"
        return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def first_link(*texts: str) -> str:
    """Return the first web address in texts; empty if there is none."""
    found = (_LINK.search(text) for text in texts)
    return next((match[0].rstrip(".,;:!?)]}") for match in found if match), "")


def days_between(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> int:
    """Return how many days of a zone a time touches; midnight at its end is of the day before."""
    first, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
    return max(1, days_until(first.date(), end.date()) + (end.time() > clock_time()))


def days_until(first: date, end: date) -> int:
    """Return how many days there are from the first one on, without the last."""
    return (end - first).days
