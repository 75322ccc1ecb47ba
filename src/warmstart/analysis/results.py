"""What one stage or study left, read from its folder, with its summary."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from warmstart.analysis.chance import TestPart, chance, level, luck
from warmstart.analysis.statistics import summarize
from warmstart.analysis.summary import Contrast, Summary
from warmstart.data.task import Task
from warmstart.files import read_sealed
from warmstart.metrics import METRICS
from warmstart.records import Record, read_looks, read_records, times_of

if TYPE_CHECKING:
    import pandas as pd

REFERENCES = {"pretrain": "a", "transfer": "scratch"}
"""The arm that the others of a stage are held against; elsewhere the best one."""


@dataclass(frozen=True)
class DataCard:
    """What `prepare` says of the data."""

    content: dict[str, Any]

    @classmethod
    def read(cls, prepared: Path) -> Self | None:
        """The card in the folder that `prepare` wrote; None where there is none."""
        path = prepared / "card.json"
        return cls(read_sealed(path)) if path.exists() else None

    @classmethod
    def of(cls, name: str, task: Task, predicted: str = "") -> Self:
        """That of data which are in memory, of which `task` is all; `predicted` is what the target
        is called."""
        parts: dict[str, Any] = {
            "train": {"n": len(task.y_train)},
            "test": {"n": len(task.y_test)},
        }
        if task.classes:
            counts = np.bincount(task.y_test, minlength=task.classes).tolist()
            parts["test"]["classes"] = dict(zip(task.class_names, counts, strict=True))
        known = {"digest": task.digest} | parts
        about = {"kind": task.kind, "target": {"name": predicted, "deviation": task.target[1]}}
        return cls({"name": name, "tasks": {task.name: known}} | about)

    @property
    def name(self) -> str:
        return self.content["name"]

    def training_samples(self, digest: str) -> int | None:
        """Of the task with this digest; None: not said."""
        tasks = self.content["tasks"].values()
        return next(
            (t["train"]["n"] for t in tasks if t["digest"] == digest and "train" in t), None
        )

    @property
    def no_transfer(self) -> str | None:
        """Why there is no model B, in words; None: there is one."""
        return self.content.get("transfer", {}).get("left_out")

    @property
    def is_regression(self) -> bool:
        """Whether numbers are predicted."""
        return self.content.get("kind") == "regression"

    @property
    def deviation(self) -> float:
        """Of the target, in its own unit; 1 where classes are predicted."""
        return self.content["target"]["deviation"] if self.is_regression else 1.0

    @property
    def predicted(self) -> str:
        """What the target is called; empty where classes are predicted or it has no name."""
        return self.content["target"].get("name") or "" if self.is_regression else ""

    def test_part(self, digest: str) -> TestPart | None:
        """That of the task with this digest; None: it is another data set's."""
        tasks = self.content["tasks"].values()
        part = next((t["test"] for t in tasks if t["digest"] == digest), None)
        if part is None:
            return None
        counts = tuple((part.get("classes") or {}).values())
        return TestPart(n=part["n"], counts=counts, deviation=self.deviation)

    def margin(self, metric: str, equivalence: float) -> float:
        """`compare.equivalence` in the unit of `metric`: of what is in the target's unit, a share
        of the target's deviation."""
        return equivalence * (self.deviation if METRICS[metric].form == "target" else 1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """Records, summary, times and what was seen inside the networks."""

    summary: Summary
    records: tuple[Record, ...]
    timings: dict[str, Any]
    """Empty where none were taken."""
    diagnostics: "pd.DataFrame | None" = None
    """One row per arm, seed, epoch and layer; None where nobody looked."""

    @property
    def name(self) -> str:
        return self.summary.study or self.summary.stage

    @cached_property
    def arms(self) -> list[str]:
        """In the order of params.yaml, which fixes their colours."""
        return list(dict.fromkeys(record.arm for record in self.records))

    @property
    def smallest(self) -> float:
        """Half an error in the test set: the smallest error worth drawing."""
        return 0.5 / self.summary.n_test

    def contrast(self, arm: str) -> Contrast | None:
        return next((c for c in self.summary.contrasts.values() if c.arm == arm), None)

    def chosen(self, arm: str) -> list[Record]:
        """The trials of `arm` at the learning rates chosen for them."""
        return [record for record in self.records if record.arm == arm and record.chosen]

    def has(self, arm: str) -> bool:
        """Whether `arm` was trained, or at least looked into, as a profile."""
        looks = self.diagnostics
        return bool(self.chosen(arm)) or (looks is not None and bool((looks["arm"] == arm).any()))

    def seconds_per_epoch(self, arm: str) -> float | None:
        return self.timings.get("arms", {}).get(arm, {}).get("seconds_per_epoch")

    def seconds_by_seed(self, arm: str) -> dict[int, float]:
        """Seconds per epoch; empty where none were taken."""
        taken = self.timings.get("arms", {}).get(arm, {}).get("by_seed", {})
        return {int(seed): seconds for seed, seconds in taken.items()}

    def seconds_to_target(self, arm: str) -> float | None:
        """Training alone, over the seeds that reach the study's target."""
        epochs, seconds = self.summary.arms[arm].epochs_to_target, self.seconds_per_epoch(arm)
        return epochs.mean * seconds if epochs and seconds is not None else None


def read_results(folder: Path, data: DataCard | None, equivalence: float) -> Results | None:
    """The results in `folder`, judged; None where the stage has not run on `data`.

    Means that differ by less than `equivalence`, see `DataCard.margin`, are practically equal.
    """
    path = folder / "records.parquet"
    if data is None or not path.exists():
        return None
    timings, looks = times_of(folder), folder / "diagnostics.parquet"
    return judged(
        read_records(path),
        data,
        equivalence,
        timings=read_sealed(timings) if timings.exists() else {},
        diagnostics=read_looks(looks) if looks.exists() else None,
    )


def judged(
    records: tuple[Record, ...],
    data: DataCard,
    equivalence: float,
    *,
    timings: dict[str, Any] | None = None,
    diagnostics: "pd.DataFrame | None" = None,
) -> Results | None:
    """What `records` of one stage or study say; None where there are none, since it was left out,
    or they are not of `data`."""
    if not records:
        return None
    digest, metric = records[0].data_digest, records[0].metric
    test = data.test_part(digest)
    if test is None:
        return None
    known = chance(metric, test)
    return Results(
        summary=summarize(
            records,
            data_name=data.name,
            n_test=test.n,
            chance=level(metric, known),
            luck=luck(metric, known),
            predicted=data.predicted,
            margin=data.margin(metric, equivalence),
            n_train=None if records[0].stage == "transfer" else data.training_samples(digest),
            reference=REFERENCES.get(records[0].stage),
        ),
        records=records,
        timings=timings or {},
        diagnostics=diagnostics,
    )
