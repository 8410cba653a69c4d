"""Messages as Discord takes them: within its limits, and calling nobody whoever a text names.

Limits: Discord's documentation of "Execute Webhook" and "Message Create" (2026-06).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_CHARACTERS = 2000
MAX_FILES = 10
# Nobody is called, whoever a text names.
NO_MENTIONS: dict[str, list[str]] = {"parse": []}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message; its name may stand in an embed as ``attachment://name``."""

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What is said in one message.

    Attributes:
        content: Discord's Markdown; what is longer than Discord takes is cut, with an ellipsis.
        embeds: as Discord's documentation has them.
        attachments: at most 10.
    """

    content: str
    embeds: Sequence[dict[str, Any]] = ()
    attachments: Sequence[Attachment] = ()

    def payload(self) -> dict[str, Any]:
        """Discord's JSON of it. Without ``embeds`` there is no such key."""
        payload: dict[str, Any] = {"content": truncate(self.content, MAX_CHARACTERS), "allowed_mentions": NO_MENTIONS}
        if self.embeds:
            payload["embeds"] = list(self.embeds)
        return payload

    def payload_json(self) -> str:
        """The same as text, in ASCII: multipart bodies that Kestra's client sends hold nothing else."""
        return json.dumps(self.payload())


def truncate(text: str, max_characters: int) -> str:
    """The text, or as much of it as fits with an ellipsis. Discord counts UTF-16 units, as JavaScript does."""
    if _length(text) <= max_characters:
        return text
    kept = text[: max_characters - 1]
    while _length(kept) > max_characters - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def escape_markdown(text: str) -> str:
    """Somebody's words with Discord's Markdown taken out of force, on one line; addresses are no links."""
    words = " ".join(text.split())
    words = "".join(f"\\{character}" if character in r"\*_~`|>#[]()<-" else character for character in words)
    return words.replace("://", "\\://")


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
