"""Ask a language model at any endpoint with OpenAI's API, within limits of time, attempts and cost.

Nothing of an athlete's warehouse reaches a model but :class:`Facts`; the rest is what the athlete has just written or
shown, and the project's own words.
"""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

import jsonschema

from fitness_buddy.core import variables
from fitness_buddy.core.clock import utc_now
from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError, UsageError
from fitness_buddy.core.http import ApiError, HttpClient, HttpResponse, RateLimit, RateLimitedError
from fitness_buddy.core.redaction import without_secrets
from fitness_buddy.ingest.sources.files import check_json
from fitness_buddy.llm.answers import find_json, without_thinking
from fitness_buddy.llm.endpoints import NoPictureError, RequestForm, permanent_error
from fitness_buddy.llm.facts import Facts
from fitness_buddy.llm.usage import input_tokens, output_tokens

_MAX_SHOWN, _MAX_READ = 200, 4000
_MAX_COUNT = 2**53
# What a model gets that has spent all tokens on thinking.
_THINKING_FACTOR = 4
# The beginning of an address that a chat makes a link.
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{0,30})?:(?://|\\)[/\\]*")
# Error codes of a request that was refused because of its content.
_REFUSALS = {"content_policy_violation", "moderation_blocked", "content_filter"}
# The accepted types of pictures, by their first bytes.
PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}

_log = logging.getLogger(__name__)
_Checked = TypeVar("_Checked")


class ModelError(BuddyError):
    """A language model gave no usable answer; every caller can continue without one."""


class ModelUnavailableError(ModelError):
    """The endpoint was not reached, or accepts no requests now."""

    exit_code = EXIT_TRY_LATER


class ModelRefusedError(ModelError):
    """The model refused to answer."""


class ModelAnswerError(ModelError):
    """The answer is cut off, empty, or not what was asked for."""


class ModelSetupError(ModelError):
    """The endpoint will refuse every such request; the message says what to change."""


class ModelCannotSeeError(ModelSetupError):
    """The model takes no pictures."""


class BudgetSpentError(ModelError):
    """The month's budget is spent; no request is sent."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request that was answered, for the log.

    Attributes:
        called_at: UTC.
        purpose: one word such as meal_estimate.
        cost_usd: by the stated prices; 0 without prices.
        outcome: answered, refused, cut_off or unusable.
    """

    called_at: datetime
    purpose: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: float
    duration_s: float
    outcome: str


class CallLog(Protocol):
    """Keeps the calls and their cost."""

    def spent_usd(self, since: datetime) -> float:
        """Return the cost of the calls for all athletes since an instant."""
        ...

    def keep(self, call: ModelCall) -> None:
        """Add one call."""
        ...


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The model, its endpoint and its prices in US dollars; a price is None if it is not stated."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    image_model: str = ""
    timeout_s: float = 60
    input_usd_per_million: float | None = None
    output_usd_per_million: float | None = None
    image_usd: float | None = None
    monthly_budget_usd: float | None = None


def model_settings() -> ModelSettings | None:
    """Read the language model's settings from the environment; None where no model is named.

    Raises:
        UsageError: a value is not of its type, or a budget is set and the prices are not.
    """
    base_url, model = variables.LLM_BASE_URL.read(), variables.LLM_MODEL.read()
    if not base_url and not model:
        return None
    if not base_url or not model:
        raise UsageError("a language model needs both BUDDY_LLM_BASE_URL and BUDDY_LLM_MODEL")
    settings = ModelSettings(
        base_url=base_url,
        model=model,
        api_key=variables.LLM_API_KEY.read(),
        image_model=variables.LLM_IMAGE_MODEL.read(),
        timeout_s=variables.LLM_TIMEOUT_S.read(),
        input_usd_per_million=variables.LLM_INPUT_USD_PER_MILLION.read(),
        output_usd_per_million=variables.LLM_OUTPUT_USD_PER_MILLION.read(),
        image_usd=variables.LLM_IMAGE_USD.read(),
        monthly_budget_usd=variables.LLM_MONTHLY_BUDGET_USD.read(),
    )
    prices = [variables.LLM_INPUT_USD_PER_MILLION, variables.LLM_OUTPUT_USD_PER_MILLION]
    if settings.image_model:
        prices.append(variables.LLM_IMAGE_USD)
    unpriced = [price.name for price in prices if price.read() is None]
    if settings.monthly_budget_usd is not None and unpriced:
        raise UsageError(f"BUDDY_LLM_MONTHLY_BUDGET_USD needs the prices: {', '.join(unpriced)} not set")
    return settings


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes of a picture.

    Raises:
        BuddyError: they are neither PNG nor JPEG.
    """

    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not any(self.content.startswith(beginning) for beginning in PICTURES):
            raise BuddyError("expected a picture as PNG or JPEG, found something else")

    @property
    def media_type(self) -> str:
        return next(kind for beginning, kind in PICTURES.items() if self.content.startswith(beginning))

    def data_url(self) -> str:
        """Return the picture as a data URL, the form that requests need."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


class _EndpointError(Exception):
    """The endpoint has refused a request.

    Attributes:
        words: the endpoint's own, not shortened; they are matched and never shown.
        error: the error if nothing is known about them.
    """

    def __init__(self, status: int, words: str, error: ModelError) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.error = error

    def explained(self, model: str, *, has_picture: bool) -> ModelError:
        """Return the error with what to change, if that is known."""
        known = permanent_error(self.status, self.words, model, has_picture=has_picture)
        if known is None:
            return self.error
        kind = ModelCannotSeeError if isinstance(known, NoPictureError) else ModelSetupError
        return kind(f"{known} ({self.error})")


class LanguageModel:
    """A language model for the requests of one run.

    Attributes:
        calls: the answered requests of this run, in order.
    """

    def __init__(
        self,
        settings: ModelSettings,
        record: CallLog,
        *,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._record = record
        self._clock = clock
        self._client = HttpClient(
            settings.base_url,
            rate_limit=RateLimit("the model's endpoint"),
            label="the model's endpoint",
            secrets=[settings.api_key],
            # A server in the same network, such as http://ollama:11434, if no key goes there.
            is_clear_text_allowed=not settings.api_key,
            timeout_s=settings.timeout_s,
            sleep=sleep,
        )
        self._form = RequestForm()
        self.calls: list[ModelCall] = []

    def text(self, purpose: str, system: str, user: str, *, facts: Sequence[Facts] = (), max_tokens: int = 400) -> str:
        """Return the model's answer as text.

        Raises:
            ModelError: there is no usable answer.
        """
        return without_links(self._chat(purpose, _messages(system, user, facts), max_tokens))

    def document(
        self,
        purpose: str,
        system: str,
        user: str,
        schema: Mapping[str, Any],
        check: Callable[[dict[str, Any]], _Checked],
        *,
        pictures: Sequence[Picture] = (),
        facts: Sequence[Facts] = (),
        max_tokens: int = 2000,
    ) -> _Checked:
        """Return the JSON object that the model answers, as ``check`` returns it. The model may correct an unusable
        answer once.

        Args:
            schema: JSON Schema of an object that follows OpenAI's "strict" rules, so that endpoints can enforce it.
            check: raises ValueError with a problem that the model can correct. It gets only values that warehouses
                can store.

        Raises:
            ModelError: there is no usable answer.
        """
        messages = _messages(system, user, facts, pictures)
        answer = self._chat(purpose, messages, max_tokens, schema)
        try:
            return _checked(answer, schema, check)
        except ValueError as problem:
            _log.info("%s: asking the model to correct its answer: %s", purpose, problem)
            request = (
                f"That cannot be used: {problem}. Answer again with the whole corrected JSON object and nothing else."
            )
            messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": request}]
        answer = self._chat(purpose, messages, max_tokens, schema)
        try:
            return _checked(answer, schema, check)
        except ValueError as problem:
            raise ModelAnswerError(f"the model's corrected answer cannot be used either: {problem}") from None

    def picture(self, purpose: str, prompt: str) -> Picture:
        """Return a picture that the image model draws.

        Raises:
            UsageError: no image model is named.
            ModelError: there is no usable picture.
        """
        model = self._settings.image_model
        if not model:
            raise UsageError("BUDDY_LLM_IMAGE_MODEL is not set: no picture can be made")
        # The newer models always answer with the picture; other models must be asked for it.
        how: dict[str, Any] = (
            {} if model.startswith(("gpt-image", "chatgpt-image")) else {"response_format": "b64_json"}
        )
        started = time.monotonic()
        try:
            answer = self._request("/images/generations", {"model": model, "prompt": prompt, "n": 1, **how})
        except _EndpointError as refused:
            raise refused.explained(model, has_picture=False) from None
        usage = _get(answer, "usage")
        # A picture has a price of its own: the tokens are for the log.
        counts = _count(usage, "input_tokens"), _count(usage, "output_tokens")
        encoded = _text(_first(_get(answer, "data")), "b64_json")
        try:
            picture = Picture(base64.b64decode(encoded, validate=True))
        except (BuddyError, ValueError):
            picture = None
        outcome = "answered" if picture else "unusable"
        self._record_call(purpose, model, *counts, self._settings.image_usd or 0, started, outcome)
        if picture is None:
            raise ModelAnswerError("the model's picture cannot be used: expected a PNG or JPEG as b64_json")
        return picture

    def totals(self) -> dict[str, Any]:
        """Return the sums of this run's calls, as commands print them."""
        return {
            "model_calls_count": len(self.calls),
            "model_input_tokens_count": sum(call.input_tokens for call in self.calls),
            "model_output_tokens_count": sum(call.output_tokens for call in self.calls),
            "model_cost_usd": round(sum(call.cost_usd for call in self.calls), 6),
        }

    def _chat(
        self,
        purpose: str,
        messages: list[dict[str, Any]],
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
    ) -> str:
        """Return what the model says, without its thinking.

        Where the thinking has used up the tokens, it is asked once more, with more of them.
        """
        said = self._completion(purpose, messages, max_tokens, schema)
        if said is None:
            said = self._completion(purpose, messages, max_tokens * _THINKING_FACTOR, schema)
        if said is None:
            raise ModelAnswerError(
                f"the model's thinking is cut off after {self.calls[-1].output_tokens} tokens, before it answered"
            )
        return said

    def _completion(
        self, purpose: str, messages: list[dict[str, Any]], max_tokens: int, schema: Mapping[str, Any] | None
    ) -> str | None:
        """Return what the model says; None where only its thinking was cut off."""
        settings = self._settings
        started = time.monotonic()
        request, answer = self._answered(purpose, messages, max_tokens, schema)
        usage = _get(answer, "usage")
        choice = _first(_get(answer, "choices"))
        message = _get(choice, "message")
        content, refusal = _content(message), _text(message, "refusal")
        # Servers that separate the thinking name it one of these.
        thinking = "".join(_text(message, name) for name in ("reasoning_content", "reasoning", "thinking"))
        tokens = (
            input_tokens(request, _get(usage, "prompt_tokens")),
            output_tokens(content + thinking + refusal, _get(usage, "completion_tokens")),
        )
        prices = settings.input_usd_per_million or 0, settings.output_usd_per_million or 0
        cost_usd = sum(count * price for count, price in zip(tokens, prices, strict=True)) / 1e6
        said = without_thinking(content)
        has_thought = bool(thinking) or said != content.strip()
        reason = _get(choice, "finish_reason")
        error: ModelError | None = None
        is_only_thinking = reason == "length" and has_thought and not said
        if refusal or reason == "content_filter":
            error = ModelRefusedError(f"the model does not answer: {_shorten(refusal or 'its filter stopped it')}")
            outcome = "refused"
        elif is_only_thinking:
            outcome = "cut_off"
        elif reason == "length":
            error, outcome = ModelAnswerError(f"the model's answer is cut off after {tokens[1]} tokens"), "cut_off"
        elif not said:
            only = "only its thinking" if has_thought else "nothing"
            error, outcome = ModelAnswerError(f"the model answered with {only}"), "unusable"
        else:
            outcome = "answered"
        self._record_call(purpose, settings.model, *tokens, cost_usd, started, outcome)
        if error:
            raise error
        return None if is_only_thinking else said

    def _answered(
        self, purpose: str, messages: list[dict[str, Any]], max_tokens: int, schema: Mapping[str, Any] | None
    ) -> tuple[Mapping[str, Any], object]:
        """Return the request in the first form that the endpoint takes, and its answer."""
        has_picture = any(isinstance(message["content"], list) for message in messages)
        while True:
            request = self._form.request(self._settings.model, messages, max_tokens, purpose, schema)
            try:
                return request, self._request("/chat/completions", request)
            except _EndpointError as refused:
                if self._form.simpler(request, refused.words):
                    _log.info("the model's endpoint takes no such request; asking in a simpler form: %s", refused.error)
                    continue
                raise refused.explained(self._settings.model, has_picture=has_picture) from None

    def _record_call(
        self,
        purpose: str,
        model: str,
        input_tokens: int,
        output_tokens: int,
        cost_usd: float,
        started: float,
        outcome: str,
    ) -> None:
        duration_s = round(time.monotonic() - started, 3)
        call = ModelCall(self._clock(), purpose, model, input_tokens, output_tokens, cost_usd, duration_s, outcome)
        self.calls.append(call)
        self._record.keep(call)

    def _request(self, path: str, request: Mapping[str, Any]) -> object:
        """Send a request within the budget; return the JSON of a success, which may be of any shape.

        Raises:
            _EndpointError: the endpoint has refused the request.
            ModelError: there is no answer for another reason.
        """
        self._check_budget()
        try:
            response = self._client.call(
                "POST", path, body_json=request, token=self._settings.api_key or None, expects_json=False
            )
        except (ApiError, RateLimitedError) as error:
            shown = ModelUnavailableError(f"the model was not reached: {_shorten(str(error))}")
            status = error.status if isinstance(error, ApiError) else 429
            if status is None:
                raise shown from None
            # Servers of open models also answer 500 to what they will never take.
            raise _EndpointError(status, str(error), shown) from None
        error_of = _get(response.document, "error")
        # LM Studio answers 200 with an error to an address that it does not know.
        if response.status >= 400 or (error_of and not _get(response.document, "choices")):
            if _get(error_of, "code") in _REFUSALS:
                raise ModelRefusedError(f"the model does not answer: {_shorten(response.message)}")
            words = f"the model's endpoint answered {response.status}: {_shorten(response.message)}"
            raise _EndpointError(response.status, _words_of(response), ModelUnavailableError(words))
        if not response.is_json:
            raise ModelAnswerError(f"the model's endpoint answered {response.status} with no JSON")
        return response.document

    def _check_budget(self) -> None:
        budget = self._settings.monthly_budget_usd
        if budget is None:
            return
        now = self._clock()
        spent = self._record.spent_usd(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
        if spent >= budget:
            raise BudgetSpentError(
                f"the model is not asked: {spent:.2f} of {budget:.2f} USD are spent in {now:%B} "
                "(BUDDY_LLM_MONTHLY_BUDGET_USD)"
            )


def _messages(system: str, user: str, facts: Sequence[Facts], pictures: Sequence[Picture] = ()) -> list[dict[str, Any]]:
    known = "".join(f"\n\nFacts (JSON):\n{fact.to_json()}" for fact in facts)
    if not pictures:
        return [{"role": "system", "content": system + known}, {"role": "user", "content": user}]
    shown = [{"type": "image_url", "image_url": {"url": picture.data_url()}} for picture in pictures]
    return [
        {"role": "system", "content": system + known},
        {"role": "user", "content": [{"type": "text", "text": user}, *shown]},
    ]


def _checked(answer: str, schema: Mapping[str, Any], check: Callable[[dict[str, Any]], _Checked]) -> _Checked:
    try:
        document = find_json(answer)
        check_json(document)
        jsonschema.validate(document, schema)
    except jsonschema.ValidationError as error:
        raise ValueError(f"{error.json_path}: {_shorten(error.message)}") from None
    except RecursionError:
        raise ValueError("it is no JSON object") from None
    linkless: dict[str, Any] = _without_links(document)
    return check(linkless)


def without_links(text: str) -> str:
    """Return a model's text in which no address is a link: what it reads may ask for one."""
    while (linkless := _SCHEME.sub("", text)) != text:  # what is left may begin another one
        text = linkless
    return text


def _without_links(value: Any) -> Any:
    if isinstance(value, str):
        return without_links(value)
    if isinstance(value, dict):
        return {name: _without_links(item) for name, item in value.items()}
    return [_without_links(item) for item in value] if isinstance(value, list) else value


# An endpoint's JSON need not have the types that its API promises.


def _get(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, dict) else None


def _count(usage: object, name: str) -> int:
    value = _get(usage, name)
    return value if isinstance(value, int) and 0 <= value < _MAX_COUNT else 0


def _first(items: object) -> object:
    return items[0] if isinstance(items, list) and items else None


def _text(holder: object, name: str) -> str:
    """Return a text; empty where there is none. Halves of surrogate pairs are replaced: nothing can store them."""
    value = _get(holder, name)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _words_of(response: HttpResponse) -> str:
    """Return the endpoint's words about a refusal, with its codes; the body where it says them in another way."""
    error = _get(response.document, "error")
    codes = (_text(error, name) for name in ("code", "type", "param"))
    return (
        " ".join([response.message, *codes])
        if response.message
        else response.body[:_MAX_READ].decode("utf-8", "replace")
    )


def _content(message: object) -> str:
    """Return the text of a message, which may be in parts: those of thinking are left out."""
    parts = _get(message, "content")
    if not isinstance(parts, list):
        return _text(message, "content")
    return "".join(_text(part, "text") for part in parts if _get(part, "type") in {"text", "output_text"})


def _shorten(text: str) -> str:
    text = " ".join(without_secrets(text).split())
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
