"""Records -> Summary: which learning rates each arm gets, which arm wins, and what is shown of the
differences.

What the numbers mean, and what they do not, is written for the reader in `docs/statistics.md`.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from warmstart.analysis.inference import error_ratio, geometric_interval, interval, share_interval
from warmstart.analysis.summary import ArmSummary, Contrast, Interval, Summary
from warmstart.analysis.targets import epochs_to_target, target_accuracy
from warmstart.analysis.ties import cliques
from warmstart.contrasts import Contrasts, Difference, level_of, out_of_line, widening
from warmstart.records import Record
from warmstart.training.selection import best_arm, is_at_chance, last_epoch, mean

__all__ = ["accuracies", "interval", "summarize"]

Trials = Mapping[str, Sequence[Record]]
"""arm -> its trials at the chosen rates, by seed."""


def summarize(
    records: Sequence[Record],
    *,
    data_name: str,
    n_test: int,
    chance: float,
    margin: float,
    reference: str | None,
    n_train: int | None = None,
) -> Summary:
    """What the trials of one study say.

    Args:
        records: all trials of the study; those with `chosen` carry test metrics.
        data_name: of the dataset.
        n_test: test samples on which the test metrics were measured.
        chance: the accuracy of always naming the most frequent class.
        margin: mean accuracies that differ by less are practically equal.
        reference: the arm that the others are held against. None: the best on validation; the test
            set has no part in that choice.
        n_train: training samples of a trial; None: not known, and nothing is said of new data.

    Raises:
        ValueError: if an arm has no chosen trial, or the reference is no arm.
    """
    chosen = _chosen(records)
    if reference is not None and reference not in chosen:
        raise ValueError(f"reference: expected one of {', '.join(chosen)}, received {reference!r}")
    first, target = records[0], target_accuracy(chosen.values())
    values, seeds = accuracies(chosen, n_test), max(map(len, chosen.values()))
    aside = out_of_line(values, _failed(chosen, n_test, chance))
    table = Contrasts(
        values,
        aside=aside,
        resolution=1 / n_test,
        level=level_of(seeds, first.first_round),
    )
    ranks = _mean_ranks(values)
    arms = _rank(
        {arm: _summarize_arm(trials, records, target, ranks[arm]) for arm, trials in chosen.items()}
    )
    against = reference or best_arm([trial for trials in chosen.values() for trial in trials])
    between = {
        (arm, other): table.between(arm, other) for arm, other in itertools.combinations(arms, 2)
    }
    verdicts = {pair: seen.verdict(margin) for pair, seen in between.items() if seen}
    apart = [pair for pair, verdict in verdicts.items() if verdict in ("better", "worse")]
    equal = [pair for pair, verdict in verdicts.items() if verdict == "practically equal"]
    tied = set(between) - set(apart)
    splits = first.settings.get("splits", "fixed")
    share = n_test / n_train if n_train and splits == "resampled" else None
    return Summary(
        stage=first.stage,
        study=first.study,
        data_name=data_name,
        data_digest=first.data_digest,
        n_test=n_test,
        seeds=seeds,
        trials=len(records),
        learning_rates=tuple(sorted({record.learning_rate for record in records})),
        target_accuracy=target,
        arms=arms,
        reference=against,
        contrasts={
            f"{arm} against {against}": _contrast(
                arm, against, chosen, n_test, table, margin, share
            )
            for arm in arms
            if arm != against
        },
        groups=cliques(list(arms), tied) if verdicts else (),
        equals=tuple(group for group in cliques(list(arms), equal) if len(group) > 1),
        aside=aside,
        margin=margin,
        widening=None if share is None else widening(seeds, share),
        deviation=table.deviation,
        splits=splits,
    )


def accuracies(chosen: Trials, n_test: int) -> dict[str, dict[int, float]]:
    """arm -> seed -> test accuracy, from whole counts: equal differences are equal numbers."""
    return {
        arm: {t.seed: round(t.test["test_accuracy"] * n_test) / n_test for t in trials}
        for arm, trials in chosen.items()
    }


def _failed(chosen: Trials, n_test: int, chance: float) -> dict[str, int]:
    """arm -> how many of its seeds diverged, or learned nothing that shows in the test."""
    return {
        arm: sum(
            t.outcome == "diverged" or is_at_chance(t.test["test_accuracy"], chance, n_test)
            for t in trials
        )
        for arm, trials in chosen.items()
    }


def _chosen(records: Sequence[Record]) -> dict[str, list[Record]]:
    """arm -> its trials at the chosen learning rate by seed, arms in order of appearance."""
    chosen: dict[str, list[Record]] = {record.arm: [] for record in records}
    for record in sorted(records, key=lambda r: r.seed):
        if record.chosen:
            chosen[record.arm].append(record)
    if missing := [arm for arm, trials in chosen.items() if not trials]:
        raise ValueError(f"expected chosen trials of every arm, received none of {missing}")
    return chosen


def _mean_ranks(values: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    """Per arm its rank by test accuracy within each seed that all arms have, mean over seeds."""
    seeds = sorted(set.intersection(*(set(of_arm) for of_arm in values.values())))
    table = np.array([[-values[arm][seed] for arm in values] for seed in seeds])
    return dict(zip(values, rankdata(table, axis=1).mean(axis=0).tolist(), strict=True))


def _summarize_arm(
    trials: Sequence[Record],
    records: Sequence[Record],
    target: float,
    mean_rank: float,
) -> ArmSummary:
    """With rank 0: that takes the other arms."""
    reached = [e for t in trials if (e := epochs_to_target(t, target)) is not None]
    rates = Counter(trial.learning_rate for trial in trials)

    def over_seeds(value: Callable[[Record], float]) -> Interval:
        return interval(map(value, trials))

    def share(value: Callable[[Record], float]) -> Interval:
        return share_interval(map(value, trials))

    return ArmSummary(
        rank=0,
        mean_rank=mean_rank,
        learning_rate=min(rates, key=lambda rate: (-rates[rate], rate)),
        rates={f"{rate:g}": rates[rate] for rate in sorted(rates)},
        at_edge=_edge(trials, [record for record in records if record.arm == trials[0].arm]),
        test_accuracy=share(lambda t: t.test["test_accuracy"]),
        test_loss=over_seeds(lambda t: t.test["test_loss"]),
        val_accuracy=share(lambda t: last_epoch(t)[0]),
        best_val_accuracy=share(lambda t: t.epochs["val_accuracy"][_best_epoch(t) - 1]),
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


def _edge(chosen: Sequence[Record], tried: Sequence[Record]) -> str:
    """The end of what its seed tried that most of the `chosen` trials of an arm are at."""
    at: Counter[str] = Counter()
    for trial in chosen:
        grid = {record.learning_rate for record in tried if record.seed == trial.seed}
        if len(grid) > 1:
            at["lowest"] += trial.learning_rate == min(grid)
            at["highest"] += trial.learning_rate == max(grid)
    return next((edge for edge in at if at[edge] > len(chosen) / 2), "")


def _rank(arms: Mapping[str, ArmSummary]) -> dict[str, ArmSummary]:
    """Ordered by validation accuracy, to a hundredth of a percent; ties in order of appearance."""
    score = {arm: round(s.val_accuracy.mean, 4) for arm, s in arms.items()}
    return {
        arm: ArmSummary(
            **vars(arms[arm]) | {"rank": 1 + sum(s > score[arm] for s in score.values())}
        )
        for arm in sorted(arms, key=lambda arm: -score[arm])
    }


def _contrast(
    arm: str,
    reference: str,
    chosen: Trials,
    n_test: int,
    table: Contrasts,
    margin: float,
    share: float | None,
) -> Contrast:
    ours, theirs = ({t.seed: t.test for t in chosen[name]} for name in (arm, reference))
    seeds = [seed for seed in ours if seed in theirs]
    seen = table.between(arm, reference)
    wrong = [
        [round((1 - of[seed]["test_accuracy"]) * n_test) for seed in seeds] for of in (ours, theirs)
    ]
    apart = [(other - own) / n_test for own, other in zip(*wrong, strict=True)]
    return Contrast(
        arm=arm,
        reference=reference,
        accuracy_difference=_simultaneous(seen, interval(apart)),
        loss_difference=interval(ours[s]["test_loss"] - theirs[s]["test_loss"] for s in seeds),
        error_factor=geometric_interval(map(error_ratio, *wrong)),
        p_value=seen.p_value if seen else None,
        level=table.level,
        verdict=seen.verdict(margin) if seen else "open",
        on_new_data=seen.widened(widening(len(seeds), share)).verdict(margin)
        if seen and share is not None
        else "open",
    )


def _simultaneous(seen: Difference | None, plain: Interval) -> Interval:
    """The mean and the interval that the verdict is of; `plain` where there is none."""
    if seen is None:
        return plain
    return Interval(
        mean=seen.mean,
        low=seen.mean - seen.reach,
        high=seen.mean + seen.reach,
        sd=plain.sd,
        n=plain.n,
    )


def _best_epoch(record: Record) -> int:
    """From 1; the first of equals, and 1 where no epoch has a number."""
    return 1 + int(np.argmax(np.nan_to_num(record.epochs["val_accuracy"], nan=-1.0)))
