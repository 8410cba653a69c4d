"""The only place that decides how a call is repeated: HTTP requests, and databases that another process has locked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
    wait_random,
)
from tenacity.stop import stop_base
from tenacity.wait import wait_base

ATTEMPTS = 4
# Of a call that a person waits for.
ATTEMPTS_AWAITED = 2
# All pauses of one call together: a service that asks for more is left until the next run.
MAX_PAUSES_S = 120.0

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The number of attempts and the pauses between them.

    Attributes:
        pause: the pause after an attempt, in seconds, as tenacity gives it.
        stop: when no attempt follows.
        max_pauses_s: no attempt follows either if all pauses together would be longer.
    """

    pause: wait_base
    stop: stop_base
    max_pauses_s: float = inf

    def call(
        self,
        function: Callable[[], _Result],
        *,
        is_passing: Callable[[BaseException], bool],
        stated_pause_s: Callable[[BaseException], float] = lambda _: 0,
        before_pause: Callable[[BaseException, float, int], None] = lambda *_: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> _Result:
        """Return the function's result; raise the error of the last attempt.

        Args:
            is_passing: whether another attempt may avoid this error.
            stated_pause_s: the least pause that the error asks for, in seconds.
            before_pause: takes the error, the pause in seconds and the number of attempts so far.
        """

        def error_of(state: RetryCallState) -> BaseException:
            assert state.outcome is not None  # noqa: S101 - only calls that raised are repeated
            error = state.outcome.exception()
            assert error is not None  # noqa: S101
            return error

        return Retrying(
            retry=retry_if_exception(is_passing),
            wait=lambda state: max(self.pause(state), stated_pause_s(error_of(state))),
            stop=lambda state: self.stop(state) or state.idle_for + state.upcoming_sleep > self.max_pauses_s,
            before_sleep=lambda state: before_pause(error_of(state), state.upcoming_sleep, state.attempt_number),
            sleep=sleep,
            reraise=True,
        )(function)


def back_off(first_pause_s: float, attempts: int = ATTEMPTS, *, max_pauses_s: float = MAX_PAUSES_S) -> RetryPolicy:
    """Return the policy of HTTP requests: each pause is twice as long as the one before, plus jitter."""
    pause = wait_exponential_jitter(initial=first_pause_s, jitter=first_pause_s)
    return RetryPolicy(pause, stop_after_attempt(attempts), max_pauses_s)


def wait_for_lock(longest_s: float) -> RetryPolicy:
    """Return the policy of locks: short random pauses, so that two processes do not meet again, for ``longest_s``."""
    return RetryPolicy(wait_random(0.1, 0.4), stop_after_delay(longest_s))
