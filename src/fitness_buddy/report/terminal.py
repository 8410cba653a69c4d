"""Print a report in a terminal of 80 columns; colour only repeats what the words say."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from fitness_buddy.report import lines, text
from fitness_buddy.report.data import MacroShares, Report
from fitness_buddy.report.training import Training, training_sentences

_INDENT = (0, 0, 0, 2)
_BAR_WIDTH = 30


def render_terminal(report: Report, console: Console, training: Training | None = None) -> None:
    """Print the day, the week against the week before, the streaks and what is missing."""
    console.print(Text.assemble(("Fitness Buddy", "bold green"), f" · {report.athlete_id}"))
    _heading(console, text.full_day(report.day))
    console.print(Padding(_day(report), _INDENT))
    _heading(console, "This week against the same days last week")
    rows = lines.week_rows(report.week, report.week_before)
    console.print(Padding(_week(rows) if rows else Text("Nothing recorded in either week."), _INDENT))
    _heading(console, "Streaks")
    console.print(Padding(Text(lines.streak_sentence(report)), _INDENT))
    if training and (sentences := list(training_sentences(training))):
        _heading(console, "Form, records and goals")
        console.print(Padding(Text("\n".join(f"• {text.printable(sentence)}" for sentence in sentences)), _INDENT))
    _heading(console, "What is missing")
    sentences = [f"• {notice.sentence}" for notice in report.notices] or ["Nothing."]
    console.print(Padding(Text("\n".join(sentences)), _INDENT))
    console.print(
        Text(f"\nBuilt as of {report.as_of_day}, from {report.first_day}; days in {report.timezone}.", style="dim")
    )


def _heading(console: Console, words: str) -> None:
    console.print()
    console.print(Rule(Text(words, style="bold"), align="left", style="dim"))


def _day(report: Report) -> Table:
    """Return one line per area, with activities and meals below theirs."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    if not report.sessions:
        grid.add_row("Training", "none recorded")
    for number, session in enumerate(report.sessions):
        words = Text.assemble(text.printable(session.name), "\n", (lines.session_facts(session), "dim"))
        grid.add_row("" if number else "Training", words)
    grid.add_row("Steps", _steps(report))
    macros = report.macros_of_day
    if macros is None:
        grid.add_row("Food", "none recorded")
        return grid
    grid.add_row("Food", f"{text.whole(macros.energy_kcal)} kcal in {text.counted(macros.meals, 'meal')}")
    if macros.mean_of_meals:
        grid.add_row("", Text(f"{_split(macros.mean_of_meals)} of energy, mean of the meals", style="dim"))
    if report.macros_mean and len(report.macros) > 1:
        days = text.counted(len(report.macros), "day")
        grid.add_row("", Text(f"{_split(report.macros_mean)}, mean of {days} in the last 30", style="dim"))
    return grid


def _steps(report: Report) -> Table | str:
    day = report.steps_of_day
    if day.steps is None:
        return "none recorded"
    if not day.goal:
        return text.whole(day.steps)
    to_go = "goal met" if day.is_goal_met else f"{text.whole(day.goal - day.steps)} to go"
    grid = Table.grid(padding=(0, 2))
    bar = ProgressBar(day.goal, min(day.steps, day.goal), width=_BAR_WIDTH, complete_style="green")
    grid.add_row(f"{text.whole(day.steps)} of {text.whole(day.goal)}", bar, to_go)
    return grid


def _split(shares: MacroShares) -> str:
    return ", ".join(f"{name} {share}" for name, share in shares.words().items())


def _week(rows: list[tuple[str, str, str, str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    table.add_column("")
    for heading in ("This week", "Last week", "Change"):
        table.add_column(heading, justify="right", no_wrap=True)
    for what, now, before, change in rows:
        table.add_row(what, now, before, Text(change, style=_tone(change)))
    return table


def _tone(change: str) -> str:
    return {"▲": "green", "▼": "yellow"}.get(change[:1], "dim")
