"""Secrets are not read where others read."""

from __future__ import annotations

import pytest

from fitness_buddy.core.redaction import without_secrets


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
