"""Render the SQL of a choice with MetricFlow for the warehouse's engine; nothing is run here.

MetricFlow decides how metrics are computed. This module decides what it reads: only the athlete's rows of one mart,
and only the asked days. So no choice can reach other rows, and BigQuery reads only the partitions of these days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from fitness_buddy.ask.catalogue import Catalogue, Subject
from fitness_buddy.ask.choice import Choice
from fitness_buddy.core.settings import Settings

if TYPE_CHECKING:
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

# A placeholder for the schema in the SQL that MetricFlow renders.
_PLACE = "of_the_athlete"
# MetricFlow needs a time spine. It is never read, because no metric here is cumulative.
_TIME_SPINE = "int_time_spine"


@dataclass(frozen=True, slots=True)
class Statement:
    """The SQL that answers a choice.

    Attributes:
        sql: with parameters as ``@name``.
        columns: the columns of the result by their meaning: ``time``, the dimensions, the metrics, the row counts.
    """

    sql: str
    parameters: Mapping[str, str | bool | date]
    columns: Mapping[str, str]


def statement(choice: Choice, catalogue: Catalogue, settings: Settings, condition: str = "true") -> Statement:
    """Return the SQL that answers a checked choice.

    Args:
        condition: SQL for the rows of the mart that count.
    """
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest

    subject = catalogue.subject_of(choice.metrics[0])
    parameters: dict[str, str | bool | date] = {"athlete_id": settings.athlete_id, "last_day": choice.last_day}
    if choice.first_day:
        parameters["first_day"] = choice.first_day
    conditions = []
    for place, chosen in enumerate(choice.filters):
        dimension = subject.dimensions[chosen.dimension]
        column = f"{{{{ Dimension('{subject.entity}__{chosen.dimension}') }}}}"
        names = [f"value_{place}_{number}" for number in range(len(chosen.values))]
        if dimension.is_boolean:
            parameters |= {name: value == "true" for name, value in zip(names, chosen.values, strict=True)}
            conditions.append(f"{column} in ({', '.join(f'@{name}' for name in names)})")
        else:
            parameters |= dict(zip(names, chosen.values, strict=True))
            conditions.append(f"lower({column}) in ({', '.join(f'lower(@{name})' for name in names)})")
    counts = [catalogue.metrics[name].known_by for name in choice.metrics]
    metrics = list(dict.fromkeys([*choice.metrics, subject.counted_by, *filter(None, counts)]))
    columns = {name: f"{subject.entity}__{name}" for name in choice.group_by}
    if choice.grain:
        columns["time"] = f"metric_time__{choice.grain}"
    engine = MetricFlowEngine(_semantic_manifest(catalogue), _Renderer.of(str(settings.profile["type"])))
    request = MetricFlowQueryRequest.create(
        metric_names=metrics, group_by_names=list(columns.values()), where_constraints=conditions
    )
    sql = engine.explain(request).sql_statement.without_descriptions.sql
    return Statement(
        sql.replace(
            f"{_PLACE}.{subject.mart}", f"(\n  {athlete_rows_sql(subject, choice, settings, condition=condition)}\n)"
        ),
        parameters,
        columns | {name: name for name in metrics},
    )


# A transition of a multisport file is no activity of its own.
_COUNTED = {"fct_activities": " and is_transition is not true"}


def athlete_rows_sql(
    subject: Subject, choice: Choice, settings: Settings, columns: str = "*", *, condition: str = "true"
) -> str:
    """Return SQL for the athlete's rows of a mart on the asked days, with parameters of these names."""
    only = "" if condition == "true" else f" and {condition}"
    since = f"{subject.day} >= @first_day and " if choice.first_day else ""
    return (
        f"select {columns} from {settings.marts_schema}.{subject.mart} "  # noqa: S608 - the project's own names
        f"where athlete_id = @athlete_id and {since}{subject.day} <= @last_day{_COUNTED.get(subject.mart, '')}{only}"
    )


class _Renderer:
    """A database client for MetricFlow that only says which SQL dialect is used; it has no connection."""

    def __init__(self, sql_engine_type: Any, sql_plan_renderer: Any) -> None:
        self.sql_engine_type = sql_engine_type
        self.sql_plan_renderer = sql_plan_renderer

    @classmethod
    def of(cls, kind: str) -> Any:
        from metricflow.protocols.sql_client import SqlEngine
        from metricflow.sql.render.big_query import BigQuerySqlPlanRenderer
        from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer

        if kind == "bigquery":
            return cls(SqlEngine.BIGQUERY, BigQuerySqlPlanRenderer())
        return cls(SqlEngine.DUCKDB, DuckDbSqlPlanRenderer())


def _semantic_manifest(catalogue: Catalogue) -> SemanticManifestLookup:
    """Return the semantic models as `dbt parse` would read them from the same files, apart from the schema."""
    from metricflow_semantic_interfaces.implementations.semantic_manifest import PydanticSemanticManifest
    from metricflow_semantic_interfaces.transformations.semantic_manifest_transformer import (
        PydanticSemanticManifestTransformer,
    )
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    semantic_models = []
    for document in catalogue.semantic_models:
        relation = {"schema_name": _PLACE, "alias": catalogue.subjects[document["name"]].mart}
        rest = {key: value for key, value in document.items() if key != "model"}
        semantic_models.append({**rest, "node_relation": relation})
    spine = {
        "node_relation": {"schema_name": _PLACE, "alias": _TIME_SPINE},
        "primary_column": {"name": "date_day", "time_granularity": "day"},
    }
    manifest = PydanticSemanticManifest.parse_obj(
        {
            "semantic_models": semantic_models,
            "metrics": list(catalogue.metric_documents),
            "project_configuration": {"time_spines": [spine]},
        }
    )
    return SemanticManifestLookup(PydanticSemanticManifestTransformer.transform(manifest))
