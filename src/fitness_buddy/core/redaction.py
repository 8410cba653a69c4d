"""Redaction: secrets are taken out of answers, logs and tables of results."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from fitness_buddy.core.variables import NOTIFY, VARIABLES

_HIDDEN = "***"
# Besides the secrets of the registry: variables with such names hold secrets of other programs. Shorter values are too
# common as texts.
_SECRET_NAME = re.compile("SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|WEBHOOK", re.IGNORECASE)
_SHORTEST_SECRET = 8
_SHORTEST_PART = 3
# A part of an address that may be any word of a text.
_COMMON_PART = re.compile(r"[a-z]{1,14}")
_HOST = re.compile(r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}|localhost|[\d.]+|\[[\da-f:]+\])(?::\d+)?")
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


def spellings(secret: str) -> set[str]:
    """Return a secret as services echo it: verbatim, URL-encoded, in JSON, and in base64.

    In the base64 of a longer text a secret begins at one of three places of a group of letters; of each, the letters
    that depend on nothing else are returned.
    """
    content = secret.encode("utf-8", "replace")
    found = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + content).decode().rstrip("=")
        # Six bits a letter: the first letters have bits of what is before, the last one of what is after.
        own = encoded[-(-before * 8 // 6) : (before + len(content)) * 8 // 6]
        found |= {own, own.replace("+", "-").replace("/", "_")}
    return {text for text in found if len(text) >= min(_SHORTEST_SECRET, len(secret))}


def without(text: str, secrets: Iterable[str]) -> str:
    """Return the text with ``***`` for each of the secrets in any of its spellings."""
    # The longest first: one may be part of another.
    for secret in sorted({spelled for one in secrets for spelled in spellings(one)}, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def without_secrets(text: str) -> str:
    """Return the text with ``***`` for each secret of the environment, and for what looks like a service's secret."""
    secrets = {value for name, value in os.environ.items() if _is_secret(name)}
    for address in re.split(r"[\s,]+", NOTIFY.stated()):
        secrets |= {address, *(part for part in hidden_parts(address) if not _COMMON_PART.fullmatch(part))}
    secrets = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    return _SECRET_TEXT.sub(lambda found: f"{found[found.lastindex or 1]}{_HIDDEN}", without(text, secrets))


def hidden_parts(address: str) -> set[str]:
    """Return the parts of a channel's address that no message may show: which of them is the secret depends on the
    service.
    """
    try:
        parts = urlsplit(address)
        values = [value for _, value in parse_qsl(parts.query)]
    except ValueError:
        return {address}
    host = parts.netloc.rpartition("@")[2]
    # The host of some services is a token or a topic.
    hosts = [] if _HOST.fullmatch(host) else [host, host.partition(":")[0], host.partition(":")[2]]
    stated = [parts.username or "", parts.password or "", *hosts, *parts.path.split("/"), *values, address]
    return {form for part in stated for form in (part, unquote(part)) if len(form) >= _SHORTEST_PART}


def _is_secret(name: str) -> bool:
    return (name in VARIABLES and VARIABLES[name].is_secret) or bool(_SECRET_NAME.search(name))
