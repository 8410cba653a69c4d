"""Secrets are not read where others read."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.core.redaction import spellings, without, without_secrets


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("the token abcdefgh-1 was refused", "the token *** was refused"),
        ("Authorization: Bearer abc.def-1_x", "Authorization: Bearer ***"),
        ("using ya29.a0Af_B-x0 for it", "using *** for it"),
        ("postgres://buddy:pass@host/db", "postgres://***@host/db"),
        ("https://host/?access_token=abc&x=1", "https://host/?access_token=***&x=1"),
        ('{"refresh_token": "abc", "x": 1}', '{"refresh_token": "***", "x": 1}'),
        ('{"client_secret":"a-b"}', '{"client_secret":"***"}'),
        ("password=hunter2, host=x", "password=***, host=x"),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n.", "***\n."),
        ("-----BEGIN RSA PRIVATE KEY-----abc", "***"),
        ("Got 3 results, configured to fail if != 0", "Got 3 results, configured to fail if != 0"),
        ("short stays", "short stays"),
    ],
)
def test_what_is_secret_is_hidden_and_all_else_is_left(monkeypatch: pytest.MonkeyPatch, text: str, left: str) -> None:
    monkeypatch.setenv("GOOGLE_HEALTH_REFRESH_TOKEN", "abcdefgh-1")
    monkeypatch.setenv("BUDDY_LLM_API_KEY", "short")
    assert without_secrets(text) == left


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=8, max_size=40), st.binary(max_size=7))
def test_a_secret_is_hidden_in_every_spelling_of_an_echo(secret: str, around: bytes) -> None:
    packed = base64.b64encode(around + secret.encode() + around).decode()
    echoes = (
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret),
        packed,
        packed.translate({43: 45, 47: 95}),
    )
    for echo in echoes:
        hidden = without(f"you sent {echo}", [secret])
        assert "***" in hidden
        # At most the letters that the secret shares with what is around it are left.
        assert len(hidden) <= len("you sent ***") + 2 + 2 * (len(base64.b64encode(around)) + 4)


def test_no_spelling_is_so_short_that_it_is_in_other_texts() -> None:
    assert min(map(len, spellings("abcdefgh"))) >= 8
    assert without("the abc of it", ["abcdefgh"]) == "the abc of it"
