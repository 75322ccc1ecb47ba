"""For which pairs of classes transfer helps, hurts or does nothing, over all pairs at once."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

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


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What all pairs say."""

    accuracy_difference: Interval
    """On A's layers minus from scratch: mean over pairs in every seed, then over seeds."""
    rows: tuple[Row, ...]
    """Largest difference first."""

    def write(self, path: Path) -> None:
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        content = with_intervals(read_json(path))
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
        return cls(**content | {"rows": rows})


def judge(
    found: Mapping[tuple[str, ...], tuple[Summary, Sequence[Record]]], *, arm: str, reference: str
) -> Pairs:
    """Every pair's one contrast, of `arm` against `reference`, corrected over all pairs (Holm).

    Args:
        found: classes of the pair -> what its study left, all with the same seeds.
    """
    summaries = [summary for summary, _ in found.values()]
    contrasts = [summary.contrasts[f"{arm} against {reference}"] for summary in summaries]
    by_pair = [_differences(records, arm, reference) for _, records in found.values()]
    rows = []
    for classes, summary, contrast, differences, p_value in zip(
        found,
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
                classes=classes,
                arm=summary.arms[arm].test_accuracy,
                reference=summary.arms[reference].test_accuracy,
                contrast=corrected,
            )
        )
    return Pairs(
        accuracy_difference=interval(np.mean(by_pair, axis=0).tolist()),
        rows=tuple(sorted(rows, key=lambda row: -row.contrast.accuracy_difference.mean)),
    )


def answer(pairs: Pairs) -> str:
    """In two sentences."""
    named = {
        verdict: [" and ".join(r.classes) for r in pairs.rows if r.contrast.verdict == verdict]
        for verdict in ("better", "worse")
    }
    said = {v: f"{len(n)} ({', '.join(n)})" if n else "none" for v, n in named.items()}
    return (
        f"Over all {len(pairs.rows)} pairs of classes, B on A's layers differs from scratch by "
        f"{points(pairs.accuracy_difference)}. Beyond doubt transfer helps for {said['better']} "
        f"and hurts for {said['worse']}; the others cannot be told apart."
    )


def _differences(records: Sequence[Record], arm: str, reference: str) -> list[float]:
    """Test accuracy of `arm` minus that of `reference`, by seed."""
    ours, theirs = (
        {r.seed: r.test["test_accuracy"] for r in records if r.chosen and r.arm == name}
        for name in (arm, reference)
    )
    return [ours[seed] - theirs[seed] for seed in sorted(ours)]
