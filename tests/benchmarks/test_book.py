"""`make book`: what it would train, on which samples, and what it makes of the results. Nothing is
trained here."""

import json
import math
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from warmstart.data.task import Task
from warmstart.records import EPOCH_METRICS
from warmstart.runtime import pool as executor
from warmstart.training.outcomes import Result
from warmstart.training.trials import Cohort, Trial

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import book
from chapter import data
from chapter.rows import Row, Scale, markdown

N = 1400
LABELS = np.random.default_rng(1).permutation(np.arange(N) % 10).astype(np.uint8)
ALONE = {0: 0.9, 1: 0.8, 2: 0.8}  # test accuracies by seed
ON_A = {0: 0.95, 1: 0.95}


class Pool:
    """Workers that write down what they are given."""

    def __init__(self) -> None:
        self.trained: list[Result] = []
        self.asked: list[tuple[str, Cohort, Task]] = []

    def train(self, cohorts: Sequence[Cohort], label: str) -> dict[str, Result]:
        self.asked += [(label, cohort, Task.read(cohort.splits[0].file)) for cohort in cohorts]
        return {
            cohort.key(trial): Result(
                key=cohort.key(trial),
                outcome="completed",
                epochs=dict.fromkeys(
                    EPOCH_METRICS, (0.1,) * (cohort.epochs - 1) + (accuracy_of(trial),)
                ),
                train_seconds=1.0,
                samples=10,
            )
            for cohort in cohorts
            for trial in cohort.trials
        }

    def evaluate(self, cohorts: Sequence[Cohort]) -> dict[str, dict[str, float]]:
        return {
            cohort.key(trial): {"test_accuracy": (ON_A if cohort.sources else ALONE)[trial.seed]}
            for cohort in cohorts
            for trial in cohort.trials
        }

    def export(self, cohort: Cohort, trial: Trial, path: Path) -> list[float]:
        kinds = ["Conv2D"] * len(trial.network.network.layers)
        kinds += ["Dense"] * len(trial.network.hidden)
        layers = [
            {"class_name": kind, "config": {"name": f"hidden_{number}"}}
            for number, kind in enumerate(kinds, start=1)
        ]
        layers.append({"class_name": "Dense", "config": {"name": "logits"}})
        path.parent.mkdir(exist_ok=True)
        config = {"class_name": "Sequential", "config": {"layers": layers}, "seed": trial.seed}
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(config))
        return []


def accuracy_of(trial: Trial) -> float:
    return {"selu": 0.8, "relu": 0.7}.get(trial.arm, 0.6) + 0.02 * trial.seed


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Pool]:
    pool = Pool()

    @contextmanager
    def start(*_: Any) -> Iterator[Pool]:
        yield pool

    # each image holds its own number in two pixels, so that every sample can be told
    images = np.zeros((N, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(N), 100)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))
        patch.setattr(executor, "start", start)
        rows = list(book.repeat(images, LABELS, Scale(seeds=3, transfer_seeds=2)))
    return rows, pool


def numbers(x: np.ndarray) -> list[int]:
    """Which images these are, from pixels between 0 and 1."""
    return (255 * (100 * x[:, 0].astype(float) + x[:, 1])).round().astype(int).tolist()


def row(rows: list[Row], experiment: str, arm: str, measure: str) -> Row:
    (found,) = [r for r in rows if (r.experiment, r.arm, r.measure) == (experiment, arm, measure)]
    return found


def test_networks_are_those_of_the_notebooks(ran: tuple[list[Row], Pool]) -> None:
    _, pool = ran
    trials = {
        (trial.arm, trial.network.hidden, trial.network.activation.name): (
            trial.network.initializer.name,
            trial.learning_rate,
            cohort.epochs,
            cohort.batch_size,
        )
        for _, cohort, _ in pool.asked
        for trial in cohort.trials
    }
    wide, deep, a = (300, 100), (100,) * 100, (300, 100, 50, 50, 50)
    assert trials[("leaky_relu_0.3", wide, "leaky_relu")] == ("he_normal", 1e-3, 10, 32)
    assert trials[("leaky_relu_0.2", wide, "leaky_relu")] == ("he_normal", 1e-3, 10, 32)
    assert trials[("prelu", wide, "prelu")] == ("he_normal", 1e-3, 10, 32)
    assert trials[("selu", deep, "selu")] == ("lecun_normal", 1e-3, 5, 32)
    assert trials[("relu", deep, "relu")] == ("he_normal", 1e-3, 5, 32)
    assert trials[("input+after", wide, "relu")] == ("he_normal", 1e-2, 2, 32)
    assert trials[("before", wide, "relu")] == ("he_normal", 1e-2, 2, 32)
    assert trials[("a", a, "selu")] == ("glorot_uniform", 1e-3, 20, 32)
    assert trials[("a", (100,) * 3, "relu")] == ("he_normal", 1e-3, 20, 32)
    slopes = {
        trial.arm: trial.network.activation.negative_slope
        for _, cohort, _ in pool.asked
        for trial in cohort.trials
        if trial.arm.startswith("leaky")
    }
    assert slopes == {"leaky_relu_0.3": 0.3, "leaky_relu_0.2": 0.2}


def test_samples_are_split_and_scaled_as_there(ran: tuple[list[Row], Pool]) -> None:
    _, pool = ran
    tasks = {label: task for label, _, task in pool.asked}
    second = tasks[
        "book@leaky_ReLU_and_PReLU"
    ]  # validates on the first, the third edition on the last
    assert numbers(second.x_validation) == list(range(100))
    assert numbers(second.x_train) == list(range(100, 1200))
    third = tasks["book@batch_norm"]
    assert numbers(third.x_train) == list(range(1100))
    assert numbers(third.x_validation) == list(range(1100, 1200))
    assert numbers(third.x_test) == list(range(1200, 1400))
    assert third.y_train.tolist() == LABELS[:1100].tolist()
    deep = tasks["book@100_layers"]
    np.testing.assert_allclose(deep.x_train[:, :2].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(deep.x_train[:, :2].std(axis=0), 1, atol=1e-5)
    b = tasks["book, B, sandal or shirt"]
    both = [i for i in range(100, 1200) if LABELS[i] in (5, 6)]
    assert numbers(b.x_train) == both[:200]
    assert b.y_train.tolist() == [int(LABELS[i] == 6) for i in both[:200]]
    assert numbers(b.x_test) == [i for i in range(1200, 1400) if LABELS[i] in (5, 6)]
    a = tasks["book, A, sandal or shirt"]
    assert numbers(a.x_train) == [i for i in range(100, 1200) if LABELS[i] not in (5, 6)]
    assert a.classes == 8


def test_a_limit_shrinks_every_part() -> None:
    images = data.Images.of(np.zeros((N, 28, 28), np.uint8), LABELS)
    task = data.full(images, "third", standardize=False, limit=200)
    assert [len(y) for y in (task.y_train, task.y_validation, task.y_test)] == [200, 20, 20]


def test_each_seed_of_b_starts_on_its_own_a(ran: tuple[list[Row], Pool]) -> None:
    _, pool = ran
    on_a = [c for label, c, _ in pool.asked if label == "book, B, sandal or shirt" and c.sources]
    assert [len(cohort.trials) for cohort in on_a] == [2, 2]  # seeds at each of 2 rates
    for cohort in on_a:
        sources = [cohort.source(trial) for trial in cohort.trials]
        assert [source.file.name for source in sources] == ["a_0.keras", "a_1.keras"]
        assert sources[0].digest != sources[1].digest
        frozen, thawed = cohort.phases
        assert (frozen.epochs, thawed.epochs) == (4, 16)
        assert frozen.learning_rate_factor == 1
        assert dict(frozen.layer_factors) == {f"hidden_{n}": 0 for n in range(1, 6)} | {"logits": 1}
        assert set(dict(thawed.layer_factors).values()) == {1}
        assert cohort.copied == tuple(f"hidden_{n}" for n in range(1, 6))
        for trial in cohort.trials:
            rate = trial.learning_rate * thawed.learning_rate_factor
            assert f"{rate:g}" == trial.arm.removeprefix("B on A, thawed at ")


def test_both_kinds_see_the_same_and_start_on_their_own_a(ran: tuple[list[Row], Pool]) -> None:
    rows, pool = ran
    of_b = [c for label, c, _ in pool.asked if label == "book@b_dense_20"]
    seen = {(c.splits, t.seed, t.labels) for c in of_b for t in c.trials}
    assert {labels for _, _, labels in seen} == {20, 50, 200}
    assert len({split.digest for splits, _, _ in seen for split in splits}) == 2
    for cohort in of_b:
        dense = not cohort.structure.network.is_convolutional
        kind = "dense" if dense else "convolutional"
        assert {s.file.parent.name for s in cohort.sources} <= {kind}
        assert {t.learning_rate for t in cohort.trials} == {0.01, 0.03, 0.1, 0.3}
        assert cohort.epochs == 30
    a = {c.structure.network.name: c for label, c, _ in pool.asked if label.startswith("book@a_")}
    assert {(c.epochs, c.batch_size, c.splits) for c in a.values()} == {(12, 32, a["dense"].splits)}
    gains = [r for r in rows if r.verdict]
    assert len(gains) == 6
    assert {r.values for r in gains} == {(0.0, 0.0)}


def test_rows_hold_the_books_number_and_ours(ran: tuple[list[Row], Pool]) -> None:
    rows, _ = ran
    selu = row(rows, "100 layers", "selu", "validation accuracy")
    assert selu.book == 0.8046
    assert selu.values == pytest.approx((0.8, 0.82, 0.84))
    # mean ± t(0.975, 2) · sd / √3
    assert selu.ours.low == pytest.approx(0.82 - 4.302653 * 0.02 / math.sqrt(3), abs=1e-6)
    apart = row(rows, "100 layers", "selu − relu", "difference")
    assert apart.book == pytest.approx(0.0992)
    assert apart.values == pytest.approx((0.1, 0.1, 0.1))
    notebook = "B on A, thawed at 0.001"
    factor = row(rows, "sandal or shirt", notebook, "error factor")
    assert factor.book == pytest.approx(4.9167, abs=1e-4)
    tested = sum(LABELS[i] in (5, 6) for i in range(1200, 1400))
    expected = [
        (round((1 - ALONE[s]) * tested) + 0.5) / (round((1 - ON_A[s]) * tested) + 0.5)
        for s in (0, 1)
    ]
    assert factor.values == pytest.approx(expected)
    assert factor.ours.mean == pytest.approx(math.sqrt(expected[0] * expected[1]))
    assert row(rows, "sandal or shirt", "B alone", "test accuracy").values == (0.9, 0.8)
    assert row(rows, "sandal or shirt", "B on A, thawed at 0.0001", "test accuracy").book is None
    assert row(rows, "T-shirt or pullover", notebook, "test accuracy").book == 0.9385


def test_the_table_is_readable_and_written(
    ran: tuple[list[Row], Pool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = ran
    lines = markdown(rows).splitlines()
    assert (
        "| 100 layers | selu | validation accuracy | 80.46 % | 82.00 % (77.03 to 86.97) | 3 |"
        in lines
    )
    assert "| 100 layers | selu − relu | difference | +9.92 | +10.00 | 3 |" in lines
    monkeypatch.setattr(book.fashion_mnist, "read", lambda path: SimpleNamespace(x=None, y=None))
    monkeypatch.setattr(book, "repeat", lambda *_: iter(rows))
    assert book.main(["--quick", "--output", str(tmp_path / "book.json")]) == 0
    written = json.loads((tmp_path / "book.json").read_text())
    assert set(written) == {"command", "machine", "versions", "seconds", "rows"}
    assert written["rows"][3]["mean"] == pytest.approx(0.82)
    assert (tmp_path / "book.md").read_text() == markdown(rows) + "\n"
