"""Several athletes on one server: who is listed, and what belongs to whom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import run_buddy

from fitness_buddy.core import variables
from fitness_buddy.core.athletes import listed_athletes
from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.core.validators import ATHLETE_ID, name_suffix

TWO = {"BUDDY_ATHLETE": "ada", "BUDDY_ATHLETES": "ada=Europe/Berlin,ben=America/New_York"}


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TWO.items():
        monkeypatch.setenv(name, value)


@given(st.from_regex(ATHLETE_ID, fullmatch=True))
def test_a_suffix_is_part_of_the_names_of_variables_secrets_and_triggers(athlete_id: str) -> None:
    assert re.fullmatch(r"_[A-Z0-9_]+", name_suffix(athlete_id))


def test_without_a_list_every_athlete_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUDDY_ATHLETES", raising=False)
    assert listed_athletes() == {}
    assert load_settings(athlete_id="anybody").athlete_id == "anybody"


@pytest.mark.usefixtures("two")
def test_with_a_list_only_its_athletes_are() -> None:
    assert load_settings().athlete_id == "ada"
    assert load_settings(athlete_id="ben").athlete_id == "ben"
    with pytest.raises(UsageError, match="athlete 'bem': BUDDY_ATHLETES lists ada, ben only"):
        load_settings(athlete_id="bem")
    # A command's own athlete is not one of the server's.
    assert load_settings(athlete_id=None, default_athlete_id="demo").athlete_id == "ada"


def test_the_servers_own_athlete_is_on_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names no athlete would load for one who has no schedule and no channel."""
    monkeypatch.setenv("BUDDY_ATHLETES", TWO["BUDDY_ATHLETES"])
    monkeypatch.setenv("BUDDY_ATHLETE", "me")
    with pytest.raises(UsageError, match="BUDDY_ATHLETE is 'me', and BUDDY_ATHLETES lists ada, ben: set BUDDY_ATHLETE"):
        load_settings()


@pytest.mark.usefixtures("two")
def test_names_of_further_athletes_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    key = variables.KESTRA_MEAL_WEBHOOK_KEY.of_further("ben")
    for name in (key.name, f"{variables.KESTRA_MEAL_WEBHOOK_KEY.name}_CAT"):
        monkeypatch.setenv(name, "planted-key-1")
    assert variables.unknown_names() == [f"{variables.KESTRA_MEAL_WEBHOOK_KEY.name}_CAT"]
    assert key.read() == "planted-key-1"


def test_the_first_meal_makes_the_time_zone_of_the_list_the_one_of_the_marts(tmp_path: Path) -> None:
    """The marts read the warehouse, not the list: the meal would count for another day than the reply says."""
    environment = TWO | {"BUDDY_DUCKDB_PATH": str(tmp_path / "buddy.duckdb")}
    for athlete, zone in (("ben", "America/New_York"), ("ben", "America/New_York"), ("ada", "Europe/Berlin")):
        words = (
            "meal",
            "estimate",
            "--text",
            "oats: 60c 12p 7f",
            "--athlete",
            athlete,
            "--now",
            "2026-11-02T02:00:00+00:00",
        )
        assert (noted := run_buddy(*words, environment=environment)).exit_code == 0, noted.errors
        shown = run_buddy("status", "--athlete", athlete, "--json", environment=environment).json
        assert (shown["timezone_from"], shown["timezone"]) == ("server", zone)


def test_the_time_zone_of_the_list_is_the_athletes_until_one_is_stated() -> None:
    """A server has one time zone: it would be wrong for all but one."""
    for athlete, timezone in (("ada", "Europe/Berlin"), ("ben", "America/New_York")):
        for words in (["status"], ["init", "--step-goal", "9000"]):
            answer = run_buddy(*words, "--athlete", athlete, "--json", environment=TWO)
            assert answer.exit_code == 0, answer.errors
            assert timezone in answer.output, (athlete, words)
