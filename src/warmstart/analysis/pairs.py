"""For which pairs of classes transfer helps, hurts or does nothing, over all pairs at once."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from warmstart.analysis.inference import holm, interval
from warmstart.analysis.results import REFERENCES, Results
from warmstart.analysis.scores import tested
from warmstart.analysis.summary import Contrast, Interval
from warmstart.analysis.words import Wording
from warmstart.metrics import METRICS

ARM, REFERENCE = "on_a", REFERENCES["transfer"]
WORDS = {
    "better": "helps",
    "worse": "hurts",
    "practically equal": "practically equal",
    "open": "open",
}
"""What a verdict says of transfer."""
PERMUTATIONS = 9999


@dataclass(frozen=True, kw_only=True)
class Row:
    """One pair of classes as task B."""

    classes: tuple[str, ...]
    arm: Interval
    """The test of B on A's layers, over seeds."""
    reference: Interval
    """The test of B from scratch."""
    contrast: Contrast
    """Between the two; p-value and verdict are corrected over all pairs."""
    likeness: float
    """How alike A and B are, see `likeness`."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What all pairs say."""

    metric: str
    """What is compared: a name in `metrics.METRICS`."""
    difference: Interval
    """On A's layers minus from scratch: mean over pairs in every seed, then over seeds."""
    likeness_correlation: float | None
    """Spearman's, over pairs, between a pair's likeness and its difference; None: one of the two is
    constant."""
    likeness_p_value: float | None
    """For no such correlation. Pairs that share a class are not independent: classes are permuted
    (Mantel 1967, "The detection of disease clustering and a generalized regression approach")."""
    rows: tuple[Row, ...]
    """Largest gain first."""


def likeness(means: NDArray, pair: tuple[int, int]) -> float:
    """How much of what tells the two classes of `pair` apart also tells the other classes apart.

    Of the line between the two class means, the length that lies in the plane of the other class
    means, relative to its own: 1 if model A has to look where B will look, 0 if it may ignore all
    of it. Where the two means are equal it is 0.

    Args:
        means: `(classes, features)`, of standardized training samples.
        pair: numbers of two classes.
    """
    others = np.delete(means, pair, axis=0)
    _, lengths, axes = np.linalg.svd(others - others.mean(axis=0), full_matrices=False)
    plane = axes[lengths > 1e-9 * lengths.max()]
    line = means[pair[0]] - means[pair[1]]
    return float(np.linalg.norm(plane @ line) / (np.linalg.norm(line) or 1.0))


def judge_pairs(
    studies: Mapping[tuple[int, int], Results], class_names: Sequence[str], means: NDArray
) -> Pairs:
    """Every pair's contrast of ARM against REFERENCE, corrected over all pairs (Holm).

    Args:
        studies: every pair of classes -> its results, all with the same seeds.
        class_names: of the dataset.
        means: as in `likeness`.
    """
    alike = [likeness(means, pair) for pair in studies]
    contrasts = [
        study.summary.contrasts[f"{ARM} against {REFERENCE}"] for study in studies.values()
    ]
    differences = [_differences(study) for study in studies.values()]
    p_values = holm([contrast.p_value for contrast in contrasts])
    rows = [
        Row(
            classes=tuple(class_names[label] for label in pair),
            arm=study.summary.arms[ARM].test,
            reference=study.summary.arms[REFERENCE].test,
            contrast=_corrected(contrast, p_value),
            likeness=like,
        )
        for (pair, study), contrast, p_value, like in zip(
            studies.items(), contrasts, p_values, alike, strict=True
        )
    ]
    metric = METRICS[next(iter(studies.values())).summary.metric]
    gains = [metric.gain(contrast.difference.mean) for contrast in contrasts]
    correlation, p_value = _correlate(list(studies), alike, gains)
    return Pairs(
        metric=metric.name,
        difference=interval(np.mean(differences, axis=0).tolist()),
        likeness_correlation=correlation,
        likeness_p_value=p_value,
        rows=tuple(sorted(rows, key=lambda row: -metric.gain(row.contrast.difference.mean))),
    )


def _corrected(contrast: Contrast, p_value: float | None) -> Contrast:
    """What is practically equal stays so: that is shown pair by pair."""
    verdict = contrast.verdict
    if verdict in ("better", "worse") and (p_value is None or p_value >= contrast.level):
        verdict = "open"
    return dataclasses.replace(contrast, p_value=p_value, verdict=verdict)


def _correlate(
    pairs: Sequence[tuple[int, int]], one: Sequence[float], other: Sequence[float]
) -> tuple[float | None, float | None]:
    """Spearman's correlation of two numbers of each pair, and its p-value by permuted classes."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None, None
    places, count = np.array(pairs), 1 + np.max(pairs)
    ranks = np.zeros((count, count))
    ranks[tuple(places.T)] = rankdata(one)
    ranks += ranks.T
    own = np.arange(count)
    shuffled = np.random.default_rng(0).permuted(np.tile(own, (PERMUTATIONS, 1)), axis=1)
    order = np.vstack([own, shuffled])  # (1 + PERMUTATIONS, classes), as they are first
    x = ranks[order[:, places[:, 0]], order[:, places[:, 1]]]
    x, y = x - x.mean(axis=1, keepdims=True), rankdata(other) - (len(pairs) + 1) / 2
    correlations = x @ y / np.sqrt((x**2).sum(axis=1) * (y**2).sum())
    as_far = np.abs(correlations) >= abs(correlations[0]) - 1e-12
    return float(correlations[0]), float(as_far.mean())


def answer(pairs: Pairs) -> str:
    """What all pairs say, in three sentences."""
    counts = Counter(row.contrast.verdict for row in pairs.rows)
    named = {
        verdict: [" and ".join(r.classes) for r in pairs.rows if r.contrast.verdict == verdict]
        for verdict in ("better", "worse")
    }
    said = {v: f"{len(n)} ({', '.join(n)})" if n else "no pair" for v, n in named.items()}
    return (
        f"Over all {len(pairs.rows)} pairs of classes, B on A's layers differs from scratch by "
        f"{Wording(METRICS[pairs.metric]).difference(pairs.difference)}. Transfer helps for "
        f"{said['better']}, hurts for {said['worse']}, is practically equal for "
        f"{counts['practically equal']} and open for {counts['open']}."
        + (
            ""
            if pairs.likeness_correlation is None
            else " Rank correlation of the difference with the likeness of A and B: "
            f"{pairs.likeness_correlation:+.2f} (p = {pairs.likeness_p_value:.2g})."
        )
    )


def _differences(study: Results) -> list[float]:
    """The test of ARM minus that of REFERENCE, by seed."""
    ours, theirs = (
        {record.seed: tested(record) for record in study.chosen(arm)} for arm in (ARM, REFERENCE)
    )
    return [ours[seed] - theirs[seed] for seed in sorted(ours)]
