"""The page of a year in review."""

from __future__ import annotations

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.report import text
from fitness_buddy.report.site.filters import Filters
from fitness_buddy.report.site.page import Content, NoSuchPageError, PageKind
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.report.year import Year, load_year, year_sentences

# The months that a phone shows: the half of the year with the last day.
_SECOND_HALF = 7


def _read(site: SiteReader, filters: Filters) -> Content:
    with site.marts() as marts:
        number = filters.number("year", marts.built.as_of_day.year)
        try:
            year = load_year(marts.reader, site.settings, marts.built, number)
        except BuddyError as error:
            raise NoSuchPageError(str(error)) from error
    return Content(
        title=f"Year {number}",
        values={"year": year, "sentences": list(year_sentences(year))},
        pictures=year_pictures(year),
    )


def year_pictures(year: Year) -> dict[str, Picture]:
    """Return the pictures of a year: its months, and each day."""
    pictures = {}
    if any(row["moving_time_s"] for row in year.months):
        pictures["months"] = Picture(
            f"Bars of the hours in motion of each month of {year.year} by sport.", 240, lambda _: year.months_chart()
        )
    if any(row.activities for row in year.days):
        half = _SECOND_HALF if year.last_day.month >= _SECOND_HALF else 1
        active = sum(row.activities > 0 for row in year.days)
        pictures["calendar"] = Picture(
            f"Calendar of active minutes: activities on {text.counted(active, 'day')} of {year.year}.",
            170,
            lambda width: year.calendar_chart(1 if width == "wide" else half),
        )
    return pictures


PAGE = PageKind("year", "Year", ("year",), _read, key="year")
