"""What must not be read by whoever reads an answer, a log or a table of results."""

from __future__ import annotations

import os
import re

_HIDDEN = "***"
# Values of such variables are secret, wherever they turn up; what is shorter is no secret, or too common a text.
_SECRET_NAME = re.compile(
    "SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|WEBHOOK|CALENDAR_URL|SHEET_URL", re.IGNORECASE
)
_SHORTEST_SECRET = 8
# Secrets that nobody named: what services and databases spell like this is one; what stands before it stays.
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
    """The text with ``***`` where it had a secret of this environment, or what looks like one of a service."""
    secrets = {
        value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
    }
    # The longest first: one may be part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return _SECRET_TEXT.sub(lambda found: f"{found[found.lastindex or 1]}{_HIDDEN}", text)
