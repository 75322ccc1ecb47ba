"""Seeds in rounds, each as large as all before: as long as validation leaves open whether some arm
is better or worse than the reference, or practically equal to it.

In a round every arm and seed has the whole grid of learning rates, and one more where an end of the
grid is the best.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from warmstart.runtime import pool
from warmstart.runtime.store import announce
from warmstart.stages.study import Study
from warmstart.training.outcomes import Result
from warmstart.training.trials import Cohort, Trial

Trials = Mapping[Path, Sequence[Trial]]
"""The trials of each study, by the folder that it writes to."""


def train(
    workers: pool.Workers, studies: Mapping[Path, Study], folder: Path, facts: Mapping[str, Any]
) -> tuple[dict[Path, Study], dict[Path, list[Trial]], dict[str, Result]]:
    """Train what `studies` ask for, round by round.

    Args:
        folder: where it is announced what is trained, with the `facts` about it.

    Returns:
        The studies, ready for all their seeds, their trials, and results by key.
    """
    studies, trials = dict(studies), {place: list[Trial]() for place in studies}
    results: dict[str, Result] = {}
    title = next(iter(studies.values())).title

    def more(new: Trials, label: str) -> None:
        if not any(new.values()):
            return
        for place, own in new.items():
            trials[place] += own
        _announce(folder, studies, trials, facts)
        pairs = [studies[place].pair(trial) for place, own in new.items() for trial in own]
        results.update(workers.train(cohorts(pairs), label))

    going, number = {place: list(study.arms) for place, study in studies.items()}, 0
    while going:
        grids = {}
        for place, arms in going.items():
            before, after = [0, *studies[place].rounds][number : number + 2]
            studies[place] = studies[place].ready_for(after)
            grids[place] = studies[place].grid(arms, range(before, after))
        label = f"{title}, round {number + 1}" if number else title
        more(grids, label)
        wider = {place: studies[place].wider(grids[place], results) for place in going}
        more(wider, f"{label}, wider grid")
        open_arms = {place: studies[place].undecided(trials[place], results) for place in going}
        going, number = {place: arms for place, arms in open_arms.items() if arms}, number + 1
    return studies, trials, results


def _announce(
    folder: Path, studies: Mapping[Path, Study], trials: Trials, facts: Mapping[str, Any]
) -> None:
    known = [
        (study.key(trial), study.known(trial))
        for place, study in studies.items()
        for trial in trials[place]
    ]
    announce(folder, known, facts)


def cohorts(pairs: Sequence[tuple[Cohort, Trial]]) -> list[Cohort]:
    """Trials with the cohorts they belong to, in as few cohorts as there are different programs.
    What two studies have in common is trained once, wherever its files lie."""
    groups: dict[Cohort, list[Trial]] = defaultdict(list)
    for cohort, trial in {cohort.key(trial): (cohort, trial) for cohort, trial in pairs}.values():
        rest = None if trial.labels is None else trial.labels % cohort.batch_size
        groups[replace(cohort, rest=rest)].append(trial)
    return [replace(cohort, trials=tuple(members)) for cohort, members in groups.items()]
