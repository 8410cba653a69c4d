"""The command that answers questions: ``buddy ask``."""

from __future__ import annotations

import json
import re
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
    from fitness_buddy.llm.client import LanguageModel

_TRIGGER = re.compile(r"\s*(ask|frage)\b[\s:,]*", re.IGNORECASE)
_INSTEAD = (
    "You can ask how much, how far, how long, how often and when, by day, week, month or year, of your activities, "
    "steps and meals, or how this project works (docs/ask/metrics.md)."
)


@command(main, "ask", takes_now=True)
@click.argument("question", default="")
@click.option(
    "--request", "request_path", type=PATH, help="A JSON file in place of the question, as the bot on Discord sends it."
)
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Look this up, without a language model.")
@click.option("--by", "groups", multiple=True, metavar="NAME", help="day, week, month, year, or a dimension.")
@click.option(
    "--where", "conditions", multiple=True, metavar="DIMENSION=VALUE", help="Only these; several values: any."
)
@click.option("--since", type=DAY, help="First day [that of the first record].")
@click.option("--until", type=DAY, help="Last day [today].")
@click.option("--highest-first", "order", flag_value="highest_first", help="Ordered by the first metric.")
@click.option("--lowest-first", "order", flag_value="lowest_first", help="Ordered by the first metric.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="As many rows.")
def ask(
    run: Run,
    question: str,
    request_path: Path | None,
    metrics: tuple[str, ...],
    **chosen: Any,
) -> dict[str, Any]:
    """Answer a QUESTION about your own data or about this project.

    A language model chooses which metric is looked up; it never sees your numbers. Without one, --metric looks up the
    same: buddy ask --metric distance_km --by sport_family --since 2026-10-01
    """
    from fitness_buddy.ask.catalogue import load_catalogue
    from fitness_buddy.core.athlete_settings import current_settings

    ways = [bool(question), request_path is not None, bool(metrics)]
    if sum(ways) != 1:
        raise UsageError(
            'expected one of: a question, --request FILE, --metric NAME; such as buddy ask "how far in May?"'
        )
    if not metrics and any(chosen.values()):
        raise UsageError("--by, --where, --since, --until, --limit and the orders go with --metric")
    catalogue = load_catalogue(run.settings.project_dir)
    timezone = current_settings(run.settings.seeds_dir, run.settings.athlete_id)[0].timezone
    today = run.today(timezone)
    totals: dict[str, Any] = {}
    if metrics:
        from fitness_buddy.ask.lookup import look_up

        choice = _stated(catalogue, today, metrics, **chosen)
        answer = look_up(choice, catalogue, run.warehouse, run.settings)
    else:
        from fitness_buddy.llm.calls import open_model

        asked = _asked(question, request_path)
        model = open_model(run.warehouse, run.settings)
        answer = _answer(run, model, asked, catalogue, today, timezone)
        totals = model.totals() if model else {}
    run.say(answer.text())
    return answer.to_dict() | totals


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


def _asked(question: str, request_path: Path | None) -> str:
    """The question in one line, without the word that it is called by on Discord."""
    from fitness_buddy.ask.chooser import MAX_QUESTION_CHARACTERS

    if request_path:
        try:
            document = json.loads(request_path.read_text(encoding="utf-8"))
            question = document["text"]
        except OSError as error:
            raise UsageError(f"{request_path}: cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            question = ""
        if not isinstance(question, str) or not question:
            raise UsageError(f'{request_path}: expected JSON such as {{"text": "ask how far did I run in October?"}}')
        question = _TRIGGER.sub("", question, count=1) if _TRIGGER.match(question) else question
    question = " ".join(question.split())
    if not 0 < len(question) <= MAX_QUESTION_CHARACTERS:
        raise UsageError(f"expected a question of 1 to {MAX_QUESTION_CHARACTERS} characters, found {len(question)}")
    return question


def _answer(
    run: Run, model: LanguageModel | None, question: str, catalogue: Catalogue, today: date, timezone: str
) -> Answer:
    from fitness_buddy.ask.answer import Answer
    from fitness_buddy.ask.choice import REASONS, Choice, Refused
    from fitness_buddy.ask.chooser import answer_from, choose
    from fitness_buddy.ask.lookup import look_up
    from fitness_buddy.ask.passages import find_passages, sources
    from fitness_buddy.llm.client import ModelAnswerError, ModelRefusedError

    project_dir = run.settings.project_dir
    if model is None:
        passages = find_passages(project_dir, catalogue, question)[:2]
        quoted = [line for passage in passages for line in (f"{passage.place}:", *passage.text.splitlines()[:12], "")]
        words = [
            "Without a language model (BUDDY_LLM_BASE_URL, BUDDY_LLM_MODEL) I cannot read questions about your data. "
            "The numbers are there all the same: buddy ask --metric distance_km --by sport_family --since 2026-10-01",
            "The docs have this:" if quoted else "The docs have nothing with these words.",
            *quoted,
        ]
        return Answer("docs", words, sources=sources(passages))
    try:
        choice = choose(model, question, catalogue, today, timezone)
        if isinstance(choice, Choice):
            return look_up(choice, catalogue, run.warehouse, run.settings)
        if isinstance(choice, Refused):
            return Answer("cannot", [REASONS[choice.reason], _INSTEAD])
        passages = find_passages(project_dir, catalogue, f"{question} {choice.words}")
        said = answer_from(model, question, passages) if passages else None
    except (ModelAnswerError, ModelRefusedError):
        return Answer("cannot", ["I did not get that clearly enough to look it up.", _INSTEAD])
    if said is None:
        return Answer("cannot", ["The docs do not say.", _INSTEAD])
    text, named = said
    return Answer("docs", [text], notes=[f"Source: {place}" for place in sources(named)], sources=sources(named))
