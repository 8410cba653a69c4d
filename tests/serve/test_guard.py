"""Who is let in: the browser with the token, under a name of this machine, and forms of the server's own pages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from fitness_buddy.serve.guard import Access, Guard
from fitness_buddy.serve.loads import safe_name

ACCESS = Access(8642, "right-token")
COOKIE = {"cookie": "buddy_serve_8642=right-token"}
HOST = {"host": "127.0.0.1:8642"}


def asked(
    path: str = "/", headers: dict[str, str] | None = None, query: str = "", method: str = "GET"
) -> tuple[int, Any]:
    """Return status and headers of the answer of a guarded application that answers everything."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    asyncio.run(Guard(PlainTextResponse("numbers"), ACCESS)(scope, receive, send))
    return sent[0]["status"], Headers(raw=sent[0]["headers"])


@pytest.mark.parametrize("host", ["127.0.0.1:8642", "localhost:8642", "LOCALHOST:8642"])
def test_the_names_of_this_machine_are_answered(host: str) -> None:
    assert asked(headers={"host": host, **COOKIE})[0] == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8642", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:8642", "[::1]:8642"],
)
def test_other_names_are_not_even_with_the_token(host: str) -> None:
    assert asked(headers={"host": host, **COOKIE}, query="token=right-token")[0] == 421


@given(st.text(st.characters(codec="ascii", exclude_characters=";\x00\r\n"), max_size=30))
def test_no_other_token_is_let_in(token: str) -> None:
    if token.strip(' "') != ACCESS.token:
        assert asked(headers={**HOST, "cookie": f"buddy_serve_8642={token}"})[0] == 403
        assert asked(headers=HOST, query=f"token={token}")[0] == 403
    assert asked(headers={**HOST, "cookie": f"buddy_serve_1={ACCESS.token}"})[0] == 403


def test_the_token_in_the_address_becomes_a_cookie_that_scripts_and_other_sites_cannot_use() -> None:
    status, headers = asked("/activities", HOST, "sport=run&token=right-token")
    assert (status, headers["location"]) == (303, "/activities?sport=run")
    assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; "))
    # An address that begins with two slashes would lead to another server.
    assert asked("//evil.example/", HOST, "token=right-token")[1]["location"] == "/evil.example/"
    assert asked(headers=HOST, query="token=right-token", method="POST")[0] == 403


@pytest.mark.parametrize("headers", [{**HOST, **COOKIE}, HOST, {}])
def test_every_answer_forbids_scripts_frames_and_copies(headers: dict[str, str]) -> None:
    found = asked(headers=headers)[1]
    assert "default-src 'none'" in found["content-security-policy"]
    assert "script-src" not in found["content-security-policy"]
    assert "frame-ancestors 'none'" in found["content-security-policy"]
    assert found["cache-control"] == "no-store"
    assert found["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("origin", "site", "is_own"),
    [
        ("http://127.0.0.1:8642", "same-origin", True),
        ("http://localhost:8642", None, True),
        ("http://127.0.0.1:8642", "cross-site", False),
        ("http://127.0.0.1:9999", "same-site", False),
        ("https://evil.example", "cross-site", False),
        ("null", None, False),
        (None, None, False),
    ],
)
def test_a_form_comes_from_an_own_page(origin: str | None, site: str | None, is_own: bool) -> None:
    stated = {"origin": origin, "sec-fetch-site": site}
    headers = Headers({name: value for name, value in stated.items() if value})
    assert ACCESS.is_own_origin(headers) is is_own


@given(st.text(max_size=300))
def test_the_name_of_a_file_is_one_part_of_a_path(stated: str) -> None:
    name = safe_name(stated)
    assert name
    assert name not in {".", ".."}
    assert not set(name) & set('/\\\0\n\r"<>|:*?')
    assert not name.startswith((".", "-"))
    assert len(name.encode()) <= 255


def test_the_name_of_a_file_keeps_its_suffix() -> None:
    assert safe_name(r"C:\Users\me\export_123.zip") == "export_123.zip"
    assert safe_name("../../etc/passwd") == "passwd"
    assert safe_name("x" * 300 + ".tar.gz").endswith(".gz")
    assert safe_name("") == safe_name("..") == "upload"
