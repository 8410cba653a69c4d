"""Print one activity on a terminal, and write it as a page."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fitness_buddy.report import text
from fitness_buddy.report.activity import PICTURE, ActivityPage
from fitness_buddy.report.html import environment
from fitness_buddy.warehouse import Row

_ZONES = {"heartrate": ("Heart rate", "bpm"), "power": ("Power", "W"), "pace": ("Pace", "")}


def activity_facts(page: ActivityPage) -> list[tuple[str, str]]:
    """Return what is known of the whole activity, as pairs of a label and a text."""
    activity, summary = page.activity, page.summary
    facts = [
        ("Distance", text.distance(activity["distance_m"]) if activity["distance_m"] else None),
        ("Moving time", text.clock(activity["moving_time_s"])),
        ("Elapsed time", text.clock(activity["elapsed_time_s"])),
        ("Pace", pace(activity["pace_min_per_km"]) if activity["sport_family"] in {"run", "walk", "hike"} else None),
        ("Speed", _speed(activity["average_speed_m_s"]) if activity["sport_family"] == "ride" else None),
        ("Climb", _unit(activity["elevation_gain_m"], "m")),
        ("Heart rate", _unit(activity["average_heartrate_bpm"], "bpm")),
        ("Power", _unit(summary.get("average_power_w"), "W")),
        ("Normalized power", _unit(summary.get("normalized_power_w"), "W")),
        ("Grade-adjusted pace", pace(summary.get("grade_adjusted_pace_min_per_km"))),
        ("Decoupling", _decimal(summary.get("decoupling_pct"), " %")),
        ("Efficiency factor", _decimal(summary.get("efficiency_factor"))),
        ("Energy", _unit(activity["energy_kcal"], "kcal")),
        ("Gear", activity["gear_id"]),
        ("Sources", activity["sources"].replace(",", ", ")),
    ]
    return [(label, value) for label, value in facts if value]


def pace(minutes: float | None) -> str | None:
    """Return minutes per kilometre as a pace in the athlete's unit."""
    if minutes is None or minutes >= 100:
        return None
    return text.pace(1000 / (minutes * 60)) if minutes else f"0:00 /{text.unit()}"


def zone_label(zone: Row) -> str:
    """Return a zone with its bounds."""
    low, high = zone["from_value"], zone["to_value"]
    if zone["zone_type"] == "pace":
        return f"Z{zone['zone']} {_paces(low, high)}"
    bounds = f"from {low:.0f}" if high is None else f"{low:.0f} to {high:.0f}"
    return f"Z{zone['zone']} {bounds} {_ZONES[zone['zone_type']][1]}"


def _paces(low: float, high: float | None) -> str:
    """Return bounds in centimetres a second as paces."""
    slow, fast = (pace(100_000 / 60 / speed) if speed else None for speed in (low, high))
    if fast is None:
        return f"faster than {slow}"
    return f"{slow} to {fast}" if slow else f"slower than {fast}"


def render_activity(page: ActivityPage, console: Console) -> None:
    """Print an activity with laps, splits, zones, best efforts and power."""
    activity = page.activity
    name = escape(text.printable(activity["name"] or activity["sport_type"]))
    console.print(f"[bold]{name}[/bold] · {activity['sport_type']} · {activity['activity_date']}", soft_wrap=True)
    console.print(" · ".join(f"{label} {value}" for label, value in activity_facts(page)), soft_wrap=True, markup=False)
    if not page.summary:
        console.print("No recording of it is loaded: `buddy ingest activity-files PATH`.")
    for title, rows, number in (
        ("Laps", page.laps, "lap"),
        (text.unit_words().capitalize(), unit_splits(page), "split"),
    ):
        if rows:
            console.print(_legs(title, rows, number))
    for zone_type, (title, _) in _ZONES.items():
        zones = page.zones_of(zone_type)
        if zones:
            table = Table("zone", "time", "%", title=f"{title} zones", title_justify="left", box=box.SIMPLE)
            for zone in zones:
                table.add_row(zone_label(zone), text.clock(zone["time_s"]), f"{zone['share_pct']:.0f}")
            console.print(table)
    if page.efforts:
        table = Table("best effort", "time", "rank", title="Best efforts", title_justify="left", box=box.SIMPLE)
        for row in page.efforts:
            rank = "record" if row["is_record"] else str(row["rank"])
            table.add_row(row["distance_name"], text.clock(row["elapsed_s"]), rank)
        console.print(table)
    if page.curve:
        table = Table("duration", "W", "best of the year", title="Power", title_justify="left", box=box.SIMPLE)
        for row in page.curve:
            if row["duration_s"] in {1, 5, 60, 300, 1200, 3600}:
                table.add_row(text.clock(row["duration_s"]), f"{row['power_w']:.0f}", text.whole(row["best_year_w"]))
        console.print(table)
    for remark in page.remarks:
        console.print(f"Note: {remark}.")


def unit_splits(page: ActivityPage) -> list[Row]:
    """Return the splits by kilometre or mile."""
    return [row for row in page.splits if row["unit"] == text.unit()]


def render_activity_html(page: ActivityPage) -> str:
    """Return a page that opens from a file and loads nothing: no script, no map, routes as lines."""
    return environment().get_template("activity.html.j2").render(activity=page_values(page))


def page_values(page: ActivityPage) -> dict[str, object]:
    """Return what the template of an activity needs."""
    return {
        "page": page,
        "facts": activity_facts(page),
        "legs": [
            (title, rows)
            for title, rows in (("Laps", page.laps), (text.unit_words().capitalize(), unit_splits(page)))
            if rows
        ],
        "zones": [(title, zones) for kind, (title, _) in _ZONES.items() if (zones := page.zones_of(kind))],
        "zone_label": zone_label,
        "pace": pace,
        "clock": text.clock,
        "picture": PICTURE,
    }


def _legs(title: str, rows: Sequence[Row], number: str) -> Table:
    table = Table(
        number, "distance", "time", "pace", "bpm", "W", "climb", title=title, title_justify="left", box=box.SIMPLE
    )
    for row in rows:
        table.add_row(
            str(row[number]),
            text.distance(row["distance_m"], 2) if row["distance_m"] is not None else "",
            text.clock(row["elapsed_s"]),
            pace(row["pace_min_per_km"]) or "",
            _decimal(row["average_heartrate_bpm"], places=0) or "",
            _decimal(row["average_power_w"], places=0) or "",
            _decimal(row["elevation_gain_m"], places=0) or "",
        )
    return table


def _speed(speed_m_s: float | None) -> str | None:
    return text.speed(speed_m_s, 0) if speed_m_s else None


def _unit(value: float | None, unit: str) -> str | None:
    return f"{text.whole(value)} {unit}" if value else None


def _decimal(value: float | None, unit: str = "", places: int = 2) -> str | None:
    return None if value is None else f"{value:.{places}f}{unit}"
