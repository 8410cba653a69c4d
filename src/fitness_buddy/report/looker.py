"""Make the link that opens a Looker Studio report on marts in BigQuery, by the parameters of its Linking API.

The API names tables, not the types of their fields: a new report takes them from BigQuery, and a copy of a template
keeps those of the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse.marts import contracts, partition_day

_PAGE = "https://lookerstudio.google.com/reporting/create"
# Looker Studio's types by those of the contracts.
_TYPES = {
    "string": "Text",
    "int64": "Number",
    "float64": "Number",
    "bool": "Boolean",
    "date": "Date",
    "timestamp": "Date & Time",
}


@dataclass(frozen=True, slots=True)
class LookerField:
    """One field of a data source: its type in Looker Studio, and whether date ranges apply to it."""

    name: str
    type: str
    is_date_range: bool


def report_url(
    settings: Settings, marts: Mapping[str, str], *, template_id: str | None = None, billing_project: str | None = None
) -> str:
    """Return the link.

    Args:
        marts: the mart of each data source, by the alias that it has in the template; ``ds0`` in a new report.
        template_id: the report that is copied; None for a new one.
        billing_project: the project that pays for queries, if it is another one.

    Raises:
        UsageError: the target is not BigQuery, there is no such mart, or several are named without a template.
    """
    if settings.profile.get("type") != "bigquery":
        raise UsageError(f"Looker Studio reads marts in BigQuery, not in {settings.target}: use --target bigquery")
    if template_id is None and len(marts) > 1:
        raise UsageError("a new report opens on one mart (more with Add data): name one, or a --template")
    parameters = {"c.mode": "edit", "r.reportName": "Fitness Buddy"}
    if template_id:
        parameters["c.reportId"] = template_id
    for alias, mart in marts.items():
        source = {
            "connector": "bigQuery",
            "type": "TABLE",
            "projectId": str(settings.profile["project"]),
            "datasetId": settings.marts_schema,
            "tableId": mart,
            "datasourceName": mart,
        }
        if partition_day(settings, mart):
            source["isPartitioned"] = "true"
        if billing_project:
            source["billingProjectId"] = billing_project
        if template_id:
            source["refreshFields"] = "false"
        parameters |= {f"ds.{alias}.{name}": value for name, value in source.items()}
    return f"{_PAGE}?{urlencode(parameters, quote_via=quote)}"


def mart_fields(settings: Settings, mart: str) -> list[LookerField]:
    """Return the fields that Looker Studio makes of the columns of a mart.

    Raises:
        UsageError: there is no such mart.
    """
    day = partition_day(settings, mart)
    return [LookerField(name, _TYPES[kind], name == day) for name, kind in contracts(settings)[mart].items()]
