"""A's model from a real registry: MLflow's, in SQLite."""

import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path

import mlflow
import numpy as np
import pytest

from parameters import PATH
from warmstart.__main__ import main
from warmstart.config.arm import Arm
from warmstart.networks import building, transfer
from warmstart.tracking.models import fetch


@pytest.fixture
def registry(database: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{database}")


def start_transfer(a: str) -> int:
    given = {"--params": str(PATH), "--a": a} | {f"--{k}": "x" for k in ("data", "model", "output")}
    return main(["transfer", *(word for pair in given.items() for word in pair)])


def register(registry: mlflow.MlflowClient, name: str, files: Mapping[str, bytes]) -> None:
    """A version of the model `name` that carries `files`."""
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    for file, content in files.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)
    if not registry.search_registered_models(f"name='{name}'"):
        registry.create_registered_model(name)
    registry.create_model_version(name, str(folder))


@pytest.mark.filterwarnings("ignore::UserWarning")  # of MLflow, when it logs
def test_a_model_that_the_keras_flavour_logged(registry: mlflow.MlflowClient, here: Path) -> None:
    model = building.build(Arm(hidden=(4, 3)).resolve(5), features=5, outputs=3, seed=1)
    first = [weight + 0.5 for weight in model.get_weights()]
    mlflow.set_tracking_uri(registry.tracking_uri)
    try:
        signature = mlflow.models.infer_signature(np.zeros((1, 5), "float32"))
        for weights in (first, [weight + 1 for weight in first]):
            model.set_weights(weights)
            mlflow.keras.log_model(
                model,
                name="a",
                registered_model_name="mine",
                signature=signature,
                pip_requirements=[],
            )
    finally:
        mlflow.set_tracking_uri(None)
    registry.set_registered_model_alias("mine", "champion", "1")
    found = fetch("models:/mine@champion", here / "fetched")
    assert found == here / "fetched/mine-1.keras"
    for loaded in (transfer.load(found), transfer.load(fetch("models:/mine/1", here / "again"))):
        for weight, logged in zip(loaded.get_weights(), first, strict=True):
            np.testing.assert_array_equal(weight, logged)


def test_transfer_starts_on_it(
    registry: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """By the command, whose stage sees a file."""
    seen = []

    def stage(params: object, data: Path, sources: Mapping[str, Path], *_: Path) -> None:
        seen.extend([(arm, path, path.read_bytes()) for arm, path in sources.items()])

    monkeypatch.setattr("warmstart.stages.transfer.transfer", stage)
    register(registry, "mine", {"data/model.keras": b"first"})
    register(registry, "mine", {"data/model.keras": b"second"})

    assert start_transfer("models:/mine/2") == 0
    ((arm, path, content),) = seen
    assert (arm, path.name, content) == ("on_a", "mine-2.keras", b"second")
    assert not path.exists()
    assert start_transfer("models:/mine@champion") == 2
    assert "models:/mine@champion: expected a model in MLflow's" in capsys.readouterr().err


class Loaded:
    """Says so when a pickle of it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("loaded"),))


def test_nothing_of_a_version_is_run(registry: mlflow.MlflowClient, here: Path) -> None:
    """As one that somebody has made with code in it."""
    danger = {"python_model.pkl": pickle.dumps(Loaded()), "served.py": b"open('loaded', 'w')"}
    model = building.build(Arm(hidden=(4,)).resolve(5), features=5, outputs=3, seed=1)
    model.save(here / "a.keras")
    files = danger | {"MLmodel": b"flavors: {}", "a.keras": (here / "a.keras").read_bytes()}
    register(registry, "mine", files)
    transfer.load(fetch("models:/mine/1", here / "fetched"))
    assert not (here / "loaded").exists()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "models:/mine/3",
            "models:/mine/3: expected a model in MLflow's registry, received Mlflow",
        ),
        ("models:/yours@champion", "yours@champion: expected a model in MLflow's registry"),
        ("models:/mine/Production", "expected models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/mine", "expected models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/mine/1", "with one .keras file, received MLmodel, model.pkl; log it"),
        ("models:/mine/2", "with one .keras file, received a.keras, b.keras; log it"),
    ],
)
def test_what_is_not_there_is_one_line(
    registry: mlflow.MlflowClient,
    here: Path,
    uri: str,
    expected: str,
    capsys: pytest.CaptureFixture,
) -> None:
    register(registry, "mine", {"MLmodel": b"", "model.pkl": b""})
    register(registry, "mine", {"a.keras": b"", "b.keras": b""})
    assert start_transfer(uri) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
