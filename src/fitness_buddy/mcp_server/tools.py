"""Answer the calls of an agent: one method for each tool, without the protocol. Nothing here writes."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any

from fitness_buddy.ask.passages import find_passages
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.weeks import ONE_WEEK, first_day_of_week
from fitness_buddy.llm.facts import ForbiddenFactError, fact_marts, is_inseparable
from fitness_buddy.mcp_server.marts import Built, Marts
from fitness_buddy.mcp_server.replies import Part, Reply, plain, rows_part, units_of
from fitness_buddy.report.explain import Explainer, Explanation
from fitness_buddy.warehouse.sandbox import Sandbox, SandboxTable

MAX_SQL_ROWS = 500
MAX_SQL_SECONDS = 20.0
MAX_SQL_CHARACTERS = 10_000
_ACTIVITY_METRICS = ("activities", "distance_km", "moving_time_h", "elevation_gain_m")
_STEP_METRICS = ("steps", "steps_per_observed_day", "step_goal_days", "observed_step_days")
_MEAL_METRICS = ("meals", "meal_days", "eaten_kcal_per_day", "protein_g_per_day")
_INSEPARABLE = "Refused if the athlete has an activity of Strava's API, because these numbers sum up all activities."
_EXPLAINED = ("steps", "activity", "meal")
# What is left out of the versions that explain a number: the time zone of a place, and what only programs read.
_NOT_SHOWN = {"athlete_id", "stated_timezone", "timezone", "load_ids", "payload_hash"}
# What stops the work of a call that the client has cancelled.
STOPS: contextvars.ContextVar[list[Callable[[], None]]] = contextvars.ContextVar("stops")


class Tools:
    """The tools of one athlete."""

    def __init__(self, marts: Marts) -> None:
        self.marts = marts

    def list_metrics(self, search: str = "") -> Reply:
        """Return what can be asked with :meth:`query_metric`."""
        catalogue = self.marts.catalogue
        words = search.casefold().split()
        parts = []
        for subject in catalogue.subjects.values():
            columns = fact_marts().get(subject.mart, ())
            dimensions = {
                one.name: list(one.values) if one.values is not None else "as recorded"
                for one in subject.dimensions.values()
                if one.column in columns
            }
            rows = [
                {
                    "metric": metric.name,
                    "unit": metric.unit or "number",
                    "label": metric.label,
                    "description": metric.description,
                    "only_within": list(metric.within),
                }
                for metric in catalogue.metrics.values()
                if metric.subject == subject.name
                and all(word in f"{metric.name} {metric.label} {metric.description}".casefold() for word in words)
            ]
            if rows:
                notes = [
                    subject.description,
                    "filters has the dimensions for by and where; also by day, week, month, year.",
                ]
                notes += [_INSEPARABLE] if is_inseparable(subject.mart) else []
                parts.append(Part(subject.label, rows, filters=_short(dimensions), notes=notes))
        if not parts:
            raise UsageError(f"no metric has the words {search!r}: call list_metrics without search")
        found = sum(len(part.rows) for part in parts)
        return Reply(f"{found} metrics in {len(parts)} groups; those of a call come from one group.", parts)

    def query_metric(
        self,
        metrics: Sequence[str],
        by: Sequence[str] = (),
        where: Mapping[str, Sequence[str]] | None = None,
        since: date | None = None,
        until: date | None = None,
        order: str = "in_order",
        limit: int | None = None,
        *,
        with_sql: bool = False,
    ) -> Reply:
        """Look up metrics, as ``buddy ask --metric`` does."""
        built = self.marts.built()
        answer = self.marts.metrics(
            built, metrics, by, where, first_day=since, last_day=until, order=order, max_rows=limit
        )
        days = (since, min(until or built.today, built.today))
        part = self.marts.metrics_part(", ".join(metrics), answer, days, where, with_sql=with_sql)
        return Reply(" ".join(answer.words), [part], self.marts.freshness(built))

    def day(self, day: date, *, with_sql: bool = False) -> Reply:
        """Return all that is known of a local day."""
        built = self.marts.built()
        _check_built(built, day)
        parts = [
            self._metrics(
                "Totals of the day by sport", _ACTIVITY_METRICS, built, day, day, by=["sport_family"], sql=with_sql
            ),
            self.marts.facts_part("Activities of the day", "fct_activities", day, day, with_sql=with_sql),
            self._observed("Steps of the day", "fct_daily_steps", day, with_sql=with_sql),
            self._observed("Meals of the day, summed", "fct_daily_macros", day, with_sql=with_sql),
            self.marts.facts_part("Meals of the day, one by one", "fct_meals", day, day, with_sql=with_sql),
            self._training("Fitness, fatigue and form of the day", day, day, with_sql=with_sql),
        ]
        return Reply(f"{day:%A} {day}: {_counted(parts)}.", parts, self.marts.freshness(built))

    def week(self, day: date, *, with_sql: bool = False) -> Reply:
        """Return the week that contains a day, with the week before for comparison."""
        built = self.marts.built()
        _check_built(built, day)
        first = first_day_of_week(day, built.week_began)
        last = min(first + ONE_WEEK - timedelta(days=1), built.as_of_day)
        before, before_last = first - ONE_WEEK, last - ONE_WEEK
        parts = []
        for name, begin, end in (("", first, last), (" of the week before", before, before_last)):
            more = (built, begin, end)
            parts += [
                self._metrics(
                    f"Activities{name} by sport", _ACTIVITY_METRICS, *more, by=["sport_family"], sql=with_sql
                ),
                self._metrics(f"Training load of activities{name}", ("load_of_activities",), *more, sql=with_sql),
                self._metrics(f"Steps{name}", _STEP_METRICS, *more, sql=with_sql),
                self._metrics(f"Meals{name}", _MEAL_METRICS, *more, sql=with_sql),
            ]
        parts += [
            self.marts.facts_part("Activities of the week", "fct_activities", first, last, with_sql=with_sql),
            self.marts.facts_part("Steps by day", "fct_daily_steps", first, last, with_sql=with_sql),
            self._training("Fitness, fatigue and form by day", first, last, with_sql=with_sql),
        ]
        whole = "" if last - first == ONE_WEEK - timedelta(days=1) else f", as far as it is built: to {last}"
        words = f"The week from {first} to {first + ONE_WEEK - timedelta(days=1)}{whole}. "
        words += f"The week before is given for the same days, {before} to {before_last}."
        return Reply(words, parts, self.marts.freshness(built))

    def activity(self, activity_id: str, *, with_sql: bool = False) -> Reply:
        """Return one activity with its laps, kilometres, zones, best efforts and power curve, without positions."""
        built = self.marts.built()
        whole = self.marts.facts_part("The activity", "fct_activities", activity_id=activity_id, with_sql=with_sql)
        if not whole.rows:
            raise UsageError(_no_activity(activity_id))
        marts = {
            "The recording": "fct_activity_streams_summary",
            "Its training load": "fct_activity_load",
            "Laps": "fct_activity_laps",
            "Kilometres": "fct_activity_splits",
            "Time in zones": "fct_activity_zones",
            "Best efforts": "fct_best_efforts",
            "Power curve": "fct_power_curve",
        }
        parts = [
            self.marts.facts_part(
                about,
                mart,
                activity_id=activity_id,
                with_sql=with_sql,
                keep=lambda row: row.get("unit", "km") == "km",
            )
            for about, mart in marts.items()
        ]
        row = whole.rows[0]
        words = f"{plain(row.get('name', 'Activity'))} on {row['activity_date']}, {row['sport_family']}"
        recorded = "" if parts[0].rows else " There is no recording of it, so no laps, zones or efforts."
        return Reply(f"{words}.{recorded}", [whole, *parts], self.marts.freshness(built))

    def records(self, sport: str = "", since: date | None = None, *, all_ever: bool = False, with_sql: bool) -> Reply:
        """Return records, the current ones unless all are asked for."""
        built = self.marts.built()
        part = self.marts.facts_part(
            "Records",
            "fct_records",
            since,
            None,
            with_sql=with_sql,
            keep=lambda row: (all_ever or row["is_current"]) and sport in {"", row["sport_family"]},
            filters={"sport_family": [sport]} if sport else {},
            notes=["value and previous_value are in the unit of the column unit; all of sport_family is all sports."],
        )
        streaks = self.marts.facts_part("Streaks, in days", "fct_streaks", with_sql=with_sql)
        words = f"{len(part.rows)} {'' if all_ever else 'current '}records"
        return Reply(f"{words}{f' of {sport}' if sport else ''}.", [part, streaks], self.marts.freshness(built))

    def goals(self, *, all_ever: bool = False, with_sql: bool = False) -> Reply:
        """Return goals, those of running periods unless all are asked for."""
        built = self.marts.built()
        part = self.marts.facts_part(
            "Goals",
            "fct_goals",
            with_sql=with_sql,
            keep=lambda row: all_ever or row["period_start"] <= built.as_of_day <= row["period_end"],
            notes=["target, progress and projection are in the unit of the column unit."],
        )
        rows = [{**row, "unit": units_of([row["metric"]]).get(row["metric"], row["metric"])} for row in part.rows]
        part = replace(part, rows=rows)
        return Reply(f"{len(part.rows)} goals as of {built.as_of_day}.", [part], self.marts.freshness(built))

    def sources(self, *, with_sql: bool = False) -> Reply:
        """Return the sources with their days, gaps and last load."""
        built = self.marts.built()
        part = self.marts.facts_part("Sources", "fct_source_coverage", with_sql=with_sql)
        notes = ["A missing day of activities is a rest day; one of steps or meals is unknown, not zero."]
        answer = f"{len(part.rows)} sources; the numbers go to {built.as_of_day}, in local days of {built.timezone}."
        return Reply(answer, [replace(part, notes=notes)], self.marts.freshness(built))

    def how(self, question: str) -> Reply:
        """Return sections of the project's docs that fit a question."""
        found = find_passages(self.marts.settings.project_dir, self.marts.catalogue, question)
        if not found:
            raise UsageError("the docs have no section with these words: use other, specific words in English")
        text = "\n\n".join(f"[{passage.place}]\n{passage.text}" for passage in found)
        return Reply(
            text,
            [rows_part("Sections", [{"file": one.file, "heading": one.heading} for one in found], rows_behind=None)],
        )

    def explain(self, subject: str, key: str) -> Reply:
        """Explain steps of a day, an activity or a meal, as ``buddy explain`` does."""
        built = self.marts.built()
        explainer = Explainer(self.marts.warehouse, self.marts.settings)
        if subject == "steps":
            found = explainer.steps(parse_day(key))
            result = list(self.marts.facts("fct_daily_steps", parse_day(key), parse_day(key)).rows)
        elif subject == "activity":
            result = list(self.marts.facts("fct_activities", activity_id=key).rows)
            if not result:
                raise UsageError(_no_activity(key))
            found = explainer.activity(key, with_api=False)
        elif subject == "meal":
            found = explainer.meal(key)
            result = [found.result] if found.result else []
        else:
            raise UsageError(f"subject: expected one of {', '.join(_EXPLAINED)}, found {subject!r}")
        return Reply(
            " ".join([f"{found.subject}:", *found.why]),
            [*_explained_parts(found, result)],
            self.marts.freshness(built),
        )

    def sql(self, statement: str) -> Reply:
        """Run one SELECT on the facts of the marts, in a database that holds nothing else."""
        if len(statement) > MAX_SQL_CHARACTERS:
            raise UsageError(f"statement: expected at most {MAX_SQL_CHARACTERS:,} characters, found {len(statement):,}")
        built = self.marts.built()
        sandbox = Sandbox(self._tables(statement))
        STOPS.get([]).append(sandbox.interrupt)
        try:
            found = sandbox.select(statement, max_rows=MAX_SQL_ROWS, max_seconds=MAX_SQL_SECONDS)
        except UsageError as error:
            names = ", ".join(self.marts.types)
            raise UsageError(
                f"{error} – tables, without a schema, of one athlete, in DuckDB's SQL: {names}; the resource "
                "buddy://marts lists their columns"
            ) from None
        notes = [f"More than {MAX_SQL_ROWS} rows: add a limit, or aggregate."] if found.is_cut else []
        part = rows_part("Rows", found.rows, notes=notes, sql=statement, rows_behind=None)
        return Reply(f"{len(found.rows)} rows.", [part], self.marts.freshness(built))

    def _tables(self, statement: str) -> dict[str, SandboxTable]:
        """Return the marts that a statement names, with the rows of facts.

        Raises:
            ForbiddenFactError: one of them sums up activities of Strava's API.
        """
        named = {mart: types for mart, types in self.marts.types.items() if mart in statement.casefold()}
        return {
            mart: SandboxTable(types, list(map(dict, self.marts.facts(mart).rows))) for mart, types in named.items()
        }

    def _metrics(
        self,
        about: str,
        metrics: Sequence[str],
        built: Built,
        first: date,
        last: date,
        *,
        by: Sequence[str] = (),
        sql: bool = False,
    ) -> Part:
        answer = self.marts.metrics(built, metrics, by, first_day=first, last_day=last)
        part = self.marts.metrics_part(about, answer, (first, last), with_sql=sql)
        return part if part.rows else replace(part, notes=[*answer.words, *part.notes])

    def _observed(self, about: str, mart: str, day: date, *, with_sql: bool) -> Part:
        """Return the row of a day, or that the day is unknown."""
        part = self.marts.facts_part(about, mart, day, day, with_sql=with_sql, days_missing=0)
        if part.rows:
            return part
        return replace(part, days_missing=1, notes=["Nothing is recorded for the day: it is unknown, not zero."])

    def _training(self, about: str, first: date, last: date, *, with_sql: bool) -> Part:
        try:
            return self.marts.facts_part(about, "fct_training_load", first, last, with_sql=with_sql)
        except ForbiddenFactError as error:
            return Part(about, [], days=(first, last), notes=[str(error)])


def parse_day(text: str) -> date:
    """Return a day.

    Raises:
        UsageError: the text is no day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"expected a day as YYYY-MM-DD, found {text[:40]!r}") from None


def _check_built(built: Built, day: date) -> None:
    if day > built.as_of_day:
        raise BuddyError(
            f"the numbers go to {built.as_of_day}, so nothing is known of {day}: ask for an earlier day. The owner "
            "brings them up to date with `buddy ingest` and `buddy build`"
        )

    if built.first_day is None or day < built.first_day:
        raise UsageError(f"nothing is recorded before {built.first_day or 'today'}, so nothing is known of {day}")


def _no_activity(activity_id: str) -> str:
    return (
        f"no activity {activity_id[:40]!r} can be shown: there is none, or it comes from Strava's API. The tools day "
        "and week list activities with their ids"
    )


def _counted(parts: Sequence[Part]) -> str:
    activities, steps, meals = len(parts[1].rows), parts[2].rows, len(parts[4].rows)
    walked = f"{steps[0]['steps']:,} steps" if steps else "steps unknown"
    return f"{activities} activities of export and files, {walked}, {meals} meals recorded"


def _short(dimensions: Mapping[str, Any]) -> dict[str, Any]:
    """Return dimensions with at most 20 values each; query_metric names all of them if a value is wrong."""
    return {
        name: values if isinstance(values, str) or len(values) <= 20 else [*values[:20], "…"]
        for name, values in dimensions.items()
    }


def _explained_parts(found: Explanation, result: Sequence[Mapping[str, Any]]) -> Iterable[Part]:
    yield rows_part("The number", [_shown(row) for row in result])
    rows = [_shown(row) for row in found.parts]
    # Versions of a file have other columns than those of Strava.
    columns = list(dict.fromkeys(name for row in rows for name in row))
    yield rows_part(found.parts_are, [{name: row.get(name) for name in columns} for row in rows])
    yield rows_part(
        "Loads",
        [
            {"loaded_at": load.loaded_at, "file": _file(load.origin), "rows_added": load.rows_added}
            for load in found.loads
        ],
    )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in _NOT_SHOWN}
    return shown | ({"file_name": _file(shown["file_name"])} if shown.get("file_name") else {})


def _file(origin: str) -> str:
    """Return the name of a file without its folders, which name the user of the machine."""
    return PurePath(origin.replace("\\", "/")).name or origin
