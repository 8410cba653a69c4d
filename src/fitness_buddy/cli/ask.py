"""The command ``buddy ask``."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main
from fitness_buddy.core.errors import UsageError

if TYPE_CHECKING:
    from fitness_buddy.ask.answer import Answer
    from fitness_buddy.ask.catalogue import Catalogue
    from fitness_buddy.ask.choice import Choice


@command(main, "ask", takes_now=True)
@click.argument("question", default="")
@click.option(
    "--request", "request_path", type=PATH, help="A JSON file instead of the question, as the bot on Discord sends it."
)
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Look this up, without a language model.")
@click.option("--by", "groups", multiple=True, metavar="NAME", help="day, week, month, year, or a dimension.")
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="Only rows with this value; several: any of them.",
)
@click.option("--since", type=DAY, help="First day [that of the first record].")
@click.option("--until", type=DAY, help="Last day [today].")
@click.option("--highest-first", "order", flag_value="highest_first", help="Ordered by the first metric.")
@click.option("--lowest-first", "order", flag_value="lowest_first", help="Ordered by the first metric.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many rows.")
def ask(
    run: Run,
    question: str,
    request_path: Path | None,
    metrics: tuple[str, ...],
    **chosen: Any,
) -> dict[str, Any]:
    """Answer a QUESTION about your own data or about this project.

    A language model chooses which metric is looked up; it never sees your numbers. Without a model use --metric:
    buddy ask --metric distance_km --by sport_family --since 2026-10-01
    """
    from fitness_buddy.ask.catalogue import load_catalogue
    from fitness_buddy.ask.lookup import look_up
    from fitness_buddy.warehouse.athlete_settings import current_settings

    ways = [bool(question), request_path is not None, bool(metrics)]
    if sum(ways) != 1:
        raise UsageError(
            'expected one of: a question, --request FILE, --metric NAME; such as buddy ask "how far in May?"'
        )
    if not metrics and any(chosen.values()):
        raise UsageError("--by, --where, --since, --until, --limit and the orders go with --metric")
    if not metrics:
        from fitness_buddy.ask.question import read_question

        return answer_question(run, read_question(request_path) if request_path else question)
    catalogue = load_catalogue(run.settings.project_dir)
    timezone = current_settings(run.warehouse, run.settings)[0].timezone
    choice = _stated(catalogue, run.today(timezone), metrics, **chosen)
    answer = look_up(choice, catalogue, run.warehouse, run.settings)
    run.say(answer.text())
    return answer.to_dict()


def answer_question(run: Run, question: str) -> dict[str, Any]:
    """Answer a question in words, and print the answer."""
    from fitness_buddy.ask.catalogue import load_catalogue
    from fitness_buddy.ask.lookup import look_up
    from fitness_buddy.ask.question import Asker, check_question
    from fitness_buddy.llm.calls import open_model
    from fitness_buddy.warehouse.athlete_settings import current_settings

    catalogue = load_catalogue(run.settings.project_dir)
    timezone = current_settings(run.warehouse, run.settings)[0].timezone

    def look_up_choice(choice: Choice) -> Answer:
        return look_up(choice, catalogue, run.warehouse, run.settings)

    model = open_model(run.warehouse, run.settings)
    asker = Asker(model, look_up_choice, catalogue, run.settings.project_dir, run.today(timezone), timezone)
    answer = asker.answer(check_question(question))
    run.say(answer.text())
    return answer.to_dict() | (model.totals() if model else {})


def _stated(
    catalogue: Catalogue,
    today: date,
    metrics: tuple[str, ...],
    *,
    groups: tuple[str, ...],
    conditions: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    order: str | None,
    limit: int | None,
) -> Choice:
    from fitness_buddy.ask.catalogue import GRAINS
    from fitness_buddy.ask.choice import Filter, check_choice

    grains = [name for name in groups if name in GRAINS]
    if len(grains) > 1:
        raise UsageError(f"--by: expected one of {', '.join(GRAINS)}, found {', '.join(grains)}")
    values: dict[str, list[str]] = {}
    for condition in conditions:
        dimension, equals, value = condition.partition("=")
        if not equals:
            raise UsageError(f"--where: expected DIMENSION=VALUE, found {condition!r}")
        values.setdefault(dimension, []).append(value)
    try:
        return check_choice(
            catalogue,
            today,
            metrics=metrics,
            group_by=[name for name in groups if name not in GRAINS],
            grain=grains[0] if grains else "",
            filters=[Filter(dimension, texts) for dimension, texts in values.items()],
            first_day=since.date() if since else None,
            last_day=until.date() if until else None,
            order=order or "in_order",
            max_rows=limit,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
