"""Fitness Buddy's own formats: a table or JSON of days."""

from __future__ import annotations

from fitness_buddy.ingest.sources import values
from fitness_buddy.ingest.sources.steps.formats import DAILY_TABLE, Format, Pairs

_CSV = Pairs(DAILY_TABLE, "csv", "date", "steps", values.iso_day)
_JSON = Pairs(DAILY_TABLE, "json", "date", "steps", values.iso_day)

JSON = Format(
    "json",
    DAILY_TABLE,
    'a JSON object or array of {"date", "steps"}',
    lambda head: head.has_keys("date", "steps"),
    _JSON.json_records,
)
CSV = Format(
    "csv",
    DAILY_TABLE,
    "a comma-separated CSV with the columns date,steps[,source]",
    lambda head: head.has_columns("date", "steps"),
    _CSV.csv_records,
)
