"""Records -> Summary: which learning rates each arm gets, which arm wins, and what is shown of the
differences.

What the numbers mean, and what they do not, is written for the reader in `docs/statistics.md`.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from warmstart.analysis.arms import mean_ranks, rank, summarize_arm
from warmstart.analysis.inference import error_ratio, geometric_interval, interval
from warmstart.analysis.scores import gains, metric_of, tested, validated
from warmstart.analysis.summary import Contrast, Interval, Summary
from warmstart.analysis.targets import target_value
from warmstart.analysis.ties import cliques
from warmstart.contrasts import Contrasts, Difference, Values, level_of, out_of_line, widening
from warmstart.metrics import Metric
from warmstart.records import Record
from warmstart.training.chance import of_accuracy, resolution
from warmstart.training.selection import best_arm, mean

__all__ = ["interval", "summarize"]

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
    luck: float | None = None,
    predicted: str = "",
) -> Summary:
    """What the trials of one study say.

    Args:
        records: all trials of the study; those with `chosen` carry test metrics.
        data_name: of the dataset.
        n_test: test samples on which the test metrics were measured.
        chance: what the best constant answer reaches in the metric that decides: of accuracy, the
            share of the most frequent class.
        margin: means that differ by less, in the unit of the metric, are practically equal.
        reference: the arm that the others are held against. None: the best on validation; the test
            set has no part in that choice.
        n_train: training samples of a trial; None: not known, and nothing is said of new data.
        luck: how far chance alone may come, see `chance.luck`; None: `chance`, and of accuracy two
            standard errors more.
        predicted: name of the target where numbers are predicted.

    Raises:
        ValueError: if an arm has no chosen trial, or the reference is no arm.
    """
    chosen = _chosen(records)
    if reference is not None and reference not in chosen:
        raise ValueError(f"reference: expected one of {', '.join(chosen)}, received {reference!r}")
    first, target = records[0], target_value(chosen.values())
    values, seeds = gains(chosen, n_test, chance), max(map(len, chosen.values()))
    if luck is None:
        luck = chance
        if first.metric == "accuracy":
            known = of_accuracy(chance, n_test)
            luck += 2 * known.error
    aside = out_of_line(values, _failed(chosen, values, luck))
    table = Contrasts(
        values,
        aside=aside,
        resolution=resolution(first.metric, n_test),
        level=level_of(seeds, first.first_round),
    )
    ranks = mean_ranks(values)
    best = best_arm([trial for trials in chosen.values() for trial in trials])
    arms = rank(
        {arm: summarize_arm(trials, records, target, ranks[arm]) for arm, trials in chosen.items()},
        {arm: mean(_validated_gain(t) for t in trials) for arm, trials in chosen.items()},
        best,
    )
    against = reference or best
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
        learning_rates=tuple(sorted({r.learning_rate for r in records if r.learning_rate})),
        metric=first.metric,
        chance=chance,
        luck=luck,
        target=target,
        arms=arms,
        reference=against,
        contrasts={
            f"{arm} against {against}": _contrast(
                arm, against, chosen, values, n_test, table, margin, share
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
        predicted=predicted,
        splits=splits,
    )


def _failed(chosen: Trials, values: Values, luck: float) -> dict[str, int]:
    """arm -> how many of its seeds diverged, or learned nothing that shows in the test."""
    return {
        arm: sum(
            t.outcome == "diverged" or values[arm][t.seed] <= metric_of(t).gain(luck)
            for t in trials
        )
        for arm, trials in chosen.items()
    }


def _validated_gain(trial: Record) -> float:
    return metric_of(trial).gain(validated(trial))


def _chosen(records: Sequence[Record]) -> dict[str, list[Record]]:
    """arm -> its trials at the chosen learning rate by seed, arms in order of appearance."""
    chosen: dict[str, list[Record]] = {record.arm: [] for record in records}
    for record in sorted(records, key=lambda r: r.seed):
        if record.chosen:
            chosen[record.arm].append(record)
    if missing := [arm for arm, trials in chosen.items() if not trials]:
        raise ValueError(f"expected chosen trials of every arm, received none of {missing}")
    return chosen


def _contrast(
    arm: str,
    reference: str,
    chosen: Trials,
    values: Values,
    n_test: int,
    table: Contrasts,
    margin: float,
    share: float | None,
) -> Contrast:
    ours, theirs = ({t.seed: t for t in chosen[name]} for name in (arm, reference))
    seeds = [seed for seed in ours if seed in theirs]
    metric, seen = metric_of(chosen[arm][0]), table.between(arm, reference)
    pairs = [(ours[seed], theirs[seed]) for seed in seeds]
    # rounded, so that equal differences are equal numbers
    apart = [round(values[arm][seed] - values[reference][seed], 12) for seed in seeds]
    return Contrast(
        arm=arm,
        reference=reference,
        difference=of_gains(metric, simultaneous(seen, interval(apart))),
        loss_difference=interval(
            one.test["test_loss"] - other.test["test_loss"] for one, other in pairs
        ),
        error_factor=_error_factor(metric, pairs, n_test),
        p_value=seen.p_value if seen else None,
        level=table.level,
        verdict=seen.verdict(margin) if seen else "open",
        on_new_data=seen.widened(widening(len(seeds), share)).verdict(margin)
        if seen and share is not None
        else "open",
    )


def _error_factor(
    metric: Metric, pairs: Sequence[tuple[Record, Record]], n_test: int
) -> Interval | None:
    """Of the first over the second of each pair: accuracy counts errors, RMSE is one."""
    if metric.name == "accuracy":
        wrong = [[round((1 - tested(t)) * n_test) for t in pair] for pair in pairs]
        return geometric_interval(error_ratio(own, other) for own, other in wrong)
    if metric.name == "rmse":
        both = [(tested(one), tested(other)) for one, other in pairs]
        return geometric_interval(
            other / own
            for own, other in both
            if math.isfinite(own) and math.isfinite(other) and own > 0 < other
        )
    return None


def of_gains(metric: Metric, gain: Interval) -> Interval:
    """A difference of gains as one of the metric: where lower is better, less is gained."""
    if metric.higher_is_better:
        return gain
    low, high = (None if end is None else -end for end in (gain.high, gain.low))
    return dataclasses.replace(gain, mean=-gain.mean, low=low, high=high)


def simultaneous(seen: Difference | None, plain: Interval) -> Interval:
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
