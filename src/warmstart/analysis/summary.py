"""What the records of one stage or study come to: arms with intervals, contrasts, groups of ties.

Summaries hold no clock: they are the same bytes whenever the same records are judged.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from warmstart.files import write_json

Verdict = Literal["better", "worse", "tie", "undecided"]
"""`tie`: cannot be told apart."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over seeds with its 95 % confidence interval."""

    mean: float
    low: float | None
    """None where one value, or values that are all equal, allow no interval."""
    high: float | None
    sd: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class ArmSummary:
    """One arm at the learning rate chosen for it."""

    rank: int
    """1 is the highest mean test accuracy; ties by rounding share the lower rank."""
    mean_rank: float
    """Mean over seeds of the rank within the seed; equals share the mean of their ranks."""
    learning_rate: float
    at_edge: str
    """`lowest` or `highest` where the grid's edge was chosen, else empty."""
    test_accuracy: Interval
    test_loss: Interval
    val_accuracy: Interval
    """After the last epoch, 0 for a diverged trial: what learning rates are chosen by."""
    best_val_accuracy: Interval
    """After each seed's best epoch."""
    best_epoch: float
    """Mean over seeds of the epoch (from 1) with the highest validation accuracy."""
    last_epoch: float
    """Mean over seeds of the number of epochs trained."""
    epochs_to_target: Interval | None
    """Epochs until the study's target accuracy, interpolated, over the seeds that reach it; None:
    none."""
    reached_share: float
    """Share of the arm's seeds that reach the target accuracy."""
    diverged_share: float
    """Share of the arm's seeds that diverged at the chosen learning rate."""
    settings: dict[str, str]
    """Those that all its trials share."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """`arm` against `reference`, paired over seeds."""

    arm: str
    reference: str
    accuracy_difference: Interval
    """Test accuracy of `arm` minus that of `reference`."""
    loss_difference: Interval
    error_factor: Interval
    """Error of `reference` over error of `arm`: above 1, `arm` errs less. Geometric mean."""
    p_value: float | None
    """For no difference in accuracy, corrected within the study (Holm); None: undecidable."""
    verdict: Verdict
    """About `arm`."""
    seeds_needed: int | None
    """Seeds that would tell a tie apart with a chance of 80 %, were the difference as large as it
    looks; None: they are told apart, look equal, or it would take more than 1,000."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the records of one stage (one study) say."""

    stage: str
    study: str
    data_name: str
    data_digest: str
    n_test: int
    seeds: int
    trials: int
    learning_rates: tuple[float, ...]
    target_accuracy: float
    """Validation accuracy that `epochs_to_target` counts to."""
    arms: dict[str, ArmSummary]
    """In order of rank."""
    contrasts: dict[str, Contrast]
    """Keyed `ARM against REFERENCE`; against the best arm, in `transfer` against scratch."""
    groups: tuple[tuple[str, ...], ...]
    """The largest groups of arms that cannot be told apart, over all pairs; empty: too few seeds
    to tell any apart."""
    splits: str = "fixed"
    """`resampled`: each seed had its own split of the data, `fixed`: all had the same."""

    @property
    def title(self) -> str:
        return f"{self.stage}@{self.study}" if self.study else self.stage


def write_summary(path: Path, summary: Summary) -> None:
    write_json(path, dataclasses.asdict(summary))


def read_summary(path: Path) -> Summary:
    """The summary of `write_summary`.

    Raises:
        ValueError: if the file holds something else.
    """
    return TypeAdapter(Summary).validate_json(path.read_bytes())
