"""The overview: one day, its week, form, and what is missing."""

from __future__ import annotations

from datetime import timedelta

from fitness_buddy.core.errors import UsageError
from fitness_buddy.report import charts
from fitness_buddy.report.data import load_report
from fitness_buddy.report.lines import week_rows
from fitness_buddy.report.site.filters import Filters
from fitness_buddy.report.site.page import Content, PageKind
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.report.text import distance, full_day, unit_words
from fitness_buddy.report.training import load_training, training_sentences


def _read(site: SiteReader, filters: Filters) -> Content:
    with site.marts() as marts:
        day, built = filters.day("date"), marts.built
        if day and not built.first_day <= day <= built.as_of_day:
            raise UsageError(f"date={day}: there are {built.first_day} to {built.as_of_day}")
        report = load_report(marts.reader, site.settings, day, built)
        training = load_training(marts.reader, site.settings, report.day, report.as_of_day)
    pictures = {}
    if any(row.distance_m for row in report.week_distances):
        pictures["distance"] = Picture(
            f"Bars of the {unit_words()} of the last 12 weeks by sport. This week {distance(report.week.distance_m)}.",
            240,
            lambda _: charts.week_distance_chart(report),
        )
    if any(row.activities for row in report.year):
        active = sum(row.activities > 0 for row in report.year)
        pictures["year"] = Picture(
            f"Calendar of active minutes: activities on {active} of the last {len(report.year)} days.",
            170,
            lambda width: charts.year_chart(report, weeks=53 if width == "wide" else 20),
        )
    return Content(
        title=full_day(report.day),
        values={
            "report": report,
            "sentences": list(training_sentences(training)),
            "week_rows": week_rows(report.week, report.week_before),
            "day_before": report.day - timedelta(days=1) if report.day > report.first_day else None,
            "day_after": report.day + timedelta(days=1) if report.day < report.as_of_day else None,
        },
        pictures=pictures,
    )


PAGE = PageKind("overview", "Overview", ("date",), _read)
