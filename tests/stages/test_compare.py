"""A study's trials: who sees what, before anything is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prepared import view_of

from warmstart.config.checking import check
from warmstart.config.data import Splits
from warmstart.config.params import Compare
from warmstart.data.split import resplit
from warmstart.data.standardization import Standardization
from warmstart.data.task import PARTS, Task
from warmstart.stages.compare import make_study
from warmstart.stages.run import _profiles
from warmstart.stages.study import Study
from warmstart.training.trials import Cohort

FEATURES = 4


BASIC: dict[str, Any] = {
    "seeds": 6,
    "learning_rates": [0.1, 0.3],
    "epochs": 2,
    "batch_size": 16,
    "base": {"hidden": [5]},
    "studies": {"one": {"arms": {"relu": {}, "tanh": {"activation": "tanh"}}}},
}


def make_task() -> tuple[Task, Standardization]:
    """A standardized task whose samples carry their number as first feature."""
    draw = np.random.default_rng(2)
    arrays: dict[str, Any] = {}
    for part, n in {"train": 60, "validation": 15, "test": 10}.items():
        arrays[f"x_{part}"] = (5 + 2 * draw.normal(size=(n, FEATURES))).astype("float32")
        arrays[f"x_{part}"][:, 0] = np.arange(n) + 100 * len(part)
        arrays[f"y_{part}"] = np.arange(n, dtype="int32") % 3
    standardization = Standardization.of([arrays["x_train"]])
    arrays |= {key: standardization.apply(x) for key, x in arrays.items() if key[0] == "x"}
    return Task.of(name="full", class_names=("a", "b", "c"), **arrays), standardization


def study(folder: Path, *, splits: Splits = "fixed", **changed: Any) -> Study:
    options, problems = check(BASIC | changed, Compare)
    assert options, problems
    task, standardization = make_task()
    task.write(folder / "full.npz")
    return make_study(
        options,
        "one",
        data_name="d",
        file=folder / "full.npz",
        whole=view_of(task, standardization),
        splits=splits,
        root_seed=42,
        folder=folder / "scratch",
    )


def seen_by(made: Study) -> dict[tuple[str, float, int], Task]:
    """Arm, learning rate and seed -> the task that the trial reads."""
    seen = {}
    for cohort, trial in map(made.pair, made.grid(made.arms, range(made.seeds))):
        split = cohort.split(trial)
        task = Task.read(split.file)
        assert task.digest == split.digest
        seen[trial.arm, trial.learning_rate, trial.seed] = task
    return seen


def samples(x: np.ndarray, standardization: Standardization) -> set[int]:
    return set(np.rint(standardization.undo(x)[:, 0]).astype(int).tolist())


def test_fixed_splits_are_the_prepared_task(tmp_path: Path) -> None:
    made = study(tmp_path)
    found = seen_by(made)
    assert len(found) == 2 * 2 * 6
    assert {task.digest for task in found.values()} == {make_task()[0].digest}
    assert not (tmp_path / "scratch").exists()
    assert {arm.settings["splits"] for arm in made.arms.values()} == {"fixed"}


def test_profiles_as_deep_as_an_arm_are_looked_into_on_three_seeds(tmp_path: Path) -> None:
    """Each where a trial of that seed would start, on its split; others on the first seed."""
    profiles = {"deep": {"hidden": [4, 4]}, "like": {"activation": "selu"}}
    content = BASIC["studies"]["one"] | {"seeds": 4, "profiles": profiles}
    made = study(tmp_path, splits="resampled", studies={"one": content})
    asked: list[Cohort] = []

    class Workers:
        def profile(self, cohorts: list[Cohort]) -> list[tuple[()]]:
            asked.extend(cohorts)
            return [()] * len(cohorts)

    assert _profiles(Workers(), made) == []
    trained = {t.seed: c.split(t) for c, t in map(made.pair, made.grid(made.arms, range(3)))}
    seen = {c.trials[0].seed: c.split(c.trials[0]) for c in asked}
    looked_at = [(c.trials[0].arm, c.trials[0].seed) for c in asked]
    assert looked_at == [("deep", 0), ("like", 0), ("like", 1), ("like", 2)]
    assert seen == trained
    assert len(set(seen.values())) == 3


def test_a_seed_is_the_same_split_in_every_arm(tmp_path: Path) -> None:
    made = study(tmp_path, splits="resampled")
    found = seen_by(made)
    assert len(found) == 2 * 2 * 6
    by_seed = [{task.digest for key, task in found.items() if key[2] == s} for s in range(6)]
    assert [len(digests) for digests in by_seed] == [1] * 6
    assert len(set.union(*by_seed)) == 6
    assert by_seed[0] == {make_task()[0].digest}
    assert {arm.settings["splits"] for arm in made.arms.values()} == {"resampled"}
    # and all of them pass through one program
    assert len({len(task.y_train) for task in found.values()}) == 1
    assert {len(arm.cohort.splits) for arm in made.arms.values()} == {6}


@pytest.mark.parametrize("splits", ["fixed", "official", "resampled"])
def test_an_arm_may_see_the_same_samples_raw(tmp_path: Path, splits: Splits) -> None:
    arms = {"plain": {}, "raw": {"standardize": False}}
    made = study(tmp_path, splits=splits, studies={"one": {"arms": arms}})
    found = seen_by(made)
    for (arm, rate, seed), task in found.items():
        assert (abs(task.x_train[:, 1:].mean()) < 1e-6) == (arm == "plain")
        raw = found["raw", rate, seed]
        numbers = np.rint(raw.x_train[:, 0])
        np.testing.assert_allclose(raw.x_train[:, 0], numbers, atol=1e-3)
        assert set(numbers) <= {*range(500, 560), *range(1000, 1015), *range(400, 410)}
        np.testing.assert_array_equal(raw.y_train, task.y_train)
        for one, other in zip(raw.x_train.T, task.x_train.T, strict=True):
            assert np.corrcoef(one, other)[0, 1] == pytest.approx(1)
    # to a compiled program they are the same network
    assert len({arm.cohort.structure for arm in made.arms.values()}) == 1
    settings = [arm.settings["standardize"] for arm in made.arms.values()]
    assert settings == ["true", "false"]


def test_no_trial_is_trained_on_what_it_validates_or_is_tested_on(tmp_path: Path) -> None:
    task, standardization = make_task()
    whole = view_of(task, standardization)
    own = [resplit(whole, seed, 42, "resampled").standardization for seed in range(6)]
    for (_, _, seed), split in seen_by(study(tmp_path, splits="resampled")).items():
        trained, validated, tested = (
            samples(getattr(split, f"x_{part}"), own[seed])
            for part in ("train", "validation", "test")
        )
        assert (len(trained), len(validated), len(tested)) == (60, 15, 10)
        assert len(trained | validated | tested) == 85


def test_no_seed_is_trained_or_validated_on_the_official_test_set(tmp_path: Path) -> None:
    task, standardization = make_task()
    x = [standardization.undo(getattr(task, f"x_{part}")) for part in PARTS]
    raw = {int(sample[0].round()): sample for sample in np.concatenate(x)}
    made = study(tmp_path, splits="official")
    trained = {}
    for (_, _, seed), seen in seen_by(made).items():
        view = resplit(view_of(task, standardization), seed, 42, "official")
        parts = {p: view.standardization.undo(getattr(seen, f"x_{p}"))[:, 0] for p in PARTS}
        rows = {part: np.rint(numbers).astype(int).tolist() for part, numbers in parts.items()}
        assert rows["test"] == [*range(400, 410)]
        assert seen.y_test.tolist() == task.y_test.tolist()
        known = rows["train"] + rows["validation"]
        assert sorted(known) == [*range(500, 560), *range(1000, 1015)]
        own = np.array([raw[row] for row in rows["train"]])
        for part in PARTS:
            expected = (np.array([raw[row] for row in rows[part]]) - own.mean(0)) / own.std(0)
            np.testing.assert_allclose(getattr(seen, f"x_{part}"), expected, atol=1e-4)
            ours, theirs = (np.bincount(getattr(each, f"y_{part}")) for each in (seen, task))
            assert ours.tolist() == theirs.tolist()
        trained[seed] = frozenset(rows["train"])
    assert len(set(trained.values())) == len(trained) == 6
    assert seen_by(made)["relu", 0.1, 0].digest == task.digest
    assert {arm.settings["splits"] for arm in made.arms.values()} == {"official"}
