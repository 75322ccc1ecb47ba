"""What trials left behind (`Record`), what follows from it (`Summary`), and their files.

Records and summaries hold no clock: they are the same bytes whenever the same thing is run.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from warmstart.files import read_json, replacing, write_json

if TYPE_CHECKING:  # loaded where a table is made, since workers make none and start sooner
    import pandas as pd

EPOCH_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
TEST_METRICS = ("test_loss", "test_accuracy")
Outcome = Literal["completed", "diverged"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one trial left."""

    stage: str
    study: str
    """Empty outside `compare`."""
    arm: str
    seed: int
    """0, 1, 2 … within the study; paired between arms."""
    learning_rate: float
    settings: dict[str, str]
    """The arm's choices, as text; in a cross-validation also the trial's fold."""
    data_digest: str
    outcome: Outcome
    """`diverged`: the loss left the finite numbers in the last epoch given here."""
    epochs: dict[str, tuple[float, ...]]
    """Each of EPOCH_METRICS, one value per epoch; NaN in the epoch in which it diverged."""
    chosen: bool = False
    """Whether the arm's learning rate, chosen on validation, is this one."""
    test: dict[str, float] = field(default_factory=dict)
    """TEST_METRICS, only where chosen."""

    @property
    def folds(self) -> int | None:
        """Of the cross-validation that it took part in; None: one split."""
        return int(self.settings["folds"]) if "folds" in self.settings else None

    @property
    def name(self) -> str:
        """Short and unique within a study."""
        return f"{self.arm} lr={self.learning_rate:g} seed={self.seed}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything above, the name by which trackers know this record."""
        return hashlib.sha256(
            json.dumps(dataclasses.asdict(self), sort_keys=True).encode()
        ).hexdigest()


_IDENTITY = ("digest", "stage", "study", "arm", "seed", "learning_rate", "outcome", "chosen")
_COLUMNS = (*_IDENTITY, "data_digest", "settings", "epoch", *EPOCH_METRICS, *TEST_METRICS)


def to_frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row per trial and epoch, epochs counted from 1; test metrics in a trial's last row."""
    import pandas as pd

    rows = []
    for record in records:
        count = len(record.epochs["loss"])
        for epoch in range(count):
            rows.append(
                {key: getattr(record, key) for key in (*_IDENTITY, "data_digest")}
                | {"settings": json.dumps(record.settings), "epoch": epoch + 1}
                | {metric: record.epochs[metric][epoch] for metric in EPOCH_METRICS}
                | {
                    m: record.test.get(m, np.nan) if epoch + 1 == count else np.nan
                    for m in TEST_METRICS
                }
            )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Parquet as `to_frame` lays it out."""
    with replacing(path) as unfinished:
        to_frame(records).to_parquet(unfinished, index=False)


def read_records(path: Path) -> tuple[Record, ...]:
    """The records of `write_records`, in their order, with equal digests."""
    import pandas as pd

    frame = pd.read_parquet(path)
    records = []
    for _, rows in frame.groupby("digest", sort=False):
        first, last = rows.iloc[0], rows.iloc[-1]
        tests = {metric: float(last[metric]) for metric in TEST_METRICS}
        records.append(
            Record(
                stage=first["stage"],
                study=first["study"],
                arm=first["arm"],
                seed=int(first["seed"]),
                learning_rate=float(first["learning_rate"]),
                settings=json.loads(first["settings"]),
                data_digest=first["data_digest"],
                outcome=first["outcome"],
                epochs={m: tuple(float(v) for v in rows[m]) for m in EPOCH_METRICS},
                chosen=bool(first["chosen"]),
                test=tests if first["chosen"] else {},
            )
        )
    return tuple(records)


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
    """Of the last epoch, 0 for a diverged trial: what learning rates are chosen by."""
    best_val_accuracy: Interval
    """Of each seed's best epoch."""
    best_epoch: float
    """Mean over seeds of the epoch (from 1) with the highest validation accuracy."""
    last_epoch: float
    """Mean over seeds of the number of epochs trained."""
    epochs_to_target: Interval | None
    """First epoch with the study's target accuracy, over the seeds that reach it; None: none."""
    reached_share: float
    """Of the arm's seeds that reach the target accuracy."""
    diverged_share: float
    """Of the arm's seeds at the chosen learning rate."""
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
    """Of no difference in accuracy, corrected within the study (Holm); None: undecidable."""
    verdict: Literal["better", "worse", "tie", "undecided"]
    """Of `arm`; `tie`: cannot be told apart."""
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
    folds: int | None = None
    """Of the cross-validation that the trials took part in; None: one split."""

    @property
    def title(self) -> str:
        return f"{self.stage}@{self.study}" if self.study else self.stage

    def write(self, path: Path) -> None:
        """Nested JSON that `dvc metrics` can flatten."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls.from_dict(read_json(path))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        arms = {name: ArmSummary(**with_intervals(arm)) for name, arm in content["arms"].items()}
        contrasts = {key: Contrast(**with_intervals(c)) for key, c in content["contrasts"].items()}
        rates = tuple(content["learning_rates"])
        groups = tuple(map(tuple, content["groups"]))
        return cls(
            **content
            | {"arms": arms, "contrasts": contrasts, "learning_rates": rates, "groups": groups}
        )


def with_intervals(content: dict[str, Any]) -> dict[str, Any]:
    """`content` with its nested intervals as such."""
    return {
        key: Interval(**value) if isinstance(value, dict) and "low" in value else value
        for key, value in content.items()
    }
