"""The commands that log in to a service: ``buddy auth …``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import Run, command, main, options

if TYPE_CHECKING:
    from fitness_buddy.ingest.services.oauth import AthleteApi


@main.group()
def auth() -> None:
    """Give leave to read from a service: once, in the browser."""


_login_options = options(
    click.option("--timeout-s", type=click.IntRange(min=1), default=300, show_default=True, help="Longest wait."),
    click.option("--port", type=int, default=0, help="Of the loopback page that the browser returns to [any]."),
    click.option("--browser/--no-browser", default=True, help="Open the browser, or only print the address."),
)


@command(auth, "strava")
@_login_options
def auth_strava(run: Run, **how: Any) -> dict[str, Any]:
    """Let buddy read your activities from Strava's API.

    Needs STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET of an app of your own (strava.com/settings/api).
    """
    from fitness_buddy.core.state import open_state
    from fitness_buddy.ingest.services.strava import StravaApi, strava_settings

    return _log_in(run, StravaApi(strava_settings(), open_state(), run.settings.athlete_id), **how)


@command(auth, "google-health")
@_login_options
def auth_google_health(run: Run, **how: Any) -> dict[str, Any]:
    """Let buddy read your daily steps from the Google Health API.

    Needs GOOGLE_HEALTH_CLIENT_ID and GOOGLE_HEALTH_CLIENT_SECRET of a desktop client of your own.
    """
    from fitness_buddy.core.state import open_state
    from fitness_buddy.ingest.services.google_health import GoogleHealthApi, google_health_settings

    return _log_in(run, GoogleHealthApi(google_health_settings(), open_state(), run.settings.athlete_id), **how)


def _log_in(run: Run, api: AthleteApi, *, browser: bool, port: int, timeout_s: int) -> dict[str, Any]:
    from fitness_buddy.ingest.services.login import log_in

    # On standard error, where --json does not silence it: without the address nobody can log in.
    log_in(api, say=lambda text: click.echo(text, err=True), open_browser=browser, timeout_s=timeout_s, port=port)
    run.say(f"Logged in to {api.settings.title}; the login is kept for the next runs.")
    return {"service": api.settings.service}
