"""The list of activities, and the page of one."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from fitness_buddy.core.errors import UsageError
from fitness_buddy.report.activity import Activities
from fitness_buddy.report.activity_text import page_values
from fitness_buddy.report.data import SPORT_FAMILIES
from fitness_buddy.report.site.filters import Filters
from fitness_buddy.report.site.page import Content, NoSuchPageError, PageKind
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.warehouse import Row, as_utc

ROWS_OF_A_PAGE = 50
# What the list is sorted by: the name in the address, the column, the header.
SORTS = {
    "date": ("activities.started_at", "Date"),
    "distance": ("activities.distance_m", "Distance"),
    "time": ("activities.moving_time_s", "Time"),
    "climb": ("activities.elevation_gain_m", "Climb"),
    "heartrate": ("activities.average_heartrate_bpm", "bpm"),
    "load": ("loads.training_load", "Load"),
}
_COLUMNS = (
    "activities.activity_id, activities.name, activities.sport_type, activities.sport_family, "
    "activities.activity_date, activities.started_at, activities.distance_m, activities.moving_time_s, "
    "activities.elevation_gain_m, activities.average_speed_m_s, activities.average_heartrate_bpm, "
    "activities.gear_id, loads.training_load"
)
_FROM = (
    "from {marts}.fct_activities as activities left join {marts}.fct_activity_load as loads "
    "on activities.athlete_id = loads.athlete_id and activities.activity_id = loads.activity_id "
    "where activities.athlete_id = @athlete_id and not activities.is_transition "
)


def _read_list(site: SiteReader, filters: Filters) -> Content:
    sort = filters.one_of("sort", [*SORTS, *(f"-{name}" for name in SORTS)], "-date")
    page = filters.number("page")
    sport, gear = filters.sport(), filters.text("gear")
    with site.marts() as marts:
        days = filters.days(marts.built, "all")
        condition = "and activities.activity_date between @first and @last "
        condition += "and activities.sport_family = @sport " if sport else ""
        condition += "and activities.gear_id = @gear " if gear else ""
        stated: dict[str, str | date] = {"first": days.first, "last": days.last, "sport": sport, "gear": gear}
        (totals,) = marts.select(
            "select count(*) as activities, sum(activities.distance_m) as distance_m, "
            "sum(activities.moving_time_s) as moving_time_s, sum(activities.elevation_gain_m) as elevation_gain_m, "
            f"sum(loads.training_load) as training_load {_FROM}{condition}",
            **stated,
        )
        pages = max(1, -(-int(totals["activities"]) // ROWS_OF_A_PAGE))
        if page > pages:
            raise UsageError(f"page={page}: there are {pages}")
        column = SORTS[sort.removeprefix("-")][0]
        order = f"{column} desc" if sort.startswith("-") else column
        rows = marts.select(
            f"select {_COLUMNS} {_FROM}{condition}order by {column} is null, {order}, activities.activity_id "
            f"limit {ROWS_OF_A_PAGE} offset {ROWS_OF_A_PAGE * (page - 1)}",
            **stated,
        )
        gears = [row["gear_id"] for row in marts.rows("dim_gear", "gear_id", "and activities > 0 order by gear_id")]
        found = marts.rows("fct_activities", "distinct sport_family")
    if gear and gear not in gears:
        raise UsageError(f"gear={gear}: no activity has it")
    families = {row["sport_family"] for row in found}
    return Content(
        title="Activities",
        values={
            "days": days,
            "sport": sport,
            "gear": gear,
            "sort": sort,
            "sorts": SORTS,
            "sort_headers": [(name, words) for name, (_, words) in SORTS.items()],
            "page": page,
            "pages": pages,
            "totals": totals,
            "rows": [_localized(row, marts.built.timezone) for row in rows],
            "sports": [family for family in SPORT_FAMILIES if family in families],
            "gears": gears,
        },
    )


def _localized(row: Row, timezone: ZoneInfo) -> Row:
    return {**row, "started_at": as_utc(row["started_at"]).astimezone(timezone)}


def _read_one(site: SiteReader, filters: Filters) -> Content:
    activity_id = filters.text("id")
    with site.marts() as marts:
        try:
            page = Activities(marts.reader, site.settings).page(activity_id)
        except UsageError as error:
            raise NoSuchPageError(f"there is no activity {activity_id!r}") from error
        loads = marts.rows(
            "fct_activity_load", "training_load, load_method", "and activity_id = @activity", activity=activity_id
        )
        # Neighbours of the same athlete by start; a list of all ids would grow with the years.
        near = {
            name: marts.rows(
                "fct_activities",
                "activity_id, name, activity_date",
                f"and not is_transition and (started_at {sign} @start "
                f"or (started_at = @start and activity_id {sign} @id)) "
                f"order by started_at {order}, activity_id {order} limit 1",
                start=page.activity["started_at"],
                id=activity_id,
            )
            for name, sign, order in (("before", "<", "desc"), ("after", ">", "asc"))
        }
    return Content(
        title=str(page.activity["name"] or page.activity["sport_type"]),
        values={
            "activity": page_values(page),
            "started_at": page.activity["started_at"].astimezone(marts.built.timezone),
            "load": loads[0] if loads else None,
            **{name: rows[0] if rows else None for name, rows in near.items()},
        },
    )


LIST = PageKind("activities", "Activities", ("span", "from", "to", "sport", "gear", "sort", "page"), _read_list)
ONE = PageKind("activity", "", ("id",), _read_one, key="id")
