"""JSON over HTTP: what is tried again, what is not, and that nothing hangs or tells a secret."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from api_stub import (
    CUT_OFF,
    DRIPPING,
    DRIPPING_HEAD,
    EMPTY,
    GARBAGE,
    LOST,
    ApiStub,
    Canned,
    broken,
    recorded,
    running_apis,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.http import ApiError, HttpClient, HttpResponse, RateLimit, RateLimitedError, retry_after_s

LIST = "/athlete/activities"
OK = Canned(body=b'[{"id": 987654321234567891234}]')


@pytest.fixture
def stub() -> Iterator[ApiStub]:
    with running_apis() as stub:
        yield stub


def make_api(stub: ApiStub, **options: Any) -> HttpClient:
    return HttpClient(f"{stub.url}/api/v3", **{"backoff_s": 0, "timeout_s": 5, **options})


def test_an_answer_is_its_status_headers_and_document(stub: ApiStub) -> None:
    stub.script(LIST, Canned(body=b'[{"id": 987654321234567891234}]', headers={"X-RateLimit-Usage": "1,2"}))
    answer = make_api(stub).call("GET", LIST, params={"page": 1, "q": "a b&c"}, token="t-123")
    assert (answer.status, answer.document) == (200, [{"id": 987654321234567891234}])
    assert answer.headers.get("x-ratelimit-usage") == "1,2"
    (request,) = stub.requests
    assert (request.query, request.token) == ({"page": "1", "q": "a b&c"}, "t-123")


def test_forms_and_json_arrive_as_such(stub: ApiStub) -> None:
    stub.script("/form", OK)
    stub.script("/json", OK)
    api = make_api(stub)
    api.call("POST", "/form", form={"code": "ä&="})
    api.call("POST", "/json", body_json={"range": {"days": [1]}})
    assert stub.requests[0].form == {"code": "ä&="}
    assert stub.requests[1].document == {"range": {"days": [1]}}
    assert api.requests == 2


@pytest.mark.parametrize(
    "bad",
    [
        broken(500),
        broken(502),
        broken(503),
        broken(504),
        CUT_OFF,
        GARBAGE,
        EMPTY,
        LOST,
        Canned(body=b"\xff"),
        Canned(body=b"[" * 10**5),
    ],
)
def test_what_may_pass_is_tried_again(stub: ApiStub, bad: Canned) -> None:
    stub.script(LIST, bad, bad, bad, OK)
    assert make_api(stub).call("GET", LIST).status == 200
    assert len(stub.requests) == 4


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (broken(503), "answered 503 in 4 attempts; try again later"),
        (Canned(500, b'{"message": "oh no"}'), r"answered 500 \(oh no\) in 4 attempts"),
        (CUT_OFF, "no whole answer: .* in 4 attempts"),
        (GARBAGE, "answered 200 with something that is not JSON, or not all of it in 4 attempts"),
        (LOST, "no whole answer: .*closed connection.* in 4 attempts"),
    ],
)
def test_after_four_attempts_it_is_given_up(stub: ApiStub, bad: Canned, words: str) -> None:
    stub.script(LIST, *[bad] * 9)
    with pytest.raises(ApiError, match=rf"^GET 127\.0\.0\.1/api/v3/athlete/activities: {words}"):
        make_api(stub).call("GET", LIST, params={"secret": "query"})
    assert len(stub.requests) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 418])
def test_a_refusal_is_given_back_at_once(stub: ApiStub, status: int) -> None:
    stub.script(LIST, Canned(status, b"<html>", cut=3), Canned(status, b'{"message": "No\\u0007 ' + b"x" * 300 + b'"}'))
    api = make_api(stub)
    answer = api.call("GET", LIST)
    assert (answer.status, answer.document, answer.message) == (status, None, "")
    answer = api.call("GET", LIST)
    assert answer.message.startswith("No xxx")
    assert len(answer.message) == 200
    assert len(stub.requests) == 2


@pytest.mark.parametrize(
    ("service", "name", "words"),
    [
        ("strava_api", "token.400_invalid", "Bad Request: RefreshToken refresh_token invalid"),
        ("strava_api", "activities.403_inactive", "Application Status Inactive"),
        ("google_health", "token.400_invalid", "invalid_grant: Token has been expired or revoked."),
        ("google_health", "daily_roll_up.403_scope", "Request had insufficient authentication scopes."),
    ],
)
def test_the_services_words_are_found_in_each_shape(stub: ApiStub, service: str, name: str, words: str) -> None:
    stub.script(LIST, recorded(service, name))
    answer = make_api(stub).call("GET", LIST)
    assert answer.message == words
    error = answer.error("Do this.")
    assert str(error) == f"GET 127.0.0.1/api/v3/athlete/activities: answered {answer.status} ({words}). Do this."
    assert (error.status, error.details()) == (answer.status, {"http_status": answer.status})


def test_pauses_double_and_are_told_once_they_are_felt(stub: ApiStub, caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []
    stub.script(LIST, broken(500), broken(500), broken(500), OK)
    make_api(stub, backoff_s=0.9, sleep=slept.append).call("GET", LIST, token="t-4711")
    assert [0.9 * 2**n <= pause <= 0.9 * 2**n + 0.9 for n, pause in enumerate(slept)] == [True] * 3
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == sum(pause > 1 for pause in slept)
    assert "answered 500; trying again in" in told[-1]
    assert "t-4711" not in caplog.text


def test_a_503_says_when_to_come_back(stub: ApiStub) -> None:
    slept: list[float] = []
    stub.script(LIST, broken(503, Retry_After="7"), broken(500, Retry_After="7"), OK)
    api = make_api(stub, sleep=slept.append)
    api.call("GET", LIST)
    assert slept == [7, 0]
    stub.script(LIST, broken(503, Retry_After="3600"), OK)
    with pytest.raises(ApiError, match=r"answered 503; try again later"):
        api.call("GET", LIST)
    assert slept == [7, 0]


RATE_LIMITED = recorded("strava_api", "activities.429_old")


def test_a_429_is_repeated_after_the_stated_pause_else_after_the_back_off(stub: ApiStub) -> None:
    slept: list[float] = []
    stub.script(LIST, recorded("strava_api", "activities.429_old", Retry_After="7"), RATE_LIMITED, OK)
    assert make_api(stub, sleep=slept.append).call("GET", LIST).status == 200
    assert slept == [pytest.approx(7, abs=1), 0]


def test_after_four_attempts_a_429_is_an_error_that_says_when_to_resume_if_the_service_does(stub: ApiStub) -> None:
    stub.script(LIST, *[RATE_LIMITED] * 9)
    with pytest.raises(RateLimitedError, match=r"^S takes no .*: try again later \(Rate Limit Exceeded\)$") as caught:
        make_api(stub, rate_limit=RateLimit("S")).call("GET", LIST)
    assert (len(stub.requests), caught.value.resume_after) == (4, None)
    stub.script("/x", recorded("strava_api", "activities.429_old", Retry_After="121"))
    before = datetime.now(UTC)
    with pytest.raises(RateLimitedError, match="resume after 20") as caught:
        make_api(stub).call("GET", "/x")
    assert caught.value.resume_after
    assert 120 < (caught.value.resume_after - before).total_seconds() < 130
    assert len(stub.asked("/x")) == 1


def test_a_service_that_is_known_to_refuse_is_not_asked(stub: ApiStub) -> None:
    """By any of the clients that share the limit, until the stated time; a success may state one, too."""
    now = [1000.0]
    limit = RateLimit("S", opens_at=lambda _, now: 1500, clock=lambda: now[0])
    slept: list[float] = []
    first, second = (make_api(stub, rate_limit=limit, sleep=slept.append) for _ in range(2))
    stub.script(LIST, OK, OK)
    first.call("GET", LIST)
    with pytest.raises(RateLimitedError, match="1970-01-01 00:25 UTC"):
        second.call("GET", LIST)
    assert (second.requests, slept) == (0, [])
    now[0] = 1400
    assert second.call("GET", LIST).status == 200
    assert (second.requests, slept) == (1, [100])


def test_retry_after_is_seconds_or_a_date() -> None:
    now = 1_795_600_000.0
    assert retry_after_s({"Retry-After": "12"}, now) == 12
    assert retry_after_s({"Retry-After": formatdate(now + 30, usegmt=True)}, now) == 30
    assert retry_after_s({"Retry-After": formatdate(now - 30, usegmt=True)}, now) == 0
    assert retry_after_s({}, now) is None
    assert retry_after_s({"Retry-After": "soon"}, now) is None


@pytest.mark.parametrize("stated", ["nan", "-5", "inf", "9" * 400, "1e400", "Fri, 31 Dec 99999 23:59:59 GMT", "\u0663"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_none_is_an_error_in_words(stub: ApiStub, stated: str, status: int) -> None:
    stub.script(LIST, *[Canned(status, b"", {"Retry-After": stated.encode().decode("latin-1")})] * 9)
    with pytest.raises((RateLimitedError, ApiError)) as caught:
        make_api(stub).call("GET", LIST)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("stated", [float("nan"), float("inf"), float("-inf"), -5.0, 1e300])
def test_a_limit_of_a_service_is_a_time_that_exists(stated: float) -> None:
    limit = RateLimit("service", opens_at=lambda _, __: stated, clock=lambda: 1_795_600_000.0)
    with pytest.raises(RateLimitedError) as caught:
        limit.note(HttpResponse(429, {}, None))
    assert caught.value.resume_after is None or caught.value.resume_after.year in {2026, 2027}


@pytest.mark.parametrize("bad", [DRIPPING, DRIPPING_HEAD, Canned(wait_s=1.5)])
def test_no_server_holds_up_an_attempt(stub: ApiStub, bad: Canned) -> None:
    stub.script(LIST, bad, OK)
    started = time.monotonic()
    assert make_api(stub, timeout_s=0.3).call("GET", LIST).status == 200
    assert time.monotonic() - started < 1
    assert len(stub.asked(LIST)) == 2


def test_a_host_that_accepts_and_says_nothing_is_left(stub: ApiStub) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        # For https the handshake never ends.
        for scheme in ("http", "https"):
            api = HttpClient(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", backoff_s=0, timeout_s=0.1)
            with pytest.raises(ApiError, match=r"GET 127\.0\.0\.1/x: no whole answer.* in 4 attempts"):
                api.call("GET", "/x")


def test_nobody_there_is_said(stub: ApiStub) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        api = HttpClient(f"http://127.0.0.1:{taken.getsockname()[1]}", backoff_s=0, timeout_s=1)
        with pytest.raises(ApiError, match="Connection refused"):
            api.call("GET", "/x")
        assert api.requests == 4


@pytest.mark.parametrize("host", ["service.example", "127.0.0.1:9"])
def test_a_proxy_of_the_environment_is_asked_for_a_tunnel_unless_the_host_is_this_machine(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(2)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        api = HttpClient(f"https://{host}/api", backoff_s=0, timeout_s=0.5, sleep=lambda _: None)
        with pytest.raises(ApiError):
            api.call("GET", "/things", token="secret")
        proxy.settimeout(0.1)
        if host != "service.example":
            with pytest.raises(TimeoutError):
                proxy.accept()
        else:
            connection, _ = proxy.accept()
            with connection:
                asked = connection.recv(1000).decode()
            assert asked.startswith("CONNECT service.example:443 ")
            assert "secret" not in asked


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with tls_server(tmp_path) as port:
        api = HttpClient(f"https://127.0.0.1:{port}", backoff_s=0, timeout_s=2)
        with pytest.raises(ApiError, match=r"no whole answer: .*CERTIFICATE_VERIFY_FAILED"):
            api.call("GET", "/x", token="t-1")


@contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """A port that answers handshakes with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    no_password = serialization.NoEncryption()
    key_format = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    pem.write_bytes(key.private_bytes(*key_format) + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def shake_hands() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True):
                        pass

        thread = threading.Thread(target=shake_hands)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_too_much_is_not_taken(stub: ApiStub) -> None:
    stub.script(LIST, Canned(body=b"[" + b" " * 10**6 + b"]"))
    with pytest.raises(ApiError, match=r"answered with more than 0\.5 MB"):
        make_api(stub, max_bytes=2**19).call("GET", LIST)
    assert len(stub.requests) == 1


def test_no_more_is_unpacked_than_is_allowed(stub: ApiStub) -> None:
    """Defect: a megabyte of gzip became gigabytes before it was refused."""
    bomb = gzip.compress(bytes(200 * 2**20))
    stub.script(LIST, Canned(body=bomb, headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    with pytest.raises(ApiError, match=r"answered with more than 0\.5 MB"):
        make_api(stub, max_bytes=2**19).call("GET", LIST)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * 2**20


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", ""])
def test_an_encoding_that_nobody_asked_for_is_unpacked(stub: ApiStub, encoding: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    pack = packers.get(encoding, bytes)
    stub.script(LIST, Canned(body=pack(b'[{"id": 1}]'), headers={"Content-Encoding": encoding} if encoding else {}))
    assert make_api(stub).call("GET", LIST).document == [{"id": 1}]


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip"])
def test_another_encoding_or_a_damaged_one_is_refused(stub: ApiStub, encoding: str) -> None:
    stub.script(LIST, *[Canned(body=b"[]", headers={"Content-Encoding": encoding})] * 9)
    with pytest.raises(ApiError, match="packed in a way that is not read"):
        make_api(stub).call("GET", LIST)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" + b"[]," * 2_100_000 + b"[]]", b'{"a":' * 100_000])
def test_json_that_memory_should_not_hold_is_none(stub: ApiStub, body: bytes) -> None:
    stub.script(LIST, *[Canned(body=body)] * 9)
    with pytest.raises(ApiError, match="not JSON"):
        make_api(stub).call("GET", LIST)


def test_a_key_goes_only_where_nobody_reads_it() -> None:
    client = HttpClient("http://model.example", is_clear_text_allowed=True)
    with pytest.raises(ApiError, match="a key goes only over https"):
        client.call("GET", "/", token="t-1")
    assert client.requests == 0


def test_a_redirect_is_not_followed(stub: ApiStub) -> None:
    stub.script(LIST, Canned(302, b"", {"Location": f"{stub.url}/api/v3/elsewhere"}))
    with pytest.raises(ApiError, match="answered 302: redirects are not followed"):
        make_api(stub).call("GET", LIST, token="t-1")
    assert [request.path for request in stub.requests] == ["/api/v3/athlete/activities"]


def test_redirects_are_followed_where_that_is_allowed_and_nobody_is_logged_in(stub: ApiStub) -> None:
    there = Canned(307, b"", {"Location": "/api/v3/there?x=1"})
    stub.script(LIST, *[there] * 3)
    stub.script("/there", OK)
    client = make_api(stub, max_redirects=1)
    assert client.call("GET", LIST).document == [{"id": 987654321234567891234}]
    assert stub.requests[-1].query == {"x": "1"}
    for token in ("t-1", None):
        with pytest.raises(ApiError, match="redirects are not followed"):
            make_api(stub, max_redirects=1 if token else 0).call("GET", LIST, token=token)
    assert len(stub.asked("/there")) == 1


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("/api/v3/athlete/activities", "redirected more than 2 times"),
        ("http://[", "does not begin with https:// or http://"),
        ("file:///etc/passwd", "does not begin with https:// or http://"),
        ("", "answered 302: redirects are not followed"),
    ],
)
def test_a_redirect_to_nowhere_is_left(stub: ApiStub, place: str, problem: str) -> None:
    stub.script(LIST, *[Canned(302, b"", {"Location": place} if place else {})] * 9)
    with pytest.raises(ApiError, match=problem):
        make_api(stub, max_redirects=2).call("GET", LIST)


def test_a_secret_address_is_in_no_words(stub: ApiStub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    options: dict[str, Any] = {"label": "THE_VARIABLE", "is_clear_text_allowed": True, "backoff_s": 2}
    stub.script("/planted", *[LOST] * 4, *[broken(500)] * 4, *[RATE_LIMITED] * 4, Canned(404, b"planted"))
    client = make_api(stub, sleep=lambda _: None, **options)
    words = []
    for kind in (ApiError, ApiError, RateLimitedError):
        with pytest.raises(kind, match=r"^THE_VARIABLE") as caught:
            client.call("GET", "/planted?key=planted", expects_json=False)
        words.append(str(caught.value))
    words.append(client.call("GET", "/planted").request)
    with pytest.raises(
        UsageError, match=r"^THE_VARIABLE: expected an address that begins with https:// or http://"
    ) as bad:
        HttpClient("ftp://planted.example.org", **options)
    assert [text for text in [*words, str(bad.value), caplog.text] if "planted" in text or "127.0.0.1" in text] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://www.strava.com/api/v3",
        "ftp://127.0.0.1",
        "www.strava.com",
        "",
        "http://user:pass@example.org",
        "https://",
        "https://[",
    ],
)
def test_a_login_never_travels_in_the_clear(url: str) -> None:
    with pytest.raises(UsageError, match="begin with https://, since a login goes there") as caught:
        HttpClient(url)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://www.strava.com/api/v3/", "http://localhost:1", "http://[::1]:1", "http://127.8.0.1"]
)
def test_https_and_this_machine_are_fine(url: str) -> None:
    HttpClient(url)


def test_secrets_are_in_no_words(stub: ApiStub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = b'{"message": "token t-access, r-refresh, c-secret, k-known, c-code"}'
    stub.script("/x", *[Canned(500, told)] * 4, Canned(400, told), Canned(200, told))
    api = make_api(stub, secrets=["k-known", ""], backoff_s=1, sleep=lambda _: None)
    secrets = {"refresh_token": "r-refresh", "client_secret": "c-secret", "code": "c-code"}
    with pytest.raises(ApiError) as caught:
        api.call("POST", "/x", form=secrets, token="t-access")
    # Once sent, it is known in later calls too.
    answer, found = api.call("GET", "/x"), api.call("GET", "/x")
    everything = (
        f"{caught.value}{caught.value.details()}{answer!r}{answer.error('x')}{found!r}{caplog.text}{vars(caught.value)}"
    )
    assert "token ***, ***, ***, ***, ***" in str(caught.value)
    for secret in ("t-access", "r-refresh", "c-secret", "c-code", "k-known"):
        assert secret not in everything


def test_a_token_that_no_header_can_hold_is_not_sent(stub: ApiStub) -> None:
    with pytest.raises(ApiError, match="not sent: the access token is damaged") as caught:
        make_api(stub).call("GET", LIST, token="bad\r\nX-Evil: 1")
    assert "Evil" not in str(caught.value)
    assert stub.requests == []


def test_the_environment_shortens_waits(stub: ApiStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_HTTP_BACKOFF_S", "0")
    monkeypatch.setenv("BUDDY_HTTP_TIMEOUT_S", "0.1")
    slept: list[float] = []
    stub.script(LIST, Canned(wait_s=0.5), OK)
    HttpClient(f"{stub.url}/api/v3", sleep=slept.append).call("GET", LIST)
    assert slept == [0]
    for value in ("soon", "-1", "nan", "inf"):
        monkeypatch.setenv("BUDDY_HTTP_TIMEOUT_S", value)
        with pytest.raises(UsageError, match="BUDDY_HTTP_TIMEOUT_S: expected a number of seconds"):
            HttpClient(stub.url)


def test_calls_from_two_threads_do_not_mix(stub: ApiStub) -> None:
    api = make_api(stub)
    for number in range(10):
        stub.script(f"/{number}", Canned(body=str(number).encode()))
    answers: dict[int, HttpResponse] = {}
    threads = [threading.Thread(target=lambda n=n: answers.update({n: api.call("GET", f"/{n}")})) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: answer.document for number, answer in answers.items()} == {n: n for n in range(10)}


def test_a_rate_limit_says_when_it_ends() -> None:
    error = RateLimitedError("Strava", datetime(2026, 11, 20, 19, 15, tzinfo=timezone(timedelta(hours=1))))
    assert str(error) == "Strava takes no more requests for now: resume after 2026-11-20 18:15 UTC"
    assert error.exit_code == 3
    assert error.details() == {"resume_after": "2026-11-20T18:15:00+00:00"}
    assert RateLimitedError("Strava", None).details() == {"resume_after": None}
