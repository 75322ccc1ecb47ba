"""Totals of answers, against servers that drip; and proxies, which this machine is not behind."""

import io
import os
import time
import urllib.request
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import requests
from dripping import WAYS, dripping

from warmstart import deadlines

SECONDS = 0.3


@pytest.fixture(autouse=True)
def whole_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HTTPConnection, "response_class", HTTPResponse)
    monkeypatch.setattr(deadlines, "MOST_BYTES", 10**7)
    deadlines.whole_answers()


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("redirects", "come again")])
def test_an_answer_that_drips_ends_in_time(way: str) -> None:
    with dripping(way) as address:
        before = time.monotonic()
        with pytest.raises((requests.RequestException, OSError)):
            requests.get(f"http://{address}", timeout=SECONDS)
        assert time.monotonic() - before < 10 * SECONDS


def test_who_has_no_timeout_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "SECONDS", SECONDS)
    late = pytest.raises(TimeoutError, match=r"no whole answer within 0 s, \d+ bytes came")
    with (
        dripping("a slow body") as address,
        urllib.request.urlopen(f"http://{address}") as answer,
        late,
    ):
        answer.read()


class Steady(io.RawIOBase):
    """100 bytes each second, by a clock of its own."""

    now = 0.0

    def readinto(self, buffer: bytearray) -> int:
        Steady.now += 1
        return 100

    def gettimeout(self) -> float:
        return 7.0

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0


@pytest.mark.parametrize(("rate", "reads"), [(100, 300), (200, 14)])
def test_what_comes_faster_than_the_rate_may_take_its_time(
    monkeypatch: pytest.MonkeyPatch, rate: int, reads: int
) -> None:
    """After n reads n s have passed and 7 + 100 n / rate are allowed: for ever at the rate itself,
    but for the most of 300 s; until n = 7 + n / 2 at half of it."""
    Steady.now = 0.0
    monkeypatch.setattr(deadlines, "RATE", rate)
    monkeypatch.setattr(time, "monotonic", lambda: Steady.now)
    source = Steady()
    timed = deadlines._Timed(source, source)  # type: ignore[arg-type]
    for _ in range(reads):
        assert timed.readinto(bytearray(100)) == 100
    with pytest.raises(TimeoutError):
        timed.readinto(bytearray(100))


class Model(BaseHTTPRequestHandler):
    """Ten parts, all at once."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        for part in range(10):
            self.wfile.write(bytes([part]) * 100_000)

    def log_message(self, *_: object) -> None:
        pass


def test_a_good_answer_comes_whole_and_its_connection_serves_again() -> None:
    server = HTTPServer(("127.0.0.1", 0), Model)
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    with requests.Session() as session:
        for _ in range(2):
            said = session.get(f"http://127.0.0.1:{server.server_port}", timeout=5).content
            assert said == b"".join(bytes([part]) * 100_000 for part in range(10))
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("upper", "lower", "then"),
    [
        (None, None, ["127.0.0.1,localhost,::1"] * 2),
        ("example.org", None, ["example.org,127.0.0.1,localhost,::1"] * 2),
        ("a, localhost", "b", ["a, localhost,127.0.0.1,::1", "b,127.0.0.1,localhost,::1"]),
        ("*", None, ["*", "*"]),
    ],
)
def test_proxies_are_passed_by(
    monkeypatch: pytest.MonkeyPatch, upper: str | None, lower: str | None, then: list[str]
) -> None:
    for name, value in (("NO_PROXY", upper), ("no_proxy", lower)):
        monkeypatch.setenv(name, value or "")  # put back afterwards, whatever it was
        if value is None:
            monkeypatch.delenv(name)
    for _ in range(2):
        deadlines.pass_proxies_by()
        assert [os.environ["NO_PROXY"], os.environ["no_proxy"]] == then


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_dead_proxy_is_not_asked_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, name: str, proxy: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv(name, proxy)
    deadlines.pass_proxies_by()
    answered = pytest.raises(requests.ConnectionError, match="BadStatusLine")
    with dripping("garbage") as address, answered:
        requests.get(f"http://{address}", timeout=5)
