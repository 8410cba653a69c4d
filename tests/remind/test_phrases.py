"""What phrases of time mean: a table of messages, and the law that nothing is dropped without a word."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.remind.parsing import Remind, parse
from fitness_buddy.remind.phrases import PhraseReader
from fitness_buddy.remind.rules import Rule, next_occurrence, read_rule
from fitness_buddy.remind.texts import TEXTS, format_day, format_rule
from fitness_buddy.remind.times import Times, UnclearError
from fitness_buddy.remind.words import LANGUAGES, read_words

BERLIN = ZoneInfo("Europe/Berlin")
# A Wednesday, ten in the morning in Berlin.
NOW = datetime(2026, 3, 11, 9, tzinfo=UTC)


class Phrase(NamedTuple):
    """A line of phrases.tsv."""

    languages: list[str]
    text: str
    task: str
    result: str


def phrases() -> list[Phrase]:
    lines = (Path(__file__).parent / "phrases.tsv").read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [Phrase(languages.split(","), text, task, result) for languages, text, task, result in cells]


def read(text: str, *languages: str, now: datetime = NOW) -> tuple[str, str]:
    """The task and the result of a message, as phrases.tsv has them."""
    try:
        request = parse(text, Times(now, "Europe/Berlin", languages or ("en",)))
    except UnclearError as question:
        assert all(question.text(name) for name in LANGUAGES)
        return "", f"?{question.key}"
    if not isinstance(request, Remind):
        return "", type(request).__name__
    said = []
    for when in request.whens:
        rule = f"{when.rule.partition('RRULE:')[2]} " if when.rule else ""
        said.append(f"{rule}{when.due_at.astimezone(BERLIN):%Y-%m-%d %H:%M}")
    return request.text, " & ".join(said)


@pytest.mark.parametrize("phrase", phrases(), ids=lambda phrase: phrase.text)
def test_a_message_means_what_the_table_says(phrase: Phrase) -> None:
    task, result = read(phrase.text, *phrase.languages)
    assert result == phrase.result
    assert task == phrase.task or result.startswith("?")


AT_NIGHT = [
    ("2026-03-11T23:28", "remind me to go to bed at 11:30", "2026-03-11 23:30"),
    ("2026-03-11T23:28", "remind me tonight at 12 to sleep", "2026-03-12 00:00"),
    ("2026-03-11T23:28", "remind me tonight at 1 to check", "2026-03-12 01:00"),
    ("2026-03-11T23:28", "remind me at 12:15 to sleep", "?which_half"),
    ("2026-03-11T00:30", "remind me tonight at 9pm to pack", "2026-03-11 21:00"),
    ("2026-03-11T00:30", "remind me tonight at 2 to check", "2026-03-11 02:00"),
    ("2026-03-11T00:30", "remind me tomorrow at 7am to run", "2026-03-12 07:00"),
    ("2026-03-28T10:00", "remind me in 24 hours to swim", "2026-03-29 11:00"),
    ("2026-03-28T10:00", "remind me tomorrow at 2:30am to feed", "2026-03-29 03:30"),
    ("2026-10-24T10:00", "remind me tomorrow at 2:30am to feed", "2026-10-25 02:30"),
    ("2026-03-11T22:30", "remind me tomorrow at 9am Tokyo time to call", "?zone_day"),
]


@pytest.mark.parametrize(("now", "text", "result"), AT_NIGHT, ids=[f"{now} {text}" for now, text, _ in AT_NIGHT])
def test_at_night_and_when_clocks_change(now: str, text: str, result: str) -> None:
    assert read(text, now=datetime.fromisoformat(now).replace(tzinfo=BERLIN))[1] == result


# The law: nothing is stored that was not understood to the last word.

TASKS = {"en": "stretch well", "de": "Rücken dehnen"}
WHOLE = {
    "en": [
        *("remind me tomorrow at 7am to {}", "remind me to {} on friday at 18:30", "remind me in 45 minutes to {}"),
        *("remind me every day at 8am to {}", "remind me to {} every monday and thursday at 7pm"),
        *(
            "remind me every other friday at 9am to {}",
            "tomorrow at 7am remind me to {}",
            "remind me on 5 may to {} at 9am",
        ),
        *("remind me tonight at 11 to {}", "remind me on the first monday of may at 9am to {}", "remind me 18:30 {}"),
        *("remind me every month on the 3rd at 9am to {}", "remind me every weekday at 7:15am to {}"),
    ],
    "de": [
        *("erinnere mich morgen um 7 Uhr ans {}", "erinnere mich ans {} am Freitag um 18:30"),
        *("erinnere mich in 45 Minuten ans {}", "erinnere mich jeden Tag um 8 Uhr ans {}"),
        *("erinnere mich ans {} jeden Montag und Donnerstag um 19 Uhr", "morgen um 7 erinnere mich ans {}"),
        *("erinnere mich jeden zweiten Freitag um 9 ans {}", "erinnere mich am 5. Mai um 9 ans {}"),
        *("erinnere mich heute Abend um 11 ans {}", "erinnere mich werktags um 7:15 ans {}"),
    ],
}
# None of these fits any of the times above.
FURTHER = {
    "en": [
        *("at 8:17pm", "and 8:17pm", "or 8:17pm", "before 8:17pm", "after 8:17pm", "not before 8:17pm", "by 8:17pm"),
        *("half an hour before 8:17pm", "between 8:17pm and 9:17pm", "on 17 november", "until 17 november"),
        *("starting 17 november", "the day before 17 november", "in 17 minutes", "in 17 days", "every 17 days"),
        *("every 17 minutes", "three times a day", "except tuesday", "except 17 november", "next week", "in november"),
        *("on the last sunday of november", "every last sunday", "yesterday", "at noon", "at midnight"),
        *("PKT", "Tokyo time", "on saturday", "saturdays", "and every saturday", "17.11.2026", "2026-11-17", "17/11"),
        *("for 17 days after that every day", "at a quarter past 10 pm", "twelve hours from now", "on christmas eve"),
    ],
    "de": [
        *("um 20:17", "und 20:17 Uhr", "oder 20:17 Uhr", "vor 20:17 Uhr", "nach 20:17 Uhr", "nicht vor 20:17 Uhr"),
        *("eine halbe Stunde vor 20:17", "zwischen 20:17 und 21:17 Uhr", "am 17. November", "bis 17. November"),
        *("ab 17. November", "am Tag vor dem 17. November", "in 17 Minuten", "in 17 Tagen", "alle 17 Tage"),
        *("alle 17 Minuten", "dreimal am Tag", "außer Dienstag", "nächste Woche", "im November", "am 17."),
        *("am letzten Sonntag im November", "gestern", "um Mitternacht", "PKT", "am Samstag", "samstags"),
        *("und jeden Samstag", "17.11.2026", "um Viertel nach 10 abends", "an Heiligabend", "halb elf"),
    ],
}


@st.composite
def with_more(draw: st.DrawFn) -> tuple[str, str, str]:
    """The language, a message that is understood, and the same with a further phrase of time somewhere in it."""
    name = draw(st.sampled_from(LANGUAGES))
    whole = draw(st.sampled_from(WHOLE[name])).format(TASKS[name])
    words = whole.split(" ")
    # Not among the words that ask: nobody would be asked for anything.
    place = draw(st.integers(2, len(words)))
    return name, whole, " ".join([*words[:place], draw(st.sampled_from(FURTHER[name])), *words[place:]])


@given(with_more())
def test_a_further_time_changes_the_reading_or_is_asked_about(case: tuple[str, str, str]) -> None:
    name, whole, more = case
    _, before = read(whole, name)
    assert not before.startswith("?")
    _, after = read(more, name)
    assert after != before


@given(with_more())
def test_quoted_it_is_of_the_task(case: tuple[str, str, str]) -> None:
    name, whole, more = case
    further = next(one for one in FURTHER[name] if one in more)
    quoted = whole.replace(TASKS[name], f'"{TASKS[name]} {further}"')
    task, after = read(quoted, name)
    assert (task, after) == (f"{TASKS[name]} {further}", read(whole, name)[1])


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_phrase_of_the_table_is_left_in_a_task(name: str) -> None:
    """But for what is said of a thing, such as "the sunday paper", and what follows "for"."""
    said_of_things = {
        *("take the 7:15 train", "prepare for my 4pm interview", "send the monthly report", "read the sunday paper"),
        *(
            "cancel my 8am class",
            "email Bob's friday report",
            "cook for friday",
            "look at 3 flats",
            "20 Uhr Nachrichten",
        ),
    }
    for phrase in phrases():
        is_quoted = '"' in phrase.text or "„" in phrase.text
        if phrase.languages[0] != name or phrase.result.startswith("?") or is_quoted or phrase.task in said_of_things:
            continue
        left = [one for one in PhraseReader(read_words(phrase.task, name)).phrases() if not one.reading.ahead]
        assert left == [], phrase.text


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Any rule that can be asked for, without its start."""
    unit = draw(st.sampled_from(["day", "week", "month", "year"]))
    at = time(draw(st.integers(0, 23)), draw(st.sampled_from([0, 5, 30, 59])))
    rule = Rule(unit, draw(st.integers(1, 12)), time=at)
    weekdays = st.lists(st.integers(0, 6), min_size=1, max_size=6, unique=True).map(lambda days: tuple(sorted(days)))
    if unit == "week":
        return Rule(unit, rule.interval, weekdays=draw(weekdays), time=at)
    if unit == "day":
        return rule
    month = draw(st.integers(1, 12)) if unit == "year" else None
    if draw(st.booleans()):
        nth = (draw(st.sampled_from([1, 2, 3, 4, -1])), draw(st.integers(0, 6)))
        return Rule(unit, rule.interval, nth=nth, month=month, time=at)
    days = st.integers(1, 28 if month == 2 else 30) if month else st.sampled_from([*range(1, 32), -1])
    return Rule(unit, rule.interval, monthday=draw(days), month=month, time=at)


@given(rule=rules(), days=st.none() | st.integers(400, 1500), name=st.sampled_from(LANGUAGES))
def test_the_words_of_a_rule_are_read_as_the_same_rule(rule: Rule, days: int | None, name: str) -> None:
    first = next_occurrence(str(rule.starting(date(2026, 3, 12), is_counted=False)), BERLIN, NOW)
    assert first is not None
    if first.instant - NOW > timedelta(days=366):
        return  # such as the 31st of a month every twelve months
    rule = rule.starting(first.wall.date())
    if days is not None:
        rule = Rule(
            **{field: getattr(rule, field) for field in Rule.__slots__} | {"until": first.wall.date() + timedelta(days)}
        )
    words = format_rule(str(rule), name)
    since = format_day(rule.start, name)
    asked = {
        "en": f"remind me {words}, first on {since} to stretch",
        "de": f"erinnere mich {words}, erstmals am {since} ans Dehnen",
    }[name]
    request = parse(asked, Times(NOW, "Europe/Berlin", [name]))
    assert isinstance(request, Remind)
    assert [when.rule for when in request.whens] == [str(rule)]
    assert read_rule(str(rule)) == rule


def test_both_languages_say_the_same() -> None:
    english, german = TEXTS["en"], TEXTS["de"]
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{(\w+)\}", text)) >= set(re.findall(r"\{(\w+)\}", german[key])), key


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
def test_words_are_where_the_text_has_them(text: str, name: str) -> None:
    words = read_words(text, name)
    assert all(0 <= word.start < word.end <= len(text) for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)
