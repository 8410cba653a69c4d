"""Count the tokens of a call so that a budget holds: what an endpoint states, if it can be true, else an estimate."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

# Tokens of English have about four bytes, of other languages and of JSON fewer. A picture has up to some thousands.
_BYTES_PER_TOKEN, _TOKENS_PER_PICTURE = 3, 3_000
# No token has more bytes on average, whatever the text is.
_MOST_BYTES_PER_TOKEN = 20
_MOST_TOKENS = 10_000_000


def input_tokens(request: Mapping[str, Any], stated: object) -> int:
    """Return the input tokens of a request for a completion."""
    texts, pictures = [], 0
    for message in request["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            texts.append(part.get("text", ""))
            pictures += part["type"] == "image_url"
    words = sum(_size(text) for text in texts)
    # Not every endpoint makes the schema a part of the prompt.
    size = words + _size(json.dumps(request.get("response_format", "")))
    if isinstance(stated, int) and _is_plausible(stated, words):
        return stated
    return math.ceil(size / _BYTES_PER_TOKEN) + pictures * _TOKENS_PER_PICTURE


def output_tokens(texts: str, stated: object) -> int:
    """Return the output tokens of an answer, of all that was written: the answer and the thinking."""
    size = _size(texts)
    if isinstance(stated, int) and _is_plausible(stated, size):
        return stated
    return math.ceil(size / _BYTES_PER_TOKEN)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _is_plausible(stated: int, size: int) -> bool:
    """Return whether a text of so many bytes can have the stated number of tokens."""
    is_number = not isinstance(stated, bool)
    return is_number and size // _MOST_BYTES_PER_TOKEN <= stated <= _MOST_TOKENS and (stated > 0 or not size)
