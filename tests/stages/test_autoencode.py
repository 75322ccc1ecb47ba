"""The stage as a whole, in this process: its files, and that held-out samples teach it nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import workers
from prepared import leave

from parameters import params
from warmstart.config.arm import Arm
from warmstart.config.params import Params
from warmstart.config.parts import Activation, Optimizer
from warmstart.data.standardization import Standardization
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import write_sealed
from warmstart.networks import transfer
from warmstart.records import read_records
from warmstart.runtime.pool import Workers
from warmstart.stages.autoencode import autoencode

METHODS = ("stacked", "denoising", "rotation")


def known(**changes: Any) -> Params:
    """Two small layers, one epoch."""
    loaded = params()
    data = loaded.data.model_copy(update={"splits": "fixed"})
    network = Arm(hidden=(6, 4), activation=Activation(name="selu"))
    changes = {"methods": METHODS, "optimizer": Optimizer(name="sgd")} | changes
    changes |= {"epochs": 1, "learning_rates": (0.03,)}
    return loaded.model_copy(
        update={
            "data": data,
            "pretrain": loaded.pretrain.model_copy(update={"network": network}),
            "autoencode": loaded.autoencode.model_copy(update=changes),
        }
    )


def write_data(folder: Path, shape: tuple[int, ...] = (3, 3, 1), *, spoilt: bool = False) -> Task:
    """40 training images, and 8 to validate and to test on; spoilt: these two are others."""
    draw, other = np.random.default_rng(0), np.random.default_rng(1)
    x = {part: draw.normal(size=(n, 9)) for part, n in _SIZES.items()}
    if spoilt:
        x |= {part: other.normal(size=(8, 9)) for part in ("validation", "test")}
    arrays = {f"x_{part}": values.astype("float32") for part, values in x.items()}
    arrays |= {f"y_{part}": (np.arange(n) % 2).astype("int32") for part, n in _SIZES.items()}
    task = Task.of(name="full", class_names=("a", "b"), shape=shape, **arrays)
    leave(folder, task, Standardization(mean=np.full(9, 5.0), scale=np.full(9, 2.0)))
    write_sealed(folder / "card.json", {"transfer": {"left_out": None}})
    return task


_SIZES = {"train": 40, "validation": 8, "test": 8}


@contextmanager
def in_this_process(options: object, folder: Path) -> Iterator[Workers]:
    yield workers(folder)


def run(folder: Path, options: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warmstart.runtime.pool.start", in_this_process)
    monkeypatch.chdir(folder)
    autoencode(options, folder, folder / "models", folder / "results")


def last_losses(folder: Path) -> dict[str, dict[str, float]]:
    """Of each arm, at the learning rate that was chosen."""
    records = read_records(folder / "results/records.parquet")
    return {r.arm: {m: v[-1] for m, v in r.epochs.items()} for r in records if r.chosen}


def models(folder: Path) -> dict[str, bytes]:
    """By their names below `models`, without `.keras`."""
    found = sorted((folder / "models").rglob("*.keras"))
    return {
        str(path.relative_to(folder / "models").with_suffix("")): path.read_bytes()
        for path in found
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_data(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        run(folder, known(), monkeypatch)
    return folder


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With other held-out samples, without denoising, and with models in its folder before."""
    folder = tmp_path_factory.mktemp("spoilt")
    write_data(folder, spoilt=True)
    for name in ("mine", "denoising/0", "stacked/7"):
        (folder / f"models/{name}").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"models/{name}.keras").write_text("here before")
    with pytest.MonkeyPatch.context() as monkeypatch:
        run(folder, known(methods=("stacked", "rotation")), monkeypatch)
    return folder


def test_held_out_samples_teach_nothing(finished: Path, spoilt: Path) -> None:
    """Whatever is validated on, the same bytes are learned; and a run repeats to the byte."""
    assert list(models(finished)) == [f"{method}/0" for method in sorted(METHODS)]
    for method in ("rotation/0", "stacked/0"):
        assert models(spoilt)[method] == models(finished)[method]
    losses = [last_losses(folder) for folder in (finished, spoilt)]
    for arm in losses[1]:  # though other validation samples have other losses
        assert losses[0][arm]["loss"] == losses[1][arm]["loss"]
        assert losses[0][arm]["val_loss"] != losses[1][arm]["val_loss"]


def test_only_the_stages_own_models_are_removed(spoilt: Path) -> None:
    """A leftover of an earlier run would be a start for model B; the user's model is not ours."""
    assert list(models(spoilt)) == ["mine", "rotation/0", "stacked/0"]
    assert models(spoilt)["mine"] == b"here before"


def test_every_encoder_is_a_start_for_model_b(finished: Path) -> None:
    for method in METHODS:
        source = transfer.load(finished / "models" / method / "0.keras")
        hidden = [layer.name for layer in transfer.graft(source, 9, 2, seed=1).layers[:-1]]
        assert hidden == ["hidden_1", "activation_1", "hidden_2", "activation_2"]


def test_what_is_shown_is_what_was_learned(finished: Path) -> None:
    task = Task.read(finished / "full.npz")
    losses = last_losses(finished)
    with np.load(finished / "results/shown.npz") as shown:
        np.testing.assert_allclose(shown["originals"], task.x_validation * 2 + 5, rtol=1e-5)
        # 8 validation samples are shown in full, so their error is the loss; raw units are twice
        off = (shown["denoising_reconstructions"] - shown["originals"]) / 2
        assert np.mean(off**2) == pytest.approx(losses["denoising"]["val_loss"], rel=1e-4)
        assert shown["stacked_reconstructions"].shape == (8, 9)
        assert "rotation_reconstructions" not in shown
        for method in METHODS:
            source = transfer.load(finished / "models" / method / "0.keras")
            kernel = np.array(source.get_layer("hidden_1").kernel)
            np.testing.assert_array_equal(shown[f"{method}_filters"], kernel.T)


def test_records_tell_every_epoch_and_no_test_metric(finished: Path) -> None:
    records = read_records(finished / "results/records.parquet")
    assert {r.arm for r in records} == {"stacked_1", "stacked_2", "denoising", "rotation"}
    for record in records:
        assert record.stage == "autoencode"
        assert len(record.epochs["loss"]) == 1
        has_accuracy = np.isfinite(record.epochs["val_accuracy"][0])
        assert has_accuracy == (record.arm == "rotation")
        assert not np.isfinite(list(record.test.values())).any()


def test_rotation_alone_is_refused_where_nothing_can_be_turned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data(tmp_path, shape=(9,))
    with pytest.raises(InputError, match=r"autoencode.methods: .*shape \[9\].*rotation"):
        run(tmp_path, known(methods=("rotation",)), monkeypatch)
    assert not (tmp_path / "models").exists()
