"""What one arm of a study comes to, and its place among the others."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from warmstart.analysis.inference import interval, share_interval
from warmstart.analysis.scores import curve, followed, metric_of, tested, validated
from warmstart.analysis.summary import ArmSummary, Interval
from warmstart.analysis.targets import epochs_to_target
from warmstart.contrasts import Values
from warmstart.metrics import METRICS, Metric
from warmstart.records import Record
from warmstart.training.selection import mean


def mean_ranks(values: Values) -> dict[str, float]:
    """Per arm its rank by the test within each seed that all arms have, mean over seeds."""
    seeds = sorted(set.intersection(*(set(of_arm) for of_arm in values.values())))
    table = np.array([[-values[arm][seed] for arm in values] for seed in seeds])
    return dict(zip(values, rankdata(table, axis=1).mean(axis=0).tolist(), strict=True))


def summarize_arm(
    trials: Sequence[Record],
    records: Sequence[Record],
    target: float,
    mean_rank: float,
) -> ArmSummary:
    """With rank 0: that takes the other arms."""
    metric, best = metric_of(trials[0]), followed(trials[0].metric).metric
    own = {"test_loss", f"test_{metric.name}"}
    others = [name for name in trials[0].test if name not in own]
    reached = [e for t in trials if (e := epochs_to_target(t, target)) is not None]
    rates = Counter(trial.learning_rate for trial in trials)

    def over_seeds(value: Callable[[Record], float], of: Metric | None = None) -> Interval:
        shares = of is not None and of.form == "share"
        return (share_interval if shares else interval)(map(value, trials))

    def other(name: str) -> Interval:
        return over_seeds(lambda t: t.test.get(name, math.nan), METRICS[name.removeprefix("test_")])

    return ArmSummary(
        rank=0,
        mean_rank=mean_rank,
        learning_rate=min(rates, key=lambda rate: (-rates[rate], rate)),
        rates={f"{rate:g}": rates[rate] for rate in sorted(rates)},
        at_edge=_edge(trials, [record for record in records if record.arm == trials[0].arm]),
        test=over_seeds(tested, metric),
        test_loss=over_seeds(lambda t: t.test["test_loss"]),
        others={name.removeprefix("test_"): other(name) for name in others},
        validation=over_seeds(validated, metric),
        best_validation=over_seeds(lambda t: curve(t)[_best_epoch(t) - 1], best),
        best_epoch=mean(_best_epoch(t) for t in trials),
        last_epoch=mean(len(curve(t)) for t in trials),
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


def rank(
    arms: Mapping[str, ArmSummary], gains: Mapping[str, float], best: str
) -> dict[str, ArmSummary]:
    """Ordered by validation, to four decimals of a share and four digits of other metrics; of ties
    the `best`, which training chose by more digits, then order of appearance."""
    score = {
        arm: float(f"{gain:.4g}" if abs(gain) > 1 else f"{gain:.4f}") for arm, gain in gains.items()
    }
    return {
        arm: ArmSummary(
            **vars(arms[arm]) | {"rank": 1 + sum(s > score[arm] for s in score.values())}
        )
        for arm in sorted(arms, key=lambda arm: (-score[arm], arm != best))
    }


def _best_epoch(record: Record) -> int:
    """From 1; the first of equals, and 1 where no epoch has a number."""
    metric = followed(record.metric).metric
    gains = [metric.gain(value) for value in curve(record)]
    return 1 + int(np.argmax(np.nan_to_num(gains, nan=-np.inf)))
