"""OAuth logins: access tokens from refresh tokens that may change with every use, and requests with them.

A service refuses a refresh token that it has replaced. So the new one is written to the disk before anything else is
done with the response that brought it, and one process at a time asks for it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, ClassVar

from fitness_buddy.core import variables
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import ApiError, HttpClient, HttpResponse, RateLimit, RateLimitedError
from fitness_buddy.core.retry import back_off
from fitness_buddy.core.state import StateStore, read_renamed, state_name

# A token that ends sooner is not used.
_SPARE_S = 60
# One call waits twice for a rate limit, since another program may use it up in the first wait.
_RATE_LIMIT_ATTEMPTS = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The addresses of a service, and the application that reads it.

    Attributes:
        service: the name in commands and in names of states (``strava``).
        title: the name for people.
        variables: the prefix of its environment variables (``STRAVA``).
        scope: the right that the athlete must grant.
        authorize_params: parameters of its login page, besides OAuth's own.
        has_pkce: whether its login takes a proof key (RFC 7636).
        refresh_token: as set in the environment; empty if it is not.
    """

    service: str
    title: str
    variables: str
    base_url: str
    token_url: str
    authorize_url: str
    scope: str
    authorize_params: Mapping[str, str]
    has_pkce: bool
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)

    def of_athlete(self, athlete_id: str) -> ServiceSettings:
        """Return the settings of an athlete: the environment's refresh token is BUDDY_ATHLETE's and nobody else's."""
        return self if athlete_id == variables.ATHLETE.read() else replace(self, refresh_token="")


class OAuthClient:
    """Access tokens for one athlete at one service.

    Its state: ``refresh_token``; ``previous_refresh_token``, the one before it; ``access_token`` and ``expires_at``
    (epoch seconds); ``began_with``, the SHA-256 of the environment's refresh token when the state was made: if the
    environment has another one, that one is newer than the state.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        store: StateStore,
        state_name: str,
        ask: Callable[[dict[str, str]], HttpResponse],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            ask: posts a form to the service's token URL and returns a response of status 200, 400 or 401.
            clock: returns epoch seconds.
        """
        self._settings = settings
        self._store = store
        self._state_name = state_name
        self._ask = ask
        self._clock = clock

    def access_token(self) -> str:
        """Return a token that is valid for at least a minute, renewed if necessary.

        Raises:
            UsageError: there is no login yet, or the client's id or secret is wrong.
            BuddyError: the login has ended, or its state cannot be written.
        """
        with self._store.exclusive(self._state_name):
            state = self._read()
            # Another process that held the lock may have renewed it.
            token, expires_at = state.get("access_token"), state.get("expires_at")
            if (
                isinstance(token, str)
                and token
                and isinstance(expires_at, int | float)
                and expires_at > self._clock() + _SPARE_S
                and not self._is_replaced(state)
            ):
                return token
            # A full disk must fail before the old refresh token is used up.
            self._store.write(self._state_name, state)
            return self._renew(state)

    def forget_access_token(self, token: str) -> None:
        """Renew the token at the next use, because the service has refused it."""
        with self._store.exclusive(self._state_name):
            state = self._read()
            if state.get("access_token") == token:
                self._store.write(self._state_name, {**state, "access_token": ""})

    def _read(self) -> dict[str, Any]:
        former = self._state_name.replace("@", "-")
        return read_renamed(self._store, self._state_name, former, "refresh_token") or {}

    def log_in(self, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        """Begin a login with the code from the athlete's browser; return the response's JSON without its tokens.

        Raises:
            BuddyError: the service refuses the code, the athlete grants less than needed, or the state cannot be
                written.
        """
        settings = self._settings
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        response = self._post(form | ({"code_verifier": verifier} if verifier else {}))
        if response.status != 200:
            raise response.error(
                f"{settings.title} did not accept the login: run `buddy auth {settings.service}` again"
            )
        if isinstance(response.document, dict) and isinstance(response.document.get("scope"), str):
            require_scope(settings, response.document["scope"])
        with self._store.exclusive(self._state_name):
            self._keep(response, {}, "")
        return {key: value for key, value in response.document.items() if not key.endswith("token")}

    def _renew(self, state: Mapping[str, Any]) -> str:
        title, command = self._settings.title, f"`buddy auth {self._settings.service}`"
        response = None
        for refresh_token in self._refresh_tokens(state):
            response = self._post({"grant_type": "refresh_token", "refresh_token": refresh_token})
            if response.status == 200:
                return self._keep(response, state, refresh_token)
        if response is None:
            athlete_id = self._state_name.partition("@")[2]
            raise UsageError(
                f"no login of {athlete_id} at {title} yet: run {command}, or set "
                f"{self._settings.variables}_REFRESH_TOKEN, which is the login of {variables.ATHLETE.name}"
            )
        raise response.error(f"{title} no longer takes this login: run {command}")

    def _refresh_tokens(self, state: Mapping[str, Any]) -> Iterator[str]:
        """Yield the refresh tokens to try, the newest first."""
        kept = [state.get("refresh_token"), state.get("previous_refresh_token")]
        stated = [self._settings.refresh_token]
        seen = {""}
        for token in stated + kept if self._is_replaced(state) else kept + stated:
            if isinstance(token, str) and token not in seen:
                seen.add(token)
                yield token

    def _is_replaced(self, state: Mapping[str, Any]) -> bool:
        return bool(self._settings.refresh_token) and state.get("began_with") != self._fingerprint()

    def _fingerprint(self) -> str:
        return hashlib.sha256(self._settings.refresh_token.encode()).hexdigest()

    def _post(self, form: dict[str, str]) -> HttpResponse:
        settings = self._settings
        response = self._ask({"client_id": settings.client_id, "client_secret": settings.client_secret, **form})
        # Strava's and OAuth's words for a wrong client id or secret: no other token would help.
        if response.status != 200 and ("Application" in response.message or "invalid_client" in response.message):
            check = f"Check {settings.variables}_CLIENT_ID and {settings.variables}_CLIENT_SECRET"
            raise UsageError(str(response.error(check)))
        return response

    def _keep(self, response: HttpResponse, state: Mapping[str, Any], used: str) -> str:
        """Write the tokens of a response to the state, and only then return the access token."""
        title, command = self._settings.title, f"`buddy auth {self._settings.service}`"
        document = response.document if isinstance(response.document, dict) else {}
        token, refresh_token = document.get("access_token"), document.get("refresh_token") or used
        expires_at = document.get("expires_at")
        if expires_at is None and isinstance(document.get("expires_in"), int | float):
            expires_at = self._clock() + document["expires_in"]
        if not (
            isinstance(token, str)
            and isinstance(refresh_token, str)
            and isinstance(expires_at, int | float)
            and token
            and refresh_token
        ):
            expected = "expected access_token, refresh_token and expires_at"
            raise ApiError(response.request, f"{expected}, found {sorted(document)}", status=response.status)
        kept = {
            "refresh_token": refresh_token,
            "previous_refresh_token": used if used != refresh_token else state.get("previous_refresh_token", ""),
            "access_token": token,
            "expires_at": expires_at,
            # A shell without the variable does not change what the state began with.
            "began_with": self._fingerprint() if self._settings.refresh_token else state.get("began_with", ""),
        }
        try:
            self._store.write(self._state_name, kept)
        except BuddyError as error:
            raise BuddyError(
                f"{title} has renewed the login, but it could not be kept: {error}. Nothing was read with it. "
                f"Put that right and run again; if {title} then refuses the old login, run {command}"
            ) from error
        return token


def require_scope(settings: ServiceSettings, granted: str) -> None:
    """Raise BuddyError if the athlete has not granted the scope that is needed."""
    if settings.scope not in granted.replace(",", " ").split():
        raise BuddyError(
            f"{settings.title} did not grant {settings.scope}: run `buddy auth {settings.service}` again and leave its "
            "box ticked. Nothing was changed"
        )


class AthleteApi(ABC):
    """Requests to one service for one athlete: with a login, within its rate limits, refusals explained.

    Attributes:
        settings: of the service.
        oauth: the athlete's login.
    """

    SETUP: ClassVar[str]

    def __init__(
        self,
        settings: ServiceSettings,
        store: StateStore,
        athlete_id: str,
        *,
        max_wait_s: float = 900,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        backoff_s: float | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """
        Args:
            max_wait_s: the longest wait for a rate limit, until the service takes requests again.
            clock: returns epoch seconds.
            backoff_s: see :class:`fitness_buddy.core.http.HttpClient`, also for timeout_s.

        Raises:
            UsageError: there is no client id or secret, or a URL would send them unencrypted.
        """
        missing = [
            f"{settings.variables}_{name}"
            for name, value in (("CLIENT_ID", settings.client_id), ("CLIENT_SECRET", settings.client_secret))
            if not value
        ]
        if missing:
            raise UsageError(f"set {' and '.join(missing)}: {self.SETUP}")
        self.settings = settings = settings.of_athlete(athlete_id)
        # Waits are in `call`: a client that waits for a token would hold the login's lock.
        self._rate_limit = RateLimit(settings.title, opens_at=self._opens_at, is_waited_for=False, clock=clock)
        self._client, self._token_client = (
            HttpClient(
                url,
                rate_limit=self._rate_limit,
                secrets=(settings.client_secret, settings.refresh_token),
                sleep=sleep,
                backoff_s=backoff_s,
                timeout_s=timeout_s,
            )
            for url in (settings.base_url, settings.token_url)
        )
        self.oauth = OAuthClient(
            settings, store, state_name(settings.service, athlete_id), self._ask_token, clock=clock
        )
        self._max_wait_s = max_wait_s
        self._sleep = sleep

    @property
    def requests(self) -> int:
        """The number of requests sent, those for tokens and further attempts included."""
        return self._client.requests + self._token_client.requests

    def call(self, method: str, path: str, *, may_be_absent: bool = False, **what: Any) -> HttpResponse:
        """Send a request as :meth:`fitness_buddy.core.http.HttpClient.call` does, with the athlete's token.

        Args:
            may_be_absent: whether 404 is a valid response.

        Raises:
            RateLimitedError: the wait for the service's limit would be too long.
            BuddyError: the service refused, or did not answer.
        """
        response = back_off(0, _RATE_LIMIT_ATTEMPTS, max_pauses_s=inf).call(
            lambda: self._call_now(method, path, what),
            is_passing=lambda error: isinstance(error, RateLimitedError) and self._wait_s(error) <= self._max_wait_s,
            stated_pause_s=lambda error: self._wait_s(error) + 1,  # both clocks are right to the second at best
            before_pause=_log_wait,
            sleep=self._sleep,
        )
        if response.status >= 400 and not (response.status == 404 and may_be_absent):
            raise response.error(self._explain(response))
        return response

    def _call_now(self, method: str, path: str, what: Mapping[str, Any]) -> HttpResponse:
        self._rate_limit.check()  # before a token is asked for
        token = self.oauth.access_token()
        response = self._client.call(method, path, token=token, **what)
        if response.status == 401:
            self.oauth.forget_access_token(token)
            response = self._client.call(method, path, token=self.oauth.access_token(), **what)
        return response

    def _ask_token(self, form: dict[str, str]) -> HttpResponse:
        response = self._token_client.call("POST", "", form=form)
        if response.status not in (200, 400, 401):
            raise response.error(self._explain(response))
        return response

    def _wait_s(self, error: BaseException) -> float:
        return self._rate_limit.wait_s(error) if isinstance(error, RateLimitedError) else 0

    @abstractmethod
    def _opens_at(self, response: HttpResponse, now: float) -> float | None:
        """Return when the service takes the next request; see :class:`fitness_buddy.core.http.RateLimit`."""

    @abstractmethod
    def _explain(self, response: HttpResponse) -> str:
        """Return what a refusal means and what to do, in sentences that follow the service's own words."""


def _log_wait(error: BaseException, pause_s: float, _: int) -> None:
    if pause_s > 1:
        _log.warning("%s; waiting %.0f s", error, pause_s)
