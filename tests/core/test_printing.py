"""What is printed of texts of others: nothing that a terminal, Kestra or a spreadsheet would obey."""

from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text
from support import run_buddy

from fitness_buddy.cli.console import safe_console
from fitness_buddy.core.printing import TaskLog, csv_cell, printable, printable_json
from fitness_buddy.report.text import printable as printable_name

HOSTILE = 'a\x1b[31mred\x9b1m\x07\x00 [/b][bold] \u202e\n::{"outputs":{}}::\n::x'
ANY = st.text() | st.lists(st.sampled_from(["::", "\n", "\r", "\x1b", "=", "-", "x", " ", "\u202e", "\x85"])).map(
    "".join
)


def is_safe(text: str) -> bool:
    controls = [one for one in text if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} and one not in "\n\t"]
    return not controls and not any(line.startswith("::") for line in text.splitlines())


@given(ANY)
def test_what_is_printed_controls_nothing(text: str) -> None:
    assert is_safe(printable(text))
    assert printable(printable(text)) == printable(text)


@given(st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Cf")), max_size=30))
def test_ordinary_texts_stay(text: str) -> None:
    assert printable(f"x{text}") == f"x{text}"


@given(st.dictionaries(ANY, ANY))
def test_json_means_the_same(document: dict[str, str]) -> None:
    line = printable_json(json.dumps(document, ensure_ascii=False))
    assert json.loads(line) == document
    assert is_safe(line)


@given(ANY)
def test_no_cell_is_a_formula(text: str) -> None:
    cell = str(csv_cell(text))
    number = cell.strip().lstrip("+-").replace(".", "", 1).replace("e", "", 1).replace("E", "", 1)
    assert cell.lstrip()[:1] not in {"=", "+", "-", "@"} or number.replace("-", "").replace("+", "").isdigit()


@pytest.mark.parametrize("value", [-5, 1.5, None, "-5", "+3.5", "1e5", "text", ""])
def test_numbers_and_ordinary_cells_stay(value: object) -> None:
    assert csv_cell(value) == value


def test_tables_interpret_no_markup_and_print_no_controls() -> None:
    """Defect: a source named `[/b]` made `buddy status` a traceback."""
    output = io.StringIO()
    console = safe_console(file=output, width=200)
    table = Table("name")
    table.add_row(HOSTILE)
    console.print(table)
    console.print(HOSTILE)
    console.print(Text(HOSTILE, style="bold"))
    assert is_safe(output.getvalue())
    assert "[/b][bold]" in output.getvalue()


@given(st.lists(ANY))
def test_the_log_of_another_program_has_no_line_of_kestra(texts: list[str]) -> None:
    output = io.StringIO()
    log = TaskLog(output)
    for text in texts:
        log.write(text)
    assert not any(line.startswith("::") for line in output.getvalue().split("\n"))
    assert output.getvalue().replace(" ", "") == "".join(texts).replace(" ", "")


def test_an_error_of_a_command_is_printed_safely(tmp_path: Path) -> None:
    """Kestra reads standard error, too."""
    name = tmp_path / 'x\n::{"outputs":{}}::\x1b[2J'
    answer = run_buddy("ingest", "steps", name)
    assert answer.exit_code == 1
    assert is_safe(answer.errors)
    assert is_safe(run_buddy("ingest", "steps", name, "--json").output.rstrip("\n"))


def test_names_in_reports_are_one_line() -> None:
    assert is_safe(printable_name(HOSTILE))
    assert "\n" not in printable_name(HOSTILE)
