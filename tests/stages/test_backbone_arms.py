"""Model B as a head on the features of a network that no strategy takes apart."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from in_process import workers

from parameters import params
from warmstart.config.arm import Arm
from warmstart.config.model_a import ModelA
from warmstart.config.network import Network
from warmstart.config.params import Params
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.networks.backbone import is_backbone
from warmstart.records import Record, read_records
from warmstart.runtime.finished import Finished
from warmstart.runtime.pool import Workers
from warmstart.stage_commands import say_model_a
from warmstart.stages import features
from warmstart.stages.contender import from_scratch
from warmstart.stages.prepare import prepare
from warmstart.stages.pretrain import pretrain
from warmstart.stages.transfer import transfer
from warmstart.training import worker
from warmstart.training.trials import Pretrained, Split

POOR = Arm(network=Network(name="dense"), hidden=(1,), dropout=0.99)
"""From scratch it learns next to nothing, so that model B is a head."""


@dataclass
class Project:
    """A folder with pictures of two classes, told apart by where they are bright."""

    folder: Path
    options: Params
    computed: list[str] = field(default_factory=list)
    """Keys of the features that were computed."""

    @property
    def a(self) -> Path:
        return self.folder / "models/a.keras"

    def prepared(self) -> None:
        prepare(self.options, self.folder / "data")

    def pretrained(self) -> None:
        own = self.folder / "own.keras"
        pretrain(self.options, self.folder / "data", self.a, self.folder / "results", own)

    def transferred(self) -> tuple[Record, ...]:
        output, b = self.folder / "results/transfer", self.folder / "models/b.keras"
        transfer(self.options, self.folder / "data", {"on_a": self.a}, output, b, output)
        return read_records(output / "records.parquet")

    def asks_for(self, **changes: Any) -> None:
        assert self.options.transfer
        asked = self.options.transfer.model_copy(update=changes)
        self.options = self.options.model_copy(update={"transfer": asked})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    draw, y = np.random.default_rng(0), np.repeat(["left", "right"], 60)
    x = draw.integers(0, 160, (120, 6, 6))
    x[:60, :, :3] += 95
    x[60:, :, 3:] += 95
    np.savez(tmp_path / "data.npz", x=x.astype(np.uint8), y=y)
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(6, 3, strides=2, activation="relu")(inputs)
    outputs = keras.layers.Dense(4)(keras.layers.Flatten()(maps))
    keras.Model(inputs, outputs).save(tmp_path / "own.keras")
    loaded = params()
    assert loaded.transfer
    b = {"a": ModelA(model=str(tmp_path / "own.keras")), "task_b": ("auto",), "seeds": 3}
    b |= {"learning_rates": (0.1,), "frozen_epochs": 3, "thawed_epochs": 3, "train_size": 40}
    data = {"name": "mine", "path": str(tmp_path / "data.npz"), "splits": "resampled"}
    options = loaded.model_copy(
        update={
            "data": loaded.data.model_copy(update=data),
            "transfer": loaded.transfer.model_copy(update=b | {"label_counts": (10,)}),
            "pretrain": loaded.pretrain.model_copy(update={"network": POOR}),
        }
    )
    made = Project(tmp_path, options)
    compute = worker.features

    def counted(cohort: Any, *rest: Any) -> None:
        made.computed += [cohort.key(trial) for trial in cohort.trials]
        compute(cohort, *rest)

    @contextmanager
    def in_this_process(options: object, folder: Path) -> Iterator[Workers]:
        folder.mkdir(parents=True, exist_ok=True)
        yield workers(folder, Finished(tmp_path / "finished", "by this", 10**9))

    monkeypatch.setattr(worker, "features", counted)
    monkeypatch.setattr("warmstart.runtime.pool.start", in_this_process)
    monkeypatch.chdir(tmp_path)
    return made


def test_a_head_is_held_against_scratch_on_the_same_samples(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.prepared()
    say_model_a(project.options, *_dataset(project))
    said = "6 × 6 × 1 resized to 8 × 8, grey to RGB, pixels scaled from 0 to 255 to 0 to 1; 54 feat"
    assert f"transfer: model A {project.folder / 'own.keras'}: {said}" in capsys.readouterr().out
    project.pretrained()
    assert f"pretrain: model A {project.folder / 'own.keras'}: {said}" in capsys.readouterr().out
    assert is_backbone(project.a)
    records = project.transferred()
    line = capsys.readouterr().out
    assert "transfer: freeze_then_thaw, thaw_at_once, gradual_thaw, " in line
    assert "batch_norm_frozen are left out: " in line
    heads, scratch = (
        [r for r in records if r.arm == arm and r.chosen] for arm in ("on_a_head_only", "scratch")
    )
    assert {r.arm for r in records} == {"on_a_head_only", "scratch"}
    assert [r.seed for r in heads] == [r.seed for r in scratch] == [0, 1, 2]
    assert {r.data_digest for r in records} == {Task.read(project.folder / "data/b.npz").digest}
    assert {heads[0].settings[k] for k in ("start", "hidden")} == {"a.keras", "none"}
    assert np.mean([r.test["test_accuracy"] for r in heads]) > 0.8
    few = read_records(project.folder / "results/transfer/labels/10/records.parquet")
    assert {r.arm for r in few} == {"on_a_head_only", "scratch"}
    b = keras.models.load_model(project.folder / "models/b.keras", safe_mode=True)
    assert [type(layer).__name__ for layer in b.layers] == ["Functional", "Rescaling", "Dense"]
    task = Task.read(project.folder / "data/b.npz")
    on_b = b.evaluate(task.x_test, task.y_test, verbose=0)
    recorded = [(r.test["test_loss"], r.test["test_accuracy"]) for r in heads]
    assert any(np.allclose(on_b, each, atol=1e-5) for each in recorded)


def test_features_are_computed_once_and_again_for_another_a(project: Project) -> None:
    project.prepared()
    task = Task.read(project.folder / "data/b.npz")
    scratch = from_scratch(
        POOR,
        task=task,
        splits=[Split.write(task, project.folder)],
        drawn="fixed",
        epochs=1,
        batch_size=10,
        root_seed=1,
    )
    digests = []
    for pixels in ((0, 1), (0, 1), (-1, 1)):
        project.asks_for(a=ModelA(model="own.keras", pixels=pixels))
        project.pretrained()
        source, folder = Pretrained.of(project.a), project.folder / "unfinished"
        made = features.arms("on_a", source, scratch, ["head_only"], project.options, folder)
        digests += [split.digest for split in made["on_a_head_only"].cohort.splits]
        shutil.rmtree(folder)  # as a stage does that is done
    assert len(project.computed) == len(set(project.computed)) == 2
    assert digests[0] == digests[1] != digests[2]


def test_without_a_frozen_strategy_there_is_nothing_to_do(project: Project) -> None:
    project.prepared()
    project.pretrained()
    project.asks_for(strategies=("thaw_at_once",), label_counts=())
    with pytest.raises(
        InputError,
        match=r"transfer\.strategies: expected head_only or linear or knn for .*a\.keras",
    ):
        project.transferred()


def test_heads_that_are_fitted_see_the_same_features(project: Project) -> None:
    project.prepared()
    project.pretrained()
    project.asks_for(strategies=("linear", "knn"), label_counts=())
    records = project.transferred()
    for arm in ("on_a_linear", "on_a_knn"):
        heads = [record for record in records if record.arm == arm and record.chosen]
        assert [record.seed for record in heads] == [0, 1, 2]
        assert np.mean([record.test["test_accuracy"] for record in heads]) > 0.8
    task = Task.read(project.folder / "data/b.npz")
    b = keras.models.load_model(project.folder / "models/b.keras", safe_mode=True)
    on_b = b.evaluate(task.x_test, task.y_test, verbose=0)
    linear = [record.test for record in records if record.arm == "on_a_linear"]
    recorded = [(test["test_loss"], test["test_accuracy"]) for test in linear]
    assert any(np.allclose(on_b, each, atol=1e-5) for each in recorded)


def _dataset(project: Project) -> list[Any]:
    from warmstart.data.dataset import Dataset

    return [Dataset.read(project.folder / "data/dataset.npz")[0]]
