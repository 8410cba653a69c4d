"""JSON over HTTPS, bounded in time, size and number of attempts; what is secret stays out of every error.

The environment shortens waits where a test runs the whole command: BUDDY_HTTP_BACKOFF_S (1: the first pause before
another attempt) and BUDDY_HTTP_TIMEOUT_S (60: for one attempt, from the connection to the last byte).
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import json
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter
from urllib3.exceptions import HTTPError

from fitness_buddy import __version__
from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError, UsageError

ATTEMPTS = 4
# A service that asks for more patience than this is left until the next run.
LONGEST_PAUSE_S = 120.0
MOST_BYTES = 64 * 2**20
_MOST_WORDS = 200
_CHUNK = 2**16
# What a form field of these names holds is never shown.
_SECRET_FIELDS = {"client_secret", "refresh_token", "code", "code_verifier"}
_TOKEN = re.compile(r"[\x21-\x7e]+")

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class ApiError(BuddyError):
    """A service did not answer, or not as expected.

    Attributes:
        status: of HTTP; None when there was no whole answer.
    """

    def __init__(self, request: str, problem: str, *, status: int | None = None) -> None:
        super().__init__(f"{request}: {problem}", details={"http_status": status})
        self.status = status


class RateLimitedError(BuddyError):
    """A service has had enough requests for now.

    Attributes:
        resume_after: when it takes the next one; UTC.
    """

    exit_code = EXIT_TRY_LATER

    def __init__(self, title: str, resume_after: datetime) -> None:
        self.resume_after = resume_after.astimezone(UTC)
        super().__init__(
            f"{title} takes no more requests for now: resume after {self.resume_after:%Y-%m-%d %H:%M} UTC",
            details={"resume_after": self.resume_after.isoformat()},
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said.

    Attributes:
        status: 200 to 299, or 400 to 499.
        headers: their names in any case.
        document: the JSON of its body; None if there is none, and for a refusal that is not JSON.
        message: the service's own words about a refusal, short and without secrets; may be empty.
        request: what was asked, for people: method, host and path.
        body: as it came.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    document: Any = field(repr=False)
    message: str = ""
    request: str = ""
    body: bytes = field(default=b"", repr=False)

    def error(self, explanation: str) -> ApiError:
        """This answer as an error: what was asked, what came back, and what it means."""
        said = f" ({self.message})" if self.message else ""
        return ApiError(self.request, f"answered {self.status}{said}. {explanation}", status=self.status)


class _PassingError(Exception):
    """What the next attempt may not meet."""

    def __init__(self, problem: str, *, status: int | None = None, retry_after_s: float = 0) -> None:
        super().__init__(problem)
        self.status = status
        self.retry_after_s = retry_after_s


class Api:
    """A service below one URL.

    Attributes:
        requests: how many were sent, further attempts included.
    """

    def __init__(
        self,
        base_url: str,
        *,
        login: tuple[str, str] | None = None,
        secrets: Iterable[str] = (),
        backoff_s: float | None = None,
        timeout_s: float | None = None,
        most_bytes: int = MOST_BYTES,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            login: name and password of Basic authentication, sent with every call.
            secrets: what no message may show, besides the secrets of the calls themselves.
            backoff_s: the first pause before another attempt; each further one is twice as long.
            timeout_s: for one attempt, from the connection to the last byte.

        Raises:
            UsageError: the URL would send a token in the clear.
        """
        try:
            parts = urlsplit(base_url)
        except ValueError:
            parts = urlsplit("")
        self._host = parts.hostname or ""
        if not self._host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(self._host))):
            raise UsageError(
                "expected a service's address to begin with https://, since a login goes there "
                f"(http:// only on loopback); found {parts.scheme}://{self._host}"
            )
        self.requests = 0
        self._base_url = base_url.rstrip("/")
        self._secrets = {secret for secret in secrets if secret}
        self._login = ""
        if login:
            self._login = base64.b64encode(":".join(login).encode()).decode()
            self._secrets |= {login[1], self._login}
        self._timeout_s = seconds_setting("BUDDY_HTTP_TIMEOUT_S", 60, least=0.01) if timeout_s is None else timeout_s
        self._most_bytes = most_bytes
        self._attempts = attempts
        self._sleep = sleep
        backoff_s = seconds_setting("BUDDY_HTTP_BACKOFF_S", 1) if backoff_s is None else backoff_s
        self._backoff = wait_exponential_jitter(initial=backoff_s, max=LONGEST_PAUSE_S, jitter=backoff_s)
        # Certificates are verified: that is urllib3's default. HTTPS_PROXY and NO_PROXY are heeded as everywhere.
        proxy_url = None if _is_loopback(self._host) or proxy_bypass(self._host) else getproxies().get(parts.scheme)
        self._pool = urllib3.ProxyManager(proxy_url) if proxy_url else urllib3.PoolManager()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body_json: object = None,
        form: Mapping[str, str] | None = None,
        content: tuple[str, bytes] | None = None,
        token: str | None = None,
        expects_json: bool = True,
    ) -> Answer:
        """Ask once, and again only where nothing says no: after 5xx, lost connections, timeouts and broken answers.

        Args:
            content: a body of any other kind, after its media type.
            expects_json: or anything, nothing included.

        Raises:
            ApiError: no whole answer in any attempt, too large a one, or a redirect.
        """
        url = self._base_url + path
        request = f"{method} {self._host}{self._hidden(urlsplit(url).path)}"
        accepted = "application/json" if expects_json else "*/*"
        headers = {"Accept": accepted, "User-Agent": f"fitness-buddy/{__version__}"}
        body = None
        if self._login:
            headers["Authorization"] = f"Basic {self._login}"
        if token is not None:
            self._secrets.add(token)
            if not _TOKEN.fullmatch(token):
                raise ApiError(request, "not asked: the stored access token is damaged; log in again with `buddy auth`")
            headers["Authorization"] = f"Bearer {token}"
        if form is not None:
            self._secrets |= {value for name, value in form.items() if name in _SECRET_FIELDS and value}
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(form).encode()
        elif body_json is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body_json).encode()
        elif content is not None:
            headers["Content-Type"], body = content
        if params:
            url += "?" + urlencode(params)
        exchange = functools.partial(self._exchange, request, method, url, headers, body)
        retrying = Retrying(
            stop=lambda state: stop_after_attempt(self._attempts)(state) or _asked_pause_s(state) > LONGEST_PAUSE_S,
            wait=lambda state: max(self._backoff(state), _asked_pause_s(state)),
            retry=retry_if_exception_type(_PassingError),
            sleep=self._sleep,
            before_sleep=functools.partial(_tell_pause, request),
            reraise=True,
        )
        try:
            return retrying(self._attempt, request, exchange, expects_json)
        except _PassingError as error:
            attempts = retrying.statistics["attempt_number"]
            tried = f" in {attempts} attempts" if attempts > 1 else ""
            raise ApiError(request, f"{error}{tried}; try again later", status=error.status) from None

    def _attempt(
        self, request: str, exchange: Callable[[], tuple[int, Mapping[str, str], bytes]], expects_json: bool
    ) -> Answer:
        self.requests += 1
        try:
            status, headers, body = within(self._timeout_s, exchange)
        except TimeoutError:
            raise _PassingError(f"no whole answer within {self._timeout_s:g} s") from None
        except HTTPError as error:
            raise _PassingError(f"no whole answer: {self._plain(str(error))}") from None
        try:
            document = json.loads(body) if body else None
            is_json = bool(body) or status == 204
        except (ValueError, RecursionError):
            document, is_json = None, False
        answer = Answer(status, headers, document, self._plain(_words(document)), request, body)
        if status >= 500:
            said = f" ({answer.message})" if answer.message else ""
            pause_s = (retry_after_s(headers, time.time()) or 0) if status == 503 else 0
            raise _PassingError(f"answered {status}{said}", status=status, retry_after_s=pause_s)
        if 300 <= status < 400:
            raise ApiError(request, f"answered {status}: redirects are not followed, a login stays with its host")
        if status < 300 and expects_json and not is_json:
            raise _PassingError(f"answered {status} with something that is not JSON, or not all of it", status=status)
        return answer

    def _exchange(
        self, request: str, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        ends_at = time.monotonic() + self._timeout_s
        response = self._pool.request(
            method,
            url,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=min(10, self._timeout_s), read=min(30, self._timeout_s)),
        )
        content = bytearray()
        try:
            # What is there, not a full chunk: a dripping server would make that wait for ever.
            while chunk := response.read1(_CHUNK):
                content += chunk
                if len(content) > self._most_bytes:
                    too_large = f"answered with more than {self._most_bytes / 2**20:g} MB"
                    raise ApiError(request, too_large, status=response.status)
                if time.monotonic() > ends_at:
                    raise TimeoutError
        except HTTPError:
            # A refusal stands even if its words are cut off; asking again would only be refused again.
            if not 400 <= response.status < 500:
                raise
            content.clear()
        finally:
            response.close()  # a connection whose answer was read whole is back in the pool by now
        return response.status, response.headers, bytes(content)

    def _hidden(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _plain(self, text: str) -> str:
        """Text of others on one short line, printable and without secrets."""
        text = self._hidden(text)
        text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
        return text if len(text) <= _MOST_WORDS else text[: _MOST_WORDS - 1] + "…"


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """How long to wait by the header Retry-After, which holds seconds or a date."""
    stated = headers.get("Retry-After", "").strip()
    if stated.isdecimal():
        return float(stated)
    try:
        return max(0.0, parsedate_to_datetime(stated).timestamp() - now)
    except ValueError:
        return None


def within(seconds: float, function: Callable[[], _Result]) -> _Result:
    """Give up waiting for the function after so many seconds (TimeoutError).

    Timeouts of sockets are for one read: a name server, a handshake or headers that drip outlast any of them. The
    thread that is left behind ends with its connection and holds up nothing.
    """
    results: queue.SimpleQueue[tuple[_Result | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((function(), None))
        except BaseException as error:  # it is raised where it is waited for
            results.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _words(document: Any) -> str:
    """What a service says about a refusal.

    Strava's ``message`` and ``errors``, OAuth's and Google's ``error``, Kestra's ``message`` or ``detail``.
    """
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    words = [
        document.get("message"),
        error,
        document.get("error_description"),
        document.get("errors"),
        document.get("detail"),
    ]
    if isinstance(error, dict):
        words[1] = error.get("message")
    if isinstance(words[3], list):
        words[3] = ", ".join(
            " ".join(str(problem[key]) for key in ("resource", "field", "code", "detail") if problem.get(key))
            for problem in words[3]
            if isinstance(problem, dict)
        )
    return ": ".join(word for word in words if isinstance(word, str) and word)


def _asked_pause_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after_s if isinstance(error, _PassingError) else 0


def _tell_pause(request: str, state: RetryCallState) -> None:
    if state.upcoming_sleep > 1:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("%s: %s; trying again in %.0f s", request, error, state.upcoming_sleep)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def seconds_setting(variable: str, default: float, least: float = 0) -> float:
    """A number of seconds of the environment.

    Raises:
        UsageError: it is none, or less than the least.
    """
    stated = os.environ.get(variable)
    if not stated:
        return default
    try:
        seconds = float(stated)
    except ValueError:
        seconds = -1
    if not least <= seconds < float("inf"):
        raise UsageError(f"{variable}: expected a number of seconds from {least:g} on, found {stated!r}")
    return seconds
