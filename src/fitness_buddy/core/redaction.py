"""Redaction: secrets are taken out of answers, logs and tables of results."""

from __future__ import annotations

import os
import re

from fitness_buddy.core.variables import VARIABLES

_HIDDEN = "***"
# Besides the secrets of the registry: variables with such names hold secrets of other programs. Shorter values are too
# common as texts.
_SECRET_NAME = re.compile("SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|WEBHOOK", re.IGNORECASE)
_SHORTEST_SECRET = 8
# Secrets that are in no variable, by the way that services and databases spell them; the first group stays.
_SECRET_TEXT = re.compile(
    r"""
    () -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z\ ]*PRIVATE\ KEY-----|$)
    | ()\bya29\.[\w.-]+
    | (://)[^\s/@:]+:[^\s/@]+(?=@)
    | (\bBearer\ )[\w.~+/=-]+
    | ((?:_token|_secret|password|private_key|api_key)"?\s*[:=]\s*"?)[^\s"'&,}]+
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def without_secrets(text: str) -> str:
    """Return the text with ``***`` for each secret of the environment, and for what looks like a service's secret."""
    secrets = {value for name, value in os.environ.items() if _is_secret(name) and len(value) >= _SHORTEST_SECRET}
    # The longest first: one may be part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return _SECRET_TEXT.sub(lambda found: f"{found[found.lastindex or 1]}{_HIDDEN}", text)


def _is_secret(name: str) -> bool:
    return (name in VARIABLES and VARIABLES[name].is_secret) or bool(_SECRET_NAME.search(name))
