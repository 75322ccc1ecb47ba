"""A model A of the user's own: two classes are enough, and nothing is pretrained."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import workers

from parameters import params
from warmstart.__main__ import main
from warmstart.config.arm import Arm
from warmstart.config.model_a import ModelA
from warmstart.config.params import Params
from warmstart.errors import InputError
from warmstart.networks import building, saving
from warmstart.records import read_records
from warmstart.runtime.pool import Workers
from warmstart.stages.prepare import prepare
from warmstart.stages.pretrain import pretrain
from warmstart.stages.transfer import transfer


@contextmanager
def in_this_process(options: object, folder: Path) -> Iterator[Workers]:
    yield workers(folder)


def known(folder: Path, **changes: Any) -> Params:
    """120 samples of two classes, four features; brief trials."""
    random, y = np.random.default_rng(0), np.repeat(["ill", "well"], 60)
    x = random.normal(size=(120, 4)) + 2 * (y == "ill")[:, None]
    np.savez(folder / "data.npz", x=x, y=y)
    loaded = params()
    b = {
        "a": ModelA(model=str(folder / "own.keras")),
        "task_b": ("auto",),
        "seeds": 3,
        "train_size": 10,
    }
    b |= {"learning_rates": (0.1,), "frozen_epochs": 1, "thawed_epochs": 1, "label_counts": ()}
    data = {"name": "mine", "path": str(folder / "data.npz"), "splits": "resampled"}
    return loaded.model_copy(
        update={
            "data": loaded.data.model_copy(update=data),
            "transfer": loaded.transfer.model_copy(update=b | changes),
            "pretrain": loaded.pretrain.model_copy(update={"network": Arm(hidden=(5, 3))}),
        }
    )


def own(folder: Path, features: int) -> Path:
    network = Arm(hidden=(5, 3)).resolve(features)
    path = folder / "own.keras"
    saving.save(building.compile_for_use(building.build(network, features, 7, seed=1)), path)
    return path


def test_two_classes_start_on_the_users_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmstart.runtime.pool.start", in_this_process)
    monkeypatch.chdir(tmp_path)
    options, a = known(tmp_path), own(tmp_path, 4)
    prepare(options, tmp_path / "data")
    assert not (tmp_path / "data/a.npz").exists()
    pretrained, model = tmp_path / "results/pretrain", tmp_path / "models/a.keras"
    pretrain(options, tmp_path / "data", model, pretrained, a)
    assert model.read_bytes() == a.read_bytes()
    assert read_records(pretrained / "records.parquet") == ()

    output = tmp_path / "results/transfer"
    sources = {"on_a": model}
    transfer(options, tmp_path / "data", sources, pretrained, tmp_path / "b.keras", output)
    records = read_records(output / "records.parquet")
    assert {"scratch", "on_a", "on_a_head_only"} <= {record.arm for record in records}
    assert {record.seed for record in records} == {0, 1, 2}
    # what another split tests the user's model may have seen
    assert {record.settings["splits"] for record in records} == {"fixed"}


def test_what_is_no_network_is_an_arm_and_never_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paired by seed with scratch, one trial a seed, at each number of labels that was asked for;
    a strategy of several arms brings them all."""
    monkeypatch.setattr("warmstart.runtime.pool.start", in_this_process)
    monkeypatch.setattr("warmstart.stages.run.best_of", lambda chosen, seeds: len(chosen) - 1)
    monkeypatch.chdir(tmp_path)
    by = {"strategies": ("linear", "surgical", "knn"), "label_strategies": ("surgical", "knn")}
    options, a = known(tmp_path, label_counts=(20,), **by), own(tmp_path, 4)
    prepare(options, tmp_path / "data")
    output, b = tmp_path / "results/transfer", tmp_path / "b.keras"
    transfer(options, tmp_path / "data", {"on_a": a}, tmp_path / "none", b, output)
    records = read_records(output / "records.parquet")
    arms = ["scratch", "on_a_linear", "on_a_surgical_1", "on_a_surgical_2", "on_a_knn"]
    assert list(dict.fromkeys(r.arm for r in records)) == arms
    for arm, strength in (("on_a_linear", "C"), ("on_a_knn", "neighbours")):
        mine = [r for r in records if r.arm == arm]
        assert [(r.seed, r.learning_rate, r.chosen) for r in mine] == [
            (seed, 0.0, True) for seed in range(3)
        ]
        assert all(len(r.epochs["val_loss"]) == 1 and r.test["test_accuracy"] > 0 for r in mine)
        assert all(r.validation[strength] > 0 for r in mine)
    few = read_records(output / "labels/20/records.parquet")
    assert {r.arm for r in few} == {*arms} - {"on_a_linear"}
    # the last arm but for the nearest neighbours
    kept = json.loads((output / "kept.json").read_text())["record"]
    assert [r.arm for r in records if r.digest == kept] == ["on_a_surgical_2"]


def test_without_one_two_classes_are_left_out(tmp_path: Path) -> None:
    options = known(tmp_path, a=None)
    prepare(options, tmp_path / "data")
    pretrain(options, tmp_path / "data", tmp_path / "a.keras", tmp_path / "results")
    assert '"left_out": "the data have 2 classes' in (tmp_path / "a.keras").read_text()


def test_a_model_of_other_features_is_one_line(tmp_path: Path) -> None:
    options, a = known(tmp_path), own(tmp_path, 6)
    prepare(options, tmp_path / "data")
    with pytest.raises(InputError, match=r"transfer\.a: expected a network on the 4 features") as e:
        pretrain(options, tmp_path / "data", tmp_path / "a.keras", tmp_path / "results", a)
    assert len(e.value.problems) == 1
    assert not (tmp_path / "a.keras").exists()


def test_a_model_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = known(tmp_path)
    prepare(options, tmp_path / "data")
    shutil.copy(Path(__file__).parents[1] / "params.yaml", tmp_path / "params.yaml")
    text = (tmp_path / "params.yaml").read_text().replace("  a: null", "  a: none.keras")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", "--data", "data"]) == 2
    assert capsys.readouterr().err.startswith("error: none.keras: expected ")
