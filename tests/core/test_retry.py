"""How often a call is repeated, and the pauses between the attempts."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.core.retry import ATTEMPTS, MAX_PAUSES_S, back_off, wait_for_lock


def failing(times: int, error: Exception) -> Callable[[], str]:
    left = iter([error] * times)

    def call() -> str:
        for problem in left:
            raise problem
        return "done"

    return call


def is_os_error(error: BaseException) -> bool:
    return isinstance(error, OSError)


@given(failures=st.integers(0, ATTEMPTS - 1), first_pause_s=st.floats(0, 10), stated_pause_s=st.floats(0, 30))
def test_a_passing_failure_is_repeated_after_a_pause_that_doubles_or_is_stated(
    failures: int, first_pause_s: float, stated_pause_s: float
) -> None:
    slept: list[float] = []
    seen: list[tuple[float, int]] = []
    done = back_off(first_pause_s).call(
        failing(failures, OSError("x")),
        is_passing=is_os_error,
        stated_pause_s=lambda _: stated_pause_s,
        before_pause=lambda _, pause_s, attempts: seen.append((pause_s, attempts)),
        sleep=slept.append,
    )
    assert done == "done"
    assert seen == list(zip(slept, range(1, failures + 1), strict=True))
    for number, pause_s in enumerate(slept):
        least = first_pause_s * 2**number
        assert max(least, stated_pause_s) <= pause_s <= max(least + first_pause_s, stated_pause_s)


@given(pauses=st.lists(st.floats(0, 2 * MAX_PAUSES_S), min_size=ATTEMPTS, max_size=ATTEMPTS))
def test_all_pauses_of_a_call_have_a_limit(pauses: list[float]) -> None:
    slept: list[float] = []
    stated = iter(pauses)
    with pytest.raises(OSError, match="x"):
        back_off(0).call(
            failing(ATTEMPTS, OSError("x")),
            is_passing=is_os_error,
            stated_pause_s=lambda _: next(stated),
            sleep=slept.append,
        )
    assert sum(slept) <= MAX_PAUSES_S
    assert slept == pauses[: len(slept)]
    assert len(slept) == ATTEMPTS - 1 or sum(pauses[: len(slept) + 1]) > MAX_PAUSES_S


def test_the_error_of_the_last_attempt_is_raised() -> None:
    with pytest.raises(OSError, match="x"):
        back_off(0).call(failing(ATTEMPTS, OSError("x")), is_passing=is_os_error, sleep=lambda _: None)


def test_another_failure_is_not_repeated() -> None:
    slept: list[float] = []
    with pytest.raises(ValueError, match="y"):
        back_off(1).call(failing(1, ValueError("y")), is_passing=is_os_error, sleep=slept.append)
    assert slept == []


def test_a_lock_is_waited_for_until_its_time_is_over() -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(0.01)

    assert wait_for_lock(60).call(failing(30, OSError("held")), is_passing=is_os_error, sleep=sleep) == "done"
    assert len(slept) == 30
    assert all(0.1 <= pause_s <= 0.4 for pause_s in slept)
    with pytest.raises(OSError, match="held"):
        wait_for_lock(0.05).call(failing(30, OSError("held")), is_passing=is_os_error, sleep=sleep)
    assert len(slept) < 45
