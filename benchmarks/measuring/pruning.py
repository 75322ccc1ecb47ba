"""What Optuna's pruners make of trials whose curves are known: the same `ask`, `report`,
`should_prune` and `tell` as beside a `fit`, with two workers that train in turn, an epoch each."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState

from warmstart.records import Record

Tried = Mapping[tuple[str, int, float], Record]
"""(arm, seed, learning rate) -> what it comes to if nobody stops it."""

WORKERS = 2
PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "SuccessiveHalvingPruner": SuccessiveHalvingPruner,
    # by default it stops nothing before five trials are complete, which is all that a seed has
    "MedianPruner": lambda: MedianPruner(n_startup_trials=1, n_warmup_steps=1),
    "HyperbandPruner": HyperbandPruner,
}


def race(
    table: Tried, arm: str, seed: int, rates: Sequence[float], pruner: str
) -> tuple[Record, list[int]]:
    """One study over the learning rates of an arm and seed: its best trial, and how many epochs
    each took."""
    study = _study(PRUNERS[pruner](), optuna.samplers.RandomSampler(seed))
    enqueue(study, rates, seed)

    def look(trial: optuna.Trial) -> Record:
        return table[arm, seed, trial.suggest_categorical("learning_rate", tuple(rates))]

    epochs = _replay(study, look, len(rates))
    best = max(study.trials, key=_merit)
    return table[arm, seed, best.params["learning_rate"]], epochs


def enqueue(study: optuna.Study, rates: Sequence[float], seed: int) -> None:
    """All of `rates`, in an order of the seed's own: none is always the first, which runs whole."""
    for rate in np.random.default_rng(seed).permutation(rates):
        study.enqueue_trial({"learning_rate": float(rate)})


def joint(
    table: Tried, rates: Sequence[float], pruner: str, number: int, trials: int
) -> tuple[str, int]:
    """One study with arm and rate as categories, by Optuna's own sampler: the arm of its best
    trial, and how many epochs it took. Each trial draws its weights and its split anew.

    Args:
        number: of the repetition, which seeds it.
    """
    study = _study(getattr(optuna.pruners, pruner)(), optuna.samplers.TPESampler(seed=number))
    arms = tuple(dict.fromkeys(arm for arm, *_ in table))
    seeds = 1 + max(seed for _, seed, _ in table)

    def look(trial: optuna.Trial) -> Record:
        arm = trial.suggest_categorical("arm", arms)
        rate = trial.suggest_categorical("learning_rate", tuple(rates))
        return table[arm, (number + trial.number) % seeds, rate]

    epochs = _replay(study, look, trials)
    return max(study.trials, key=_merit).params["arm"], sum(epochs)


def _study(pruner: BasePruner, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize", pruner=pruner, sampler=sampler)


def _replay(study: optuna.Study, look: Callable[[optuna.Trial], Record], trials: int) -> list[int]:
    """The epochs of each trial, which `look` says what it is."""
    epochs: list[int] = []
    going: list[tuple[optuna.Trial, tuple[float, ...]]] = []
    while True:
        while len(going) < WORKERS and len(epochs) < trials:
            trial = study.ask()
            going.append((trial, look(trial).epochs["val_accuracy"]))
            epochs.append(0)
        if not going:
            return epochs
        for trial, curve in list(going):
            epochs[trial.number] += 1
            value = curve[epochs[trial.number] - 1]
            trial.report(value, epochs[trial.number])
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
            elif epochs[trial.number] < len(curve):
                continue
            elif math.isfinite(value):
                study.tell(trial, value)
            else:
                study.tell(trial, state=TrialState.FAIL)
            going.remove((trial, curve))


def _merit(trial: FrozenTrial) -> tuple[bool, float]:
    """As `best_trial`, but that there always is one: where all diverged, any."""
    complete = trial.state == TrialState.COMPLETE
    return complete, trial.value if complete and trial.value is not None else 0.0
