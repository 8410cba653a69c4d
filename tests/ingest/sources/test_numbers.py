"""The number format of a file is never decided wrongly: it is right, or the file is refused."""

from __future__ import annotations

import duckdb
import jinja2
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from support import REPOSITORY

from fitness_buddy.ingest.sources import numbers, values
from fitness_buddy.ingest.sources.values import UndecidedError


def written(value: float, decimal: str, *, grouped: bool, digits: int) -> str:
    text = f"{value:,.{digits}f}" if grouped else f"{value:.{digits}f}"
    return text if decimal == "." else text.translate(str.maketrans(",.", ".,"))


FORMATS = st.tuples(st.sampled_from(",."), st.booleans(), st.integers(0, 4), st.sampled_from(",;\t"))


@given(values=st.lists(st.floats(0, 1e7).map(lambda value: round(value, 4)), max_size=8), how=FORMATS)
def test_measures_of_a_file_are_read_as_they_were_written_or_refused(
    values: list[float], how: tuple[str, bool, int, str]
) -> None:
    decimal, grouped, digits, delimiter = how
    cells = [written(value, decimal, grouped=grouped, digits=digits) for value in values]
    try:
        decided = numbers.decide(cells, delimiter, are_counts=False)
    except UndecidedError as error:
        assert error.example in cells
        return
    assert [float(decided.plain(cell)) for cell in cells] == [round(value, digits) for value in values]


@given(
    values=st.lists(st.integers(0, 10_000_000), max_size=8),
    grouped=st.booleans(),
    language=st.sampled_from([(",", "."), (";", ","), ("\t", "."), ("\t", ",")]),
)
def test_counts_of_a_file_are_read_as_they_were_written_or_refused(
    values: list[int], grouped: bool, language: tuple[str, str]
) -> None:
    delimiter, decimal = language
    cells = [written(value, decimal, grouped=grouped, digits=0) for value in values]
    try:
        decided = numbers.decide(cells, delimiter, are_counts=True)
    except UndecidedError:
        assert delimiter == "\t"
        return
    assert [int(decided.plain(cell)) for cell in cells] == values


@pytest.mark.parametrize(
    ("cells", "delimiter", "are_counts", "plain"),
    [
        (["0,125", "41,500"], ",", False, ["0.125", "41.500"]),
        (["41,500", "5,1"], ",", False, ["41.500", "5.1"]),
        (["1.234.567", "8.123"], ",", True, ["1234567", "8123"]),
        (["8.123", "10.000"], ";", True, ["8123", "10000"]),
        (["13,666", "789"], ",", True, ["13666", "789"]),
        (["1.234,5", "1.500"], ",", False, ["1234.5", "1500"]),
        (["8 123", "8\u00a0123", "8'123"], ",", True, ["8123", "8123", "8123"]),
        (["1e3", "-0.5", "+2"], ",", False, ["1e3", "-0.5", "+2"]),
        (["many", ""], ",", False, ["many", ""]),
    ],
)
def test_one_cell_decides_for_all(cells: list[str], delimiter: str, are_counts: bool, plain: list[str]) -> None:
    decided = numbers.decide(cells, delimiter, are_counts=are_counts)
    assert [decided.plain(cell) for cell in cells] == plain


@pytest.mark.parametrize("text", ["1,2,3", "1.5.2", "1.5,2", "0,5", "2,5"])
@pytest.mark.parametrize("first", ["1.5", "1,234,567", "1,234.5"])
def test_a_number_that_contradicts_the_first_is_not_read(first: str, text: str) -> None:
    decided = numbers.decide([first, text], ",", are_counts=False)
    with pytest.raises(ValueError) as caught:
        decided.plain(text)
    assert str(caught.value) == f"expected a number with '.' as its decimal mark like '{first}', found '{text}'"


@given(values=st.lists(st.tuples(st.floats(0.01, 1e7), st.sampled_from(",.")), min_size=2, max_size=8))
def test_of_two_formats_in_one_file_only_one_is_read(values: list[tuple[float, str]]) -> None:
    cells = [written(value, decimal, grouped=False, digits=2) for value, decimal in values]
    decided = numbers.decide(cells, ",", are_counts=False)
    assert decided.decimal == values[0][1]
    for cell, (value, decimal) in zip(cells, values, strict=True):
        if decimal == decided.decimal:
            assert float(decided.plain(cell)) == round(value, 2)
        else:
            with pytest.raises(ValueError, match="decimal mark"):
                decided.plain(cell)


@pytest.mark.parametrize(
    ("cells", "delimiter", "are_counts", "problem"),
    [
        (["12.000", "9.000"], ",", True, "'12.000' may be 12000 or 12, and no other number of the file decides it"),
        (["9,000"], ";", True, "'9,000' may be 9000 or 9"),
        (["41,500"], ",", False, "'41,500' may be 41500 or 41.5"),
    ],
)
def test_what_no_cell_decides_is_refused(cells: list[str], delimiter: str, are_counts: bool, problem: str) -> None:
    with pytest.raises(UndecidedError) as caught:
        numbers.decide(cells, delimiter, are_counts=are_counts)
    assert str(caught.value).startswith(problem)


def test_readers_and_models_refuse_the_same() -> None:
    variables = yaml.safe_load((REPOSITORY / "dbt_project.yml").read_text())["vars"]
    assert variables["most_steps_a_day"] == values.MOST_STEPS_A_DAY
    assert variables["most_grams_a_meal"] == values.MOST_GRAMS
    assert variables["most_kcal_a_meal"] == values.MOST_KCAL
    assert variables["energy_tolerance"] == values.ENERGY_TOLERANCE
    assert variables["energy_rounding_kcal"] == values.ENERGY_ROUNDING_KCAL


GRAMS = st.floats(0, 2000) | st.integers(0, 300).map(float)
# The four nutrients, fibre among the carbs, and the stated energy as a share of that of the macros.
MEALS = st.tuples(GRAMS, GRAMS, GRAMS, GRAMS, st.floats(0, 1), st.floats(0, 1.6) | st.sampled_from([0.8, 1, 1.2]))


@given(meals=st.lists(MEALS, min_size=1, max_size=50))
@example(meals=[(25.0, 25.0, 0.0, 0.0, 0.0, share) for share in (0.8, 0.79, 1.2, 1.21)])
@example(meals=[(5.0, 0.0, 0.0, 0.0, 0.0, share) for share in (0.0, 2.25, 2.26)])
def test_a_meal_is_plausible_for_messages_as_it_is_for_the_mart(
    meals: list[tuple[float, float, float, float, float, float]],
) -> None:
    """The rule is needed before there is a warehouse, so it is in Python and in SQL: both read the same meals."""
    rows = []
    for *grams, fibre, share in meals:
        energy_kcal = values.energy_of(dict(zip(values.KCAL_PER_G, grams, strict=True)))
        rows.append((*grams, grams[0] * fibre, energy_kcal * share))
    expected = []
    for *grams, fibre_g, stated_kcal in rows:
        energy_kcal = values.energy_of(dict(zip(values.KCAL_PER_G, grams, strict=True)))
        expected.append((energy_kcal, values.is_energy_plausible(stated_kcal, energy_kcal, fibre_g)))
    with duckdb.connect() as connection:
        connection.execute(f"create table meals ({', '.join(f'{name} double' for name in (*MEAL_COLUMNS, 'kcal'))})")
        connection.executemany("insert into meals values (?, ?, ?, ?, ?, ?)", rows)
        assert connection.execute(f"select {ENERGY}, {PLAUSIBLE} from meals order by rowid").fetchall() == expected


def macros(name: str) -> jinja2.environment.TemplateModule:
    """The macros of a file, with the vars of the project."""
    variables = yaml.safe_load((REPOSITORY / "dbt_project.yml").read_text())["vars"]
    text = (REPOSITORY / "macros" / name).read_text()
    return jinja2.Environment(autoescape=False).from_string(text, globals={"var": variables.get}).module


MEAL_COLUMNS = ("carbs_g", "protein_g", "fat_g", "alcohol_g", "fiber_g")
ENERGY = macros("macro_percentages.sql").energy_kcal(*MEAL_COLUMNS[:4])  # type: ignore[attr-defined]
PLAUSIBLE = macros("macro_percentages.sql").is_energy_plausible("kcal", ENERGY, "fiber_g")  # type: ignore[attr-defined]
