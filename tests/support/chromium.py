"""Which browser the tests of the HTML report may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
NO_CHROMIUM = (
    "no Chromium found: install one (`make test` tries to), put chromium or google-chrome on PATH, "
    "run `playwright install chromium`, or set BUDDY_CHROMIUM to its path"
)
# Tests may run as root in a container, where the sandbox cannot start; nothing here opens a foreign page.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> Path | None:
    """BUDDY_CHROMIUM, else the first known browser on PATH, else the one playwright manages, else None."""
    stated = os.environ.get("BUDDY_CHROMIUM")
    if stated:
        return Path(stated)
    on_path = next((found for found in map(shutil.which, NAMES) if found), None)
    if on_path:
        return Path(on_path)
    with sync_playwright() as playwright:
        managed = Path(playwright.chromium.executable_path)
    return managed if managed.is_file() else None


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start Chromium; skip the test if there is none."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        launched.close()
