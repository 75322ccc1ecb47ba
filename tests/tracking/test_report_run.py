"""The report is kept in MLflow, once for each content."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from made_up_results import publish
from warmstart.files import write_sealed
from warmstart.tracking.project import Project
from warmstart.tracking.publish import Publisher


def publish_report(folder: Path) -> int:
    return Publisher(Project(results=Path("results"), reports=folder)).bring(folder).new


@pytest.fixture
def reports(here: Path) -> Path:
    (here / "reports/figures").mkdir(parents=True)
    (here / "reports/report.html").write_text("<p>one</p>")
    (here / "reports/figures/activation_ranking.svg").write_text("<svg/>")
    return here / "reports"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["database", "server"])
def test_pages_and_pictures_are_artifacts(
    reports: Path,
    where: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    here: Path,
) -> None:
    place = request.getfixturevalue(where)
    uri = place if where == "server" else f"sqlite:///{place}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert publish_report(reports) == 1
    assert publish_report(reports) == 0
    (reports / "report.html").write_text("<p>two</p>")
    assert publish_report(reports) == 1
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("warmstart/pipeline").experiment_id
    new, old = client.search_runs([experiment], order_by=["attributes.start_time DESC"])
    assert [run.data.tags["warmstart.current"] for run in (new, old)] == ["true", "false"]
    assert [run.info.status for run in (new, old)] == ["FINISHED"] * 2
    for run, text in ((new, "two"), (old, "one")):
        folder = Path(
            download_artifacts(
                artifact_uri=run.info.artifact_uri, dst_path=str(here / text), tracking_uri=uri
            )
        )
        assert (folder / "report.html").read_text() == f"<p>{text}</p>"
        assert (folder / "figures/activation_ranking.svg").read_text() == "<svg/>"


def test_artifacts_lie_beside_the_database(
    reports: Path, database: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the current folder, which may be a worktree that is removed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    elsewhere = here / "worktree"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    publish_report(reports)
    assert list(elsewhere.iterdir()) == []
    assert [p.read_text() for p in here.glob("mlartifacts/**/report.html")] == ["<p>one</p>"]


def test_arms_have_the_colours_of_the_report(
    reports: Path, database: Path, folder: Path, here: Path
) -> None:
    hues = {"he_normal": "#0072b2", "normal_1": "#d55e00"}
    write_sealed(reports / "colours.json", {"initializer": hues, "depth": {"he_normal": "#000000"}})
    publish(folder)
    client = MlflowClient(f"sqlite:///{database}")
    experiment = client.get_experiment_by_name("warmstart/initializer").experiment_id
    runs = client.search_runs([experiment], "tags.`warmstart.kind` = 'summary'")
    seen = {run.data.tags["warmstart.arm"]: run.data.tags.get("mlflow.runColor") for run in runs}
    assert seen == hues | {"glorot_normal": None}
    hues["glorot_normal"] = "#000000"  # another arm has come before it
    write_sealed(reports / "colours.json", {"initializer": hues})
    assert publish(folder).new == 0
    runs = client.search_runs([experiment], "tags.`warmstart.kind` = 'summary'")
    assert {r.data.tags["warmstart.arm"]: r.data.tags["mlflow.runColor"] for r in runs} == hues


def test_no_report_no_run(here: Path) -> None:
    assert publish_report(here / "reports") == 0
    assert not (here / "mlflow.db").exists()
