"""A study that is run again, has more seeds, or shares a network with another, trains what is new
and nothing else, and writes the bytes that it would write alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from in_process import workers

from test_compare import study
from warmstart.config.params import Executor
from warmstart.files import read_sealed
from warmstart.runtime import pool
from warmstart.runtime.finished import Finished
from warmstart.stages.run import run

Trained = set[tuple[str, int]]
ONE = {"activation": "relu"}
OTHER = {"activation": "tanh"}


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trained]:
    """Run a study below a folder of its own -> arm and seed of each trial that was trained."""
    used: list[Any] = []

    @contextmanager
    def start(options: Executor, folder: Path) -> Iterator[Any]:
        keeps = options.kept_gb and Finished(tmp_path / "trials", "code", 10**9)
        used.append(workers(folder, keeps or None))
        yield used[-1]

    monkeypatch.setattr(pool, "start", start)

    def train(name: str, seeds: int, *, kept_gb: float = 1, **arms: dict[str, Any]) -> Trained:
        folder = tmp_path / name
        given = {"one": {"arms": arms}}
        made = study(folder, splits="resampled", seeds=seeds, studies=given, learning_rates=[0.1])
        executor = Executor(kept_gb=kept_gb)
        run({folder: made}, executor, Path(f"{name}/best.keras"), folder=folder / "unfinished")
        assert not (folder / "unfinished").exists()
        trials = {
            made.key(trial): (trial.arm, trial.seed) for trial in made.grid(made.arms, range(seeds))
        }
        return {trials[key] for piece in used[-1].pieces for key in piece}

    monkeypatch.chdir(tmp_path)
    return train


def written(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("records.parquet", "best.keras")]


def test_a_second_run_trains_nothing(tmp_path: Path, train: Callable[..., Trained]) -> None:
    assert train("first", 3, one=ONE, other=OTHER) == {
        (arm, seed) for arm in ("one", "other") for seed in range(3)
    }
    assert train("second", 3, one=ONE, other=OTHER) == set()
    assert written(tmp_path / "second") == written(tmp_path / "first")
    before, after = (read_sealed(tmp_path / n / "times.json") for n in ("first", "second"))
    # nothing was trained in this time, and an epoch costs what it cost
    assert after["arms"] == before["arms"]
    assert (before["trial_epochs"], before["samples"]) == (3 * 2 * 2, 3 * 2 * 2 * 60)
    assert (after["trial_epochs"], after["samples_per_second"]) == (0, 0)


def test_more_seeds_and_another_study_train_what_is_new(
    tmp_path: Path, train: Callable[..., Trained]
) -> None:
    train("few", 2, one=ONE, other=OTHER)
    assert train("more", 3, one=ONE, other=OTHER) == {("one", 2), ("other", 2)}
    # the same network, whatever another study calls it
    assert train("another", 3, mine=OTHER, new={"activation": "elu"}) == {
        ("new", seed) for seed in range(3)
    }
    for name, arms in {
        "more": {"one": ONE, "other": OTHER},
        "another": {"mine": OTHER, "new": {"activation": "elu"}},
    }.items():
        assert len(train(f"{name} alone", 3, kept_gb=0, **arms)) == 6
        assert written(tmp_path / name) == written(tmp_path / f"{name} alone")
