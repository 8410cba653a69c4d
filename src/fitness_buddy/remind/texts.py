"""What the buddy says about reminders, in English and German: questions, answers, days, times and recurrences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from fitness_buddy.remind.rules import Rule, read_rule

_DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
}
_MONTHS = {
    "en": (
        *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
        *("November", "December"),
    ),
    "de": (
        *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober"),
        *("November", "Dezember"),
    ),
}
_DAYPARTS = {
    "en": {"morning": "morning", "afternoon": "afternoon", "evening": "evening", "night": "night"},
    "de": {"morning": "Morgen", "afternoon": "Nachmittag", "evening": "Abend", "night": "Nacht"},
}
_NTH = {
    "en": {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"},
    "de": {1: "ersten", 2: "zweiten", 3: "dritten", 4: "vierten", 5: "fünften", -1: "letzten"},
}
_UNITS_DE = {"day": ("jeden Tag", "Tage"), "week": ("jede Woche", "Wochen"), "month": ("jeden Monat", "Monate"),
             "year": ("jedes Jahr", "Jahre")}  # fmt: skip


def format_day(day: date, name: str = "en") -> str:
    """Return ``Saturday 21 November 2026`` or ``Samstag, 21. November 2026``."""
    weekday, month = _DAYS[name][day.weekday()], _MONTHS[name][day.month - 1]
    return f"{weekday}, {day.day}. {month} {day.year}" if name == "de" else f"{weekday} {day.day} {month} {day.year}"


def format_time(local: datetime | time) -> str:
    """Return ``07:00``, with seconds where it has any."""
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def format_instant(instant: datetime, zone: ZoneInfo, name: str = "en") -> str:
    """Return ``Saturday 21 November 2026 at 07:00 (Europe/Berlin)``."""
    local = instant.astimezone(zone)
    return f"{format_day(local, name)} {_AT[name]} {format_time(local)} ({zone.key})"


_AT = {"en": "at", "de": "um"}
_OR = {"en": "or", "de": "oder"}


def listed(words: Sequence[str], word: str) -> str:
    """Return words as a list: ``a, b and c``."""
    return f" {word} ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


def format_rule(rule: str, name: str = "en") -> str:
    """Return a rule with its time, in words that are read as the same rule: ``every other Friday at 08:00``."""
    read = read_rule(rule)
    days = [_DAYS[name][day] for day in read.weekdays]
    words = {"en": _rule_en, "de": _rule_de}[name](read, days)
    words = f"{words} {_AT[name]} {format_time(read.time)}"
    if read.until:
        words += f" {'bis' if name == 'de' else 'until'} {format_day(read.until, name)}"
    return words


def _rule_en(rule: Rule, days: Sequence[str]) -> str:
    unit, count = rule.unit, rule.interval
    is_each = rule.unit == "week" and bool(days)
    named = "weekday" if rule.weekdays == (0, 1, 2, 3, 4) else listed(days, "and") if is_each else unit
    if count == 1:
        how_often = f"every {named}"
    elif count == 2 and (not is_each or len(days) == 1):
        how_often = f"every other {named}"
    else:
        how_often = f"every {'other week' if count == 2 else f'{count} {unit}s'}"
        how_often += f" on {listed(days, 'and')}" if is_each else ""
    month = _MONTHS["en"][rule.month - 1] if rule.month else ""
    if rule.nth:
        return f"{how_often} on the {_NTH['en'][rule.nth[0]]} {_DAYS['en'][rule.nth[1]]}{f' of {month}' * bool(month)}"
    if rule.monthday == -1:
        return f"{how_often} on the last day"
    if rule.monthday:
        return f"{how_often} on {rule.monthday} {month}" if month else f"{how_often} on day {rule.monthday}"
    return how_often


def _rule_de(rule: Rule, days: Sequence[str]) -> str:
    each, units = _UNITS_DE[rule.unit]
    count = rule.interval
    if days:
        if count == 1:
            how_often = f"jeden {'Werktag' if rule.weekdays == (0, 1, 2, 3, 4) else listed(days, 'und')}"
        elif count == 2 and len(days) == 1:
            how_often = f"jeden zweiten {days[0]}"
        else:
            how_often = f"alle {count} Wochen am {listed(days, 'und')}"
    else:
        how_often = each if count == 1 else f"alle {count} {units}"
    month = _MONTHS["de"][rule.month - 1] if rule.month else ""
    if rule.nth:
        return f"{how_often} am {_NTH['de'][rule.nth[0]]} {_DAYS['de'][rule.nth[1]]}{f' im {month}' * bool(month)}"
    if rule.monthday == -1:
        return f"{how_often} am letzten Tag"
    if rule.monthday:
        return f"{how_often} am {rule.monthday}. {month}".rstrip()
    return how_often


def rule_note(rule: str, name: str = "en") -> str:
    """Return what happens in months without the rule's day; empty where each has it."""
    read = read_rule(rule)
    if read.monthday is None or read.monthday <= 28 or (read.month and read.month != 2):
        return ""
    key = "leap_note" if read.month else "short_note"
    return say(key, name)


def question(key: str, name: str, /, **values: Any) -> str:
    """Return a question in a language (en, de)."""
    return say(f"ask_{key}", name, **values)


def say(key: str, name: str, /, **values: Any) -> str:
    """Return a sentence in a language; days and times among its values are said in it, too."""
    zone = values.get("zone")
    said = {one: _said(one, value, name, zone) for one, value in values.items()}
    return TEXTS[name][key].format(**said)


def _said(key: str, value: Any, name: str, zone: Any) -> str:
    if key in _LISTS:
        return _LISTS[key](value, name)
    match value:
        case datetime():
            return format_instant(value, zone, name)
        case date():
            return format_day(value, name)
        case time():
            return format_time(value)
        case None:
            return ""
    return str(value)


_EXAMPLES = {
    "en": {"week": "every week on Monday", "month": "every month on the 3rd", "year": "every year on 3 May"},
    "de": {"week": "jede Woche am Montag", "month": "jeden Monat am 3.", "year": "jedes Jahr am 3. Mai"},
}
_LISTS: Mapping[str, Callable[[Any, str], str]] = {
    "times": lambda times, name: listed([f"{one.hour}:{one.minute:02}" for one in times], _OR[name]),
    "days": lambda days, name: listed([format_day(day, name) for day in days], _OR[name]),
    "numbers": lambda numbers, name: listed(
        [f"{day}{'.' if name == 'de' else ''} {_MONTHS[name][month - 1]}" for day, month in (numbers, numbers[::-1])],
        _OR[name],
    ),
    "daypart": lambda daypart, name: _DAYPARTS[name][daypart],
    "weekday": lambda weekday, name: _DAYS[name][weekday],
    "date": lambda day, name: format_day(day, name).split(" ", 1)[1],
    "of_day": lambda day, name: f" {'am' if name == 'de' else 'on'} {format_day(day, name)}" if day else "",
    "unit": lambda unit, name: _EXAMPLES[name][unit],
}
EXAMPLE = {"en": '"remind me to stretch tomorrow at 7am"', "de": "„erinnere mich morgen um 7 ans Dehnen“"}

_ENGLISH = {
    # Questions
    "ask_which_time": "At what time{of_day}? Add it, such as 7am or 19:00.",
    "ask_which_half": "Is that {times}{of_day}? Say 7am, 7pm or 19:00.",
    "ask_which_day": "On which day? Say it like tomorrow, next Tuesday or 3 May.",
    "ask_which_month": "Of which month? Say it like the first Monday of May, or of every month.",
    "ask_every_which_day": 'On which day? Say it like "{unit} at 8:00".',
    "ask_once_or_monthly": "This month or every month? Say which.",
    "ask_how_often": 'Once or every time? Say "every Monday at 8:00" or "on Monday at 8:00".',
    "ask_habit": "Once, or every {daypart}? Say which.",
    "ask_nth_or_interval": "Every {count} weeks, or on one of a month's {weekday}s? "
    'Say "every {count} weeks on {weekday}" or "the third {weekday} of every month".',
    "ask_too_often": "I can remind you daily, but not more often: ask for each time of the day, such as "
    '"every day at 10:00, 15:00 and 20:00".',
    "ask_interval": "Every how many? From 1 to 366 is fine.",
    "ask_frequency": "At which times? Say each, such as 8:00, 12:00 and 18:00.",
    "ask_or": 'Which of the two? Say one, or both with "and".',
    "ask_between": "At which time between? Say one.",
    "ask_before": "At which time before that? Say one.",
    "ask_after": "At which time after that? Say one.",
    "ask_not_at": "At which time, then? Say one.",
    "ask_until_time": "Until which day? I can end a recurrence on a day: until 18 December.",
    "ask_beside": "How long before or after what? Say the time itself, such as 17:45.",
    "ask_quarter": "Is that a quarter past or to? Say the time in numbers.",
    "ask_workday": "On which day? Say it like Tuesday or 3 May.",
    "ask_daypart": "At what time? Say it like tomorrow at 19:00.",
    "ask_without": "I can leave out days of the week: every weekday except Friday. What do you mean?",
    "ask_two_days": "I found two days in that. Which one is it?",
    "ask_today_or": "Today is {weekday}: do you mean today or {other}? Say today, or the date.",
    "ask_either_day": "Is that {days}? Say the date.",
    "ask_other_weekday": "{date} is a {weekday}: which is it?",
    "ask_day_or_month": "Is that {numbers}? Write the month's name.",
    "ask_no_day": "There is no such day in the calendar.",
    "ask_no_clock": "That is no time of a day: say 7am, 7:30pm or 19:30.",
    "ask_not_in_part": "{time} is not in the {daypart}: which time is it?",
    "ask_twelve": "Is {clock} noon or midnight, or which hour of the day? Say it like 0:00 or 12:00.",
    "ask_midnight_of": "Is that midnight of the night to {day}, or the one after? "
    "Say 0:00 of the day that begins then.",
    "ask_midnight_each": "Is that {time} at the beginning of those days, or of the days after? Say it like Saturdays "
    "at 0:30.",
    "ask_night_of": "Is that {time} of the night to {day}, or of the one after? Say the day that it is then.",
    "ask_over": "{instant} is over. Which time ahead do you mean?",
    "ask_not_yet": "That has not come yet. Which time before now do you mean? Say it like yesterday at 20:00.",
    "ask_several_meals": "Those are several times. Send each meal in a message of its own, or in a line of its own.",
    "ask_past": "That is over. Which time ahead do you mean?",
    "ask_end_before": "That would end before it begins: {day} is too early.",
    "ask_too_far": "{instant} is more than five years ahead.",
    "ask_too_many": "Those are {count} reminders at once; up to {most} are fine. Say fewer, or every day.",
    "ask_no_wait": "That is no time that I can wait for: from a minute to five years ahead is fine.",
    "ask_zone": "I do not know the zone {zone}. Say your own time, or a zone such as Europe/London.",
    "ask_zone_summer": '{zone}: the clocks of {place} show {name} then. Say your own time, or "{place}".',
    "ask_zone_day": "It is another day there ({zone}) now. Say the date.",
    "ask_nearday": "Do you mean {value}?",
    "ask_sheet_date": "Expected a date with its year, and a time, such as 2026-12-24 18:00.",
    "ask_nothing_read": "I found no time in that. Say it like {example}.",
    "ask_unread": "I read *{read}*, but not *{unread}*. When shall I remind you? Words of the task go in quotes.",
    "ask_two_times": "I found two times in that: *{read}* and *{unread}*. Which one is it? "
    'Put what is no time in quotes: remind me at 5pm "to leave at 6pm".',
    "ask_no_task": "What shall I remind you of? Say it like {example}.",
    "ask_too_long": "That is too long for a reminder: up to {most} characters are fine.",
    "ask_unknown": 'I did not understand that. Say it like {example}, "my reminders", "cancel 3" or '
    '"snooze 3 10 minutes".',
    "ask_until_when": 'Until when? Say it like "snooze 3 10 minutes" or "snooze 3 until 18:00".',
    "ask_change_to": 'To when? Say it like "change 3 to 18:00" or "change 3 to every Monday at 8:00".',
    "ask_change_rule": 'Once or every time? Say "snooze {number} until …" for once, or "change {number} to every …".',
    "ask_proposal": "Do you mean: {task}, {when}? Say yes, or say it in other words.",
    # Answers
    "stored": "I will remind you: {task}, {when}. To let go of it: cancel {number}",
    "stored_several": "I will remind you: {task}\n{lines}\nTo let go of them: cancel {numbers_}",
    "on": "on {instant}",
    "every": "{rule}, first on {instant}",
    "every_zone": "{rule} ({place}), first on {instant}",
    "short_note": "in shorter months on the last day",
    "leap_note": "in other years on 28 February",
    "cancelled": "Cancelled: {task} (reminder {number}).",
    "cancelled_several": "Cancelled {count} reminders:\n{lines}",
    "snoozed": "Put off: {task} (reminder {number}), to {instant}",
    "then_as_before": ", then as before, next on {instant}",
    "changed": "Changed: {task} (reminder {number}), {when}.",
    "none_delivered": 'No reminder has been sent yet that could be put off. "my reminders" says what is waiting.',
    "no_number": 'There is no reminder {number} that could be put off. "my reminders" says what is waiting.',
    "none_waiting_number": 'There is no reminder {number} waiting. "my reminders" says what is.',
    "none_waiting_words": 'No reminder of {words} is waiting. "my reminders" says what is.',
    "which_one": "Which one? Say its number.\n{lines}",
    "none_waiting": "No reminder is waiting.",
    "none_on_page": "There is no page {page}: {count} reminders are waiting.",
    "one_waiting": "1 reminder is waiting:\n{lines}",
    "waiting": "{count} reminders are waiting:\n{lines}",
    "more": '\n… and {count} more: "my reminders {page}"',
    "over": "over",
    "forgotten": "All right, I forget the question.",
    "not_understood": "I did not understand that.",
    "help": "I understand:\n"
    '- {example}, "… in 20 minutes", "… every other Friday at 9am", "… every day at 8:00 and 20:00 until 18 December"\n'
    '- "my reminders", "cancel 3", "cancel 1 and 2", "cancel stretch reminder", "cancel all"\n'
    '- "snooze" (the last one, ten minutes), "snooze 3 until 18:00", "change 3 to 9am"\n'
    '- "meal oats: 60 carbs, 12 protein, 7 fat", "correct: …", "delete meal", or a picture of a meal\n'
    '- "ask how far did I run in October?"',
}
_GERMAN = {
    "ask_which_time": "Um wie viel Uhr{of_day}? Sag sie dazu, etwa 7 Uhr oder 19:00.",
    "ask_which_half": "Ist das {times}{of_day}? Sag es wie 7:00 oder 19:00.",
    "ask_which_day": "An welchem Tag? Sag ihn wie morgen, nächsten Dienstag oder 3. Mai.",
    "ask_which_month": "In welchem Monat? Sag es wie am ersten Montag im Mai, oder in jedem Monat.",
    "ask_every_which_day": "An welchem Tag? Sag es wie „{unit} um 8:00“.",
    "ask_once_or_monthly": "Diesen Monat oder jeden Monat? Sag, was gilt.",
    "ask_how_often": "Einmal oder jedes Mal? Sag „jeden Montag um 8:00“ oder „am Montag um 8:00“.",
    "ask_habit": "Einmal oder jeden Tag ({daypart})? Sag, was gilt.",
    "ask_nth_or_interval": "Alle {count} Wochen, oder an einem bestimmten {weekday} im Monat? "
    "Sag „alle {count} Wochen am {weekday}“ oder „am dritten {weekday} in jedem Monat“.",
    "ask_too_often": "Ich kann täglich erinnern, aber nicht öfter: nenne jede Uhrzeit, etwa "
    "„jeden Tag um 10:00, 15:00 und 20:00“.",
    "ask_interval": "Alle wie viele? Von 1 bis 366 geht.",
    "ask_frequency": "Um welche Uhrzeiten? Nenne jede, etwa 8:00, 12:00 und 18:00.",
    "ask_or": "Was von beidem? Sag eines, oder beide mit „und“.",
    "ask_between": "Um welche Uhrzeit dazwischen? Sag eine.",
    "ask_before": "Um welche Uhrzeit davor? Sag eine.",
    "ask_after": "Um welche Uhrzeit danach? Sag eine.",
    "ask_not_at": "Um welche Uhrzeit denn? Sag eine.",
    "ask_until_time": "Bis zu welchem Tag? Enden kann es an einem Tag: bis 18. Dezember.",
    "ask_beside": "Wie lange vor oder nach was? Sag die Uhrzeit selbst, etwa 17:45.",
    "ask_quarter": "Ist das Viertel vor oder nach? Sag die Uhrzeit in Zahlen.",
    "ask_workday": "An welchem Tag? Sag ihn wie Dienstag oder 3. Mai.",
    "ask_daypart": "Um wie viel Uhr? Sag es wie morgen um 19:00.",
    "ask_without": "Auslassen kann ich Wochentage: jeden Werktag außer Freitag. Was meinst du?",
    "ask_two_days": "Darin sind zwei Tage. Welcher ist es?",
    "ask_today_or": "Heute ist {weekday}: meinst du heute oder {other}? Sag heute, oder das Datum.",
    "ask_either_day": "Ist das {days}? Sag das Datum.",
    "ask_other_weekday": "Der {date} ist ein {weekday}: was gilt?",
    "ask_day_or_month": "Ist das der {numbers}? Schreib den Namen des Monats.",
    "ask_no_day": "Diesen Tag gibt es im Kalender nicht.",
    "ask_no_clock": "Das ist keine Uhrzeit: sag es wie 7:30 oder 19:30.",
    "ask_not_in_part": "{time} passt nicht zur Tageszeit ({daypart}): welche Uhrzeit ist es?",
    "ask_twelve": "Ist {clock} mittags oder nachts? Sag es wie 0:00 oder 12:00.",
    "ask_midnight_of": "Ist das Mitternacht in der Nacht auf {day}, oder eine später? "
    "Sag 0:00 des Tages, der dann beginnt.",
    "ask_midnight_each": "Ist das {time} am Anfang dieser Tage, oder der Tage danach? Sag es wie samstags um 0:30.",
    "ask_night_of": "Ist das {time} in der Nacht auf {day}, oder eine später? Sag den Tag, der dann ist.",
    "ask_over": "{instant} ist vorbei. Welche Zeit meinst du?",
    "ask_not_yet": "Das war noch nicht. Welche Zeit vor jetzt meinst du? Sag sie wie gestern um 20:00.",
    "ask_several_meals": "Das sind mehrere Zeiten. Schick jede Mahlzeit als eigene Nachricht oder Zeile.",
    "ask_past": "Das ist vorbei. Welche Zeit meinst du?",
    "ask_end_before": "Das würde enden, bevor es beginnt: {day} ist zu früh.",
    "ask_too_far": "{instant} ist mehr als fünf Jahre hin.",
    "ask_too_many": "Das sind {count} Erinnerungen auf einmal; bis zu {most} gehen. Sag weniger, oder jeden Tag.",
    "ask_no_wait": "Darauf kann ich nicht warten: von einer Minute bis fünf Jahre geht.",
    "ask_zone": "Die Zeitzone {zone} kenne ich nicht. Sag deine eigene Zeit, oder eine Zone wie Europe/London.",
    "ask_zone_summer": "{zone}: dann gilt in {place} {name}. Sag deine eigene Zeit, oder „{place}“.",
    "ask_zone_day": "Dort ({zone}) ist gerade ein anderer Tag. Sag das Datum.",
    "ask_nearday": "Meinst du {value}?",
    "ask_sheet_date": "Erwartet: ein Datum mit Jahr, und eine Uhrzeit, etwa 2026-12-24 18:00.",
    "ask_nothing_read": "Darin finde ich keine Zeit. Sag es wie {example}.",
    "ask_unread": "Ich lese *{read}*, aber nicht *{unread}*. Wann soll ich dich erinnern? Wörter der Aufgabe "
    "gehören in Anführungszeichen.",
    "ask_two_times": "Darin sind zwei Zeiten: *{read}* und *{unread}*. Welche ist es? Was keine Zeit ist, gehört in "
    "Anführungszeichen: erinnere mich um 17 Uhr an „Abfahrt um 18 Uhr“.",
    "ask_no_task": "Woran soll ich dich erinnern? Sag es wie {example}.",
    "ask_too_long": "Das ist zu lang für eine Erinnerung: bis zu {most} Zeichen gehen.",
    "ask_unknown": "Das habe ich nicht verstanden. Sag es wie {example}, „meine Erinnerungen“, „lösche 3“ oder "
    "„verschiebe 3 um 10 Minuten“.",
    "ask_until_when": "Bis wann? Sag es wie „verschiebe 3 um 10 Minuten“ oder „verschiebe 3 auf 18:00“.",
    "ask_change_to": "Auf wann? Sag es wie „ändere 3 auf 18:00“ oder „ändere 3 auf jeden Montag um 8:00“.",
    "ask_change_rule": "Einmal oder jedes Mal? Sag „schlummern {number} bis …“ für einmal, oder „ändere {number} auf "
    "jeden …“.",
    "ask_proposal": "Meinst du: {task}, {when}? Sag ja, oder sag es anders.",
    "stored": "Ich erinnere dich: {task}, {when}. Zum Löschen: lösche {number}",
    "stored_several": "Ich erinnere dich: {task}\n{lines}\nZum Löschen: lösche {numbers_}",
    "on": "am {instant}",
    "every": "{rule}, erstmals am {instant}",
    "every_zone": "{rule} ({place}), erstmals am {instant}",
    "short_note": "in kürzeren Monaten am letzten Tag",
    "leap_note": "in anderen Jahren am 28. Februar",
    "cancelled": "Gelöscht: {task} (Erinnerung {number}).",
    "cancelled_several": "{count} Erinnerungen gelöscht:\n{lines}",
    "snoozed": "Verschoben: {task} (Erinnerung {number}), auf {instant}",
    "then_as_before": ", danach wie bisher, nächstes Mal am {instant}",
    "changed": "Geändert: {task} (Erinnerung {number}), {when}.",
    "none_delivered": "Es kam noch keine Erinnerung, die sich verschieben ließe. „meine Erinnerungen“ zeigt, was "
    "wartet.",
    "no_number": "Eine Erinnerung {number}, die sich verschieben ließe, gibt es nicht. „meine Erinnerungen“ zeigt, was "
    "wartet.",
    "none_waiting_number": "Eine Erinnerung {number} wartet nicht. „meine Erinnerungen“ zeigt, was wartet.",
    "none_waiting_words": "Keine Erinnerung an {words} wartet. „meine Erinnerungen“ zeigt, was wartet.",
    "which_one": "Welche? Sag ihre Nummer.\n{lines}",
    "none_waiting": "Keine Erinnerung wartet.",
    "none_on_page": "Eine Seite {page} gibt es nicht: {count} Erinnerungen warten.",
    "one_waiting": "1 Erinnerung wartet:\n{lines}",
    "waiting": "{count} Erinnerungen warten:\n{lines}",
    "more": "\n… und {count} weitere: „meine Erinnerungen {page}“",
    "over": "vorbei",
    "forgotten": "Gut, ich vergesse die Frage.",
    "not_understood": "Das habe ich nicht verstanden.",
    "help": "Ich verstehe:\n"
    "- {example}, „… in 20 Minuten“, „… jeden zweiten Freitag um 9“, „… jeden Tag um 8:00 und 20:00 bis 18. Dezember“\n"
    "- „meine Erinnerungen“, „lösche 3“, „lösche 1 und 2“, „lösche Dehnen“, „lösche alle“\n"
    "- „schlummern“ (die letzte, zehn Minuten), „verschiebe 3 auf 18:00“, „ändere 3 auf 9 Uhr“\n"
    "- „Mahlzeit Haferflocken: 60 carbs, 12 protein, 7 fat“, oder ein Bild der Mahlzeit\n"
    "- „Frage wie weit bin ich im Oktober gelaufen?“",
}
TEXTS: Mapping[str, Mapping[str, str]] = {"en": _ENGLISH, "de": _GERMAN}
