"""The command ``buddy looker-url``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main


@command(main, "looker-url")
@click.argument("marts", nargs=-1, metavar="[MART|ALIAS=MART]...")
@click.option("--template", "template_id", metavar="ID", help="Open a copy of this report instead of a new one.")
@click.option("--billing-project", metavar="PROJECT", help="The project that pays, if not that of the marts.")
def looker_url(
    run: Run, marts: tuple[str, ...], template_id: str | None, billing_project: str | None
) -> dict[str, Any]:
    """Print the link that opens a Looker Studio report on a mart in BigQuery [fct_daily_health], and its fields.

    With a --template name the mart of each of its data sources by alias, such as ds0=fct_daily_health
    (docs/report/looker-studio.md).
    """
    from fitness_buddy.report.looker import mart_fields, report_url

    named = marts or ("fct_daily_health",)
    chosen = {}
    for number, words in enumerate(named):
        alias, equals, mart = words.rpartition("=")
        chosen[alias if equals else f"ds{number}"] = mart
    url = report_url(run.settings, chosen, template_id=template_id, billing_project=billing_project)
    fields = {mart: [asdict(field) for field in mart_fields(run.settings, mart)] for mart in chosen.values()}
    run.say(url)
    for mart, found in fields.items():
        run.say(f"\n{mart}:")
        for field in found:
            run.say(f"  {field['name']}: {field['type']}{', date range dimension' if field['is_date_range'] else ''}")
    return {"url": url, "fields": fields}
