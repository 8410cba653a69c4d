"""Logins that last: access tokens from refresh tokens that may change with every use, and calls with them.

A refresh token that has been replaced is worth nothing any more. So the new one is on the disk before anything else is
done with the answer that brought it, and one process at a time asks.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import Answer, Api, ApiError, RateLimitedError
from fitness_buddy.core.state import StateStore

# A token that ends sooner is not begun with.
_SPARE_S = 60
# How often one call waits for a rate limit: another program may use it up meanwhile, but not for ever.
_MOST_WAITS = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Where a service is, and who asks it.

    Attributes:
        service: its word in commands and in names of states (``strava``).
        title: its name for people.
        variables: what its environment variables begin with (``STRAVA``).
        scope: what the athlete must grant.
        authorize_params: what its login page wants besides OAuth's own.
        has_pkce: its login takes a proof that whoever began it also ends it.
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


def from_environment(variables: str, name: str, default: str = "") -> str:
    """One setting of a service; spaces around it come from copying and are no part of it."""
    return os.environ.get(f"{variables}_{name}", "").strip() or default


class OAuthClient:
    """Access tokens for one athlete at one service.

    Its state: ``refresh_token``; ``previous_refresh_token``, the one before it; ``access_token`` and ``expires_at``
    (epoch seconds); ``began_with``, the SHA-256 of the environment's refresh token when these were made: another one in
    the environment is newer than they are.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        store: StateStore,
        state_name: str,
        ask: Callable[[dict[str, str]], Answer],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            ask: posts a form to the service's token URL and gives back an answer of status 200, 400 or 401.
            clock: gives epoch seconds.
        """
        self._settings = settings
        self._store = store
        self._state_name = state_name
        self._ask = ask
        self._clock = clock

    def access_token(self) -> str:
        """One that is still valid for a while, renewed if need be.

        Raises:
            UsageError: there is no login yet, or the client's id or secret is wrong.
            BuddyError: the login has ended, or its state cannot be kept.
        """
        with self._store.exclusive(self._state_name):
            state = self._store.read(self._state_name) or {}
            # Whoever held the name before may have renewed it.
            token, expires_at = state.get("access_token"), state.get("expires_at")
            if (
                isinstance(token, str)
                and token
                and isinstance(expires_at, int | float)
                and expires_at > self._clock() + _SPARE_S
                and not self._is_replaced(state)
            ):
                return token
            # A full disk must show before the old refresh token is spent.
            self._store.write(self._state_name, state)
            return self._renew(state)

    def forget_access_token(self, token: str) -> None:
        """The service has refused this one: the next will be another."""
        with self._store.exclusive(self._state_name):
            state = self._store.read(self._state_name) or {}
            if state.get("access_token") == token:
                self._store.write(self._state_name, {**state, "access_token": ""})

    def log_in(self, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        """Begin anew with the code that the athlete's browser has brought; the answer without its tokens.

        Raises:
            BuddyError: the service takes it for no login of ours, or it grants less than is needed, or cannot be kept.
        """
        settings = self._settings
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        answer = self._post(form | ({"code_verifier": verifier} if verifier else {}))
        if answer.status != 200:
            raise answer.error(f"{settings.title} did not accept the login: run `buddy auth {settings.service}` again")
        if isinstance(answer.document, dict) and isinstance(answer.document.get("scope"), str):
            require_scope(settings, answer.document["scope"])
        with self._store.exclusive(self._state_name):
            self._keep(answer, {}, "")
        return {key: value for key, value in answer.document.items() if not key.endswith("token")}

    def _renew(self, state: Mapping[str, Any]) -> str:
        title, command = self._settings.title, f"`buddy auth {self._settings.service}`"
        answer = None
        for refresh_token in self._refresh_tokens(state):
            answer = self._post({"grant_type": "refresh_token", "refresh_token": refresh_token})
            if answer.status == 200:
                return self._keep(answer, state, refresh_token)
        if answer is None:
            raise UsageError(f"no login at {title} yet: run {command}, or set {self._settings.variables}_REFRESH_TOKEN")
        raise answer.error(f"{title} no longer takes this login: run {command}")

    def _refresh_tokens(self, state: Mapping[str, Any]) -> Iterator[str]:
        """Those to try, the best one first."""
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

    def _post(self, form: dict[str, str]) -> Answer:
        settings = self._settings
        answer = self._ask({"client_id": settings.client_id, "client_secret": settings.client_secret, **form})
        # Strava's and OAuth's way to say that it is not about the token. No other token would help.
        if answer.status != 200 and ("Application" in answer.message or "invalid_client" in answer.message):
            check = f"Check {settings.variables}_CLIENT_ID and {settings.variables}_CLIENT_SECRET"
            raise UsageError(str(answer.error(check)))
        return answer

    def _keep(self, answer: Answer, state: Mapping[str, Any], used: str) -> str:
        """Store what the answer brought, and only then give the access token back."""
        title, command = self._settings.title, f"`buddy auth {self._settings.service}`"
        document = answer.document if isinstance(answer.document, dict) else {}
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
            raise ApiError(answer.request, f"{expected}, found {sorted(document)}", status=answer.status)
        kept = {
            "refresh_token": refresh_token,
            "previous_refresh_token": used if used != refresh_token else state.get("previous_refresh_token", ""),
            "access_token": token,
            "expires_at": expires_at,
            # Where the environment has none, the one that these began with may come back with another shell.
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
    """
    Raises:
        BuddyError: the athlete has not granted what is needed.
    """
    if settings.scope not in granted.replace(",", " ").split():
        raise BuddyError(
            f"{settings.title} did not grant {settings.scope}: run `buddy auth {settings.service}` again and leave its "
            "box ticked. Nothing was changed"
        )


class AthleteApi(ABC):
    """Calls to one service for one athlete: logged in, within its rate limits, refusals explained.

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
            max_wait_s: the longest wait for a rate limit, counted to the moment when the service takes requests again.
            clock: gives epoch seconds.
            backoff_s: see :class:`fitness_buddy.core.http.Api`, as timeout_s.

        Raises:
            UsageError: no client id or secret, or a URL that would send them in the clear.
        """
        missing = [
            f"{settings.variables}_{name}"
            for name, value in (("CLIENT_ID", settings.client_id), ("CLIENT_SECRET", settings.client_secret))
            if not value
        ]
        if missing:
            raise UsageError(f"set {' and '.join(missing)}: {self.SETUP}")
        self.settings = settings
        secrets = (settings.client_secret, settings.refresh_token)
        self._api, self._token_api = (
            Api(url, secrets=secrets, sleep=sleep, backoff_s=backoff_s, timeout_s=timeout_s)
            for url in (settings.base_url, settings.token_url)
        )
        self.oauth = OAuthClient(settings, store, f"{settings.service}-{athlete_id}", self._ask_token, clock=clock)
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._sleep = sleep
        self._full_until = 0.0

    @property
    def requests(self) -> int:
        """How many were sent, to log in and further attempts included."""
        return self._api.requests + self._token_api.requests

    def call(self, method: str, path: str, *, may_be_absent: bool = False, **what: Any) -> Answer:
        """Ask as :meth:`fitness_buddy.core.http.Api.call` does, with the athlete's token.

        Args:
            may_be_absent: 404 is an answer.

        Raises:
            RateLimitedError: it would have to wait for too long.
            BuddyError: the service refused, or did not answer.
        """
        waits = 0
        while True:
            try:
                answer = self._call_now(method, path, what)
                break
            except RateLimitedError as limited:
                wait_s = max(0.0, limited.resume_after.timestamp() - self._clock())
                if waits == _MOST_WAITS or wait_s > self._max_wait_s:
                    raise
                waits += 1
                wait_s += 1  # both clocks are right to the second at best
                if wait_s > 1:
                    _log.warning("%s; waiting %.0f s", limited, wait_s)
                self._sleep(wait_s)
        if answer.status >= 400 and not (answer.status == 404 and may_be_absent):
            raise answer.error(self._explain(answer))
        return answer

    def _call_now(self, method: str, path: str, what: Mapping[str, Any]) -> Answer:
        # A refused call counts too: do not ask what is known to be refused.
        if self._clock() < self._full_until:
            raise self._rate_limited()
        token = self.oauth.access_token()
        answer = self._ask(self._api, method, path, token=token, **what)
        if answer.status == 401:
            self.oauth.forget_access_token(token)
            answer = self._ask(self._api, method, path, token=self.oauth.access_token(), **what)
        return answer

    def _ask_token(self, form: dict[str, str]) -> Answer:
        answer = self._ask(self._token_api, "POST", "", form=form)
        if answer.status not in (200, 400, 401):
            raise answer.error(self._explain(answer))
        return answer

    def _ask(self, api: Api, method: str, path: str, **what: Any) -> Answer:
        answer = api.call(method, path, **what)
        # What an answer does not mention, such as a token's, it does not lift either.
        self._full_until = max(self._full_until, self._full_until_by(answer, self._clock()))
        if answer.status == 429:
            raise self._rate_limited()
        return answer

    def _rate_limited(self) -> RateLimitedError:
        return RateLimitedError(self.settings.title, datetime.fromtimestamp(self._full_until, UTC))

    @abstractmethod
    def _full_until_by(self, answer: Answer, now: float) -> float:
        """When the service takes the next request, in epoch seconds; for a 429 in the future, else 0 for at once."""

    @abstractmethod
    def _explain(self, answer: Answer) -> str:
        """What a refusal means and what to do, in sentences after the service's own words."""
