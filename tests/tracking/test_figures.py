"""The pictures of a study are on the run of its best arm."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Page, expect
from test_nesting import STUDY, client, listed

from made_up_results import made_up, publish, write
from warmstart.files import write_json
from warmstart.tracking.project import Project
from warmstart.tracking.publish import Published

TEXT = "Test accuracy, </script> and all"


def drawn(here: Path, value: float) -> None:
    """As the report does it."""
    folder = here / "reports/figures/initializer"
    rows = [{"arm": "he_normal", "accuracy": value}, {"arm": "normal_1", "accuracy": 0.5}]
    for kind in ("curves", "ranking"):
        write_json(
            folder / f"{kind}.json",
            {
                "description": TEXT,
                "data": {"values": rows},
                "mark": "point",
                "encoding": {
                    "x": {"field": "accuracy", "type": "quantitative"},
                    "y": {"field": "arm", "type": "nominal", "title": TEXT},
                },
            },
        )
        (folder / f"{kind}.svg").write_text(f"<svg>{value}</svg>")


def artifacts() -> dict[str, Path]:
    """Of all runs of the study; only the best arm has some."""
    best, *others = listed()
    assert [client().list_artifacts(run.info.run_id) for run in others] == [[]] * len(others)
    folder = Path(client().download_artifacts(best.info.run_id, ""))
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}


def test_pictures_are_kept_and_follow_the_report(database: Path, folder: Path, here: Path) -> None:
    publish(folder)
    assert client().list_artifacts(listed()[0].info.run_id) == []
    assert "figures" not in client().get_experiment_by_name(STUDY).tags["mlflow.note.content"]
    drawn(here, 0.97)
    for value in (0.97, 0.98):
        drawn(here, value)
        assert publish(folder) == Published(new=0, present=21)
        found = artifacts()
        assert found.keys() == {f"figures/{n}" for n in ("curves.svg", "ranking.svg", "study.html")}
        assert found["figures/ranking.svg"].read_text() == f"<svg>{value}</svg>"
        page = found["figures/study.html"].read_text()
        assert f'"accuracy": {value}' in page
        assert page.index('id="ranking"') < page.index('id="curves"')
    best = listed()[0].info.run_id
    link = f"/runs/{best}/artifacts/figures/study.html"
    assert link in client().get_experiment_by_name(STUDY).tags["mlflow.note.content"]


def test_the_same_pictures_are_drawn_once(
    database: Path, folder: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(here, 0.97)
    publish(folder)
    monkeypatch.setattr(MlflowClient, "log_artifacts", lambda *_: pytest.fail("drawn again"))
    assert publish(folder).new == 0


def test_pictures_that_came_last_are_noticed(folder: Path, here: Path) -> None:
    project = Project(results=here / "results", reports=here / "reports")
    before = project.states()
    drawn(here, 0.97)
    assert project.states() != before


@pytest.mark.slow
def test_the_page_draws_them_without_a_network(database: Path, here: Path, page: Page) -> None:
    write(here / "results/compare/initializer", *made_up())
    drawn(here, 0.97)
    publish(here / "results/compare/initializer")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(artifacts()["figures/study.html"].as_uri())
    expect(page.locator("svg, canvas")).to_have_count(2, timeout=30_000)
    assert [url for url in asked if not url.startswith("file:")] == []
    assert page.locator("figcaption").first.inner_text() == TEXT
    assert (
        json.loads(page.evaluate("JSON.stringify(document.querySelectorAll('script').length)")) == 3
    )
