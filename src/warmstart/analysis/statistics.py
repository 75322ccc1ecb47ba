"""Records -> Summary: which learning rate each arm gets, which arm wins, and how certain that is.

What the numbers mean, and what they do not, is written for the reader in `docs/statistics.md`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from warmstart.analysis.inference import (
    LEVEL,
    error_ratio,
    geometric_interval,
    holm,
    interval,
    paired_p_value,
    seeds_needed,
    verdict,
)
from warmstart.analysis.summary import ArmSummary, Contrast, Interval, Summary
from warmstart.analysis.targets import epochs_to_target, target_accuracy
from warmstart.analysis.ties import groups
from warmstart.records import Record
from warmstart.training.selection import last_epoch, mean

__all__ = ["interval", "pairwise_p_values", "summarize"]

Errors = Mapping[str, Mapping[int, int]]
"""arm -> seed -> number of test samples it got wrong."""


def summarize(
    records: Sequence[Record], *, data_name: str, n_test: int, reference: str | None
) -> Summary:
    """What the trials of one study say.

    Args:
        records: all trials of the study; those with `chosen` carry test metrics.
        data_name: of the dataset.
        n_test: test samples on which the test metrics were measured.
        reference: the arm that the others are held against, p-values corrected over these
            contrasts. None: the arm with the highest test accuracy. Picking it by the same
            numbers that are tested would call too many differences (11 % of studies of ten equal
            arms instead of 5 %), so p-values are then corrected over all pairs of arms, of which
            these contrasts are some, whichever arm was picked.

    Raises:
        ValueError: if an arm has no chosen trial, or the reference is no arm.
    """
    chosen = _chosen(records)
    if reference is not None and reference not in chosen:
        raise ValueError(f"reference: expected one of {', '.join(chosen)}, received {reference!r}")
    first, target = records[0], target_accuracy(chosen.values())
    errors = {arm: _errors(trials, n_test) for arm, trials in chosen.items()}
    ranks = _mean_ranks(errors)
    judged = {
        arm: _summarize_arm(trials, records, target, ranks[arm]) for arm, trials in chosen.items()
    }
    arms = _rank(judged)
    against = reference or next(iter(arms))
    pairs = [(arm, against) for arm in arms if arm != against]
    every_pair = list(itertools.combinations(chosen, 2))
    p_of_every_pair = pairwise_p_values(errors, every_pair, n_test=n_test)
    p_values = p_of_every_pair
    if reference:
        p_values = pairwise_p_values(errors, pairs, n_test=n_test)
    contrasts = {
        f"{arm} against {against}": _contrast(arm, against, chosen, errors, p_values, n_test)
        for arm, against in pairs
    }
    tested = [p for p in p_of_every_pair.values() if p is not None]
    apart = [pair for pair, p in p_of_every_pair.items() if p is not None and p < LEVEL]
    return Summary(
        stage=first.stage,
        study=first.study,
        data_name=data_name,
        data_digest=first.data_digest,
        n_test=n_test,
        seeds=len({trial.seed for trials in chosen.values() for trial in trials}),
        trials=len(records),
        learning_rates=tuple(sorted({record.learning_rate for record in records})),
        target_accuracy=target,
        arms=arms,
        contrasts=contrasts,
        groups=groups(list(arms), apart) if tested else (),
        splits=first.settings.get("splits", "fixed"),
    )


def _errors(trials: Sequence[Record], n_test: int) -> dict[int, int]:
    """Seed -> number of test samples that the trial got wrong."""
    return {t.seed: round((1 - t.test["test_accuracy"]) * n_test) for t in trials}


def pairwise_p_values(
    errors: Errors, family: Sequence[tuple[str, str]], *, n_test: int
) -> dict[frozenset[str], float | None]:
    """{arm, other arm} -> p-value of equal accuracy, corrected over the `family` of pairs."""
    raw = [
        paired_p_value(_differences(errors, arm, other, n_test), resolution=1 / n_test)
        for arm, other in family
    ]
    return {frozenset(pair): p for pair, p in zip(family, holm(raw), strict=True)}


def _chosen(records: Sequence[Record]) -> dict[str, list[Record]]:
    """arm -> its trials at the chosen learning rate by seed, arms in order of appearance."""
    chosen: dict[str, list[Record]] = {record.arm: [] for record in records}
    for record in sorted(records, key=lambda r: r.seed):
        if record.chosen:
            chosen[record.arm].append(record)
    if missing := [arm for arm, trials in chosen.items() if not trials]:
        raise ValueError(f"expected chosen trials of every arm, received none of {missing}")
    return chosen


def _mean_ranks(errors: Errors) -> dict[str, float]:
    """Per arm its rank by fewest errors within each seed that all arms have, mean over seeds."""
    seeds = sorted(set.intersection(*(set(of_arm) for of_arm in errors.values())))
    table = np.array([[errors[arm][seed] for arm in errors] for seed in seeds])
    return dict(zip(errors, rankdata(table, axis=1).mean(axis=0).tolist(), strict=True))


def _summarize_arm(
    trials: Sequence[Record],
    records: Sequence[Record],
    target: float,
    mean_rank: float,
) -> ArmSummary:
    """With rank 0: that takes the other arms."""
    rate = trials[0].learning_rate
    grid = {record.learning_rate for record in records if record.arm == trials[0].arm}
    reached = [e for t in trials if (e := epochs_to_target(t, target)) is not None]
    at_edge = "lowest" if rate == min(grid) else "highest" if rate == max(grid) else ""

    def over_seeds(value: Callable[[Record], float]) -> Interval:
        return interval(map(value, trials))

    return ArmSummary(
        rank=0,
        mean_rank=mean_rank,
        learning_rate=rate,
        at_edge=at_edge if len(grid) > 1 else "",
        test_accuracy=over_seeds(lambda t: t.test["test_accuracy"]),
        test_loss=over_seeds(lambda t: t.test["test_loss"]),
        val_accuracy=over_seeds(lambda t: last_epoch(t)[0]),
        best_val_accuracy=over_seeds(lambda t: t.epochs["val_accuracy"][_best_epoch(t) - 1]),
        best_epoch=mean(_best_epoch(t) for t in trials),
        last_epoch=mean(len(t.epochs["val_accuracy"]) for t in trials),
        epochs_to_target=interval(reached) if reached else None,
        reached_share=len(reached) / len(trials),
        diverged_share=mean(t.outcome == "diverged" for t in trials),
        settings={
            key: value
            for key, value in trials[0].settings.items()
            if all(trial.settings.get(key) == value for trial in trials)
        },
    )


def _rank(arms: Mapping[str, ArmSummary]) -> dict[str, ArmSummary]:
    """Ordered by test accuracy, to a hundredth of a percent; ties in order of appearance."""
    score = {arm: round(s.test_accuracy.mean, 4) for arm, s in arms.items()}
    return {
        arm: ArmSummary(
            **vars(arms[arm]) | {"rank": 1 + sum(s > score[arm] for s in score.values())}
        )
        for arm in sorted(arms, key=lambda arm: -score[arm])
    }


def _contrast(
    arm: str,
    reference: str,
    chosen: Mapping[str, Sequence[Record]],
    errors: Errors,
    p_values: Mapping[frozenset[str], float | None],
    n_test: int,
) -> Contrast:
    ours, theirs = errors[arm], errors[reference]
    losses = {
        name: {t.seed: t.test["test_loss"] for t in chosen[name]} for name in (arm, reference)
    }
    seeds = [seed for seed in ours if seed in theirs]
    differences = _differences(errors, arm, reference, n_test)
    difference = interval(differences)
    p_value = p_values[frozenset((arm, reference))]
    decided = verdict(difference.mean, p_value)
    return Contrast(
        arm=arm,
        reference=reference,
        accuracy_difference=difference,
        loss_difference=interval(losses[arm][s] - losses[reference][s] for s in seeds),
        error_factor=geometric_interval(error_ratio(ours[s], theirs[s]) for s in seeds),
        p_value=p_value,
        verdict=decided,
        # at the first step of Holm's correction, which no pair exceeds
        seeds_needed=seeds_needed(differences, resolution=1 / n_test, level=LEVEL / len(p_values))
        if decided in ("tie", "undecided")
        else None,
    )


def _differences(errors: Errors, arm: str, other: str, n_test: int) -> list[float]:
    """Accuracy of `arm` minus that of `other`, per seed that both have, from whole counts: equal
    differences are equal numbers."""
    ours, theirs = errors[arm], errors[other]
    return [(theirs[seed] - ours[seed]) / n_test for seed in ours if seed in theirs]


def _best_epoch(record: Record) -> int:
    """From 1; the first of equals, and 1 where no epoch has a number."""
    return 1 + int(np.argmax(np.nan_to_num(record.epochs["val_accuracy"], nan=-1.0)))
