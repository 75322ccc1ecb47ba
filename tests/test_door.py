"""Who is let in by the middleware in front of every server of ours."""

import asyncio
from typing import Any

import pytest

from warmstart.door import Door

SELF = {"host": "127.0.0.1:4200"}
FOREIGN = {"sec-fetch-site": "same-site"}  # another port of this machine, for a browser


def answer(headers: dict[str, str], kind: str = "http", method: str = "GET", **how: str) -> Any:
    """Status of the answer; None: let in."""
    said: list[dict[str, Any]] = []
    came: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        came.append(scope["type"])
        if kind == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": kind, "path": how.pop("path", "/"), "headers": []} | (
        {"method": method} if kind == "http" else {}
    )
    scope["headers"] = [(k.encode(), v.encode()) for k, v in headers.items()]
    asyncio.run(Door(app, **how)(scope, None, send))
    if came:
        for message in said:
            assert b"connect-src 'self'" in dict(message["headers"])[b"content-security-policy"]
        return None
    return said[0].get("status", said[0].get("code"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4200", "localhost:1", "localhost", "[::1]:80", "[::1]"]
)
def test_this_machines_names_at_any_port_are_its_own(host: str) -> None:
    assert answer({"host": host}) is None
    assert answer({"host": host, "origin": f"http://{host}"}, method="POST") is None
    assert answer({"host": host, "origin": f"https://{host}"}, "websocket") is None


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1", "localhost.evil", "127.0.0.1:x", ""])
def test_no_other_name_is(host: str) -> None:
    assert answer({"host": host}) == 400
    assert answer({"host": host, "origin": f"http://{host}"}, "websocket") == 1008
    assert answer({}) == 400
    assert answer({"host": "prefect:4200"}, names=("prefect",)) is None


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "http://localhost:4200", "null", ""])
def test_a_page_of_another_origin_is_let_in_nowhere(origin: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert answer(SELF | {"origin": origin}, method=method) == 403
    assert answer(SELF | {"origin": origin}, "websocket") == 1008


def test_pictures_scripts_and_frames_of_another_page_are_not_but_links_are() -> None:
    for site in ("same-site", "cross-site"):
        for aim in ("image", "script", "iframe", "empty"):
            assert answer(SELF | {"sec-fetch-site": site, "sec-fetch-dest": aim}) == 403
        followed = SELF | {"sec-fetch-site": site, "sec-fetch-dest": "document"}
        assert answer(followed) is None
        assert answer(followed, method="POST") == 403
    for site in ("same-origin", "none"):
        assert answer(SELF | {"sec-fetch-site": site, "sec-fetch-dest": "image"}) is None


def test_a_login_is_asked_for_where_there_is_one() -> None:
    right = {"authorization": "Basic YTpi"}  # a:b
    assert answer(SELF, login="a:b") == 401
    assert answer(SELF | {"authorization": "Basic YTpj"}, login="a:b") == 401
    assert answer(SELF | right, login="a:b") is None
    assert answer(SELF | right | {"origin": "http://evil.example"}, login="a:b") == 403


def test_what_nobody_needs_is_shut() -> None:
    assert answer(SELF, path="/assistant/x", shut="/assistant/") == 403
    assert answer(SELF, path="/assist", shut="/assistant/") is None


def test_the_start_of_a_server_passes() -> None:
    assert answer({}, "lifespan") is None
