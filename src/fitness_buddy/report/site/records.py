"""Records, best efforts, goals, streaks, Eddington numbers and gear."""

from __future__ import annotations

from fitness_buddy.report.data import SPORT_FAMILIES
from fitness_buddy.report.site.filters import Filters
from fitness_buddy.report.site.page import Content, PageKind
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.report.training import STREAKS, measured, record_named, record_value, to_record
from fitness_buddy.warehouse import Row

EFFORTS_EACH = 3


def _read(site: SiteReader, filters: Filters) -> Content:
    sport = filters.sport()
    with site.marts() as marts:
        of_sport = "and sport_family = @sport " if sport else ""
        records = marts.rows(
            "fct_records",
            "record_type, sport_family, band, value, unit, achieved_on, previous_value, activity_id",
            f"and is_current {of_sport}order by sport_family, record_type, band",
            sport=sport,
        )
        efforts = marts.rows(
            "fct_best_efforts",
            "activity_id, activity_date, sport_family, distance_m, distance_name, elapsed_s, rank",
            f"and rank <= {EFFORTS_EACH} {of_sport}order by sport_family, distance_m, rank",
            sport=sport,
        )
        goals = marts.rows(
            "fct_goals",
            "goal, metric, period_type, period_start, period_end, sport_family, target, progress, projection, "
            "progress_pct, days_left, is_on_track",
            "and period_start <= @day and period_end >= @day order by period_end, goal",
            day=marts.built.as_of_day,
        )
        streaks = marts.rows(
            "fct_streaks",
            "streak_type, current_length, current_start, longest_length, longest_start, longest_end, is_alive",
            "order by streak_type",
        )
        eddington = marts.rows(
            "fct_eddington",
            "sport_family, unit, eddington_number, days_at_number, days_needed_for_next",
            f"{of_sport}order by sport_family, unit",
            sport=sport,
        )
        gear = marts.rows(
            "fct_gear_distance",
            "gear_id, gear_type, distance_m, activities, last_used_on, distance_limit_m, limit_used_pct, is_over_limit",
            "order by distance_m desc, gear_id",
        )
        found = marts.rows("fct_activities", "distinct sport_family")
    families = {row["sport_family"] for row in found}
    return Content(
        title="Records and goals",
        values={
            "sport": sport,
            "sports": [family for family in SPORT_FAMILIES if family in families],
            "records": [_record_row(row) for row in records],
            "efforts": _by_distance(efforts),
            "goals": [
                {
                    **row,
                    "name": row["goal"].replace("_", " ").capitalize(),
                    "shown": "nothing yet" if row["progress"] is None else measured(row["progress"], row["metric"]),
                    "of": measured(row["target"], row["metric"]),
                    "track": {True: "on track", False: "behind", None: "not known"}[row["is_on_track"]],
                }
                for row in goals
            ],
            "streaks": [{**row, "words": STREAKS[row["streak_type"]]} for row in streaks],
            "eddington": eddington,
            "gear": gear,
        },
    )


def _record_row(row: Row) -> Row:
    record = to_record(row)
    before = None if record.previous is None else record_value(record.previous, record.unit)
    words = record_named(record)
    return {
        **row,
        "words": words[0].upper() + words[1:],
        "shown": record_value(record.value, record.unit),
        "before": before,
    }


def _by_distance(efforts: list[Row]) -> list[tuple[str, str, list[Row]]]:
    """Return (sport family, distance, the best efforts by rank)."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in efforts:
        groups.setdefault((row["sport_family"], row["distance_name"]), []).append(row)
    return [(family, distance, rows) for (family, distance), rows in groups.items()]


PAGE = PageKind("records", "Records", ("sport",), _read)
