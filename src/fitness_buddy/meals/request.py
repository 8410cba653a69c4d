"""Read messages about meals from the JSON that the bot posts, and parse their intent; nothing in them is a command."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fitness_buddy.core.errors import BuddyError, InputError, Refusal, UsageError
from fitness_buddy.meals.picture import MAX_BYTES

MAX_CHARACTERS = 2000
MAX_PICTURES = 4
# Four pictures of 8 MB in base64, and a text.
_MAX_BYTES = 48 * 2**20
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_NOTE = re.compile(r"\s*(?:meal|i\s+ate|ate|mahlzeit|ich\s+habe\s+gegessen|gegessen)\b\s*[:,]?\s*", re.IGNORECASE)
_DELETE = re.compile(r"\s*delete(?:\s+meal)?\b[\s:]*(?P<id>\S*)\s*", re.IGNORECASE)
_CORRECT = re.compile(r"\s*correct(?:ion)?\b(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_ID = re.compile(r"\s*(?P<id>[0-9a-f]{4,16})\b\s*(?P<colon>[:,]?)(?P<words>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class MealMessage:
    """A message about a meal.

    Attributes:
        pictures: the bytes of the files, not checked yet.
        message_id: a message that comes again has the same id.
    """

    text: str
    message_id: str
    pictures: Sequence[bytes] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class MealIntent:
    """What a message asks for.

    Attributes:
        kind: note, correct or delete.
        meal_id: the beginning of the id in the message; empty if there is none.
        words: what the message says about the meal; may be empty.
        is_id_sure: False if the id may also be the first of the words ("correct beef stew").
    """

    kind: str
    meal_id: str = ""
    words: str = ""
    is_id_sure: bool = True


def read_message(path: Path) -> MealMessage:
    """Read a message file: ``{"text": …, "message_id": …, "pictures": [{"name": …, "content_base64": …}]}``.

    Raises:
        InputError: the file is missing, or has another form.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _refused(path, None, f"expected up to {_MAX_BYTES // 2**20} MB, it has more")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise _refused(path, None, f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _refused(path, None, "expected JSON with text, message_id and pictures") from None
    if not isinstance(document, dict):
        raise _refused(path, None, "expected a JSON object with text, message_id and pictures")
    text, message_id = document.get("text", ""), document.get("message_id")
    if not isinstance(text, str) or len(text) > MAX_CHARACTERS or "\0" in text or not _is_whole(text):
        raise _refused(path, "text", f"expected a text of up to {MAX_CHARACTERS} characters")
    if not isinstance(message_id, str) or not _MESSAGE_ID.fullmatch(message_id):
        raise _refused(path, "message_id", "expected 1 to 64 letters, digits and _ . : -")
    pictures = document.get("pictures") or []
    if not isinstance(pictures, list) or len(pictures) > MAX_PICTURES:
        raise _refused(path, "pictures", f"expected a list of up to {MAX_PICTURES}")
    return MealMessage(text, message_id, [_content(path, picture) for picture in pictures])


def id_of_command(intent: MealIntent, eaten_at: str, pictures: Sequence[bytes]) -> str:
    """Return a message id for a command, which has none: the same intent, time and pictures have the same id."""
    content = hashlib.sha256(repr((intent, eaten_at)).encode())
    for picture in pictures:
        content.update(picture)
    return f"cli-{content.hexdigest()[:32]}"


def read_pictures(paths: Sequence[Path]) -> list[bytes]:
    """Read picture files; a file that is too large is read up to one byte more than a picture may have.

    Raises:
        UsageError: there are too many.
        BuddyError: a file cannot be read.
    """
    if len(paths) > MAX_PICTURES:
        raise UsageError(f"expected up to {MAX_PICTURES} pictures, found {len(paths)}")
    contents = []
    for path in paths:
        try:
            with path.open("rb") as stream:
                contents.append(stream.read(MAX_BYTES + 1))
        except OSError as error:
            raise BuddyError(f"{path}: cannot be read: {error.strerror}") from None
    return contents


def parse_intent(text: str) -> MealIntent:
    """Parse the intent of a text; a text without a command word describes a meal."""
    if deleting := _DELETE.fullmatch(text):
        return MealIntent("delete", deleting["id"].lower())
    if not (correcting := _CORRECT.fullmatch(text)):
        named = _NOTE.match(text)
        return MealIntent("note", words=text[named.end() if named else 0 :].strip())
    rest = correcting["rest"]
    if named := _ID.fullmatch(rest):
        words = named["words"].strip()
        return MealIntent("correct", named["id"].lower(), words, is_id_sure=bool(named["colon"]) or not words)
    return MealIntent("correct", words=rest.lstrip(" :,\n").strip())


def _content(path: Path, picture: Any) -> bytes:
    encoded = picture.get("content_base64") if isinstance(picture, dict) else None
    try:
        if isinstance(encoded, str) and encoded:
            return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise _refused(path, "pictures", "expected each with its content_base64")


def _is_whole(text: str) -> bool:
    """Return whether a text has no halves of characters (lone surrogates), which JSON can contain."""
    return text.encode("utf-8", "ignore").decode() == text


def _refused(path: Path, name: str | None, problem: str) -> InputError:
    return InputError([Refusal(path.name, None, name, problem)])
