"""Describe a message without saying how a channel shows it, and render it as plain text.

The texts of a message have a little markup, as in CommonMark: ``**bold**``, ``*emphasis*``, `` `code` ``, fenced
blocks, ``- `` for items, and backslashes before characters without force. ``<t:SECONDS:t>`` is an instant, which is
shown in the reader's zone. Texts of other people are escaped (:func:`escape_markdown`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

_MARKUP = re.compile(
    r"```(?:\w*\n)?(?P<block>.*?)\n?```|`(?P<code>[^`\n]*)`|\\(?P<character>[^A-Za-z0-9\s])|<t:(?P<instant>\d+):t>"
    r"|\*\*?(?=\S)|(?<=\S)\*\*?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture or another file of a message.

    Attributes:
        alt: what a picture shows, for readers who do not see it.
    """

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"
    alt: str = ""

    @property
    def is_picture(self) -> bool:
        """Return whether channels can show it in the message."""
        return self.media_type.startswith("image/")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a message with a title of its own.

    Attributes:
        fields: pairs of a label and a value, after the text.
        colour: ``#rrggbb``, for channels that show one.
    """

    title: str
    text: str = ""
    fields: Sequence[tuple[str, str]] = ()
    picture: Attachment | None = None
    colour: str = ""


def _count_more(left: int) -> str:
    return f"… and {left:,} more"


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message that the buddy posts; each channel renders it.

    Attributes:
        text: one or more lines.
        title: the subject; empty for a message that is one sentence.
        fields: pairs of a label and a value, after the text.
        items: lines of a list; a channel leaves out the last ones if they do not fit.
        more: returns the line that counts the items that were left out.
        sections: parts with titles of their own.
        attachments: pictures and other files outside of the sections.
        note: a last line in small type.
        timezone: of the reader, for channels that do not know it.
    """

    text: str = ""
    title: str = ""
    fields: Sequence[tuple[str, str]] = ()
    items: Sequence[str] = ()
    more: Callable[[int], str] = _count_more
    sections: Sequence[Section] = ()
    attachments: Sequence[Attachment] = ()
    note: str = ""
    timezone: str = "UTC"

    @property
    def files(self) -> list[Attachment]:
        """Return all pictures and files, those of the sections first."""
        return [*(one.picture for one in self.sections if one.picture), *self.attachments]


class Channel(Protocol):
    """A place where messages are posted.

    Attributes:
        key: identifies the channel in the ledger of deliveries; holds no secret.
    """

    @property
    def key(self) -> str: ...

    def post(self, message: OutgoingMessage) -> str:
        """Post a message; return its id, or an empty text if the channel gives none.

        Raises:
            BuddyError: the channel did not take it.
        """
        ...


def as_text(message: OutgoingMessage, max_characters: int | None = None) -> str:
    """Return the message as plain text, without its title.

    Args:
        max_characters: items are left out, and then the end is cut, so that the text is not longer.
    """
    head = [message.text, *(f"{label}: {value}" for label, value in message.fields)]
    tail = [
        "\n".join(["", one.title, one.text, *(f"{label}: {value}" for label, value in one.fields)]).rstrip()
        for one in message.sections
    ]
    tail += [message.note] if message.note else []

    def together(items: Sequence[str]) -> str:
        return plain("\n".join(part for part in [*head, *items, *tail] if part), message.timezone).strip()

    return fit_items(message, together, max_characters)


def fit_items(
    message: OutgoingMessage, together: Callable[[Sequence[str]], str], max_characters: int | None = None
) -> str:
    """Return a text with as many items of the message as fit, and a line that counts the others.

    Args:
        together: returns the whole text with some items.
    """
    items = list(message.items)
    if max_characters is None:
        return together(items)
    for shown in range(len(items), -1, -1):
        rest = [message.more(len(items) - shown)] if shown < len(items) else []
        text = together([*items[:shown], *rest])
        if length(text) <= max_characters:
            return text
    return truncate(together([message.more(len(items))] if items else []), max_characters)


def plain(text: str, timezone: str = "UTC") -> str:
    """Return a text with markup as people read it where no markup is shown, such as in a terminal."""

    def shown(found: re.Match[str]) -> str:
        if found["instant"]:
            moment = datetime.fromtimestamp(int(found["instant"]), UTC).astimezone(ZoneInfo(timezone))
            return f"{moment:%H:%M}"
        return found["block"] or found["code"] or found["character"] or ""

    return _MARKUP.sub(shown, text)


def truncate(text: str, max_characters: int) -> str:
    """Return the text, cut with an ellipsis if it is too long. Lengths are in UTF-16 units (see `length`)."""
    if length(text) <= max_characters:
        return text
    kept = text[: max_characters - 1]
    while length(kept) > max_characters - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def escape_markdown(text: str) -> str:
    """Return somebody's words on one line, with escaped markup and without links."""
    words = " ".join(text.split())
    words = "".join(f"\\{character}" if character in r"\*_~`|>#[]()<-" else character for character in words)
    return words.replace("://", "\\://")


def length(text: str) -> int:
    """Return the length of a text in UTF-16 units, the largest of the counts that services use."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
