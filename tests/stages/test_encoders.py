"""Seeds that diverge at every learning rate get lower ones by themselves, and no others do."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from small_task import make_cohort
from warmstart.config.arm import Arm
from warmstart.errors import InputError
from warmstart.runtime.pool import Workers
from warmstart.stages import encoders
from warmstart.training.outcomes import Result
from warmstart.training.trials import Cohort


class Diverging(Workers):
    """Workers to whom trials of a seed diverge at a rate of `limits` or above; the loss of others
    is their rate."""

    def __init__(self, limits: Mapping[int, float]) -> None:
        self.limits, self.titles = limits, list[str]()

    def train(self, cohorts: Sequence[Cohort], title: str) -> dict[str, Result]:
        self.titles.append(title)
        return {
            cohort.key(trial): Result(
                key=cohort.key(trial),
                outcome="diverged" if (lost := self.limits[trial.seed] <= rate) else "completed",
                epochs={"val_loss": (float("nan") if lost else rate,)},
                samples=1,
                train_seconds=1.0,
            )
            for cohort in cohorts
            for trial in cohort.trials
            for rate in [trial.learning_rate]
        }


def cohort(folder: Path, *rates: float) -> Cohort:
    """Seeds 0, 1 and 2 at each of the rates, in the order of the stage."""
    made = make_cohort(folder, Arm(hidden=(4,)), trials=3)
    of_rates = (replace(trial, learning_rate=r) for r in rates for trial in made.trials)
    return replace(made, trials=tuple(of_rates))


def test_seeds_that_diverge_at_all_rates_get_lower_ones(tmp_path: Path) -> None:
    workers = Diverging({0: 1.0, 1: 0.01, 2: 0.002})
    trained = encoders.train(workers, {"rotation": cohort(tmp_path, 0.01, 0.03, 0.1)})["rotation"]
    assert workers.titles == [
        "autoencode, rotation",
        "autoencode, rotation, lower rates",
        "autoencode, rotation, lower rates",
    ]
    tried = {seed: list[float]() for seed in range(3)}
    for trial in trained.cohort.trials:
        tried[trial.seed].append(trial.learning_rate)
    given = [0.01, 0.03, 0.1]
    assert tried == {0: given, 1: [*given, 0.00333], 2: [*given, 0.00333, 0.00111]}
    assert trained.losses == [0.01, 0.00333, 0.00111]  # seed by seed
    saved = trained.to_save(tmp_path)
    assert [path.name for _, _, path in saved] == ["0.keras", "1.keras", "2.keras"]


def test_of_one_rate_a_third_is_next(tmp_path: Path) -> None:
    workers = Diverging(dict.fromkeys(range(3), 0.25))
    trained = encoders.train(workers, {"rotation": cohort(tmp_path, 0.3)})["rotation"]
    assert trained.rates == [0.1, 0.3]


def test_one_that_diverges_at_those_too_is_an_error(tmp_path: Path) -> None:
    workers = Diverging({0: 1.0, 1: 1.0, 2: 0.0})
    line = (
        "autoencode.learning_rates: expected one at which rotation does not diverge, received "
        "[0.000409, 0.00123, 0.0037, 0.0111, 0.0333, 0.1], the lowest of them added by themselves;"
    )
    with pytest.raises(InputError, match=re.escape(line)):
        encoders.train(workers, {"rotation": cohort(tmp_path, 0.0333, 0.1)})
    assert len(workers.titles) == 1 + encoders.LOWER
