"""What trials left behind: the table of records, the table of looks into layers, and the network
that was kept.

None of them holds a clock: they are the same bytes whenever the same thing is run.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmstart.files import intact, replacing
from warmstart.training.layers import FIELDS, LayerProbe
from warmstart.training.outcomes import EPOCH_METRICS, Outcome

if TYPE_CHECKING:  # loaded where a table is read: stages only write tables
    import pandas as pd

__all__ = ["EPOCH_METRICS", "Outcome", "Record"]


def times_of(folder: Path) -> Path:
    """Where times and machine facts of the records in `folder` lie: of `results/STAGE/STUDY` in
    `results/times/STAGE/STUDY.json`, of any other folder in its own `times.json`.

    DVC hashes a folder that a stage depends on with all that is in it, so a clock among the records
    would run again whatever reads them.
    """
    for results in folder.parents[:2]:
        if results.name == "results":
            return results / "times" / f"{folder.relative_to(results)}.json"
    return folder / "times.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one trial left."""

    stage: str
    study: str
    """Empty outside `compare`, but for runs of `transfer` with other labels or classes."""
    arm: str
    seed: int
    """0, 1, 2 … within the study; paired between arms."""
    learning_rate: float
    settings: dict[str, str]
    """The arm's choices, as text."""
    data_digest: str
    outcome: Outcome
    """`diverged`: the loss left the finite numbers in the last epoch given here."""
    epochs: dict[str, tuple[float, ...]]
    """Each of `trials.epoch_metrics`, one value per epoch; NaN in the epoch in which it diverged.
    """
    chosen: bool = False
    """Whether the arm's learning rate, chosen on validation, is this one."""
    test: dict[str, float] = field(default_factory=dict)
    """`test_loss`, and `test_NAME` of every metric of its kind, only where chosen."""
    metric: str = "accuracy"
    """What validation chose by, and arms are judged by: a name in `metrics.METRICS`."""
    validation: dict[str, float] = field(default_factory=dict)
    """`val_NAME` of `metric` after the last epoch, where that is none of `epochs`; of a regression
    of every metric, in the unit of the target."""

    @property
    def split(self) -> int:
        """Number of the split that it saw: see `data.split.resplit`."""
        return 0 if self.settings.get("splits", "fixed") == "fixed" else self.seed

    @property
    def first_round(self) -> int | None:
        """Seeds of its study's first round; None: there were no others planned."""
        return int(count) if (count := self.settings.get("first_round")) else None

    @property
    def name(self) -> str:
        """Short and unique within a study."""
        return f"{self.arm} lr={self.learning_rate:g} seed={self.seed}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything above, the name by which trackers know this record."""
        content = dataclasses.asdict(self)
        # as the table gives them back, also where a metric of somebody's own is a whole number
        content["epochs"] = {name: [*map(float, values)] for name, values in self.epochs.items()}
        content["test"] = {name: float(value) for name, value in self.test.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


_PLAIN = (
    "stage", "study", "arm", "seed", "learning_rate", "outcome", "chosen", "data_digest", "metric",
)  # fmt: skip
_JSON = ("settings", "validation")


def _rows(record: Record, tests: Iterable[str]) -> list[dict[str, Any]]:
    """One row per epoch, counted from 1; test metrics in the last."""
    known = {key: getattr(record, key) for key in ("digest", *_PLAIN)}
    known |= {key: json.dumps(getattr(record, key)) for key in _JSON}
    count = len(record.epochs["loss"])
    return [
        known
        | {"epoch": epoch + 1}
        | {metric: values[epoch] for metric, values in record.epochs.items()}
        | {m: record.test.get(m, math.nan) if epoch + 1 == count else math.nan for m in tests}
        for epoch in range(count)
    ]


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Parquet with one row per trial and epoch, in the order of `records`, which are of one kind:
    the epochs' metrics have the same names."""
    tests = list(dict.fromkeys(metric for record in records for metric in record.test))
    _write_table(path, [row for record in records for row in _rows(record, tests)])


def read_records(path: Path) -> tuple[Record, ...]:
    """The records of `write_records`, in their order, with equal digests.

    Raises:
        InputError: as `files.intact`; each record is held to the digest that stands beside it.
    """
    with intact(path):
        return _read_records(path)


def _read_records(path: Path) -> tuple[Record, ...]:
    import pyarrow.parquet as pq

    trials: dict[str, list[dict[str, Any]]] = {}
    table = pq.read_table(path)
    rest = [c for c in table.column_names if c not in ("digest", "epoch", *_PLAIN, *_JSON)]
    tests = [name for name in rest if name.startswith("test_")]
    epochs = [name for name in rest if name not in tests]
    for row in table.to_pylist():
        # what wrote the table may have taken a NaN for a missing value
        numbers = {name: math.nan for name in rest if row[name] is None}
        trials.setdefault(row["digest"], []).append(row | numbers)
    records = {digest: _record(rows, epochs, tests) for digest, rows in trials.items()}
    if other := [record for digest, record in records.items() if record.digest != digest]:
        raise ValueError(f"{other[0].name} has not the digest that stands beside it")
    return tuple(records.values())


def _record(rows: Sequence[dict[str, Any]], epochs: Sequence[str], tests: Sequence[str]) -> Record:
    last = rows[-1]
    return Record(
        **{key: last[key] for key in _PLAIN},
        **{key: json.loads(last[key]) for key in _JSON},
        epochs={metric: tuple(row[metric] for row in rows) for metric in epochs},
        test={metric: last[metric] for metric in tests} if last["chosen"] else {},
    )


def looks(
    probes: Iterable[LayerProbe], *, study: str, arm: str, seed: int, learning_rate: float
) -> list[dict[str, Any]]:
    """Rows for `write_looks`; `learning_rate` is NaN for a network that was not trained."""
    trial = {"study": study, "arm": arm, "seed": seed, "learning_rate": learning_rate}
    return [trial | dataclasses.asdict(probe) for probe in probes]


def write_looks(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Parquet with one row per arm, seed, epoch and layer, in that order."""
    _write_table(path, rows, write_page_checksum=True)


def read_looks(path: Path) -> "pd.DataFrame":
    """The rows of `write_looks`: study, arm, seed, learning_rate and the fields of LayerProbe.

    Raises:
        InputError: as `files.intact`; each page is held to its checksum.
    """
    import pyarrow.parquet as pq

    columns = ["study", "arm", "seed", "learning_rate", *FIELDS]
    with intact(path):
        table = pq.read_table(path, columns=columns, page_checksum_verification=True)
        return table.to_pandas()


def _write_table(path: Path, rows: Sequence[dict[str, Any]], **how: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replacing(path) as unfinished:
        pq.write_table(pa.Table.from_pylist(list(rows)), unfinished, **how)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The trial whose network a stage saved, and what that network gets right on the validation
    samples, one by one, or by how much it misses them: the evidence by which it can be held against
    another network."""

    record: str
    """Digest of the trial's record."""
    model: str
    """The file, as a POSIX path."""
    data: str
    """Digest of the stage's task, whether the arm standardizes it or not."""
    validation_hits: str
    """One bit per validation sample, 1 where the label is right, packed and in hexadecimal; empty
    for a regression."""
    validation_errors: str
    """Of a regression the absolute error of each validation sample in the unit of the target,
    float32, little-endian, in hexadecimal; else empty."""
    validation_samples: int
