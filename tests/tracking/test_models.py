"""Models in a real registry: what a version is, and who is champion."""

import json
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from scipy.special import softmax

from made_up_results import made_up, publish, write
from mlflow_serving import serving_model
from saved_models import CLASSES, MEAN, SCALE, SHAPE, network, prepare, save
from warmstart.__main__ import main
from warmstart.data.view import View
from warmstart.networks import transfer
from warmstart.networks.stack import Stack
from warmstart.records import write_records
from warmstart.tracking.models import Registry, fetch, publish_models

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of MLflow, when it saves


@pytest.fixture
def registry(database: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{database}")


@pytest.fixture
def prepared(here: Path) -> Path:
    prepare(here / "data/prepared")
    return here / "data/prepared"


@pytest.fixture
def models(here: Path, prepared: Path, registry: MlflowClient) -> Path:
    """Of A, of B and of two studies."""
    for name in ("a", "b", "compare/activation", "compare/clipping"):
        val = 0.95 if name.endswith("activation") else 0.9
        save(network(), here / "models" / f"{name}.keras", prepared, val=val)
    return here / "models"


def versions(registry: MlflowClient) -> dict[str, dict[str, str]]:
    """Model -> version -> study."""
    return {
        model.name: {
            str(v.version): v.tags.get("warmstart.study", "")
            for v in registry.search_model_versions(f"name='{model.name}'")
        }
        for model in registry.search_registered_models()
    }


def aliases(registry: MlflowClient, name: str) -> dict[str, str]:
    given = registry.get_registered_model(name).aliases
    return {alias: str(version) for alias, version in given.items()}  # SQLite gives numbers


def raw(n: int = 9) -> np.ndarray:
    return np.random.default_rng(1).normal(3, 5, size=(n, *SHAPE)).astype("float32")


def by_hand(x: np.ndarray, right: float = 1.0) -> np.ndarray:
    """Probabilities of `network` on raw samples, in NumPy."""
    standard = (x.reshape(len(x), -1) - MEAN) / SCALE
    hidden = standard + 10
    hidden = np.where(hidden >= 0, hidden, (1 / 8 + 1 / 3) / 2 * hidden)
    head = np.eye(6, 3)
    head[0, 0] = right
    return softmax(hidden @ head - 10 * head.sum(axis=0), axis=1)


def test_a_version_takes_raw_samples_and_says_what_it_is(
    models: Path, prepared: Path, registry: MlflowClient, here: Path
) -> None:
    record = save(network(right=0.5), models / "a.keras", prepared, arm="a")
    write_records(here / "results/pretrain/records.parquet", [record])
    publish(here / "results/pretrain")
    assert publish_models(models, prepared, models.with_name("results")) == 4
    assert versions(registry) == {
        "warmstart-a": {"1": ""},
        "warmstart-b": {"1": ""},
        "warmstart-best": {"1": "activation", "2": "clipping"},
    }
    mlflow.set_tracking_uri(registry._tracking_client.tracking_uri)
    try:
        loaded = mlflow.pyfunc.load_model("models:/warmstart-a@champion")
    finally:
        mlflow.set_tracking_uri(None)
    x = raw()
    found, expected = loaded.predict(x), by_hand(x, 0.5)
    assert list(found) == ["prediction", *CLASSES]
    np.testing.assert_allclose(found[list(CLASSES)], expected, rtol=1e-4, atol=1e-4)
    assert found["prediction"].tolist() == [CLASSES[place] for place in expected.argmax(axis=1)]
    assert loaded.metadata.metadata == {"classes": list(CLASSES), "columns": None}
    first = View.read(prepared, "a").raw().task.x_validation[:2].reshape(2, *SHAPE)
    np.testing.assert_allclose(loaded.input_example, first, rtol=1e-6)  # not rounded to float32
    pins = Path(loaded.metadata.get_model_info().model_uri)  # only a name: the file is looked for
    (file,) = {p for p in here.rglob("requirements.txt") if loaded.metadata.model_id in str(p)}
    packages = [line.partition("==")[0] for line in file.read_text().splitlines()]
    assert packages[:2] == ["mlflow", "keras"], pins
    assert all("==" in line for line in file.read_text().splitlines())
    # from the run that trained it, and back
    version = registry.get_model_version("warmstart-a", "1")
    run = registry.get_run(version.run_id)
    assert run.data.tags["warmstart.record"] == record.digest
    assert [o.model_id for o in run.outputs.model_outputs] == [loaded.metadata.model_id]
    assert "a on trees, learning rate 0.1, seed 0: accuracy 90.0 % on" in version.description
    assert version.description.endswith("Champion: there was none.")
    assert version.status == "READY"


def test_no_code_of_ours_is_needed_to_load_one(
    models: Path, prepared: Path, registry: MlflowClient, here: Path
) -> None:
    publish_models(models, prepared, models.with_name("results"))
    found = fetch("models:/warmstart-b@champion", here / "fetched")
    with zipfile.ZipFile(found) as archive:
        config = archive.read("config.json").decode()
    assert "warmstart" not in config
    assert "LeakyReLU" in config


def test_publishing_again_changes_nothing(
    models: Path, prepared: Path, registry: MlflowClient
) -> None:
    publish_models(models, prepared, models.with_name("results"))
    registry.delete_registered_model_alias("warmstart-a", "champion")
    registry.set_registered_model_alias("warmstart-best", "champion", "2")  # by hand
    before = versions(registry)
    assert publish_models(models, prepared, models.with_name("results")) == 0
    assert versions(registry) == before
    assert aliases(registry, "warmstart-a") == {}
    assert aliases(registry, "warmstart-best") == {"champion": "2", "challenger": "2"}


def test_champion_is_who_beats_it(models: Path, prepared: Path, registry: MlflowClient) -> None:
    """By the two cards alone: that of the champion lies in its version."""
    assert publish_models(models, prepared, models.with_name("results")) == 4
    assert aliases(registry, "warmstart-a") == {"champion": "1"}
    save(network(), models / "a.keras", prepared, right=41)
    publish_models(models, prepared, models.with_name("results"))
    assert aliases(registry, "warmstart-a") == {"champion": "1", "challenger": "2"}
    save(network(), models / "a.keras", prepared, right=55)
    assert publish_models(models, prepared, models.with_name("results")) == 1
    assert aliases(registry, "warmstart-a") == {"champion": "3", "challenger": "2"}
    said = registry.get_model_version("warmstart-a", "3").description
    assert "Champion against version 1: +25.0 points" in said
    said = registry.get_model_version("warmstart-a", "2").description
    assert "Challenger against version 1: +1.7 points" in said
    assert said.endswith("not shown to be better.")


def test_other_validation_data_are_no_contest(
    models: Path, prepared: Path, registry: MlflowClient
) -> None:
    publish_models(models, prepared, models.with_name("results"))
    prepare(prepared, n=50)
    save(network(), models / "a.keras", prepared, right=50)
    publish_models(models, prepared, models.with_name("results"))
    assert aliases(registry, "warmstart-a") == {"champion": "1", "challenger": "2"}
    said = registry.get_model_version("warmstart-a", "2").description
    assert said.endswith("Challenger against version 1: it was validated on other data.")


def test_a_champion_without_a_card_stays(
    models: Path, prepared: Path, registry: MlflowClient
) -> None:
    """As one that somebody has registered."""
    (models / "files").mkdir()
    registry.create_registered_model("warmstart-a")
    registry.create_model_version("warmstart-a", str(models / "files"))
    registry.set_registered_model_alias("warmstart-a", "champion", "1")
    publish_models(models, prepared, models.with_name("results"))
    assert aliases(registry, "warmstart-a") == {"champion": "1", "challenger": "2"}
    said = registry.get_model_version("warmstart-a", "2").description
    assert said.endswith("Challenger: not compared against version 1, which has no card.")


def test_of_the_studies_the_best_on_validation_comes_first(
    models: Path, prepared: Path, registry: MlflowClient
) -> None:
    save(network(), models / "compare/initializer.keras", prepared, val=0.93)
    publish_models(models, prepared, models.with_name("results"))
    assert versions(registry)["warmstart-best"] == {
        "1": "activation",
        "2": "initializer",
        "3": "clipping",
    }
    assert aliases(registry, "warmstart-best") == {"champion": "1", "challenger": "2"}


class Killed(BaseException):
    """As by a signal: nothing below may catch it."""


@pytest.mark.parametrize("step", ["log_model_artifacts", "create_model_version", "settle"])
def test_what_a_killed_publisher_left_is_mended(
    models: Path,
    prepared: Path,
    registry: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(Registry if step == "settle" else MlflowClient, step, killed)
        with pytest.raises(Killed):
            publish_models(models, prepared, models.with_name("results"))
    publish_models(models, prepared, models.with_name("results"))
    assert {name: len(found) for name, found in versions(registry).items()} == {
        "warmstart-a": 1,
        "warmstart-b": 1,
        "warmstart-best": 2,
    }
    for name in ("warmstart-a", "warmstart-b", "warmstart-best"):
        assert aliases(registry, name)["champion"] == "1"
    experiments = [e.experiment_id for e in registry.search_experiments()]
    logged = registry.search_logged_models(experiments)
    assert len(logged) == 4
    assert {model.status for model in logged} == {"READY"}


def test_transfer_reuses_the_registered_model_a(
    models: Path, prepared: Path, registry: MlflowClient, here: Path
) -> None:
    """The network in it, which takes features."""
    publish_models(models, prepared, models.with_name("results"))
    found = fetch("models:/warmstart-a@champion", here / "fetched")
    assert Stack.read(found) == Stack.read(models / "a.keras")
    loaded, plain = transfer.load(found), transfer.load(models / "a.keras")
    assert loaded.input_shape == plain.input_shape == (None, 6)
    x = raw().reshape(-1, 6)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), plain.predict(x, verbose=0))


@pytest.mark.slow
def test_a_model_is_served(
    models: Path, prepared: Path, registry: MlflowClient, here: Path
) -> None:
    """As MLflow's users do it: the predictions of the file, and a clear 400 for another shape."""
    publish_models(models, prepared, models.with_name("results"))
    uri, x = registry._tracking_client.tracking_uri, raw()

    def post(url: str, samples: np.ndarray) -> tuple[int, dict[str, object]]:
        request = urllib.request.Request(
            f"{url}/invocations",
            json.dumps({"inputs": samples.tolist()}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    with serving_model(here, uri, "models:/warmstart-a@champion") as url:
        status, answer = post(url, x)
        assert status == 200
        (said, *_), expected = answer["predictions"], by_hand(x)
        assert said["prediction"] == CLASSES[expected[0].argmax()]
        found = [[row[name] for name in CLASSES] for row in answer["predictions"]]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        status, answer = post(url, x.reshape(-1, 3, 2))
        assert status == 400
        wrong = "expected samples of shape (2, 3), received (3, 2); reshape them"
        assert wrong in str(answer["message"])


def test_track_brings_models_and_the_report(
    models: Path, prepared: Path, registry: MlflowClient, here: Path, capsys: pytest.CaptureFixture
) -> None:
    write(here / "results/compare/initializer", *made_up())
    (here / "reports").mkdir(exist_ok=True)
    (here / "reports/report.md").write_text("# What to use")
    command = ["track", "--results", "results", "--models", "models", "--data", "data/prepared"]
    command += ["--reports", "reports"]
    assert main(command) == 0
    assert set(versions(registry)) == {"warmstart-a", "warmstart-b", "warmstart-best"}
    assert registry.get_experiment_by_name("warmstart/pipeline")
    capsys.readouterr()

    (here / "models/cards/a.json").write_text("{")
    (here / "models/a.keras").write_bytes(b"other")
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "error: models/cards/a.json: expected what the stage report writes, received a damaged file"
    )
    damage = "import pathlib; pathlib.Path('models/cards/a.json').write_text('[')"
    # beside a pipeline it costs a warning
    assert main([*command, "--during", sys.executable, "-c", f"{damage}; raise SystemExit(3)"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "make track` publishes it: models/cards/a.json: expected what the stage" in line
