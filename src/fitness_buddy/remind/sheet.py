"""Read the events of a sheet: a CSV with the columns Title and Start Date, and further ones if it has them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from typing import TYPE_CHECKING

from fitness_buddy.core import variables
from fitness_buddy.core.errors import BuddyError, Refusal
from fitness_buddy.notify.message import truncate
from fitness_buddy.remind.event import Event, days_between, days_until, first_link
from fitness_buddy.remind.ledger import SHEET

if TYPE_CHECKING:
    from fitness_buddy.remind.times import Times

_START_TIME = ("start time", "time", "startzeit", "uhrzeit")
_END_DATE, _END_TIME = ("end date",), ("end time",)
_LOCATION, _LINK = ("location", "place", "ort"), ("link", "url")
_YEAR_FIRST = re.compile(r"(\d{4})\.\s?(\d{1,2})\.\s?(\d{1,2})\.?(?=\s|,|$)")
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?=\s|,|$)")
_NAMED_MONTH = re.compile(r"(\d{1,2})-([^\W\d_]{3,12})\.?-(\d{4}|\d{2})(?=\s|,|$)")
_DOTTED_CLOCK = re.compile(r"(?<=\s)(\d{1,2})(?:\.|h)(\d{2})(?:\.(\d{2}))?(?=$|\s+Uhr$)")
_HOUR_ONLY = re.compile(r"(?<=\s)(\d{1,2})\s?h$")
# Spreadsheets count days from here; a cell without a date format shows the count. The years 2000 to 2099.
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - wall time
_SERIAL = re.compile(r"\d{5}(?:[.,]\d{1,12})?")
_SERIALS = range(36526, 73051)
_SERIAL_OF_DAY = re.compile(r"0?[.,]\d{1,12}")


def read_sheet(
    content: bytes, timezone: str, languages: Sequence[str], now: datetime
) -> tuple[list[Event], list[Refusal]]:
    """Return the events of a sheet, and the rows that cannot be read.

    Rows have no ids: the order distinguishes events that start at the same time.

    Raises:
        BuddyError: the columns Title and Start Date are missing.
    """
    from fitness_buddy.remind.times import Times, UnclearError  # the grammar takes its time to load

    rows = _table(content)
    stated_days = [cells.get(name, "") for cells in rows for name in ("start date", *_END_DATE)]
    dates = _Dates(Times(now, timezone, languages), _is_day_first(stated_days))
    at_once: Counter[datetime] = Counter()
    events: list[Event] = []
    refusals: list[Refusal] = []
    for number, cells in enumerate(rows, start=1):
        title, stated = cells.get("title", ""), cells.get("start date", "")
        if not title and not stated:
            continue
        try:
            starts_at, is_whole_day = dates.moment(stated, _cell(cells, _START_TIME))
            days = _days(cells, dates, starts_at, is_whole_day)
        except UnclearError as error:
            refusals.append(Refusal("the sheet", number, "Start Date", f"{error} Found {truncate(stated, 60)!r}."))
            continue
        except _CellError as error:
            refusals.append(Refusal("the sheet", number, error.column, str(error)))
            continue
        if not title:
            refusals.append(Refusal("the sheet", number, "Title", "expected what the event is, found nothing"))
            continue
        at_once[starts_at] += 1
        location = _cell(cells, _LOCATION)
        link = first_link(_cell(cells, _LINK), location)
        event_id = str(at_once[starts_at])
        events.append(
            Event(SHEET, event_id, title, starts_at, is_whole_day, "" if link == location else location, link, days)
        )
    return events, refusals


def _is_day_first(stated: Sequence[str]) -> bool | None:
    """Return the order of dates with slashes: a day above 12 decides for the whole sheet.

    None: nothing decides, or two days decide for different orders.
    """
    found = [(int(parts[1]), int(parts[2])) for text in stated if (parts := _SLASHES.match(text))]
    orders = {first > 12 for first, second in found if max(first, second) > 12}
    return orders.pop() if len(orders) == 1 else None


class _CellError(Exception):
    """A cell beside the start cannot be read."""

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(problem)
        self.column = column


def _table(content: bytes) -> list[Mapping[str, str]]:
    """Return the rows by the names of their columns, in small letters."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error):
        rows = []
    columns = [name.strip().casefold() for name in rows[0]] if rows else []
    if columns.count("title") != 1 or columns.count("start date") != 1:
        raise BuddyError(
            f"{variables.EVENTS_SHEET_URL.name}: expected a CSV whose first row has the columns Title and Start Date, "
            "found something else (is the sheet shared with whoever has its link?)"
        )
    return [dict(zip(columns, (cell.strip() for cell in row), strict=False)) for row in rows[1:]]


def _cell(cells: Mapping[str, str], names: Sequence[str]) -> str:
    return next((cells[name] for name in names if cells.get(name)), "")


def _days(cells: Mapping[str, str], dates: _Dates, starts_at: datetime, is_whole_day: bool) -> int:
    """Return how many days an event has: 1 without an end.

    Raises:
        _CellError: the end cannot be read, or is before the start.
    """
    from fitness_buddy.remind.times import UnclearError

    stated, clock = _cell(cells, _END_DATE), _cell(cells, _END_TIME)
    if not stated:
        return 1
    try:
        ends_at, is_day = dates.moment(stated, clock)
    except UnclearError as error:
        raise _CellError("End Date", f"{error} Found {truncate(stated, 60)!r}.") from None
    zone = dates.times.zone
    first, last = starts_at.astimezone(zone).date(), ends_at.astimezone(zone).date()
    if (last < first) if is_day or is_whole_day else (ends_at < starts_at):
        raise _CellError("End Date", f"expected an end after the start, found {truncate(stated, 60)!r}")
    # People write the last day, not the one after it.
    return days_until(first, last) + 1 if is_day or is_whole_day else days_between(starts_at, ends_at, zone)


@dataclass(frozen=True, slots=True)
class _Dates:
    """Reads the times of a sheet.

    Attributes:
        is_day_first: the order of dates with slashes; None if the sheet does not show it.
    """

    times: Times
    is_day_first: bool | None = None

    def moment(self, stated: str, clock: str) -> tuple[datetime, bool]:
        """Return a time in UTC, and whether that is a whole day.

        Args:
            clock: the time of day in a column of its own; may be empty.

        Raises:
            UnclearError: it is no date with its year, or one of two.
        """
        wall, is_whole_day = self._wall(stated)
        if clock:
            clock = _plain_clock(f" {clock}").strip()
            both, is_only_day = self._wall(f"{wall.date().isoformat()} {clock}")
            if is_only_day or not (is_whole_day or both == wall):
                self._refuse()
            wall, is_whole_day = both, False
        wall = wall if wall.tzinfo else wall.replace(tzinfo=self.times.zone)
        return wall.astimezone(UTC), is_whole_day

    def _wall(self, stated: str) -> tuple[datetime, bool]:
        stated = self._plain(stated)
        try:
            moment = datetime.fromisoformat(stated)
        except ValueError:
            found = self.times.date_of(stated)
            if found is None:
                self._refuse()
            day, time_of_day = found  # type: ignore[misc]
            return datetime.combine(day, time_of_day or clock_time()), time_of_day is None
        return moment, len(stated) <= len("2026-12-24")

    def _refuse(self) -> None:
        from fitness_buddy.remind.times import UnclearError

        raise UnclearError("sheet_date") from None

    def _plain(self, stated: str) -> str:
        """Return a cell in a spelling that the grammar reads."""
        if _SERIAL.fullmatch(stated):
            serial = float(stated.replace(",", "."))
            if int(serial) in _SERIALS:
                moment = _EPOCH + timedelta(seconds=round(serial * 86400))
                return moment.date().isoformat() if serial == int(serial) else moment.isoformat()
        if self.is_day_first is not None:
            month, day = (2, 1) if self.is_day_first else (1, 2)
            stated = _SLASHES.sub(lambda found: f"{found[3]}-{int(found[month]):02}-{int(found[day]):02}", stated)
        stated = _YEAR_FIRST.sub(_iso, stated)
        stated = _NAMED_MONTH.sub(
            lambda found: f"{found[1]} {found[2]} {found[3] if len(found[3]) == 4 else 2000 + int(found[3])}", stated
        )
        return _plain_clock(stated)


def _iso(found: re.Match[str]) -> str:
    return f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}"


def _plain_clock(stated: str) -> str:
    """Return a text whose time of day has colons: 18.00, 18h30, 18 h, and a part of a day as spreadsheets count it."""
    if _SERIAL_OF_DAY.fullmatch(stated.strip()):
        seconds = round(float(stated.replace(",", ".")) * 86400) % 86400
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    stated = _DOTTED_CLOCK.sub(lambda found: ":".join(part for part in found.groups() if part), stated)
    return _HOUR_ONLY.sub(r"\1:00", stated)
