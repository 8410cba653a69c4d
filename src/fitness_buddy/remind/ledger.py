"""Keep the append-only ledger of everything that is posted once, ``ops.deliveries``: reminders, calendar events,
reports, and other messages.

Each row is the whole state of its subject, so the last row (by ``sequence``) is the current one. With several channels,
a row of the source ``channel`` says that one of them has taken a subject that the others have not taken yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse import LogTable, NotBuiltError, Parameters, Warehouse, as_utc

DELIVERIES = LogTable(
    name="deliveries",
    former_name="tellings",
    columns={
        "athlete_id": "string",
        "sequence": "int64",
        "recorded_at": "timestamp",
        "subject_id": "string",
        "source": "string",
        "number": "int64",
        "kind": "string",
        "due_at": "timestamp",
        "text": "string",
        "rule": "string",
        "timezone": "string",
        "claim_id": "string",
        "claimed_until": "timestamp",
        "message_id": "string",
        "reply": "string",
    },
    time="recorded_at",
    cluster="athlete_id",
)
REMINDER, CALENDAR, SHEET = "reminder", "calendar", "sheet"
REPORT, MEDITATION, HEARTBEAT, REPLY = "report", "meditation", "heartbeat", "reply"
# A record of the athlete: its text is the id of the message that says it, empty for one that was there before.
RECORD = "record"
_CHANNEL = "channel"
CREATED, CANCELLED, SNOOZED = "created", "cancelled", "snoozed"
CLAIMED, DELIVERED, RELEASED = "claimed", "delivered", "released"
_INSTANTS = ("recorded_at", "due_at", "claimed_until")
_COLUMNS = ", ".join(f"rows_of.{column}" for column in DELIVERIES.columns if column != "athlete_id")
_IS_REMINDER = "source = 'reminder'"
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of one subject: a reminder, an event, a report or another message that is posted once.

    Attributes:
        subject_id: the id of the subject, unique for the athlete.
        source: reminder, calendar, sheet, report, meditation, heartbeat, reply or record.
        kind: what led to this state: created, cancelled, snoozed, claimed, delivered or released.
        due_at: when it is delivered next; None if it is not.
        text: what the reminder or event is about, in somebody's words; empty for other subjects.
        timezone: IANA name; the zone of ``rule`` and of the times in messages.
        number: of a reminder, for people.
        rule: of a recurring one: DTSTART (local wall time) and RRULE as in iCalendar.
        claim_id: the process that delivers it, or did.
        claimed_until: until when no other process delivers it.
        message_id: the message that led to this state.
        reply: the reply to that message.
        sequence: its place among the athlete's rows; set by the ledger.
    """

    subject_id: str
    source: str
    kind: str
    recorded_at: datetime
    due_at: datetime | None
    text: str
    timezone: str
    number: int | None = None
    rule: str | None = None
    claim_id: str | None = None
    claimed_until: datetime | None = None
    message_id: str | None = None
    reply: str | None = None
    sequence: int = 0

    def after(self, kind: str, now: datetime, **changes: Any) -> Entry:
        """Return the next state; without a message if none is given."""
        return replace(self, kind=kind, recorded_at=now, **{"message_id": None, "reply": None, **changes})

    def is_claimed(self, now: datetime) -> bool:
        """Return whether a process may still be delivering it."""
        return self.claimed_until is not None and self.claimed_until > now


def taken(entry: Entry, channel_key: str, now: datetime) -> Entry:
    """Return the row that says that a channel has taken a subject, for the time at which it is due."""
    return Entry(_taken_id(entry, channel_key), _CHANNEL, DELIVERED, now, None, "", entry.timezone)


def _taken_id(entry: Entry, channel_key: str) -> str:
    due_at = entry.due_at.astimezone(UTC).isoformat() if entry.due_at else ""
    return f"{entry.subject_id} {due_at} {channel_key}"


def _newest(only: str, condition: str = "true") -> str:
    """Return SQL for the current entries that meet a condition.

    Args:
        only: a condition that all rows of these entries meet, or at least one; it limits how many rows are read.
    """
    # Two columns are enough to find the newest rows; only these rows are read with all columns.
    return f"""
    select {_COLUMNS}
    from {{table}} as rows_of
    inner join (
        select subject_id, max(sequence) as sequence
        from {{table}}
        where athlete_id = @athlete_id and {only}
        group by subject_id
    ) as newest on rows_of.sequence = newest.sequence
    where rows_of.athlete_id = @athlete_id and {condition}
    """  # noqa: S608 - names of our own


class Ledger:
    """The entries of one athlete."""

    def __init__(self, warehouse: Warehouse, settings: Settings) -> None:
        self._warehouse = warehouse
        self._athlete_id = settings.athlete_id
        # Until the first row is added, a warehouse may have the table under its former name.
        self._tables = [f"{settings.ops_schema}.{name}" for name in (DELIVERIES.name, DELIVERIES.former_name)]

    def change(self, decide: Callable[[], tuple[Sequence[Entry], _Result]]) -> _Result:
        """Add the entries that a function decides on; it decides again if another process has added entries since it
        read.

        Args:
            decide: reads the ledger and returns the entries to add, if any, and a result.
        """
        with self._warehouse.exclusive():
            while True:
                last = int(self._one("select max(sequence) as last from {table} where athlete_id = @athlete_id") or 0)
                entries, result = decide()
                rows = [
                    {"athlete_id": self._athlete_id, **asdict(replace(entry, sequence=last + place))}
                    for place, entry in enumerate(entries, start=1)
                ]
                if not rows or self._warehouse.append_next(
                    DELIVERIES, rows, athlete_id=self._athlete_id, last_sequence=last
                ):
                    return result

    def newest(self, subject_id: str) -> Entry | None:
        """Return the current state of one reminder or event; None if there is none."""
        found = self._entries(_newest("subject_id = @subject_id"), {"subject_id": subject_id})
        return found[0] if found else None

    def of_source(self, source: str) -> list[Entry]:
        """Return the current state of all subjects of a source, the oldest first."""
        return self._entries(f"{_newest('source = @source')} order by sequence", {"source": source})

    def taken_by(self, entry: Entry) -> frozenset[str]:
        """Return the keys of the channels that have taken a subject that is not delivered on all channels yet."""
        prefix = _taken_id(entry, "")
        rows = self._query(
            "select subject_id from {table} where athlete_id = @athlete_id and source = 'channel' "
            "and starts_with(subject_id, @prefix)",
            {"prefix": prefix},
        )
        return frozenset(str(row["subject_id"]).removeprefix(prefix) for row in rows)

    def due(self, until: datetime, now: datetime, most: int) -> list[Entry]:
        """Return the first reminders that are due by ``until`` and not claimed, ordered by time."""
        was_due = (
            "subject_id in (select subject_id from {table} "
            "where athlete_id = @athlete_id and source = 'reminder' and due_at <= @until)"
        )
        condition = "due_at <= @until and (claimed_until is null or claimed_until <= @now)"
        return self._entries(
            f"{_newest(was_due, condition)} order by due_at, number limit @most",
            {"until": until, "now": now, "most": most},
        )

    def waiting(self, most: int, *, skip: int = 0, containing: str = "") -> list[Entry]:
        """Return the reminders that are still to be delivered, the next one first.

        Args:
            skip: how many of the first are left out.
            containing: only those whose text contains this; upper and lower case are the same.
        """
        condition = "due_at is not null"
        parameters: dict[str, Any] = {"most": most, "skip": skip}
        if containing:
            condition += " and strpos(lower(text), lower(@containing)) > 0"
            parameters["containing"] = containing
        return self._entries(
            f"{_newest(_IS_REMINDER, condition)} order by due_at, number limit @most offset @skip", parameters
        )

    def waiting_count(self) -> int:
        """Return how many reminders are still to be delivered."""
        waiting = _newest(_IS_REMINDER, "due_at is not null")
        return int(self._one(f"select count(*) as waiting from ({waiting}) as waiting") or 0)  # noqa: S608

    def numbered(self, number: int) -> Entry | None:
        """Return the current state of the reminder with a number; None if there is none."""
        found = self._entries(_newest("number = @number"), {"number": number})
        return found[0] if found else None

    def last_delivered(self) -> Entry | None:
        """Return the current state of the reminder that was delivered last; None if there is none."""
        subject_id = self._one(
            "select subject_id from {table} where athlete_id = @athlete_id and source = 'reminder' "
            # Rows that were written under the former name have the kind told.
            "and kind in ('delivered', 'told') "
            "order by sequence desc limit 1"
        )
        return self.newest(str(subject_id)) if subject_id else None

    def last_number(self) -> int:
        """Return the highest number of a reminder; 0 before the first one."""
        return int(self._one("select max(number) as last from {table} where athlete_id = @athlete_id") or 0)

    def made_by(self, message_id: str) -> list[Entry]:
        """Return the entries that a message made, each with the reply; an empty list if it changed nothing."""
        return self._entries(
            f"select {_COLUMNS} from {{table}} as rows_of "  # noqa: S608 - names of our own
            "where athlete_id = @athlete_id and message_id = @message_id order by sequence",
            {"message_id": message_id},
        )

    def _one(self, sql: str, parameters: Parameters | None = None) -> Any:
        """Return the first value of the first row; None if there is none."""
        rows = self._query(sql, parameters)
        return next(iter(rows[0].values())) if rows else None

    def _entries(self, sql: str, parameters: Parameters) -> list[Entry]:
        entries = []
        for row in self._query(sql, parameters):
            row.update({name: as_utc(row[name]) for name in _INSTANTS if row[name]})
            entries.append(Entry(**row))
        return entries

    def _query(self, sql: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        values = {"athlete_id": self._athlete_id, **(parameters or {})}
        for table in self._tables:
            try:
                return self._warehouse.query(sql.format(table=table), values)
            except NotBuiltError:
                continue
        return []
