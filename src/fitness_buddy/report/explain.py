"""Explain a number: every source and device behind it, which of them count and why, and the loads they came with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse import Parameters, Row, Warehouse, as_utc
from fitness_buddy.warehouse.loads import Origin, read_origins

# By int_step_intervals_resolved.decided_by: why steps of a device are left out.
_LEFT_OUT = {
    "rank": "a device that ranks higher counted the same minutes",
    "bout": "a device with far more steps counted the same minutes, so another one was not worn",
    "day": "the device with more steps counted the same minutes; by ranks the day would have fewer than one device has",
}
_CURRENT = "qualify row_number() over (partition by {key} order by loaded_at desc, load_id desc) = 1"


@dataclass(frozen=True, slots=True)
class Device:
    """What one device of a source counted on a day.

    Attributes:
        intervals: how many records.
        steps_stated, steps: what it counted, and what of it counts in the sum of the source.
        first_at, last_at: start of the first and end of the last record, UTC.
    """

    device: str
    kind: str
    intervals: int
    steps_stated: float
    steps: float
    first_at: datetime
    last_at: datetime | None
    why: str
    load_ids: list[str]


@dataclass(frozen=True, slots=True)
class StepSource:
    """What one source counted on a day.

    Attributes:
        total_steps: its own total of the day, None without one.
        interval_steps: the sum of its devices, None without intervals.
        steps: the one of both that is its count.
        counts: whether it is the source of the day.
        load_ids: the loads of the total.
    """

    source: str
    steps: int
    counts: bool
    why: str
    total_steps: int | None
    interval_steps: int | None
    devices: list[Device]
    load_ids: list[str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a day of steps, an activity or a meal.

    Attributes:
        subject: such as ``steps of 2026-11-10``.
        result: the row of the mart; None if no mart has one.
        why: reasons, one sentence each.
        parts: what is behind it.
        parts_are: ``sources`` (:class:`StepSource`) or ``versions`` (rows of staging).
        loads: the loads that brought them. A load of before ``ops.loads`` was kept is missing.
    """

    subject: str
    result: Row | None
    why: list[str]
    parts: list[dict[str, Any]]
    parts_are: str
    loads: list[Origin]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values, the parts under their own name."""
        answer = asdict(self)
        del answer["parts_are"]
        return {**answer, self.parts_are: answer.pop("parts"), "loads": answer.pop("loads")}


class Explainer:
    """Explains numbers of one athlete, from what the last build made."""

    def __init__(self, warehouse: Warehouse, settings: Settings) -> None:
        self._warehouse = warehouse
        self._settings = settings

    def steps(self, day: date) -> Explanation:
        """Explain the steps of a local day.

        Raises:
            UsageError: no source has steps of the day.
        """
        intermediate, marts = self._settings.intermediate_schema, self._settings.marts_schema
        found = self._query(
            f"select * from {intermediate}.int_steps_by_source "  # noqa: S608 - names of our own, as below
            "where athlete_id = @athlete_id and steps_date = @day order by steps desc, step_source",
            day=day,
        )
        if not found:
            raise UsageError(f"no source has steps of {day}: is it loaded (`buddy status`) and built (`buddy build`)?")
        rows = self._query(
            f"select * from {marts}.fct_daily_steps where athlete_id = @athlete_id and steps_date = @day",  # noqa: S608
            day=day,
        )
        result = rows[0] if rows else None
        winner = result["step_source"] if result else None
        devices, totals = self._devices(day), self._totals(day)
        sources = [
            StepSource(
                source=row["step_source"],
                steps=row["steps"],
                counts=row["step_source"] == winner,
                why=_why_source(row, winner, len(found)),
                total_steps=row["total_steps"],
                interval_steps=row["interval_steps"],
                devices=devices.get(row["step_source"], []),
                load_ids=totals.get(row["step_source"], []),
            )
            for row in found
        ]
        why = [_why_count(row) for row in found if row["step_source"] == winner]
        load_ids = {load for source in sources for load in source.load_ids} | {
            load for source in sources for device in source.devices for load in device.load_ids
        }
        return Explanation(
            f"steps of {day}", result, why, [asdict(one) for one in sources], "sources", self._origins(load_ids)
        )

    def _devices(self, day: date) -> dict[str, list[Device]]:
        """Return the devices of each source, the one with the most counted steps first."""
        rows = self._query(
            "select step_source, device_name, device_kind, load_id, decided_by, count(*) as intervals, "  # noqa: S608
            "sum(steps_stated) as steps_stated, sum(steps) as steps, min(started_at) as first_at, "
            f"max(ended_at) as last_at from {self._settings.intermediate_schema}.int_step_intervals_resolved "
            "where athlete_id = @athlete_id and steps_date = @day "
            "group by step_source, device_name, device_kind, load_id, decided_by",
            day=day,
        )
        found: dict[tuple[str, str, str], list[Row]] = {}
        for row in rows:
            found.setdefault((row["step_source"], row["device_name"], row["device_kind"]), []).append(row)
        devices: dict[str, list[Device]] = {}
        for (source, name, kind), parts in found.items():
            devices.setdefault(source, []).append(_device(name, kind, parts))
        return {source: sorted(of_source, key=lambda one: -one.steps) for source, of_source in devices.items()}

    def _totals(self, day: date) -> dict[str, list[str]]:
        """Return the load of each source's own total of the day."""
        rows = self._query(
            f"select step_source, load_id from {self._settings.staging_schema}.stg_steps__daily_counts "  # noqa: S608
            "where athlete_id = @athlete_id and steps_date = @day " + _CURRENT.format(key="record_id"),
            day=day,
        )
        return {row["step_source"]: [row["load_id"]] for row in rows}

    def activity(self, activity_id: str, *, with_api: bool = True) -> Explanation:
        """Explain which version of an activity counts, and its local day.

        Args:
            with_api: whether Strava's API is a source; without it nothing is known of its versions and time zone.

        Raises:
            UsageError: no source has it.
        """
        staging = self._settings.staging_schema
        columns = (
            "source, loaded_at, load_id, is_deleted, name, started_at, stated_date, stated_timezone, elapsed_time_s, "
            "moving_time_s, distance_m, elevation_gain_m"
        )
        selects = [
            f"select {columns} from {staging}.{model} where athlete_id = @athlete_id and activity_id = @activity_id"  # noqa: S608
            for model in ("stg_strava__export_activities", *(["stg_strava__api_activities"] if with_api else []))
        ]
        sql = f"{' union all '.join(selects)} order by loaded_at, load_id"
        versions = self._query(sql, activity_id=activity_id)
        recordings = self._recordings(activity_id)
        if not versions and not recordings:
            raise UsageError(f"no source has an activity {activity_id!r}: `buddy sql` lists those of fct_activities")
        rows = self._query(
            f"select * from {self._settings.intermediate_schema}.int_activities_localized "  # noqa: S608
            "where athlete_id = @athlete_id and activity_id = @activity_id",
            activity_id=activity_id,
        )
        result = rows[0] if rows else None
        why = [*_why_activity(result, versions, with_api=with_api), *_why_recording(recordings, versions)]
        return self._of_versions(f"activity {activity_id}", result, why, [*versions, *recordings])

    def _recordings(self, activity_id: str) -> list[Row]:
        """Return the recordings of an activity, the chosen one first, as rows beside the versions of Strava."""
        intermediate = self._settings.intermediate_schema
        return self._query(
            "select 'activity_file' as source, recordings.loaded_at, recordings.load_id, false as is_deleted, "  # noqa: S608
            "recordings.name, recordings.started_at, recordings.elapsed_time_s, recordings.moving_time_s, "
            "recordings.distance_m, recordings.elevation_gain_m, recordings.file_name, recordings.activity_id, "
            f"matches.is_chosen from {intermediate}.int_recordings as recordings "
            f"inner join {intermediate}.int_recording_matches as matches "
            "on recordings.athlete_id = matches.athlete_id and recordings.activity_id = matches.recording_id "
            "where matches.athlete_id = @athlete_id and matches.activity_id = @activity_id "
            "order by matches.is_chosen desc, recordings.activity_id",
            activity_id=activity_id,
        )

    def meal(self, meal_id: str) -> Explanation:
        """Explain which version of a meal counts.

        Raises:
            UsageError: there is no such meal.
        """
        versions = self._query(
            "select loaded_at, load_id, is_deleted, eaten_at_utc, eaten_at_local, description, carbs_g, "  # noqa: S608
            "protein_g, fat_g, alcohol_g, energy_kcal_stated, estimate_confidence "
            f"from {self._settings.staging_schema}.stg_meals__entries "
            "where athlete_id = @athlete_id and meal_id = @meal_id order by loaded_at, load_id",
            meal_id=meal_id,
        )
        if not versions:
            raise UsageError(f"there is no meal {meal_id!r}: `buddy sql` lists those of fct_meals")
        rows = self._query(
            f"select * from {self._settings.intermediate_schema}.int_meals_localized "  # noqa: S608
            "where athlete_id = @athlete_id and meal_id = @meal_id",
            meal_id=meal_id,
        )
        result = rows[0] if rows else None
        return self._of_versions(f"meal {meal_id}", result, _why_meal(result, versions), versions)

    def _query(self, sql: str, **parameters: Any) -> list[Row]:
        named: Parameters = {"athlete_id": self._settings.athlete_id, **parameters}
        return self._warehouse.query(sql, named)

    def _of_versions(self, subject: str, result: Row | None, why: list[str], versions: list[Row]) -> Explanation:
        origins = self._origins(version["load_id"] for version in versions)
        return Explanation(subject, result, why, versions, "versions", origins)

    def _origins(self, load_ids: Iterable[str]) -> list[Origin]:
        return read_origins(self._warehouse, self._settings.ops_schema, self._settings.athlete_id, load_ids)


def _device(name: str, kind: str, parts: list[Row]) -> Device:
    stated, steps = sum(part["steps_stated"] for part in parts), sum(part["steps"] for part in parts)
    reasons = {part["decided_by"]: None for part in parts if part["steps_stated"] - part["steps"] > 0.5}
    left_out = "; ".join(_LEFT_OUT[reason] for reason in reasons)
    ends = [part["last_at"] for part in parts if part["last_at"]]
    return Device(
        device=name or "not named",
        kind=kind,
        intervals=sum(part["intervals"] for part in parts),
        steps_stated=round(stated, 1),
        steps=round(steps, 1),
        first_at=as_utc(min(part["first_at"] for part in parts)),
        last_at=as_utc(max(ends)) if ends else None,
        why=f"{stated - steps:,.0f} are left out: {left_out}" if reasons else "all count",
        load_ids=sorted({part["load_id"] for part in parts}),
    )


def _why_source(row: Row, winner: str | None, sources: int) -> str:
    if not row["is_believable"]:
        return "set aside: nobody walks so many steps in a day; is it another kind of number?"
    if row["step_source"] == winner:
        return "the only source of the day" if sources == 1 else f"the highest count of {sources} sources"
    return f"not counted: {winner} has more, or as many; sources count the same steps and are never added up"


def _why_count(row: Row) -> str:
    total, intervals = row["total_steps"], row["interval_steps"]
    if total is None:
        return "The count is the sum of the source's intervals, each moment counted once."
    if intervals is None:
        return "The count is the source's own total of the day."
    if row["is_final"]:
        return (
            f"The source's own total ({total:,}) was loaded after the day was over: it corrects the sum of its "
            f"intervals ({intervals:,})."
        )
    return (
        f"The source's own total ({total:,}) was loaded before the day was over: the greater of it and the sum of the "
        f"intervals ({intervals:,}) counts."
    )


def _why_recording(recordings: list[Row], versions: list[Row]) -> list[str]:
    """Return what comes from the file, with the numbers of Strava beside it."""
    chosen = next((one for one in recordings if one["is_chosen"]), None)
    if chosen is None or not versions:
        return []
    strava = versions[-1]
    pairs = [("distance", "distance_m", "m"), ("moving time", "moving_time_s", "s")]
    pairs += [("elapsed time", "elapsed_time_s", "s"), ("climb", "elevation_gain_m", "m")]
    beside = ", ".join(
        f"{words} {chosen[name]:,.1f} {unit} (Strava {strava[name]:,.1f})"
        for words, name, unit in pairs
        if chosen[name] is not None and strava[name] is not None
    )
    return [f"Distance, times, climb, heart rate and power are those of {chosen['file_name']}: {beside}."]


def _why_activity(result: Row | None, versions: list[Row], *, with_api: bool) -> list[str]:
    if result is None:
        return [_why_missing(versions)]
    if not with_api:
        # The API may be what knows the time zone.
        counts = "The last version that was loaded counts." if versions else "Only a file has it."
        return [counts, f"Its local day is {result['activity_date']}."]
    if not versions:
        return [f"Only a file has it. Its local day is {result['activity_date']} in {result['timezone']}."]
    sources = {version["source"] for version in versions}
    if len(sources) == 1:
        why = "The last version that was loaded counts."
    elif result["is_same_in_both"]:
        why = "Export and API agree, so the row is from the export, which has more fields."
    else:
        why = "Export and API differ, so the row is from the one that was loaded later."
    stated = any(version["stated_date"] for version in versions)
    day = "the API knows where the activity was" if stated else "by the athlete's time zone"
    return [why, f"Its local day is {result['activity_date']} in {result['timezone']}: {day}."]


def _why_meal(result: Row | None, versions: list[Row]) -> list[str]:
    if result is None:
        return [_why_missing(versions)]
    why = ["The last version that was loaded counts."]
    if not result["is_believable"]:
        why.append("It is set aside: nobody eats so much at once; is it another unit?")
    local = versions[-1]["eaten_at_local"] is not None
    clock = "the diary states the local time" if local else "the diary states an instant, by the athlete's time zone"
    return [*why, f"Its local day is {result['meal_date']}: {clock}."]


def _why_missing(versions: list[Row]) -> str:
    if versions and versions[-1]["is_deleted"]:
        return "It counts no longer: the last version says that it was deleted."
    return "No mart has it: it is not built yet, or later than the day of the last build."
