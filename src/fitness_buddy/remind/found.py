"""Pass what was read from a calendar and a sheet to another process, as a file."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from fitness_buddy.core.errors import BuddyError, Refusal
from fitness_buddy.remind.event import Event
from fitness_buddy.remind.events import FoundEvents


def write_found(path: Path, found: FoundEvents) -> None:
    """Write the events and the rows that could not be read as JSON.

    Raises:
        BuddyError: the file cannot be written.
    """
    document = {
        "events": [{**asdict(event), "starts_at": event.starts_at.isoformat()} for event in found.events],
        "refusals": [asdict(refusal) for refusal in found.refusals],
    }
    try:
        path.write_text(json.dumps(document), encoding="utf-8")
    except OSError as error:
        raise BuddyError(f"{path}: cannot be written: {error.strerror}") from None


def read_found(path: Path) -> FoundEvents:
    """Read what :func:`write_found` has written.

    Raises:
        BuddyError: the file cannot be read, or is none of these.
    """
    try:
        document = json.loads(path.read_bytes())
        events = [_event(event) for event in document["events"]]
        return FoundEvents(events, [Refusal(**refusal) for refusal in document["refusals"]], [])
    except OSError as error:
        raise BuddyError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise BuddyError(f"{path}: expected what `buddy events --write-to` writes") from None


def _event(event: dict[str, Any]) -> Event:
    return Event(**{**event, "starts_at": datetime.fromisoformat(event["starts_at"])})
