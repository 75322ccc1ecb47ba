"""For which pairs of classes transfer helps, hurts or does nothing, over all pairs at once."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from warmstart.analysis.inference import LEVEL, holm, interval, seeds_needed, verdict
from warmstart.analysis.words import points
from warmstart.files import read_json, write_json
from warmstart.records import Contrast, Interval, Record, Summary, with_intervals

WORDS = {
    "better": "helps",
    "worse": "hurts",
    "tie": "not told apart",
    "undecided": "too few seeds",
}
"""What a verdict says of transfer."""
PERMUTATIONS = 9999


@dataclass(frozen=True, kw_only=True)
class Row:
    """One pair of classes as task B."""

    classes: tuple[str, ...]
    arm: Interval
    """Test accuracy of B on A's layers, over seeds."""
    reference: Interval
    """Of B from scratch."""
    contrast: Contrast
    """Of the two; p-value, verdict and seeds needed are corrected over all pairs."""
    likeness: float
    """Of A and B, see `likeness`."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What all pairs say."""

    accuracy_difference: Interval
    """On A's layers minus from scratch: mean over pairs in every seed, then over seeds."""
    likeness_correlation: float | None
    """Spearman's, over pairs, between a pair's likeness and its difference; None: one of the two is
    constant."""
    likeness_p_value: float | None
    """Of no such correlation. Pairs that share a class are not independent: classes are permuted
    (Mantel 1967, "The detection of disease clustering and a generalized regression approach")."""
    rows: tuple[Row, ...]
    """Largest difference first."""

    def write(self, path: Path) -> None:
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None where the stage had only one task B."""
        content = read_json(path)
        if content is None:
            return None
        rows = tuple(
            Row(
                **with_intervals(row)
                | {
                    "classes": tuple(row["classes"]),
                    "contrast": Contrast(**with_intervals(row["contrast"])),
                }
            )
            for row in content["rows"]
        )
        return cls(**with_intervals(content) | {"rows": rows})


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


def judge(
    found: Mapping[tuple[int, int], tuple[Summary, Sequence[Record]]],
    *,
    arm: str,
    reference: str,
    class_names: Sequence[str],
    means: NDArray,
) -> Pairs:
    """Every pair's one contrast, of `arm` against `reference`, corrected over all pairs (Holm).

    Args:
        found: every pair of classes -> what its study left, all with the same seeds.
        class_names: all of them.
        means: as in `likeness`.
    """
    alike = [likeness(means, pair) for pair in found]
    summaries = [summary for summary, _ in found.values()]
    contrasts = [summary.contrasts[f"{arm} against {reference}"] for summary in summaries]
    by_pair = [_differences(records, arm, reference) for _, records in found.values()]
    rows = []
    for pair, like, summary, contrast, differences, p_value in zip(
        found,
        alike,
        summaries,
        contrasts,
        by_pair,
        holm([contrast.p_value for contrast in contrasts]),
        strict=True,
    ):
        said = verdict(contrast.accuracy_difference.mean, p_value)
        resolution, level = 1 / summary.n_test, LEVEL / len(found)
        needed = seeds_needed(differences, resolution=resolution, level=level)
        corrected = dataclasses.replace(
            contrast,
            p_value=p_value,
            verdict=said,
            seeds_needed=needed if said in ("tie", "undecided") else None,
        )
        rows.append(
            Row(
                classes=tuple(class_names[label] for label in pair),
                arm=summary.arms[arm].test_accuracy,
                reference=summary.arms[reference].test_accuracy,
                contrast=corrected,
                likeness=like,
            )
        )
    correlation, p_value = _correlate(
        list(found), alike, [contrast.accuracy_difference.mean for contrast in contrasts]
    )
    return Pairs(
        accuracy_difference=interval(np.mean(by_pair, axis=0).tolist()),
        likeness_correlation=correlation,
        likeness_p_value=p_value,
        rows=tuple(sorted(rows, key=lambda row: -row.contrast.accuracy_difference.mean)),
    )


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
    found = x @ y / np.sqrt((x**2).sum(axis=1) * (y**2).sum())
    as_far = np.abs(found) >= abs(found[0]) - 1e-12
    return float(found[0]), float(as_far.mean())


def answer(pairs: Pairs) -> str:
    """In three sentences."""
    named = {
        verdict: [" and ".join(r.classes) for r in pairs.rows if r.contrast.verdict == verdict]
        for verdict in ("better", "worse")
    }
    said = {v: f"{len(n)} ({', '.join(n)})" if n else "none" for v, n in named.items()}
    return (
        f"Over all {len(pairs.rows)} pairs of classes, B on A's layers differs from scratch by "
        f"{points(pairs.accuracy_difference)}. Beyond doubt transfer helps for {said['better']} "
        f"and hurts for {said['worse']}; the others cannot be told apart."
        + (
            ""
            if pairs.likeness_correlation is None
            else " Rank correlation of the difference with the likeness of A and B: "
            f"{pairs.likeness_correlation:+.2f} (p = {pairs.likeness_p_value:.2g})."
        )
    )


def _differences(records: Sequence[Record], arm: str, reference: str) -> list[float]:
    """Test accuracy of `arm` minus that of `reference`, by seed."""
    ours, theirs = (
        {r.seed: r.test["test_accuracy"] for r in records if r.chosen and r.arm == name}
        for name in (arm, reference)
    )
    return [ours[seed] - theirs[seed] for seed in sorted(ours)]
