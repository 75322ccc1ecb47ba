"""Prefect's server as `make prefect` starts it: what it refuses to start with, and an attack."""

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, expect
from prefect_fixtures import served_project, serving

from flows.server import main, settings_for
from foreign_project import ROOT, environment, wait_until
from hostile_requests import Request, browser, elsewhere, got_in, page_attacks, refused, sockets
from prefect_serving import Guarded, own_server

SOON = 60_000  # ms
ONE_STAGE = "stages:\n  alone:\n    cmd: echo 7 > alone.txt\n    outs: [alone.txt]\n"


def test_make_prefect_starts_it() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"(?m)^prefect: .*\n\t@\$\(BIN\)/python -m flows\.server$", makefile)
    assert "server start" not in makefile


def test_its_settings_are_made_before_prefect_is_imported() -> None:
    """Which reads them then; with its own it asks nobody for a login."""
    code = "import sys, flows.server; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"prefect", "prefect_dvc"}.isdisjoint(done.stdout.split())


@pytest.mark.parametrize(
    ("given", "login", "line"),
    [
        (["--host", "0.0.0.0"], "a:b", "--host: expected 127.0.0.1, received 0.0.0.0"),
        (["--host", "::"], "a:b", "--host: expected 127.0.0.1, received ::"),
        (["--host", "10.0.0.1", "--allowed-hosts", "p"], "", "PREFECT_SERVER_API_AUTH_STRING: ex"),
        (["--host", "0.0.0.0", "--allowed-hosts", "p"], "none", "PREFECT_SERVER_API_AUTH_STRING:"),
        (["--port", "0x"], "", None),
        (["--port", "70000"], "", "--port: expected a free port of 127.0.0.1, received 70000"),
    ],
)
def test_what_it_does_not_start_with_is_one_line(
    given: list[str],
    login: str,
    line: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", login)
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: pytest.fail("served"))
    if line is None:
        with pytest.raises(SystemExit) as ended:
            main(given)
        assert ended.value.code == 2
        return
    assert main(given) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: {line}")


def test_a_busy_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        assert main(["--port", str(busy.getsockname()[1])]) == 2
    assert "Address already in use" in capsys.readouterr().err


def test_its_settings_are_prefects() -> None:
    """A name that Prefect does not know would be no protection."""
    import prefect.settings

    given = settings_for("me:secret")
    assert all(hasattr(prefect.settings, name) for name in given)
    assert given["PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"] == "true"
    assert "*" not in given["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"]
    assert given["PREFECT_SERVER_API_AUTH_STRING"] == "me:secret"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with own_server(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture(scope="module")
def served_to_own(
    fresh: Path, known: dict[str, Any], own: Guarded, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """One whose deployments are served to `own`, by a program that finds the login by itself."""
    place = tmp_path_factory.mktemp("guarded")
    small = Path(shutil.copytree(fresh, place / "small"))
    (small / "dvc.yaml").write_text(ONE_STAGE)
    settings = {"XDG_CONFIG_HOME": str(own.home)}
    served = served_project(small, place)
    with serving(served, own, [*known], **settings):
        yield served


def held(server: Guarded) -> dict[str, Any]:
    """What a hostile request could have changed."""
    kinds = ("deployments", "variables", "block_documents", "automations", "flows")
    found = {kind: server.read(f"{kind}/filter") for kind in kinds}
    for each in found["deployments"]:  # whoever serves them says that it is alive
        for own in ("last_polled", "status", "updated"):
            each.pop(own)
    found["flow_runs"] = asked_for(server)
    events = server.read("events/filter", filter={"event": {"prefix": ["hostile"]}})
    return found | {"events": events["events"]}


def asked_for(server: Guarded) -> list[dict[str, Any]]:
    """The runs that no schedule has made."""
    runs = server.read("flow_runs/filter")
    return [run for run in runs if not run["auto_scheduled"]]


@pytest.mark.slow
@pytest.mark.usefixtures("served_to_own")
def test_a_page_of_another_origin_gets_nothing(own: Guarded) -> None:
    number = own.deployment("on-demand")["id"]
    hostile = json.dumps({"name": "hostile", "parameters": {"set": ["seconds=1"]}})
    event = {"event": "hostile", "resource": {"prefect.resource.id": "x"}, "id": number}
    auth, only = '{"type": "auth", "token": null}', '{"type": "filter", "filter": {}}'
    wire = own.url.replace("http", "ws")
    before = held(own)
    with elsewhere() as port, browser() as page:
        for name in ("127.0.0.1", "localhost"):
            page.goto(f"http://{name}:{port}/")
            got = page_attacks(
                page,
                reads=[
                    ("POST", f"{own.url}/flow_runs/filter", "{}"),
                    ("GET", f"{own.url}/csrf-token?client=hostile", None),
                    ("GET", f"{own.url}/admin/settings", None),
                    ("GET", own.url.replace("/api", "/ui-settings"), None),
                ],
                writes=[
                    (f"{own.url}/deployments/{number}/create_flow_run", hostile),
                    (f"{own.url}/variables/", '{"name": "hostile", "value": "x"}'),
                ],
                sockets=[
                    (f"{wire}/events/in", [], [json.dumps(event)]),
                    (f"{wire}/events/in", ["prefect"], [auth, json.dumps(event)]),
                    (f"{wire}/events/out", ["prefect"], [auth, only]),
                    (f"{wire}/logs/out", ["prefect"], [auth, only]),
                ],
            )
            assert len(got) == 26
            assert got_in(got) == {}
            assert "silence" not in got.values()
        page.goto(own.url.replace("127.0.0.1", "evil.example").removesuffix("/api"))
        assert "expected to be called 127.0.0.1" in page.content()
    assert held(own) == before


@pytest.mark.slow
def test_no_request_under_another_name_or_from_another_page_is_answered(own: Guarded) -> None:
    """Not even with the login and a token."""
    token = {name: value for name, value in own.headers().items() if "Csrf" in name}
    path = "/api/variables/"
    hostile = [*refused("POST", path, {"name": "hostile", "value": "x"}, own.login, token)]
    hostile += refused("GET", "/api/admin/settings", None, own.login)
    assert len(hostile) == 2 * 32
    for request in hostile:
        assert request.status(own.url) in (400, 403), request
    for request in sockets("/api/events/in"):
        assert request.status(own.url) in (400, 403), request
    assert own.read("variables/filter") == []
    for login in ("", "admin:wrong"):
        (first, *_) = refused("GET", "/api/admin/settings", None, login)
        assert first.as_ours().status(own.url) == 401
    assert first.as_ours(own.login).status(own.url) == 200


@pytest.mark.slow
def test_its_own_pages_start_a_run_which_ends_well(served_to_own: Path, own: Guarded) -> None:
    """By a form, after a login; under each name of this machine."""
    ui = own.url.removesuffix("/api")
    with browser() as page:
        for address in (ui.replace("127.0.0.1", "localhost"), ui):
            log_in(page, address, own.login)
        number = own.deployment("on-demand")["id"]
        page.goto(f"{ui}/v2/deployments/deployment/{number}/run")
        page.get_by_role("button", name="Submit").click(timeout=SOON)
        page.wait_for_url(re.compile("tab=Runs|/runs/"), timeout=SOON)
    wait_until(lambda: len(asked_for(own)) == 1, lambda: asked_for(own))
    run = own.ended("on-demand")
    assert (run["state"]["name"], run["state"]["message"]) == ("Completed", "2 Ran")
    for ip, port in listening(served_to_own):  # Prefect's own, for who has the token of a run
        assert ip == "127.0.0.1"
        assert Request("GET", "/health").status(f"http://{ip}:{port}") == 0


def listening(folder: Path) -> list[Any]:
    """Where the processes that work in `folder` listen."""
    working = [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(folder)]
    assert working
    doors = [door for one in working for door in one.net_connections("inet")]
    return [door.laddr for door in doors if door.status == psutil.CONN_LISTEN]


@pytest.mark.slow
def test_a_login_of_another_server_is_said_in_one_line(served_to_own: Path, own: Guarded) -> None:
    command = [sys.executable, "-m", "flows", "--serve"]
    for login in ("", "admin:wrong"):
        wrong = {"PREFECT_API_URL": own.url, "PREFECT_API_AUTH_STRING": login}
        run = subprocess.run(
            command, cwd=served_to_own, env=environment(**wrong), capture_output=True, text=True
        )
        assert (run.returncode, run.stdout) == (2, "")
        (line,) = run.stderr.splitlines()
        assert line.startswith(f"PREFECT_API_AUTH_STRING: expected a login of {own.url}")


def log_in(page: Page, address: str, login: str) -> None:
    page.goto(address)
    page.get_by_placeholder("admin:pass").fill(login, timeout=SOON)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Active Work Pools", exact=True)).to_be_visible(timeout=SOON)
