"""Words of a message that ask for a reminder, by language, and words around them: greetings, thanks, leads.

There are regular expressions here and no grammar: these words come in a few orders, and what they leave is read by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fitness_buddy.remind.phrases import Reading, read_phrase
from fitness_buddy.remind.words import SMILE, STOP, read_words

# What asks, by language; before it there may be a greeting, other sentences, or a phrase of time.
POLITE = {
    "en": r"please|pls|plz|plse|kindly|just|also|then|ok|okay|so|and|now",
    "de": r"bitte|mal|doch|auch|dann|noch|ok|okay|und|so|kurz|einfach|nochmal|vielleicht",
}
GREETING = (
    r"(?:hey|hi|hello|hallo|hallöchen|moin|servus|ok|okay|dear|yo|good\s+(?:morning|evening|afternoon|day)|guten\s+"
    r"(?:morgen|tag|abend)|lieber|liebe)(?:\s+(?:there|you|du|zusammen))?"
)
BEFORE = {
    "en": r"(?:can|could|would|will|may)\s+(?:you|i\s+ask\s+you\s+to)"
    r"|(?:i\s+(?:want|need|would\s+like)|i'd\s+like)\s+you\s+to|would\s+you\s+mind|make\s+sure\s+(?:to|you)|don'?t\s+forget\s+to|remember\s+to|be\s+so\s+kind\s+(?:and|to)"
    r"|i\s+(?:want|need|would\s+like)\s+to\s+(?=be\s+reminded)|i'd\s+like\s+to\s+(?=be\s+reminded)",
    "de": r"(?:kannst|könntest|koenntest|würdest|wuerdest|magst|willst|wirst)\s+du|vergiss\s+nicht",
}
_ASK_PATTERNS = {
    "en": r"""remind\s*me\s+again(?!\s+(?:to|that|about|of)\b)(?P<again>)
        |remind(?:\s*me|\s+myself|\s+us)?\b(?!er)
        |be\s+reminded
        |(?:set|create|add|make|schedule|give|send|put|need|want|have|get|post|leave)
            (?:\s+me|\s+us)?(?:\s+(?:up|in))?(?:\s+(?:a|an|another|one|the))?(?:\s+(?:new|quick|little|daily(?=\s+reminder\s+for\s+every)))?
            \s+reminder(?:\s+for\s+me)?
        |reminder(?P<noun>)(?=\s*(?::|-|–|to\b|for\b|about\b|that\b|of\b|at\b|in\b|on\b|every\b|tomorrow\b|tonight\b|\d))
        |(?:don'?t|do\s+not)\s+let\s+me\s+forget""",
    "de": r"""erinner(?:e|st\s+du|t)?\s+(?:mich|uns|mi)\s+(?:nochmal|noch\s*einmal|noch\s+mal|wieder)
            (?=\s+(?:in|um|morgen|heute)\b)(?P<again>)
        |erinner(?:e|st\s+du|t)?\s+(?:mich|uns|mi)\b
        |(?:stelle?|setze?|lege?|erstelle?|mache?|trage?|notiere?|brauche?|hätte\s+gern|richte?)(?:\s+(?:mir|uns))?(?:\s+bitte)?
            \s+(?:eine|ne|'ne|noch\s+eine)(?:\s+(?:neue|kurze))?\s+erinnerung(?:\s+(?:ein|an))?(?=\s|:|$)
        |neue\s+erinnerung(?P<noun2>)(?=\s*[:\s])
        |erinnerung(?P<noun>)(?=\s*(?::|-|–|an\b|ans\b|um\b|am\b|für\b|morgen\b|heute\b|jeden\b|in\b|\d))
        |lass\s+mich\s+nicht\s+vergessen|sag\s+mir(?=.*\bbescheid\b)""",
}
# "kannst du mich morgen um 7 ans Dehnen erinnern": the words that ask surround the rest.
AROUND = re.compile(
    r"(?:(?:kannst|könntest|koenntest|würdest|wuerdest|magst|willst|wirst)\s+du\s+mich"
    r"|du\s+(?:sollst|kannst|könntest|musst)\s+mich|ich\s+(?:möchte|moechte|will|würde\s+gerne?|wuerde\s+gerne?))\s+"
    r"(?P<zone>.*?)\s*(?:\b(?P<daran>daran)\s+)?(?:\berinnern\b|\berinnert\s+werden\b)(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
ASKS = {
    name: re.compile(rf"(?<![\w'’-])(?:{asks})(?![\w'’])", re.IGNORECASE | re.VERBOSE)
    for name, asks in _ASK_PATTERNS.items()
}
OPENING = {
    name: re.compile(
        rf"(?:(?:{GREETING}|(?:dear\s+|lieber\s+)?buddy|{POLITE[name]}|{before})(?![\w'’])|[\s,:;!.?*_-]|<@!?\d+>)*",
        re.IGNORECASE,
    )
    for name, before in BEFORE.items()
}
LEADS = {
    "en": re.compile(r"(?:to|that|about|of|for)\s+(?=\S)", re.IGNORECASE),
    "de": re.compile(
        r"(?:daran[\s,]+)?(?:dass|das(?=\s+ich\b)|ans|an\s+das|an\s+die|an\s+den|an\s+dem|an|zum|zur|zu|für)\s+(?=\S)"
        r"|daran[\s,]+",
        re.IGNORECASE,
    ),
}
LEADS_AGAIN = {
    "en": re.compile(r"[\s,]+(?:to|that)\s", re.IGNORECASE),
    "de": re.compile(r"[\s,]+(?:an|ans|daran|dass|zum|zur)\b", re.IGNORECASE),
}
# Words before which nothing may be left that is not understood: there the task begins.
TASK_BEGINS = {"en": {"to", "that"}, "de": {"dass", "daran", "ans"}}
FILLERS = {
    "en": re.compile(
        r"(?:[\s,;]*(?:\b(?:please|pls|plz|plse|kindly|just|also|me|again|myself)\b"
        r"|(?:and\s+)?(?:don'?t|do\s+not)\s+let\s+me\s+(?:forget|ignore|miss)(?:\s+(?:it|that))?\b|(?:and\s+)?don'?t\s+forget\b))+"
        r"(?=[\s,;:]|$)",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"(?:[\s,;]*\b(?:bitte|mal|doch|noch\s*mal|ma|auch|kurz|einfach|dann|unbedingt|mich|nochmals)\b)+(?=[\s,;:]|$)",
        re.IGNORECASE,
    ),
}
_ENDINGS = {
    "en": r"many\s+thanks|thanks?(?:\s+(?:you|a\s+lot|so\s+much|very\s+much|in\s+advance|buddy|mate))*|thx|ty|tysm"
    r"|cheers|please|pls|plz|plse|ok|okay|if\s+(?:possible|you\s+can|that'?s\s+ok(?:ay)?)|buddy|mate"
    r"|(?:will|would|can|could)\s+you|that\s+would\s+be\s+(?:great|nice|lovely)|i'?d\s+appreciate\s+it|appreciated|right"
    r"|lol|haha|love\s+you",
    "de": r"(?:vielen|besten|lieben)\s+dank|danke(?:\s*(?:schön|dir|sehr|im\s+voraus|buddy))*|merci"
    r"|bitte(?:\s+schön)?|ok|okay|ja|gell|wenn\s+(?:möglich|es\s+geht|das\s+geht)|falls\s+möglich|das\s+wäre\s+(?:super|toll|nett|lieb)|sei\s+so\s+gut"
    r"|buddy|lg|bescheid",
}
_END = {
    name: re.compile(rf"[\s,.;!?–-]*(?:(?<!\w)(?:{endings})(?!\w))[\s,.;!?]*$", re.IGNORECASE)
    for name, endings in _ENDINGS.items()
}
EDGES = " \t,.;:!?-–—"
QUOTES = "\"'“”„«»’"


def normalised(text: str) -> str:
    """Return a message in one line of printable characters."""
    return " ".join("".join(one if one.isprintable() or one == "\u200d" else " " for one in text).split())


def opening_of(text: str, name: str) -> int:
    """Return where the words begin that follow a greeting, a name and "please"."""
    found = OPENING[name].match(text)
    return found.end() if found else 0


def read_whole(text: str, languages: Sequence[str]) -> Reading | None:
    """Return the reading of a text that is about time and nothing else."""
    stripped = without_ending(text, languages[0]).strip(EDGES)
    for name in languages:
        words = [word for word in read_words(stripped, name) if word.kind not in {STOP, SMILE}]
        if words and (reading := read_phrase(words)):
            return reading
    return None


def without_ending(text: str, name: str) -> str:
    """Return a text without thanks, smiles and marks at its end."""
    while True:
        shorter = _END[name].sub("", text.rstrip(" \t,;!?"))
        words = read_words(shorter, name)
        if words and words[-1].kind == SMILE:
            shorter = shorter[: words[-1].start]
        if shorter == text or not shorter.strip():
            return shorter.strip() or text
        text = shorter


def answer_reading(text: str, languages: Sequence[str]) -> Reading | None:
    """Return the reading of an answer, which may be a number alone: "9" is nine o'clock."""
    for candidate in (text, *(f"{word} {text}" for word in ("at", "um", "in the", "am"))):
        if reading := read_whole(candidate, languages):
            return reading
    return None
