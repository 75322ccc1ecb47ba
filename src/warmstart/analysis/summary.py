"""What the records of one stage or study come to: arms with intervals, contrasts, groups of ties.

Summaries hold no clock: they are the same bytes whenever the same records are judged.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from warmstart.contrasts import Verdict
from warmstart.files import intact, read_sealed, write_sealed


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over seeds with its 95 % confidence interval."""

    mean: float
    low: float | None
    """None where one value, or values that are all equal, allow no interval."""
    high: float | None
    sd: float | None
    n: int

    @property
    def known(self) -> float | None:
        """The mean; None where no value was a finite number, since every seed diverged."""
        return self.mean if self.n else None


@dataclass(frozen=True, kw_only=True)
class ArmSummary:
    """One arm at the learning rate chosen for it."""

    rank: int
    """1 is the best mean on validation; ties by rounding share the lower rank."""
    mean_rank: float
    """Mean over seeds of the rank within the seed; equals share the mean of their ranks."""
    learning_rate: float
    """That of most seeds, the lowest of equals."""
    rates: dict[str, int]
    """Learning rate -> the number of seeds whose validation chose it, ascending."""
    at_edge: str
    """`lowest` or `highest` where most seeds chose that end of what they tried, else empty."""
    test: Interval
    """The metric that decides, in its own unit."""
    test_loss: Interval
    others: dict[str, Interval]
    """The other metrics of the test, by name."""
    validation: Interval
    """The metric that decides after the last epoch, by which learning rates are chosen. A trial
    that diverged counts as 0 where it is a share, and is left out where it is none."""
    best_validation: Interval
    """After each seed's best epoch, of what is followed (`scores.followed`)."""
    best_epoch: float
    """Mean over seeds of the epoch (from 1) that is best on validation."""
    last_epoch: float
    """Mean over seeds of the number of epochs trained."""
    epochs_to_target: Interval | None
    """Epochs until the study's target, interpolated, over the seeds that reach it; None: none."""
    reached_share: float
    """Share of the arm's seeds that reach the target."""
    diverged_share: float
    """Share of the arm's seeds that diverged at the chosen learning rate."""
    settings: dict[str, str]
    """Those that all its trials share."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """`arm` against `reference`, paired over seeds."""

    arm: str
    reference: str
    difference: Interval
    """The metric that decides in the test, `arm` minus `reference`, in its own unit and direction:
    of an error that is smaller it is negative. The interval holds at once with those of all other
    pairs of the study; sd is that of the differences."""
    loss_difference: Interval
    error_factor: Interval | None
    """Error of `reference` over error of `arm`: above 1, `arm` errs less. Geometric mean. Of
    accuracies errors are counted, of RMSE it is the error; None: another metric decides."""
    p_value: float | None
    """For no difference, corrected over all pairs of arms (Tukey); None: too few seeds."""
    level: float
    """Below which p tells the two apart: what is spent on this round of seeds."""
    verdict: Verdict
    """About `arm`, on these data."""
    on_new_data: Verdict
    """The same with the interval widened for new data like these (`contrasts.widening`); `open`
    where that is not known."""


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
    metric: str
    """What arms are judged by: a name in `metrics.METRICS`."""
    chance: float
    """What the best constant answer reaches in the test."""
    luck: float
    """How far chance alone may come: arms that are no better learned nothing that shows."""
    target: float
    """Value on validation that `epochs_to_target` counts to, of what is followed
    (`scores.followed`)."""
    arms: dict[str, ArmSummary]
    """In order of rank."""
    reference: str
    """The arm that the others are held against: the best on validation, in `transfer` scratch."""
    contrasts: dict[str, Contrast]
    """Keyed `ARM against REFERENCE`."""
    groups: tuple[tuple[str, ...], ...]
    """The largest groups of arms no two of which are shown to differ, over all pairs; empty: too
    few seeds to tell any apart."""
    equals: tuple[tuple[str, ...], ...]
    """The largest groups of two or more arms that are practically equal, each to each."""
    aside: dict[str, str]
    """Arm -> why it shares no error with the others, in words."""
    margin: float
    """Means that differ by less, in the unit of the metric, are practically equal."""
    widening: float | None
    """How many times as wide intervals have to be for new data like these, with `seeds` seeds;
    None: not known, where seeds do not split the data, share the official test set or draw labels
    of their own."""
    deviation: float | None
    """Of one trial's test, pooled over arms; None: too few arms or seeds."""
    predicted: str = ""
    """Name of the target where numbers are predicted; empty: it has none, or classes are."""
    splits: str = "fixed"
    """`resampled`: each seed had its own split of the data; `official`: of all but the test set
    that came with them; `fixed`: all had the same."""

    @property
    def title(self) -> str:
        return f"{self.stage}@{self.study}" if self.study else self.stage


def write_summary(path: Path, summary: Summary) -> None:
    write_sealed(path, dataclasses.asdict(summary))


def read_summary(path: Path) -> Summary:
    """The summary of `write_summary`.

    Raises:
        InputError: as `files.intact`.
    """
    with intact(path):
        return TypeAdapter(Summary).validate_python(read_sealed(path))
