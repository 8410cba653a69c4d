"""Asking a language model: any endpoint that speaks OpenAI's API, within a time, a number of attempts and a budget.

Nothing of an athlete's warehouse reaches a model but :class:`Facts`; the rest is what the athlete has just written or
shown, and the project's own words.

Settings, all of the environment: BUDDY_LLM_BASE_URL, BUDDY_LLM_API_KEY (a local server needs none), BUDDY_LLM_MODEL,
BUDDY_LLM_IMAGE_MODEL; BUDDY_LLM_TIMEOUT_S (60: for one attempt, from the connection to the last byte);
BUDDY_LLM_INPUT_USD_PER_MILLION and BUDDY_LLM_OUTPUT_USD_PER_MILLION (prices of tokens), BUDDY_LLM_IMAGE_USD (price of a
picture), BUDDY_LLM_MONTHLY_BUDGET_USD.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import jsonschema
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from fitness_buddy.core.clock import utc_now
from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError, UsageError
from fitness_buddy.core.http import LONGEST_PAUSE_S, retry_after_s, seconds_setting, within
from fitness_buddy.core.redaction import without_secrets
from fitness_buddy.ingest.sources.files import check_json
from fitness_buddy.llm.facts import Facts

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

ATTEMPTS = 3
_MAX_SHOWN = 200
# Codes of a request that is not answered for what it says.
_REFUSALS = {"content_policy_violation", "moderation_blocked", "content_filter"}
# The kinds of pictures that are taken, by their first bytes.
PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}

_log = logging.getLogger(__name__)
_Checked = TypeVar("_Checked")
_Result = TypeVar("_Result")


class ModelError(BuddyError):
    """The model gave nothing that could be used; there is always a way to go on without it."""


class ModelUnavailableError(ModelError):
    """It was not reached, or does not take requests now."""

    exit_code = EXIT_TRY_LATER


class ModelRefusedError(ModelError):
    """It does not want to answer."""


class ModelAnswerError(ModelError):
    """What it said is cut off, empty, or not what was asked for."""


class BudgetSpentError(ModelError):
    """The month's budget is used up: it is not asked any more."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request that was answered, for the record.

    Attributes:
        called_at: UTC.
        purpose: what it was for, one plain word such as meal_estimate.
        cost_usd: by the stated prices; 0 without them.
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
    """Where calls are kept, and what they have come to."""

    def spent_usd(self, since: datetime) -> float:
        """Of all athletes, since an instant."""
        ...

    def keep(self, call: ModelCall) -> None:
        """Add one."""
        ...


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model is asked, and for how much. Prices are US dollars, None where nothing is stated."""

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
    """The model of the environment; None where none is named.

    Raises:
        UsageError: a value is none, or a budget is stated and the prices are not.
    """
    base_url, model = os.environ.get("BUDDY_LLM_BASE_URL", ""), os.environ.get("BUDDY_LLM_MODEL", "")
    if not base_url and not model:
        return None
    if not base_url or not model:
        raise UsageError("a language model needs both BUDDY_LLM_BASE_URL and BUDDY_LLM_MODEL")
    if not base_url.startswith(("http://", "https://")):
        raise UsageError("BUDDY_LLM_BASE_URL: expected an address such as https://api.openai.com/v1")
    settings = ModelSettings(
        base_url=base_url,
        model=model,
        api_key=os.environ.get("BUDDY_LLM_API_KEY", ""),
        image_model=os.environ.get("BUDDY_LLM_IMAGE_MODEL", ""),
        timeout_s=seconds_setting("BUDDY_LLM_TIMEOUT_S", 60, least=0.01),
        input_usd_per_million=_usd("BUDDY_LLM_INPUT_USD_PER_MILLION"),
        output_usd_per_million=_usd("BUDDY_LLM_OUTPUT_USD_PER_MILLION"),
        image_usd=_usd("BUDDY_LLM_IMAGE_USD"),
        monthly_budget_usd=_usd("BUDDY_LLM_MONTHLY_BUDGET_USD"),
    )
    prices = {
        "BUDDY_LLM_INPUT_USD_PER_MILLION": settings.input_usd_per_million,
        "BUDDY_LLM_OUTPUT_USD_PER_MILLION": settings.output_usd_per_million,
        **({"BUDDY_LLM_IMAGE_USD": settings.image_usd} if settings.image_model else {}),
    }
    unpriced = [name for name, price in prices.items() if price is None]
    if settings.monthly_budget_usd is not None and unpriced:
        raise UsageError(f"BUDDY_LLM_MONTHLY_BUDGET_USD needs the prices: {', '.join(unpriced)} not set")
    return settings


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as bytes.

    Raises:
        BuddyError: it is neither PNG nor JPEG.
    """

    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not any(self.content.startswith(beginning) for beginning in PICTURES):
            raise BuddyError("expected a picture as PNG or JPEG, found something else")

    @property
    def media_type(self) -> str:
        return next(kind for beginning, kind in PICTURES.items() if self.content.startswith(beginning))

    def data_url(self) -> str:
        """As it stands in a request."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


class LanguageModel:
    """One model, asked for several things in a run.

    Attributes:
        calls: what was answered in this run, first to last.
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
        self._sleep = sleep
        self._backoff_s = seconds_setting("BUDDY_HTTP_BACKOFF_S", 1)
        self.calls: list[ModelCall] = []

    def text(self, purpose: str, system: str, user: str, *, facts: Sequence[Facts] = (), max_tokens: int = 400) -> str:
        """What the model says.

        Raises:
            ModelError: nothing that could be used.
        """
        return self._chat(purpose, _messages(system, user, facts), max_tokens)

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
        """A JSON object by a schema, as ``check`` makes of it; where that fails the model may mend it, once.

        Args:
            schema: JSON Schema of an object; all of OpenAI's "strict" rules, so that endpoints can enforce it.
            check: raises ValueError, with words that the model can mend it by. What it is given any warehouse can hold.

        Raises:
            ModelError: nothing that could be used.
        """
        messages = _messages(system, user, facts, pictures)
        answer_format = {
            "type": "json_schema",
            "json_schema": {"name": purpose, "schema": dict(schema), "strict": True},
        }
        answer = self._chat(purpose, messages, max_tokens, answer_format)
        try:
            return _checked(answer, schema, check)
        except ValueError as problem:
            _log.info("%s: asking the model to mend its answer: %s", purpose, problem)
            mend = (
                f"That cannot be used: {problem}. Answer again with the whole corrected JSON object and nothing else."
            )
            messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": mend}]
        answer = self._chat(purpose, messages, max_tokens, answer_format)
        try:
            return _checked(answer, schema, check)
        except ValueError as problem:
            raise ModelAnswerError(f"the model's answer cannot be used, also mended: {problem}") from None

    def picture(self, purpose: str, prompt: str) -> Picture:
        """A picture that the image model makes.

        Raises:
            UsageError: no image model is named.
            ModelError: nothing that could be used.
        """
        model = self._settings.image_model
        if not model:
            raise UsageError("BUDDY_LLM_IMAGE_MODEL is not set: no picture can be made")
        # The newer models answer with the picture and know no other way; for the others it has to be said.
        how: dict[str, Any] = (
            {} if model.startswith(("gpt-image", "chatgpt-image")) else {"response_format": "b64_json"}
        )
        started = time.monotonic()
        answer = self._request(lambda client: client.images.generate(model=model, prompt=prompt, n=1, **how))
        usage = getattr(answer, "usage", None)
        counts = _count(usage, "input_tokens"), _count(usage, "output_tokens")
        encoded = _text(_first(getattr(answer, "data", None)), "b64_json")
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
        """What this run's calls have come to, as commands answer it."""
        return {
            "model_calls_count": len(self.calls),
            "model_input_tokens_count": sum(call.input_tokens for call in self.calls),
            "model_output_tokens_count": sum(call.output_tokens for call in self.calls),
            "model_cost_usd": round(sum(call.cost_usd for call in self.calls), 6),
        }

    def _chat(
        self,
        purpose: str,
        messages: list[ChatCompletionMessageParam],
        max_tokens: int,
        answer_format: Mapping[str, Any] | None = None,
    ) -> str:
        settings = self._settings
        how: dict[str, Any] = {"response_format": answer_format} if answer_format else {}
        started = time.monotonic()
        answer = self._request(
            lambda client: client.chat.completions.create(
                model=settings.model, messages=messages, max_completion_tokens=max_tokens, **how
            )
        )
        usage = getattr(answer, "usage", None)
        tokens = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        prices = settings.input_usd_per_million or 0, settings.output_usd_per_million or 0
        cost_usd = sum(count * price for count, price in zip(tokens, prices, strict=True)) / 1e6
        choice = _first(getattr(answer, "choices", None))
        message = getattr(choice, "message", None)
        said, refusal = _text(message, "content").strip(), _text(message, "refusal")
        reason = getattr(choice, "finish_reason", None)
        error: ModelError | None = None
        if refusal or reason == "content_filter":
            error = ModelRefusedError(f"the model does not answer: {_shorten(refusal or 'its filter stopped it')}")
            outcome = "refused"
        elif reason == "length":
            error, outcome = ModelAnswerError(f"the model's answer is cut off after {tokens[1]} tokens"), "cut_off"
        elif not said:
            error, outcome = ModelAnswerError("the model answered with nothing"), "unusable"
        else:
            outcome = "answered"
        self._record_call(purpose, settings.model, *tokens, cost_usd, started, outcome)
        if error:
            raise error
        return said

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

    def _request(self, ask: Callable[[OpenAI], _Result]) -> _Result:
        """One answer of the endpoint, of the type that its API promises or of none."""
        import openai

        self._check_budget()
        settings = self._settings
        passing = (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError, TimeoutError)
        client = openai.OpenAI(
            # A local server wants none, and the client does not go without.
            api_key=settings.api_key or "none",
            base_url=settings.base_url,
            timeout=settings.timeout_s,
            max_retries=0,
        )
        retrying = Retrying(
            stop=lambda state: stop_after_attempt(ATTEMPTS)(state) or _stated_pause_s(state) > LONGEST_PAUSE_S,
            wait=lambda state: max(
                wait_exponential_jitter(initial=self._backoff_s, jitter=self._backoff_s)(state), _stated_pause_s(state)
            ),
            retry=retry_if_exception_type(passing),
            sleep=self._sleep,
            reraise=True,
        )
        with client:
            try:
                answer: _Result = retrying(within, settings.timeout_s, functools.partial(ask, client))
                return answer
            except TimeoutError:
                raise ModelUnavailableError(f"the model gave no whole answer within {settings.timeout_s:g} s") from None
            except passing as error:
                raise ModelUnavailableError(f"the model was not reached: {_shorten(str(error))}") from None
            except openai.APIStatusError as error:
                if error.code in _REFUSALS:
                    raise ModelRefusedError(f"the model does not answer: {_shorten(error.message)}") from None
                raise ModelUnavailableError(
                    f"the model's endpoint answered {error.status_code}: {_shorten(error.message)}"
                ) from None
            except (openai.OpenAIError, ValueError) as error:
                raise ModelAnswerError(f"the model's endpoint answered with no JSON: {_shorten(str(error))}") from None

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


def _messages(
    system: str, user: str, facts: Sequence[Facts], pictures: Sequence[Picture] = ()
) -> list[ChatCompletionMessageParam]:
    known = "".join(f"\n\nFacts (JSON):\n{fact.to_json()}" for fact in facts)
    if not pictures:
        return [{"role": "system", "content": system + known}, {"role": "user", "content": user}]
    shown: list[ChatCompletionContentPartParam] = [
        {"type": "image_url", "image_url": {"url": picture.data_url()}} for picture in pictures
    ]
    return [
        {"role": "system", "content": system + known},
        {"role": "user", "content": [{"type": "text", "text": user}, *shown]},
    ]


def _checked(answer: str, schema: Mapping[str, Any], check: Callable[[dict[str, Any]], _Checked]) -> _Checked:
    # Endpoints that do not enforce the schema often wrap JSON as in a chat.
    text = answer.removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        document = json.loads(text, parse_constant=_no_number)
        check_json(document)
        jsonschema.validate(document, schema)
    except jsonschema.ValidationError as error:
        raise ValueError(f"{error.json_path}: {_shorten(error.message)}") from None
    except RecursionError:
        raise ValueError("it is no JSON object") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    return check(document)


# What an endpoint says need not be of the types that its API promises.


def _count(usage: object, name: str) -> int:
    value = getattr(usage, name, None)
    return value if isinstance(value, int) else 0


def _first(items: object) -> object:
    return items[0] if isinstance(items, list) and items else None


def _text(holder: object, name: str) -> str:
    """Empty where there is none; without halves of characters, which nothing can keep or show."""
    value = getattr(holder, name, None)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _stated_pause_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    headers = getattr(getattr(error, "response", None), "headers", None)
    return (retry_after_s(headers, time.time()) or 0) if headers is not None else 0


def _shorten(text: str) -> str:
    text = " ".join(without_secrets(text).split())
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _usd(variable: str) -> float | None:
    stated = os.environ.get(variable)
    if not stated:
        return None
    try:
        amount = float(stated)
    except ValueError:
        amount = -1
    if not 0 <= amount < float("inf"):
        raise UsageError(f"{variable}: expected an amount in US dollars such as 2.50, found {stated!r}")
    return amount
