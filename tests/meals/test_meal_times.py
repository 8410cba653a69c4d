"""When a meal was eaten, several meals in one message, and numbers in every spelling: read right, or asked about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from api_stub import Canned
from hypothesis import given
from hypothesis import strategies as st
from llm_stub import Asked, LlmStub, png, running_llm
from meal_answers import RICE, SPAGHETTI, form, weigh
from stated_meals import parse_stated_meal
from support import run_buddy

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.sources.values import is_energy_plausible
from fitness_buddy.llm.calls import open_model
from fitness_buddy.meals.conversation import MealConversation, MealReply
from fitness_buddy.meals.diary import Diary
from fitness_buddy.meals.estimate import check_answer
from fitness_buddy.meals.request import parse_intent
from fitness_buddy.meals.stated import parse_stated_meals, stated_numbers, without_numbers
from fitness_buddy.meals.times import find_moments
from fitness_buddy.remind.times import Times, UnclearError
from fitness_buddy.warehouse import Warehouse, connect

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 17, tzinfo=UTC)  # Saturday, 18:00 in Berlin
TIMES = Times(NOW, BERLIN.key, ["en", "de"])
OATS = "oats: 60 carbs, 12 protein, 7 fat"
YOGHURT = "yoghurt: 10 carbs, 10 protein, 3 fat"


@pytest.fixture
def home() -> Warehouse:
    return connect(load_settings())


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmStub]:
    with running_llm() as stub:
        for name, value in stub.environment().items():
            monkeypatch.setenv(name, value)
        stub.answer = weigh
        yield stub


def hear(home: Warehouse, text: str, *pictures: bytes, message_id: str = "m", minutes: int = 0) -> MealReply:
    now = NOW + timedelta(minutes=minutes)
    table = MealConversation(Diary(home, "me", now), open_model(home, load_settings()), TIMES, BERLIN)
    return table.handle(parse_intent(text), pictures, now.isoformat(), message_id)


# When it was eaten


@pytest.mark.parametrize(
    ("words", "when", "left"),
    [
        ("yesterday at 8pm pasta", "2026-11-27 20:00", "pasta"),
        ("pasta yesterday at 20:00", "2026-11-27 20:00", "pasta"),
        ("pasta on Friday at 19:00", "2026-11-27 19:00", "pasta"),
        ("last Saturday at 7pm soup", "2026-11-21 19:00", "soup"),
        ("oats at 8am", "2026-11-28 08:00", "oats"),
        ("7:30 oats", "2026-11-28 07:30", "oats"),
        ("breakfast at 8 oats", "2026-11-28 08:00", "breakfast oats"),
        ("dinner yesterday at 8: soup", "2026-11-27 20:00", "dinner : soup"),
        ("two eggs at noon", "2026-11-28 12:00", "two eggs"),
        ("2026-11-20 19:30 oats", "2026-11-20 19:30", "oats"),
        ("cake on 3 November at 9am", "2026-11-03 09:00", "cake"),
        ("cake on 3 December at 9am", "2025-12-03 09:00", "cake"),
        ("soup 2 hours ago", "2026-11-28 16:00", "soup"),
        ("gestern um 20 Uhr Spaghetti", "2026-11-27 20:00", "Spaghetti"),
        ("vor 2 Stunden Suppe", "2026-11-28 16:00", "Suppe"),
        ("Frühstück am Freitag um halb acht Brot", "2026-11-27 07:30", "Frühstück Brot"),
        ("yesterday evening pizza", "2026-11-27", "pizza"),
        ("last night pizza", "2026-11-27", "pizza"),
        ("this morning oats", "2026-11-28", "oats"),
        ("gestern Müsli", "2026-11-27", "Müsli"),
        ("soup 3 days ago", "2026-11-25", "soup"),
        (f"{OATS} at 8am", "2026-11-28 08:00", OATS),
    ],
)
def test_a_time_is_the_last_such_one(words: str, when: str, left: str) -> None:
    plain, (moment,) = find_moments(words, TIMES)
    found = moment.when.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M") if isinstance(moment.when, datetime) else None
    assert (found or moment.when.isoformat()) == when
    assert " ".join(plain.split()) == left


@pytest.mark.parametrize(
    "words",
    [
        "leftovers from yesterday",
        "Friday fish",
        "3/4 cup of oats",
        "3 eggs and 2 slices",
        "half an avocado",
        "chicken 60c 12p 7f",
        "yesterday's pasta",
        "1.5 l milk",
        "12 inch pizza",
        "",
    ],
)
def test_what_is_of_the_food_is_no_time(words: str) -> None:
    assert find_moments(words, TIMES) == (words, [])


@pytest.mark.parametrize(
    ("words", "question"),
    [
        ("yesterday at 8 oats", "Is that 8:00 or 20:00"),
        ("oats at 11pm", "has not come yet"),
        ("oats tomorrow at 8am", "has not come yet"),
        ("oats on 3/4/2026", "3 April or 4 March"),
    ],
)
def test_a_time_that_may_be_two_or_has_not_come_is_asked(home: Warehouse, words: str, question: str) -> None:
    reply = hear(home, f"ate {words}: 60 carbs, 12 protein, 7 fat")
    assert (reply.outcome, reply.meals) == ("asked", ())
    assert question in reply.message
    with pytest.raises(UnclearError):
        find_moments(words, TIMES)


@given(st.integers(0, 23), st.integers(0, 59), st.integers(1, 20), st.sampled_from(["", "pasta ", OATS + " "]))
def test_every_stated_time_of_every_past_day_is_that_time(hour: int, minute: int, days: int, words: str) -> None:
    day = (NOW - timedelta(days=days)).astimezone(BERLIN).date()
    spelled = f"{hour % 12 or 12}:{minute:02} {'pm' if hour >= 12 else 'am'}"
    _, (moment,) = find_moments(f"{words}at {spelled} on {day}", TIMES)
    expected = datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN)
    assert moment.when == expected.astimezone(UTC)


def test_the_reply_says_the_day_and_the_time_it_counts_for(home: Warehouse) -> None:
    reply = hear(home, f"ate yesterday at 8pm {OATS}")
    assert "It counts for Friday 27 November 2026, 20:00." in reply.message
    assert reply.to_dict()["eaten_at"] == "2026-11-27T19:00:00Z"
    assert reply.meal and reply.meal.description == "oats"
    assert "It counts for Saturday 28 November 2026, 18:01." in hear(home, OATS, message_id="n", minutes=1).message
    day = hear(home, f"yesterday: {OATS}", message_id="o", minutes=2)
    assert "It counts for Friday 27 November 2026, without a time." in day.message


def test_the_time_of_a_meal_can_be_corrected_alone(home: Warehouse) -> None:
    first = hear(home, f"meal {OATS}").meal
    assert first
    reply = hear(home, f"correct {first.short_id}: it was yesterday at 20:00", message_id="n", minutes=1)
    assert reply.outcome == "corrected"
    assert "It counts for Friday 27 November 2026, 20:00." in reply.message
    assert "60 g carbs" in reply.message
    (current,) = home.current_payloads("meals_entries", "me", NOW.date() - timedelta(days=3)).values()
    assert current["eaten_at_utc"] == "2026-11-27T19:00:00Z"


# Several meals


def test_several_stated_meals_are_several_meals(home: Warehouse) -> None:
    reply = hear(home, f"meal {OATS} at 8am, {YOGHURT} at 10am")
    assert [meal.description for meal in reply.meals] == ["oats", "yoghurt"]
    assert [meal.eaten_at for meal in reply.meals] == ["2026-11-28T07:00:00Z", "2026-11-28T09:00:00Z"]
    assert len(set(reply.to_dict()["meal_ids"])) == 2
    again = hear(home, f"meal {OATS} at 8am, {YOGHURT} at 10am", minutes=5)
    assert again.message == reply.message
    assert again.landing is None


def test_the_time_of_the_first_meal_is_that_of_the_next_unless_it_has_its_own(home: Warehouse) -> None:
    reply = hear(home, f"ate yesterday at 20:00 {OATS}\n{YOGHURT}")
    assert [meal.eaten_at for meal in reply.meals] == ["2026-11-27T19:00:00Z"] * 2


def test_meals_by_name_are_weighed_one_by_one(home: Warehouse, llm: LlmStub) -> None:
    reply = hear(home, "meal breakfast porridge, lunch burger with fries, dinner soup")
    assert [asked.user for asked in llm.requests] == ["breakfast porridge", "lunch burger with fries", "dinner soup"]
    assert (len(reply.meals), reply.outcome) == (3, "noted")
    # Nobody said when: it is not one time for all three.
    assert {meal.eaten_at for meal in reply.meals} == {"2026-11-28"}
    timed = hear(home, "breakfast at 8 porridge, dinner yesterday at 8 soup", message_id="n", minutes=1)
    assert [meal.eaten_at for meal in timed.meals] == ["2026-11-28T07:00:00Z", "2026-11-27T19:00:00Z"]


@pytest.mark.parametrize("text", ["a burger and fries for lunch, ice cream, soup for dinner", "lunch and dinner"])
def test_meals_that_cannot_be_told_apart_are_asked_about(home: Warehouse, llm: LlmStub, text: str) -> None:
    reply = hear(home, f"meal {text}")
    assert (reply.outcome, reply.meals, llm.requests) == ("asked", (), [])
    assert "several meals" in reply.message


def test_a_line_with_its_own_word_is_a_meal(home: Warehouse, llm: LlmStub) -> None:
    assert len(hear(home, "meal porridge\nmeal a burger").meals) == 2


def test_of_several_meals_all_are_stored_or_none(home: Warehouse, llm: LlmStub) -> None:
    llm.answers.extend([SPAGHETTI, Canned(500)])
    llm.answer = lambda _: Canned(500)
    assert hear(home, "breakfast porridge, lunch burger").outcome == "asked"
    assert "meals_entries" not in home.raw_tables()


# Numbers


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("Quark: 12,5 g carbs, 30,2 g protein, 0,5 g fat", ("12.5", "30.2", "0.5")),
        ("chicken 60c 12p 7f", ("60", "12", "7")),
        ("chicken C60 P12 F7", ("60", "12", "7")),
        ("Haferflocken: 60 Kohlenhydrate, 12 Eiweiß, 7 Fett", ("60", "12", "7")),
        ("Haferflocken: KH 60, EW 12, Fett 7", ("60", "12", "7")),
        ("shake: 30g protein/60g carbs/7g fat", ("60", "30", "7")),
        ("shake: Protein 30g | Carbs 60g | Fat 7g", ("60", "30", "7")),
        ("shake protein 30 carbs 60 fat 7", ("60", "30", "7")),
        ("soup: ~6 carbs, ca. 1 protein, <1 fat", ("6", "1", "1")),
        ("soup: 6.5 carbs, 1 1/2 protein, ½ fat", ("6.5", "1.5", "0.5")),
        ("soup: carbs - 6, protein - 1, fat - 2", ("6", "1", "2")),
        ("soup: 6 carb, 1 prot, 2 fat. Yum! 😋", ("6", "1", "2")),
    ],
)
def test_numbers_are_read_in_every_spelling(words: str, numbers: tuple[str, str, str]) -> None:
    meal = parse_stated_meal(words)
    assert meal
    assert (meal["carbs_g"], meal["protein_g"], meal["fat_g"]) == numbers


def test_fibre_is_kept_and_net_carbs_are_without_it(home: Warehouse) -> None:
    assert parse_stated_meal("oats: 60 carbs, 12 protein, 7 fat, 5 fibre") == {
        **{"description": "oats", "carbs_g": "60", "protein_g": "12", "fat_g": "7", "fiber_g": "5"}
    }
    net = parse_stated_meal("oats: 55 net carbs, 5 fiber, 12 protein, 7 fat")
    assert net and net["carbs_g"] == "60"
    assert "5 g fibre" in hear(home, f"{OATS}, 5 fibre").message


@pytest.mark.parametrize(
    ("kcal", "stated"), [("1.200 kcal", "1200"), ("1,200 kcal", "1200"), ("1200 Kalorien", "1200"), ("5021 kJ", "1200")]
)
def test_energy_has_thousands_and_no_thousandths(kcal: str, stated: str) -> None:
    meal = parse_stated_meal(f"cake: {kcal}, 150 carbs, 12 protein, 60 fat")
    assert meal and meal["energy_kcal"] == stated


@pytest.mark.parametrize(
    ("carbs", "problem"),
    [
        ("-5", "at least 0"),
        ("−5", "at least 0"),
        ("30-40", "a range"),
        ("1,200", "may be 1200 or 1.2: write"),
        ("1.200", "may be 1200 or 1.2: write"),
        ("1/0", "cannot read"),
        ("3000", "more than any meal"),
    ],
)
def test_a_number_that_may_be_two_or_none_is_asked_about(home: Warehouse, carbs: str, problem: str) -> None:
    with pytest.raises(BuddyError, match=problem):
        parse_stated_meals(f"oops: {carbs} carbs, 10 protein, 5 fat")
    assert hear(home, f"meal oops: {carbs} carbs, 10 protein, 5 fat").outcome == "asked"


@given(st.integers(-2000, 2000), st.sampled_from([" carbs", "g carbs", " g Kohlenhydrate"]))
def test_no_sign_is_lost(number: int, name: str) -> None:
    words = f"x: {number}{name}, 1 protein, 1 fat"
    if number < 0:
        with pytest.raises(BuddyError):
            parse_stated_meal(words)
    else:
        meal = parse_stated_meal(words)
        assert meal and meal["carbs_g"] == str(number)


@given(st.text(max_size=80))
def test_no_words_break_the_search_for_times(words: str) -> None:
    assert len(without_numbers(words)) == len(words)
    try:
        find_moments(words, TIMES)
    except UnclearError as question:
        assert str(question)


# Energy against macros


@pytest.mark.parametrize("kcal", [2000, 50])
def test_energy_that_does_not_fit_is_asked_about_and_counts_when_confirmed(home: Warehouse, kcal: int) -> None:
    reply = hear(home, f"meal steak: 0 carbs, 50 protein, 30 fat, {kcal} kcal")
    assert reply.outcome == "pending"
    assert f"You state {kcal} kcal, but these macros have 470 kcal" in reply.message
    assert reply.meal and not reply.to_dict()["is_stored"]
    confirmed = hear(home, f"correct {reply.meal.short_id}", message_id="n", minutes=1)
    assert confirmed.outcome == "confirmed"
    (current,) = home.current_payloads("meals_entries", "me", NOW.date()).values()
    assert current["energy_kcal"] == str(kcal)


@pytest.mark.parametrize(
    "words",
    [
        "oats 60 g carbs 12 g protein 7 g fat 350 kcal",
        "konjac: 8 carbs, 0 protein, 0 fat, 6 fibre, 16 kcal",
        "bran: 64 carbs, 16 protein, 4 fat, 43 fibre, 216 kcal",
        "cocoa with erythritol: 42 carbs, 2 protein, 1 fat, 25 kcal",
    ],
)
def test_energy_of_labels_fits(home: Warehouse, words: str) -> None:
    assert hear(home, f"meal {words}").outcome == "noted"


@given(st.floats(0, 5000), st.floats(0, 100))
def test_the_energy_of_the_macros_always_fits_itself(energy_kcal: float, fibre_g: float) -> None:
    assert is_energy_plausible(energy_kcal, energy_kcal, fibre_g)
    assert not is_energy_plausible(1.3 * energy_kcal + 26, energy_kcal, fibre_g)


def answer(
    kcal: float, carbs: float, protein: float = 0, fat: float = 0, fibre: float = 0, **more: Any
) -> dict[str, Any]:
    numbers = {"calories_kcal": kcal, "carbs_g": carbs, "protein_g": protein, "fat_g": fat, "fiber_g": fibre}
    item = {"name": "Food", "assumptions": "", "estimated_grams": 400, **numbers, "alcohol_g": 0}
    return form(items=[item | more], totals={**numbers, "alcohol_g": 0})


@pytest.mark.parametrize(
    "document",
    [
        answer(16, 8, fibre=6),
        answer(216, 64, 16, 4, 43),
        answer(140, 35, 13, 4, 14),
        answer(205, 25, 20, 7),
        answer(10, 40, name="cocoa with erythritol"),
        answer(0, 0),
        answer(2, 0),
    ],
)
def test_food_with_fibre_or_sugar_alcohols_is_an_estimate(document: dict[str, Any]) -> None:
    assert check_answer(document).is_food


def test_half_a_sandwich_with_the_energy_of_another_is_none() -> None:
    with pytest.raises(ValueError, match=r"totals\.calories_kcal"):
        check_answer(answer(300, 40, 25, 15))


def test_what_the_athlete_states_of_a_meal_is_right(home: Warehouse, llm: LlmStub) -> None:
    assert stated_numbers("rice 260 kcal") == {"energy_kcal": 260.0}
    assert stated_numbers("yoghurt with 10 g protein per 100 g") == {}
    llm.answers.extend([SPAGHETTI, RICE])
    assert hear(home, "meal rice 260 kcal").outcome == "noted"
    assert "expected 260, as the athlete states" in llm.requests[1].user
    llm.answers.extend([SPAGHETTI])
    assert hear(home, "meal rice 260 kcal and a beer", message_id="n", minutes=1).outcome == "noted"


# Models without pictures


def test_a_model_that_sees_nothing_weighs_the_words_and_says_so(home: Warehouse, llm: LlmStub) -> None:
    def blind(asked: Asked) -> Any:
        if asked.pictures:
            return Canned(400, b'{"error": {"message": "image input is not supported"}}')
        return SPAGHETTI

    llm.answer = blind
    reply = hear(home, "meal spaghetti", png())
    assert reply.outcome == "noted"
    assert "I cannot look at pictures, so that is from your words alone." in reply.message
    assert hear(home, "meal", png(), message_id="n").outcome == "asked"


# The command


def test_the_command_reads_a_time_in_the_words_unless_an_option_states_it() -> None:
    now = ("--now", NOW.isoformat())
    said = run_buddy("say", f"ate yesterday at 8pm {OATS}", *now, "--json")
    assert said.exit_code == 0, said.errors
    assert said.json["eaten_at"] == "2026-11-27T20:00:00Z"  # no zone is set: UTC
    option = ("--eaten-at", "2026-11-26T12:00")
    stated = run_buddy("meal", "estimate", "--text", f"{OATS} at 8pm", *option, *now, "--json")
    assert stated.json["eaten_at"] in {"", "2026-11-26T12:00:00"}
