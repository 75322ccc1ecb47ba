"""`warmstart mlflow`: a port that is free, MLflow's pages with our defaults."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from made_up_results import made_up, made_up_timings, project_of, publish_all, write
from served_pages import opened, served
from warmstart import login
from warmstart.__main__ import main
from warmstart.analysis.summary import read_summary
from warmstart.errors import InputError
from warmstart.tracking import pages
from warmstart.tracking.pages import HOST, free_port

__all__ = ["served"]

SOON = 60_000  # ms


@pytest.fixture
def busy() -> Iterator[int]:
    """A port at which somebody listens."""
    with closing(socket.socket()) as listening:
        listening.bind((HOST, 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_busy_port_gives_the_next_free_one(busy: int) -> None:
    found = free_port(busy)
    assert busy < found < busy + 100
    with closing(socket.socket()) as one:
        one.bind((HOST, found))
        assert free_port(found) != found
    assert free_port(found) == found


@pytest.mark.parametrize("wanted", [-1, 0, 65536])
def test_a_port_that_cannot_be_is_refused(
    database: Path, wanted: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mlflow", f"--port={wanted}"]) == 2
    assert capsys.readouterr().err.startswith("error: --port: expected a port from 1 to 65535")


def test_no_password_is_among_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *called: ran.append(called))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg2://me:secret@there/mlflow")
    pages.serve(5000)
    ((_, command, settings),) = ran
    assert "secret" not in " ".join(command)
    assert settings["MLFLOW_BACKEND_STORE_URI"].endswith("me:secret@there/mlflow")


def test_it_is_said_in_one_line(
    database: Path, busy: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[int] = []
    monkeypatch.setattr(pages, "serve", served.append)
    for others in (False, True):
        monkeypatch.setattr(login, "others", lambda others=others: others)
        assert main(["mlflow", "--port", str(busy)]) == 0
        port = served.pop()
        first, second, *more = capsys.readouterr().out.splitlines()
        assert first == f"port {busy} is busy, {port} is free"
        assert second == f"MLflow: http://{HOST}:{port}/#/experiments?workflowType=machine_learning"
        assert more == [f"log in with what {login.place()} says"] * others


def test_where_mlflow_would_find_no_door_of_ours_nothing_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "entry_points", lambda **_: ())
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("served"))
    with pytest.raises(InputError, match="make setup"):
        pages.serve(5000)


def test_links_are_those_of_the_server(
    database: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_all(folder.parents[1])
    capsys.readouterr()
    main(["links", "--server", f"http://{HOST}:4321"])
    addresses = set(re.findall(r"http://[^/]+", capsys.readouterr().out))
    assert addresses == {f"http://{HOST}:4321"}


def test_another_server_is_not_served_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9/")
    monkeypatch.setattr(pages, "serve", lambda port: pytest.fail("served"))
    assert main(["mlflow"]) == 2
    assert capsys.readouterr().err.startswith("error: http://127.0.0.1:9/: expected an MLflow")


@pytest.mark.slow
@pytest.mark.parametrize("bare", [False, True])
def test_one_click_shows_the_answer(
    database: Path, folder: Path, here: Path, page: Page, served: Callable[[], str], bare: bool
) -> None:
    """The arms, best first, with the numbers that rank them, and nothing in front of them; also
    from the address of the server alone."""
    write(folder, *made_up(), made_up_timings())
    write(here / "results/compare/depth", *made_up(study="depth", root=1))
    publish_all(here / "results")
    address = served()
    opened(page, address.partition("#")[0] if bare else address)
    row = page.get_by_role("row").filter(has_text="warmstart/initializer")
    expect(row).to_contain_text("he_normal: 96.0 %", timeout=SOON)
    row.get_by_role("link", name="warmstart/initializer").click()

    summary = read_summary(project_of(folder).summary(folder))
    names = page.locator('[role="gridcell"][col-id*="Run Name"] a')
    expect(names).to_have_text(list(summary.arms), timeout=SOON)
    head = page.locator('[role="columnheader"][col-id="metrics.`difference`"]')
    expect(head).to_be_visible(timeout=SOON)
    of = {contrast.arm: contrast for contrast in summary.contrasts.values()}
    for number, (arm, found) in enumerate(summary.arms.items()):
        contrast = of.get(arm)
        expected = {
            "metrics.`test_accuracy`": f"{found.test.mean:.2f}",
            "metrics.`low`": f"{found.test.low:.2f}",
            "metrics.`high`": f"{found.test.high:.2f}",
            "metrics.`difference`": f"{contrast.difference.mean:.2f}" if contrast else "-",
            "tags.`warmstart.verdict`": contrast.verdict if contrast else "reference",
        }
        places = []
        for column, text in expected.items():
            cell = page.locator(f'[row-index="{number}"] [col-id="{column}"]')
            expect(cell).to_have_text(text)
            expect(cell).to_be_in_viewport()
            places.append(cell.bounding_box()["x"])
        assert places == sorted(places)
    expect(page.get_by_text("he_normal: 96.0 % (94.0 to 98.0) test accuracy")).to_be_visible()
    expect(page.get_by_placeholder("Ask a question")).to_have_count(0)


@pytest.mark.slow
def test_what_somebody_chose_stays_chosen(
    database: Path, folder: Path, page: Page, served: Callable[[], str]
) -> None:
    publish_all(folder.parents[1])
    address = served()
    opened(page, address)
    link = page.get_by_test_id("experiment-list-item-link").filter(has_text="initializer")
    link.wait_for(timeout=SOON)
    page.evaluate("localStorage['mlflow.workflowType_v1'] = '\"genai\"'")
    page.goto("about:blank")
    page.goto(address.partition("?")[0])
    link.click(timeout=SOON)
    expect(page.get_by_text("Evaluation runs")).to_be_visible(timeout=SOON)
