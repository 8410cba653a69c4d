"""The command ``buddy ask``."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import DAY, PATH, Run, command, main
from fitness_buddy.cli.posting import NotPostedError, open_outbox, post_option, post_reply
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.notify.message import escape_markdown

if TYPE_CHECKING:
    from fitness_buddy.ask.answer import Answer
    from fitness_buddy.ask.catalogue import Catalogue
    from fitness_buddy.ask.choice import Choice
    from fitness_buddy.remind.posting import Outbox


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
@click.option("--sql", "shows_sql", is_flag=True, help="Also show the SQL of the answer.")
@post_option
def ask(
    run: Run,
    question: str,
    request_path: Path | None,
    metrics: tuple[str, ...],
    shows_sql: bool,
    post: bool,
    **chosen: Any,
) -> dict[str, Any]:
    """Answer a QUESTION about your own data or about this project.

    A language model chooses which metric is looked up; it never sees your numbers. Without a model use --metric:
    buddy ask --metric distance_km --by sport_family --since 2026-10-01. A question that ends with "with SQL" shows its
    SQL, too. A FILE with a message_id is answered once.
    """
    from fitness_buddy.ask.catalogue import load_catalogue
    from fitness_buddy.ask.lookup import look_up
    from fitness_buddy.warehouse.athlete_settings import current_timezone

    ways = [bool(question), request_path is not None, bool(metrics)]
    if sum(ways) != 1:
        raise UsageError(
            'expected one of: a question, --request FILE, --metric NAME; such as buddy ask "how far in May?"'
        )
    if not metrics and any(chosen.values()):
        raise UsageError("--by, --where, --since, --until, --limit and the orders go with --metric")
    if not metrics:
        from fitness_buddy.ask.question import read_question

        message_id = None
        if request_path:
            try:
                question, message_id = read_question(request_path)
            except BuddyError as error:
                _post_error(run, open_outbox(run, is_awaited=True) if post else None, None, error)
                raise
        return answer_question(run, question, message_id=message_id, shows_sql=shows_sql, post=post)
    catalogue = load_catalogue(run.settings.project_dir)
    timezone = current_timezone(run.warehouse, run.settings)
    choice = _stated(catalogue, run.today(timezone), metrics, **chosen)
    outbox = open_outbox(run, is_awaited=True) if post else None
    answer = look_up(choice, catalogue, run.warehouse, run.settings)
    run.say(answer.text(with_sql=shows_sql))
    words = answer.message(with_sql=shows_sql)
    return post_reply(run, outbox, "questions", None, words, answer.to_dict(with_sql=shows_sql))


def answer_question(
    run: Run, question: str, *, message_id: str | None = None, shows_sql: bool = False, post: bool = False
) -> dict[str, Any]:
    """Answer a question in words, print the answer, and post it; an error is posted, too."""
    outbox = open_outbox(run, is_awaited=True) if post else None
    try:
        answer, totals = _answer(run, question, shows_sql=shows_sql)
    except BuddyError as error:
        _post_error(run, outbox, message_id, error)
        raise
    return post_reply(run, outbox, "questions", message_id, str(answer["message"]), answer | totals)


def _post_error(run: Run, outbox: Outbox | None, message_id: str | None, error: BuddyError) -> None:
    """Post why there is no answer; if that fails, the error of the answer is still the one to raise."""
    words = escape_markdown(f"I cannot answer that now: {error}")
    with suppress(NotPostedError):
        post_reply(run, outbox, "questions", f"{message_id}/failed" if message_id else None, words, {})


def _answer(run: Run, question: str, *, shows_sql: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer a question and print the answer; return the answer and the cost of the model, JSON-ready."""
    from fitness_buddy.ask.catalogue import load_catalogue
    from fitness_buddy.ask.lookup import look_up
    from fitness_buddy.ask.question import Asker, check_question, split_wish_for_sql
    from fitness_buddy.llm.calls import open_model
    from fitness_buddy.warehouse.athlete_settings import current_timezone

    catalogue = load_catalogue(run.settings.project_dir)
    timezone = current_timezone(run.warehouse, run.settings)

    def look_up_choice(choice: Choice) -> Answer:
        return look_up(choice, catalogue, run.warehouse, run.settings)

    model = open_model(run.warehouse, run.settings)
    asker = Asker(model, look_up_choice, catalogue, run.settings.project_dir, run.today(timezone), timezone)
    words, wants_sql = split_wish_for_sql(check_question(question))
    answer = asker.answer(words)
    shows_sql = shows_sql or wants_sql
    run.say(answer.text(with_sql=shows_sql))
    return answer.to_dict(with_sql=shows_sql), model.totals() if model else {}


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
    from fitness_buddy.ask.choice import Filter, stated_choice

    values: dict[str, list[str]] = {}
    for condition in conditions:
        dimension, equals, value = condition.partition("=")
        if not equals:
            raise UsageError(f"--where: expected DIMENSION=VALUE, found {condition!r}")
        values.setdefault(dimension, []).append(value)
    try:
        return stated_choice(
            catalogue,
            today,
            metrics,
            groups,
            [Filter(dimension, texts) for dimension, texts in values.items()],
            first_day=since.date() if since else None,
            last_day=until.date() if until else None,
            order=order or "in_order",
            max_rows=limit,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
