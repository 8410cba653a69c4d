"""Patterns of names that people state. Flows repeat them as `validator` of their inputs; a test compares them."""

from __future__ import annotations

import re

# Athlete ids are in names of files, labels and SQL parameters: one plain word is valid in all of them.
ATHLETE_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
ATHLETE_ID_WORDS = "1 to 64 letters, digits, '_', '-' or '.', the first a letter or digit"
# Of Google Cloud Storage. Names and folders are in SQL and in names of objects: plain characters only.
BUCKET_NAME = r"[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]"
BUCKET_URL = rf"gs://{BUCKET_NAME}(/[A-Za-z0-9=_.-]+)*/?"


def name_suffix(athlete_id: str) -> str:
    """Return what names of an athlete's own settings end with, such as ``_BEN``; flows and `deploy/` repeat it."""
    return f"_{re.sub('[.-]', '_', athlete_id).upper()}"
