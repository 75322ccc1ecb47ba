"""Addresses that `make mlflow` prints."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from mlflow import MlflowClient

from made_up_results import made_up, publish, publish_all, write
from warmstart.__main__ import main
from warmstart.tracking.links import LOCAL, Link, links


def title(link: Link) -> str:
    return f"{link.about} {link.text}".strip()


def parts(url: str) -> tuple[str, dict[str, str]]:
    """Path and query behind the `#` of an address on the local server."""
    assert url.startswith(f"{LOCAL}/#/")
    split = urlsplit(url.partition("#")[2])
    return split.path, {key: value for key, (value,) in parse_qs(split.query).items()}


def test_each_study_has_its_pages(database: Path, folder: Path, here: Path) -> None:
    write(here / "results/compare/depth", *made_up(study="depth", arms=("deep", "wide"), root=1))
    publish_all(here / "results")
    client = MlflowClient(f"sqlite:///{database}")
    ids = {
        study: client.get_experiment_by_name(f"warmstart/{study}").experiment_id
        for study in ("depth", "initializer")
    }
    found = {title(link): parts(link.url) for link in links()}
    assert list(found) == [
        "depth ranking",
        "depth curves of all arms",
        "depth seeds of deep",
        "initializer ranking",
        "initializer curves of all arms",
        "initializer seeds of he_normal",
        "registered models",
    ]
    page = f"/experiments/{ids['depth']}/runs"
    ranking = {"workflowType": "machine_learning", "viewStateShareKey": "ranking"}
    assert found["depth ranking"] == (page, ranking)
    assert found["depth curves of all arms"] == (page, ranking | {"compareRunsMode": "CHART"})
    path, query = found["initializer seeds of he_normal"]
    runs = client.search_runs([ids["initializer"]], query["searchFilter"])
    assert path == f"/experiments/{ids['initializer']}/runs"
    assert {run.info.run_name for run in runs} == {
        f"he_normal lr=0.01 seed={seed}" for seed in range(3)
    }


def test_a_against_b(database: Path, here: Path) -> None:
    write(here / "results/pretrain", *made_up(stage="pretrain", study="", arms=("a",)))
    assert "A against B" not in {link.text for link in links()}
    arms = ("on_a", "scratch", "on_a_head_only")
    write(here / "results/transfer", *made_up(stage="transfer", study="", arms=arms, root=1))
    few = made_up(stage="transfer", study="labels_50", arms=arms, root=2)
    write(here / "results/transfer/labels/50", *few)
    publish_all(here / "results")
    assert {link.about for link in links()} == {"pretrain", "transfer", "transfer by labels", ""}
    (url,) = (link.url for link in links() if link.text == "A against B")
    path, query = parts(url)
    client = MlflowClient(f"sqlite:///{database}")
    assert path == "/compare-runs"
    names = {client.get_run(run).info.run_name for run in json.loads(query["runs"])}
    assert names == {"model A", "B on A, freeze then thaw", "B from scratch"}
    assert len(json.loads(query["experiments"])) == 2


def test_only_what_holds_is_linked(database: Path, folder: Path) -> None:
    publish(folder)
    write(folder, *made_up(arms=("orthogonal", "he_normal", "normal_1"), root=9))
    publish(folder)
    assert "initializer seeds of orthogonal" in {title(link) for link in links()}


def test_printed(database: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["links"]) == 0
    assert capsys.readouterr().out == ""
    publish(folder)
    assert main(["links"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "initializer ranking:"
    assert second == f"    {links()[0].url}"
