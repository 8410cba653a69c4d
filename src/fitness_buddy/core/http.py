"""The only HTTP client: each request has a deadline, a size limit, one retry policy and redaction (urllib3 beneath).

BUDDY_HTTP_TIMEOUT_S and BUDDY_HTTP_BACKOFF_S shorten waits where a test runs a whole command.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import json
import logging
import math
import re
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from fitness_buddy import __version__
from fitness_buddy.core import variables
from fitness_buddy.core.deadline import within
from fitness_buddy.core.errors import EXIT_TRY_LATER, BuddyError, UsageError
from fitness_buddy.core.redaction import without
from fitness_buddy.core.retry import ATTEMPTS, back_off

MAX_BYTES = 64 * 2**20
_MAX_SHOWN = 200
_CHUNK = 2**16
# A host that does not accept the connection by then is down.
_CONNECT_WITHIN_S = 10
# No service closes for longer than a month; what states more is broken.
_LONGEST_LIMIT_S = 31 * 86_400.0
# JSON of one response: each object or array takes some 200 bytes of memory, each value some tens.
_MAX_CONTAINERS, _MAX_VALUES = 2_000_000, 10_000_000
_REDIRECTS = {301, 302, 303, 307, 308}
# The values of form fields with these names are never shown.
_SECRET_FIELDS = {"client_secret", "refresh_token", "code", "code_verifier"}
_TOKEN = re.compile(r"[\x21-\x7e]+")

_log = logging.getLogger(__name__)


class ApiError(BuddyError):
    """A service did not answer, or not as expected.

    Attributes:
        status: of HTTP; None without a whole response.
    """

    def __init__(self, request: str, problem: str, *, status: int | None = None) -> None:
        super().__init__(f"{request}: {problem}", details={"http_status": status})
        self.status = status


class RateLimitedError(BuddyError):
    """A service refuses requests for now, because there were too many.

    Attributes:
        resume_after: when it takes the next request, in UTC; None where it does not say.
    """

    exit_code = EXIT_TRY_LATER

    def __init__(self, title: str, resume_after: datetime | None, words: str = "") -> None:
        """
        Args:
            title: the name of the service.
            words: the service's own, without secrets.
        """
        self.resume_after = resume_after.astimezone(UTC) if resume_after else None
        advice = f"resume after {self.resume_after:%Y-%m-%d %H:%M} UTC" if self.resume_after else "try again later"
        super().__init__(
            f"{title} takes no more requests for now: {advice}" + (f" ({words})" if words else ""),
            details={"resume_after": self.resume_after.isoformat() if self.resume_after else None},
        )


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The response of a service.

    Attributes:
        status: 200 to 299, or 400 to 499 without 429.
        headers: their names in upper or lower case.
        document: the JSON of the body; None for JSON's null and where the body is no JSON.
        message: the service's own words about a refusal, short and without secrets; may be empty.
        request: method, host and path of the request, for people.
        body: the body, verbatim.
        is_json: whether the body is JSON.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    document: Any = field(repr=False)
    message: str = ""
    request: str = ""
    body: bytes = field(default=b"", repr=False)
    is_json: bool = True

    def error(self, explanation: str) -> ApiError:
        """Return an error with the request, this response, and an explanation of it."""
        words = f" ({self.message})" if self.message else ""
        return ApiError(self.request, f"answered {self.status}{words}. {explanation}", status=self.status)


def retry_after(response: HttpResponse, now: float) -> float | None:
    """Return when the next request is taken (epoch seconds), by a 429's header Retry-After; None if missing."""
    pause_s = retry_after_s(response.headers, now) if response.status == 429 else None
    return None if pause_s is None else now + pause_s


class RateLimit:
    """When a service takes the next request. The clients of one service share one.

    A service that is known to refuse is not asked: a refused request counts, too.

    Attributes:
        title: the name of the service, for people.
        is_waited_for: whether a client waits by itself, instead of leaving it to its caller.
    """

    def __init__(
        self,
        title: str,
        *,
        opens_at: Callable[[HttpResponse, float], float | None] = retry_after,
        is_waited_for: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            opens_at: of a response and the time, when the next request is taken; None for at once, or if a 429 does
                not say. All in epoch seconds.
        """
        self.title = title
        self.is_waited_for = is_waited_for
        self._read = opens_at
        self._clock = clock
        self._opens_at = 0.0

    def check(self) -> None:
        """Raise RateLimitedError while the service is known to refuse."""
        if self._clock() < self._opens_at:
            raise RateLimitedError(self.title, datetime.fromtimestamp(self._opens_at, UTC))

    def note(self, response: HttpResponse) -> None:
        """Read a response's limits; raise RateLimitedError for a 429."""
        now = self._clock()
        stated = self._read(response, now)
        if stated is not None:
            # What a service states may be no number, long ago, or in a thousand years.
            stated = min(max(stated, now), now + _LONGEST_LIMIT_S) if math.isfinite(stated) else None
        # A response that says nothing of a limit does not lift it.
        self._opens_at = max(self._opens_at, stated or 0)
        if response.status == 429:
            resume_after = None if stated is None else datetime.fromtimestamp(self._opens_at, UTC)
            raise RateLimitedError(self.title, resume_after, response.message)

    def wait_s(self, error: RateLimitedError) -> float:
        """Return for how many seconds the service refuses; 0 where it does not say."""
        return max(0.0, error.resume_after.timestamp() - self._clock()) if error.resume_after else 0.0


class _PassingError(Exception):
    """A failure that another attempt may avoid."""

    def __init__(self, problem: str, *, status: int | None = None, pause_s: float = 0) -> None:
        super().__init__(problem)
        self.status = status
        self.pause_s = pause_s


@dataclass(slots=True)
class _Request:
    """One request; ``label`` is what people see of it."""

    label: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    expects_json: bool
    attempts: int = 0


class HttpClient:
    """A service below one URL.

    Attributes:
        requests: the number of requests sent, further attempts included.
    """

    def __init__(
        self,
        base_url: str,
        *,
        rate_limit: RateLimit | None = None,
        login: tuple[str, str] | None = None,
        secrets: Iterable[str] = (),
        label: str = "",
        is_clear_text_allowed: bool = False,
        max_redirects: int = 0,
        max_bytes: int = MAX_BYTES,
        user_agent: str = f"fitness-buddy/{__version__}",
        attempts: int = ATTEMPTS,
        backoff_s: float | None = None,
        timeout_s: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            login: name and password of Basic authentication, sent with every request.
            secrets: texts that no message may show, besides the secrets of the requests themselves.
            label: shown instead of each request, where the address itself is a secret.
            is_clear_text_allowed: whether http:// is allowed for other machines.
            max_redirects: how many are followed; never with a login or a token, and never from https:// to http://.
            backoff_s: the first pause before another attempt; each further one is twice as long.
            timeout_s: the deadline of one attempt, from the connection to the last byte.

        Raises:
            UsageError: the URL is none, or would send a login unencrypted.
        """
        try:
            parts = urlsplit(base_url)
        except ValueError:
            parts = urlsplit("")
        self._host = parts.hostname or ""
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and (is_clear_text_allowed or _is_loopback(self._host))
        )
        if not self._host or not is_safe:
            raise UsageError(_wrong_address(label, f"{parts.scheme}://{self._host}", is_clear_text_allowed))
        self.requests = 0
        self._base_url = base_url.rstrip("/")
        self._label = label
        self._secrets = {secret for secret in secrets if secret}
        self._login = ""
        if login:
            self._login = base64.b64encode(":".join(login).encode()).decode()
            self._secrets |= {login[1], self._login}
        self._rate_limit = rate_limit or RateLimit(label or self._host)
        self._max_redirects = max_redirects
        self._max_bytes = max_bytes
        self._user_agent = user_agent
        self._timeout_s = variables.HTTP_TIMEOUT_S.read() if timeout_s is None else timeout_s
        backoff_s = variables.HTTP_BACKOFF_S.read() if backoff_s is None else backoff_s
        self._policy = back_off(backoff_s, attempts)
        self._sleep = sleep
        self._pools: dict[str, urllib3.PoolManager] = {}

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
    ) -> HttpResponse:
        """Send a request, and again after 5xx, 429, lost connections, timeouts and broken responses.

        Args:
            content: a body of any other kind, after its media type.
            expects_json: whether a success without JSON is a broken response.

        Raises:
            ApiError: no whole response in any attempt, too large a one, or a redirect that is not followed.
            RateLimitedError: the service asks for too long a pause.
        """
        request = self._request(method, path, params, body_json, form, content, token, expects_json)
        try:
            return self._policy.call(
                functools.partial(self._attempt, request),
                is_passing=self._is_passing,
                stated_pause_s=self._stated_pause_s,
                before_pause=lambda error, pause_s, _: _log_pause(request.label, error, pause_s),
                sleep=self._sleep,
            )
        except _PassingError as error:
            in_attempts = f" in {request.attempts} attempts" if request.attempts > 1 else ""
            raise ApiError(request.label, f"{error}{in_attempts}; try again later", status=error.status) from None

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body_json: object,
        form: Mapping[str, str] | None,
        content: tuple[str, bytes] | None,
        token: str | None,
        expects_json: bool,
    ) -> _Request:
        url = self._base_url + path
        label = self._label or f"{method} {self._host}{self._hidden(urlsplit(url).path)}"
        headers = {
            "Accept": "application/json" if expects_json else "*/*",
            "User-Agent": self._user_agent,
        }
        body = None
        if self._login:
            headers["Authorization"] = f"Basic {self._login}"
        if token is not None:
            self._secrets.add(token)
            if urlsplit(url).scheme != "https" and not _is_loopback(self._host):
                raise ApiError(label, "not sent: a key goes only over https://, or to this machine")
            if not _TOKEN.fullmatch(token):
                raise ApiError(label, "not sent: the access token is damaged; log in again, or set it again")
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
        return _Request(label, method, url, headers, body, expects_json)

    def _is_passing(self, error: BaseException) -> bool:
        if isinstance(error, RateLimitedError):
            return self._rate_limit.is_waited_for
        return isinstance(error, _PassingError)

    def _stated_pause_s(self, error: BaseException) -> float:
        if isinstance(error, RateLimitedError):
            return self._rate_limit.wait_s(error)
        return error.pause_s if isinstance(error, _PassingError) else 0

    def _attempt(self, request: _Request) -> HttpResponse:
        request.attempts += 1
        if request.attempts == 1:  # later attempts have waited
            self._rate_limit.check()
        self.requests += 1
        try:
            status, headers, body = within(self._timeout_s, functools.partial(self._exchange, request))
        except TimeoutError:
            raise _PassingError(f"no whole answer within {self._timeout_s:g} s") from None
        except HTTPError as error:
            # Its words may name the address.
            words = f" ({type(error).__name__})" if self._label else f": {self._plain(str(error))}"
            raise _PassingError(f"no whole answer{words}") from None
        document, is_json = _read_json(body)
        response = HttpResponse(
            status, headers, document, self._plain(_words_of(document)), request.label, body, is_json
        )
        self._rate_limit.note(response)
        self._check(request, response)
        return response

    def _check(self, request: _Request, response: HttpResponse) -> None:
        """Raise _PassingError or ApiError unless a caller can use the response."""
        status = response.status
        if status >= 500:
            words = f" ({response.message})" if response.message else ""
            pause_s = (retry_after_s(response.headers, time.time()) or 0) if status == 503 else 0
            raise _PassingError(f"answered {status}{words}", status=status, pause_s=pause_s)
        if 300 <= status < 400:
            raise ApiError(request.label, f"answered {status}: redirects are not followed, a login stays with its host")
        if status < 300 and status != 204 and request.expects_json and not response.is_json:
            raise _PassingError(f"answered {status} with something that is not JSON, or not all of it", status=status)

    def _exchange(self, request: _Request) -> tuple[int, Mapping[str, str], bytes]:
        """Send the request, follow redirects, and return status, headers and body."""
        ends_at = time.monotonic() + self._timeout_s
        max_redirects = 0 if "Authorization" in request.headers else self._max_redirects
        url = request.url
        for _ in range(max_redirects + 1):
            status, headers, body = self._send(request, url, ends_at)
            place = headers.get("Location")
            if not (max_redirects and status in _REDIRECTS and place):
                return status, headers, body
            expected = {"https"} if urlsplit(url).scheme == "https" else {"https", "http"}
            try:
                url = urljoin(url, place)
                scheme = urlsplit(url).scheme
            except ValueError:  # such as http://[
                scheme = ""
            if scheme not in expected:
                schemes = " or ".join(f"{scheme}://" for scheme in sorted(expected, reverse=True))
                raise ApiError(request.label, f"redirected to an address that does not begin with {schemes}")
        raise ApiError(request.label, f"redirected more than {max_redirects} times")

    def _send(self, request: _Request, url: str, ends_at: float) -> tuple[int, Mapping[str, str], bytes]:
        response = self._pool(url).request(
            request.method,
            url,
            body=request.body,
            headers=request.headers,
            retries=False,
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=min(_CONNECT_WITHIN_S, self._timeout_s), read=self._timeout_s),
        )
        content = bytearray()
        too_large = f"answered with more than {self._max_bytes / 2**20:g} MB"
        try:
            # What is there, not a full chunk: a server that sends single bytes would hold up a full chunk for ever.
            while chunk := response.read1(_CHUNK, decode_content=False):
                content += chunk
                if len(content) > self._max_bytes:
                    raise ApiError(request.label, too_large, status=response.status)
                if time.monotonic() > ends_at:
                    raise TimeoutError
        except HTTPError:
            # A refusal is certain even if its words are cut off; another attempt would only be refused again.
            if not 400 <= response.status < 500:
                raise
            content.clear()
        finally:
            response.close()  # a connection whose response was read whole is back in the pool by now
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        body = _unpacked(bytes(content), encoding, self._max_bytes)
        if body is None:
            raise ApiError(request.label, f"{too_large}, or packed in a way that is not read", status=response.status)
        return response.status, response.headers, body

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Return the connections for an address, by way of HTTPS_PROXY or HTTP_PROXY unless NO_PROXY excludes it.

        Certificates are verified: that is urllib3's default.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        proxy_url = "" if _is_loopback(host) or proxy_bypass(host) else getproxies().get(parts.scheme, "")
        if proxy_url not in self._pools:
            self._pools[proxy_url] = urllib3.ProxyManager(proxy_url) if proxy_url else urllib3.PoolManager()
        return self._pools[proxy_url]

    def _hidden(self, text: str) -> str:
        return without(text, self._secrets)

    def _plain(self, text: str) -> str:
        """Return the text of others as one short line, printable and without secrets."""
        text = self._hidden(text)
        text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
        return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _unpacked(content: bytes, encoding: str, max_bytes: int) -> bytes | None:
    """Return a body without its content encoding; None if it is too large, damaged, or of another encoding.

    A megabyte of gzip may become a gigabyte, so no more is unpacked than is allowed. No request asks for an encoding.
    """
    if encoding in {"", "identity"} or not content:
        return content
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        return None
    try:
        unpacked = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(content, max_bytes + 1)
    except zlib.error:
        return None
    return unpacked if len(unpacked) <= max_bytes else None


def _read_json(body: bytes) -> tuple[Any, bool]:
    """Return the JSON of a body, and whether it is any that fits into memory."""
    if body.count(b"{") + body.count(b"[") > _MAX_CONTAINERS or body.count(b",") > _MAX_VALUES:
        return None, False
    try:
        return json.loads(body), True
    except (ValueError, RecursionError):
        return None, False


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the pause that the header Retry-After states as seconds or as a date; None where it is missing."""
    stated = headers.get("Retry-After", "").strip()
    if stated.isdecimal():
        return min(float(stated), _LONGEST_LIMIT_S)
    try:
        return min(max(0.0, parsedate_to_datetime(stated).timestamp() - now), _LONGEST_LIMIT_S)
    except (ValueError, TypeError, OverflowError):
        return None


def _words_of(document: Any) -> str:
    """Return a service's own words about a refusal; empty if there are none.

    They are Strava's ``message`` and ``errors``, OAuth's and Google's ``error``, Kestra's ``message`` or ``detail``.
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


def _log_pause(label: str, error: BaseException, pause_s: float) -> None:
    if pause_s > 1:
        _log.warning("%s: %s; trying again in %.0f s", label, error, pause_s)


def _wrong_address(label: str, found: str, is_clear_text_allowed: bool) -> str:
    if is_clear_text_allowed:
        return f"{label}: expected an address that begins with https:// or http://"
    return (
        "expected a service's address to begin with https://, since a login goes there "
        f"(http:// only on loopback); found {found}"
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
