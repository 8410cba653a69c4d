"""Wait for code no longer than a limit: for a request, or for the expansion of a hostile recurrence rule."""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")
# How often a stop is sent to code that caught the first one, and how long each is waited for.
_STOPS, _STOP_S = 20, 0.1


class _StopError(BaseException):
    """Raised inside the code that is stopped; no ``except Exception`` catches it."""


def within(
    seconds: float, function: Callable[[], _Result], *, on_timeout: Callable[[threading.Thread], None] | None = None
) -> _Result:
    """Return the function's result, which a thread of its own computes.

    Timeouts of sockets are for one read: a name server, a handshake or slow headers outlast any of them. The thread
    that is left behind ends with its connection and holds up nothing.

    Args:
        on_timeout: gets the thread of a function that took longer.

    Raises:
        TimeoutError: the function took longer.
    """
    results: queue.SimpleQueue[tuple[_Result | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((function(), None))
        except BaseException as error:  # raised by the thread that waits for it
            results.put((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        if on_timeout:
            on_timeout(thread)
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def limited(seconds: float, function: Callable[[], _Result]) -> _Result:
    """Return the function's result; stop the function after so many seconds.

    Only Python code is stopped: a call into C ends first.

    Raises:
        TimeoutError: the function took longer.
    """
    return within(seconds, function, on_timeout=_stop)


def _stop(thread: threading.Thread) -> None:
    for _ in range(_STOPS):
        if not thread.is_alive() or thread.ident is None:
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_StopError))
        thread.join(_STOP_S)
