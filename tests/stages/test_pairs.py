"""Every pair of classes as task B. Who trains is replaced by made-up results, which are known; the
tasks, models A and statistics are the stage's own."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prepared import leave

from parameters import params
from warmstart.config.arm import Arm
from warmstart.config.params import Params
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import write_sealed
from warmstart.networks import building, saving
from warmstart.records import Outcome, Record, read_records, write_records
from warmstart.stages.transfer import transfer
from warmstart.training.outcomes import EPOCH_METRICS, Result
from warmstart.training.trials import Cohort, Trial

NAMES = ("elm", "oak", "ash", "fir")
EVERY = list(combinations(range(4), 2))
N_TEST = 40
"""Of each pair."""


def known(**changes: Any) -> Params:
    """A small network, A at three rates and B at one, five seeds."""
    loaded = params()
    pretrain = {"network": Arm(hidden=(4, 3)), "learning_rates": (0.01, 0.03, 0.1)}
    b = {"task_b": ("all_pairs",), "seeds": 5, "learning_rates": (0.1,), "label_counts": ()}
    b |= {"train_size": 10, "strategies": ("freeze_then_thaw",)}
    return loaded.model_copy(
        update={
            "pretrain": loaded.pretrain.model_copy(update=pretrain),
            "transfer": loaded.transfer.model_copy(update=b | changes),
        }
    )


def full_task() -> Task:
    """Samples whose first feature says their class, mixed."""
    draw, arrays = np.random.default_rng(0), {}
    sizes = {"train": (14, 14, 12, 8), "validation": (4,) * 4, "test": (N_TEST // 2,) * 4}
    for part, counts in sizes.items():
        y = draw.permutation(np.repeat(range(4), counts)).astype("int32")
        x = draw.normal(size=(len(y), 5)).astype("float32")
        x[:, 0] = y
        arrays |= {f"x_{part}": x, f"y_{part}": y}
    return Task.of(name="full", class_names=NAMES, **arrays)


EFFECTS = dict(zip(EVERY, (7, 1, -6, 2, -1, 4), strict=True))
"""By how many errors transfer truly changes each pair, downwards."""
TRUTH = {full_task().only("b", pair).digest: effect for pair, effect in EFFECTS.items()}


def errors(digest: str, on_a: bool, seed: int) -> int:
    """Of `N_TEST` test samples of the task called `digest`."""
    draw = np.random.default_rng([int(digest[:8], 16), on_a, seed])
    return int(draw.integers(12, 15) - on_a * TRUTH[digest])


class MadeUp:
    """Instead of `pool.Workers`: every model A is as good as another, and B makes as many
    `errors` as it says there."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.a: dict[str, set[float]] = {}
        """Digest of A's file -> classes of the samples it was trained on, by name."""
        self.rates: dict[str, set[float]] = {}
        """Classes of A -> learning rates it was tried at."""
        self.keys: list[str] = []
        """Of all trials that were trained."""
        self.trained: list[Result] = []
        self.b: list[tuple[tuple[str, ...], str]] = []
        """Classes and A's digest of every cohort of B that starts on one."""

    def train(self, cohorts: Sequence[Cohort], label: str) -> dict[str, Result]:
        self.keys += [c.key(t) for c in cohorts for t in c.trials]
        return {c.key(t): self._result(c, t) for c in cohorts for t in c.trials}

    def _result(self, cohort: Cohort, trial: Trial) -> Result:
        task = Task.read(cohort.splits[0].file)
        assert task.digest == cohort.splits[0].digest
        if task.name.startswith("a"):
            self.rates.setdefault("-".join(task.class_names), set()).add(trial.learning_rate)
            accuracy = 0.9 - abs(trial.learning_rate - 0.03)
        else:
            accuracy = 0.9
            if source := cohort.source(trial):
                self.b.append((task.class_names, source.digest))
        epochs = dict.fromkeys(("loss", "accuracy", "val_loss"), (0.5,) * cohort.epochs)
        epochs["val_accuracy"] = (accuracy,) * cohort.epochs
        return Result(
            key=cohort.key(trial),
            outcome=self.outcome,
            epochs=epochs,
            train_seconds=1.0,
            samples=10,
        )

    def evaluate(self, cohorts: Sequence[Cohort]) -> dict[str, dict[str, float]]:
        return {
            c.key(t): {
                "test_loss": 0.3,
                "test_accuracy": 1 - errors(c.splits[0].digest, bool(c.sources), t.seed) / N_TEST,
            }
            for c in cohorts
            for t in c.trials
        }

    def export(self, cohort: Cohort, trial: Trial, path: Path) -> list[bool]:
        task = Task.read(cohort.splits[0].file)
        seed = int(task.digest[:4], 16)
        saving.save(building.build(trial.network, task.features, task.classes, seed), path)
        if task.name.startswith("a"):
            seen = {
                float(x) for x in np.unique(np.append(task.x_train, task.x_validation, 0)[:, 0])
            }
            self.a[hashlib.sha256(path.read_bytes()).hexdigest()] = seen
        return [True] * len(task.y_validation)


def of_model_a() -> Iterator[Record]:
    """What `pretrain` leaves: the rate in the middle was chosen."""
    for rate in (0.01, 0.03, 0.1):
        yield Record(
            stage="pretrain",
            study="",
            arm="a",
            seed=0,
            learning_rate=rate,
            settings={},
            data_digest="a",
            outcome="completed",
            epochs=dict.fromkeys(EPOCH_METRICS, (0.5,)),
            chosen=rate == 0.03,
            test={"test_loss": 0.1, "test_accuracy": 0.9} if rate == 0.03 else {},
        )


def run(
    folder: Path, options: Params, monkeypatch: pytest.MonkeyPatch, outcome: Outcome = "completed"
) -> MadeUp:
    workers = MadeUp(outcome)

    @contextmanager
    def start(options: object, folder: Path) -> Iterator[MadeUp]:
        yield workers

    monkeypatch.setattr("warmstart.runtime.pool.start", start)
    monkeypatch.chdir(folder)
    full = full_task()
    for name, task in {
        "a": full.only("a", (2, 3)),
        "b": full.only("b", (0, 1)),
    }.items():
        task.write(folder / f"data/{name}.npz")
    leave(folder / "data", full)
    card = {"feature_shape": [5], "transfer": {"left_out": None}}
    write_sealed(folder / "data/card.json", card)
    network = options.pretrain.network.resolve(5)
    saving.save(building.build(network, 5, 2, seed=1), folder / "a.keras")
    sources = {"on_a": folder / "a.keras"}
    write_records(folder / "results/pretrain/records.parquet", list(of_model_a()))
    transfer(
        options,
        folder / "data",
        sources,
        folder / "results/pretrain",
        folder / "b.keras",
        folder / "results/transfer",
    )
    return workers


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MadeUp]:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as monkeypatch:
        return folder, run(folder, known(), monkeypatch)


def test_every_record_finds_its_data_in_the_timings(finished: tuple[Path, MadeUp]) -> None:
    folder = finished[0]
    data = json.loads((folder / "results/times/transfer.json").read_text())["data"]
    paths = (folder / "results/transfer").rglob("records.parquet")
    seen = {path.parent.name: {r.data_digest for r in read_records(path)} for path in paths}
    assert set(data) == set.union(*seen.values())
    for place, digests in seen.items():
        (digest,) = digests
        found = data[digest]
        # the first pair is the stage's own task B
        file = "full" if "-" in place and place != "0-1" else "b"
        assert found["source"] == str(folder / f"data/{file}.npz")
        assert (found["features"], found["classes"]) == (5, 2)


def test_no_model_a_has_seen_the_classes_of_its_task_b(finished: tuple[Path, MadeUp]) -> None:
    workers = finished[1]
    found = {
        (classes, frozenset(workers.a[digest]))
        for classes, digest in workers.b
        if digest in workers.a
    }
    assert found == {
        (tuple(NAMES[c] for c in pair), frozenset({0.0, 1.0, 2.0, 3.0} - set(pair)))
        for pair in EVERY
    }


def test_the_rate_of_a_is_the_one_that_pretrain_chose(finished: tuple[Path, MadeUp]) -> None:
    rates = finished[1].rates
    assert len(rates) == len(EVERY)
    assert all(tried == {0.03} for tried in rates.values())


def test_no_trial_of_b_is_trained_twice(finished: tuple[Path, MadeUp]) -> None:
    """The stage's own task B is the first pair, and from scratch it is the same."""
    keys = finished[1].keys
    # A of all 6 pairs; from scratch the first is shared with the stage's own
    assert len(keys) == 6 + (1 + 2 * 6) * 5
    assert len(set(keys)) == len(keys)


def test_the_tasks_are_those_that_prepare_makes_of_these_classes() -> None:
    """By NumPy: order kept, labels by position."""
    full = full_task()
    task = full.only("b", (3, 1))
    rows = [i for i, label in enumerate(full.y_test) if label in (1, 3)]
    np.testing.assert_array_equal(task.x_test, full.x_test[rows])
    np.testing.assert_array_equal(task.y_test, [0 if full.y_test[i] == 3 else 1 for i in rows])
    assert (task.class_names, task.y_test.dtype) == (("fir", "oak"), np.int32)
    fewer = full.only("b", (3, 1), validation=3)
    np.testing.assert_array_equal(fewer.x_validation, task.x_validation[:3])
    np.testing.assert_array_equal(fewer.y_validation, task.y_validation[:3])
    assert len(fewer.x_train) == len(task.x_train)
    assert fewer.digest != task.digest


def test_every_pair_has_its_records_and_nothing_is_left(finished: tuple[Path, MadeUp]) -> None:
    folder = finished[0] / "results/transfer/pairs"
    for pair in EVERY:
        records = read_records(folder / "-".join(map(str, pair)) / "records.parquet")
        assert len(records) == 2 * 5
        digest = full_task().only("b", pair).digest
        for record in records:
            wrong = errors(digest, record.arm == "on_a", record.seed)
            assert record.test["test_accuracy"] == 1 - wrong / N_TEST
            assert record.data_digest == digest
    names = json.loads((folder / "classes.json").read_text())
    assert names["0-3"] == ["elm", "fir"]
    assert list(names) == ["-".join(map(str, pair)) for pair in EVERY]
    assert not any((finished[0] / ".warmstart").glob("*"))


def test_a_pair_with_too_few_samples_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"train_size: expected at most 20, .*ash and fir, rec"):
        run(tmp_path, known(train_size=25), monkeypatch)


def test_a_model_a_that_diverges_is_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        InputError, match=r"pretrain.learning_rates: .*no model A diverges, received"
    ):
        run(tmp_path, known(), monkeypatch, "diverged")
