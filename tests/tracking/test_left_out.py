"""Stages that were left out leave nothing to publish, and nothing that fails."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from made_up_results import made_up, write
from saved_models import network, prepare, save
from warmstart.__main__ import main
from warmstart.records import times_of
from warmstart.stages.left_out import leave_out

WHY = "the data have 2 classes, where task A and task B need two or more each"
COMMAND = ["track", "--results", "results", "--models", "models", "--data", "data/prepared"]


def left_out() -> None:
    """As the stages do it themselves."""
    results, models = Path("results"), Path("models")
    for stage, own in {
        "pretrain": [models / "a.keras", models / "a"],
        "transfer": [models / "b.keras", results / "transfer/labels", results / "transfer/pairs"],
        "autoencode": [models / "autoencode"],
    }.items():
        folder = results / stage
        written = [folder / "records.parquet", folder / "kept.json", times_of(folder)]
        leave_out(stage, WHY, [*own, *written])


@pytest.mark.filterwarnings("ignore::UserWarning")  # of MLflow, when it saves
def test_nothing_of_them_is_published(here: Path, database: Path) -> None:
    """Also where the cards of an earlier run still lie."""
    prepare(here / "data/prepared")
    for name in ("a", "b", "compare/activation"):
        save(network(), here / "models" / f"{name}.keras", here / "data/prepared")
    write(here / "results/compare/initializer", *made_up())
    left_out()
    assert main(COMMAND) == 0
    registry = MlflowClient(f"sqlite:///{database}")
    assert [model.name for model in registry.search_registered_models()] == ["warmstart-best"]
    named = {each.name for each in registry.search_experiments()} - {"Default"}
    assert named == {"warmstart/initializer", "warmstart/activation"}


def test_where_all_is_left_out_there_is_no_error(here: Path, database: Path) -> None:
    left_out()
    assert main(COMMAND) == 0
    assert not MlflowClient(f"sqlite:///{database}").search_registered_models()
