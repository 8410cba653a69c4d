"""Read what a language model says: without its thinking, and the JSON among its prose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# Open models write their thinking into the answer where the server does not separate it: DeepSeek, Qwen and most
# others, Magistral, Kimi, and gpt-oss (its channels).
_NAMES = r"(?:think|thinking|thought|thoughts|reason|reasoning|reflection|seed:think)"
_CLOSE = re.compile(rf"</{_NAMES}\s*>|\[/THINK\]|◁/think▷", re.IGNORECASE)
_MARKS = re.compile(rf"</?{_NAMES}(?:\s[^<>]{{0,200}})?>|\[/?THINK\]|◁/?think▷", re.IGNORECASE)
_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\b[^<]*<\|message\|>")
_CHANNEL = re.compile(r"<\|channel\|>")
_MARK = re.compile(r"<\|[a-z_]+\|>")
# More objects than these are no answer.
_MAX_OBJECTS = 100


def without_thinking(text: str) -> str:
    """Return an answer without the thinking in it; empty where nothing else was said.

    Where only the end of the thinking is marked, all before it is thinking; where only its begin is, all after it.
    """
    if _CHANNEL.search(text):
        *_, final = ["", *_FINAL_CHANNEL.split(text)[1:]]
        return _MARK.split(final)[0].strip()
    kept: list[str] = []
    start, is_thinking = 0, False
    for mark in _MARKS.finditer(text):
        is_end = bool(_CLOSE.fullmatch(mark[0]))
        if not is_thinking:
            # Some templates begin the thinking before the answer begins: then all before its end is thinking.
            if is_end:
                kept.clear()
            else:
                kept.append(text[start : mark.start()])
        is_thinking, start = not is_end, mark.end()
    if not is_thinking:
        kept.append(text[start:])
    return "".join(kept).strip()


def find_json(text: str) -> Any:
    """Return the JSON document of an answer: all of it, or the one object in its prose or its fence.

    Raises:
        ValueError: there is none, or several different ones.
    """
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        problem = str(error)
    found = list(_objects(text))
    # A fence is where the answer is; an example may be in the words before it.
    fenced = [one for one in (list(_objects(block)) for block in _fenced(text)) if one]
    if len(fenced) == 1:
        found = fenced[0]
    if not found:
        raise ValueError(f"it is no JSON: {problem}")
    if any(one != found[0] for one in found[1:]):
        raise ValueError("it has more than one JSON object")
    return found[0]


def _fenced(text: str) -> list[str]:
    parts = re.split(r"```|~~~", text)
    return parts[1::2]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the outermost JSON objects in a text."""
    decoder = json.JSONDecoder(parse_constant=_no_number)
    start, tries = text.find("{"), 0
    while start >= 0 and tries < _MAX_OBJECTS:
        tries += 1
        try:
            found, end = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            end = start + 1
        else:
            yield found
        start = text.find("{", end)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
