"""How flows talk to servers: in time, past proxies, without secrets."""

import asyncio
import os
import time

import httpx
import pytest
from dripping import WAYS, dripping

from prefect_dvc import servers

SECONDS = 0.3


OTHERWISE = ("redirects", "come again", "an endless body")
"""Answers, and what fills the memory for as long as it may."""


@pytest.mark.parametrize("way", [way for way in WAYS if way not in OTHERWISE])
def test_an_answer_that_drips_ends_in_time(way: str) -> None:
    with dripping(way) as address:
        before = time.monotonic()
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://{address}", timeout=SECONDS)
        assert time.monotonic() - before < 10 * SECONDS


@pytest.mark.parametrize("way", ["silent", "a slow body", "an endless header"])
def test_nor_does_one_that_is_awaited(way: str) -> None:
    async def ask(address: str) -> None:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            await client.get(f"http://{address}")

    with dripping(way) as address:
        before = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            asyncio.run(ask(address))
        assert time.monotonic() - before < 10 * SECONDS


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "NO_PROXY": "example.org",
        "no_proxy": "",
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "PREFECT_API_URL": "http://me:s%40cret@127.0.0.1:4200/api",
        "PREFECT_API_REQUEST_TIMEOUT": "33",
    }
    monkeypatch.setattr(os, "environ", given)
    for _ in range(2):
        servers.set_environment()
        assert given == servers.DEFAULTS | {
            "NO_PROXY": "example.org,127.0.0.1,localhost,::1",
            "no_proxy": "example.org,127.0.0.1,localhost,::1",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "PREFECT_API_URL": "http://127.0.0.1:4200/api",
            "PREFECT_API_AUTH_STRING": "me:s@cret",
            "PREFECT_API_REQUEST_TIMEOUT": "33",
        }


def test_what_of_addresses_is_shown() -> None:
    assert servers.shown("https://me:pw@example.org:1/a?token=x#y") == "https://example.org:1/a"
    said = "pulling https://me:pw@example.org/x and s3://b/c@d, ssh://git@h"
    assert servers.hidden(said) == "pulling https://example.org/x and s3://b/c@d, ssh://h"
