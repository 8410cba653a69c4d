"""Format messages for Discord: within its limits, and without mentions that would notify anybody.

Source of the limits: Discord's documentation of "Execute Webhook" and "Message Create" (2026-06).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_CHARACTERS = 2000
MAX_FILES = 10
# No text can notify anybody, whoever it names.
NO_MENTIONS: dict[str, list[str]] = {"parse": []}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message; an embed refers to it as ``attachment://name``."""

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message that the buddy posts.

    Attributes:
        content: Discord's Markdown; a longer text than Discord takes is cut, with an ellipsis.
        embeds: in the form of Discord's documentation.
        attachments: at most 10.
    """

    content: str
    embeds: Sequence[dict[str, Any]] = ()
    attachments: Sequence[Attachment] = ()

    def payload(self) -> dict[str, Any]:
        """Return the message as Discord's JSON; the key ``embeds`` is missing if there are none."""
        payload: dict[str, Any] = {"content": truncate(self.content, MAX_CHARACTERS), "allowed_mentions": NO_MENTIONS}
        if self.embeds:
            payload["embeds"] = list(self.embeds)
        return payload

    def payload_json(self) -> str:
        """Return the payload as text in ASCII, because Kestra's client sends multipart bodies in ASCII."""
        return json.dumps(self.payload())


def truncate(text: str, max_characters: int) -> str:
    """Return the text, cut with an ellipsis if it is too long. Discord counts UTF-16 units, as JavaScript does."""
    if _length(text) <= max_characters:
        return text
    kept = text[: max_characters - 1]
    while _length(kept) > max_characters - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def escape_markdown(text: str) -> str:
    """Return somebody's words on one line, with escaped Markdown and without links."""
    words = " ".join(text.split())
    words = "".join(f"\\{character}" if character in r"\*_~`|>#[]()<-" else character for character in words)
    return words.replace("://", "\\://")


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
