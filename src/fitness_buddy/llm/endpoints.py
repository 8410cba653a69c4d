"""Know the habits of endpoints with OpenAI's API: what each refuses, in which words, and what helps.

The words are those of OpenAI, Ollama, LM Studio, llama.cpp's server, vLLM and DeepSeek; tests/llm/test_servers.py has a
stub with the habits of each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fitness_buddy.core.errors import BuddyError

_CONTEXT = re.compile(
    r"context[ _](?:length|size|window)|\bn_ctx\b|exceed_context|prompt is too long|input is too long|too many tokens"
    r"|exceeds? the (?:available |maximum )?context|maximum (?:input|prompt) length|is too large: \d+",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"model.{0,200}?(?:not found|does not exist|doesn't exist|is not loaded|not exist)|no models? (?:is )?loaded"
    r"|model_not_found|unknown model|invalid model",
    re.IGNORECASE | re.DOTALL,
)
_PICTURE = re.compile(
    r"image|multi-?modal|\bvision\b|mmproj|content must be a string|expected [`'\"]?text[`'\"]?", re.IGNORECASE
)
_FORMAT = re.compile(
    r"response[_ ]format|json[_ ]schema|json_object|grammar|guided|structured output|generate parser", re.IGNORECASE
)
_LIMIT = re.compile(r"max_(?:completion_)?tokens|max_output_tokens", re.IGNORECASE)
_KEY = re.compile(r"api.?key|unauthori[sz]ed|authenticat|credential|forbidden|permission", re.IGNORECASE)
_QUOTA = re.compile(
    r"insufficient_quota|billing|(?:insufficient|low|no).{0,20}(?:balance|credit|funds)|payment required", re.IGNORECASE
)
_FORMATS = ("json_schema", "json_object", "")
_LIMITS = ("max_completion_tokens", "max_tokens", "")


class NoPictureError(BuddyError):
    """The model takes no pictures."""


class SetupError(BuddyError):
    """The endpoint will refuse every such request; the message says what to change."""


@dataclass
class RequestForm:
    """The form of a request that an endpoint takes.

    Attributes:
        answer_format: of a JSON answer: json_schema, json_object, or empty where the prompt alone says it.
        limit: the name of the limit of the answer's tokens; empty where none is taken.
    """

    answer_format: str = _FORMATS[0]
    limit: str = _LIMITS[0]

    def request(
        self,
        model: str,
        messages: list[dict[str, Any]],
        max_tokens: int,
        purpose: str,
        schema: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """Return the body of a request for a completion.

        Args:
            schema: of a JSON answer; None for a text.
        """
        request: dict[str, Any] = {"model": model, "messages": messages}
        if self.limit:
            request[self.limit] = max_tokens
        if schema is None:
            return request
        if self.answer_format == "json_schema":
            answer = {"name": purpose, "schema": dict(schema), "strict": True}
            return {**request, "response_format": {"type": "json_schema", "json_schema": answer}}
        words = f"\nAnswer with one JSON object of this JSON Schema:\n{json.dumps(schema)}"
        first, *rest = messages
        request["messages"] = [{**first, "content": f"{first['content']}{words}"}, *rest]
        return {**request, "response_format": {"type": "json_object"}} if self.answer_format else request

    def simpler(self, request: Mapping[str, Any], words: str) -> bool:
        """Take the next simpler form, if the endpoint's words are about this one; return whether there is one."""
        named = _LIMIT.search(words)
        if self.limit and self.limit in request and named and not _CONTEXT.search(words):
            self.limit = _LIMITS[_LIMITS.index(self.limit) + 1]
            return True
        if self.answer_format and "response_format" in request and _FORMAT.search(words):
            self.answer_format = _FORMATS[_FORMATS.index(self.answer_format) + 1]
            return True
        return False


def permanent_error(status: int, words: str, model: str, *, has_picture: bool) -> BuddyError | None:
    """Return the error of a request that will be refused again, with what to change; None if it may pass.

    Args:
        status: of HTTP; 200 for an error in an answer.
        words: the endpoint's own.
    """
    if _CONTEXT.search(words):
        return SetupError(
            "the request is longer than the model's context: give the server a longer one (Ollama: "
            "OLLAMA_CONTEXT_LENGTH, llama.cpp: --ctx-size, vLLM: --max-model-len, LM Studio: Context Length), or take "
            "another BUDDY_LLM_MODEL"
        )
    if has_picture and _PICTURE.search(words):
        return NoPictureError(f"the model {model!r} takes no pictures: set BUDDY_LLM_MODEL to one that does")
    if _QUOTA.search(words) or status == 402:
        return SetupError("the endpoint's quota is spent: see its billing page, or wait for its next period")
    if status in {401, 403} or (status == 400 and _KEY.search(words)):
        return SetupError("the endpoint does not take the key: set BUDDY_LLM_API_KEY")
    if _MODEL.search(words):
        return SetupError(
            f"the endpoint has no model {model!r}: set BUDDY_LLM_MODEL to one that it has, or load it there (`ollama "
            "pull`, `lms load`)"
        )
    if status in {404, 405} or "unexpected endpoint" in words.casefold():
        return SetupError("the endpoint has no such address: BUDDY_LLM_BASE_URL mostly ends with /v1")
    return None
