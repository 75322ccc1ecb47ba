"""What one stage or study left, read from its folder, with its summary."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from warmstart.analysis.statistics import summarize
from warmstart.analysis.summary import Contrast, Summary
from warmstart.data.task import Task
from warmstart.files import read_json
from warmstart.records import Record, read_looks, read_records

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
        return cls(read_json(path)) if path.exists() else None

    @classmethod
    def of(cls, name: str, task: Task) -> Self:
        """That of data which are in memory, of which `task` is all."""
        counts = np.bincount(task.y_test, minlength=task.classes).tolist()
        classes = dict(zip(task.class_names, counts, strict=True))
        parts = {
            "train": {"n": len(task.y_train)},
            "test": {"n": len(task.y_test), "classes": classes},
        }
        known = {"digest": task.digest} | parts
        return cls({"name": name, "tasks": {task.name: known}})

    @property
    def name(self) -> str:
        return self.content["name"]

    def training_samples(self, digest: str) -> int | None:
        """Of the task with this digest; None: not said."""
        tasks = self.content["tasks"].values()
        return next(
            (t["train"]["n"] for t in tasks if t["digest"] == digest and "train" in t), None
        )

    def test_part(self, digest: str) -> dict[str, int] | None:
        """Class -> test samples of the task with this digest; None: it is another data set's."""
        tasks = self.content["tasks"].values()
        return next((t["test"]["classes"] for t in tasks if t["digest"] == digest), None)


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
        """Training alone, over the seeds that reach the study's target accuracy."""
        epochs, seconds = self.summary.arms[arm].epochs_to_target, self.seconds_per_epoch(arm)
        return epochs.mean * seconds if epochs and seconds is not None else None


def read_results(folder: Path, data: DataCard | None, margin: float) -> Results | None:
    """The results in `folder`, judged; None where the stage has not run on `data`.

    Mean accuracies that differ by less than `margin` are practically equal.
    """
    path = folder / "records.parquet"
    if data is None or not path.exists():
        return None
    records = read_records(path)
    if not records:  # the stage was left out
        return None
    digest = records[0].data_digest
    test = data.test_part(digest)
    if test is None:
        return None
    n_test = sum(test.values())
    timings, looks = folder / "timings.json", folder / "diagnostics.parquet"
    return Results(
        summary=summarize(
            records,
            data_name=data.name,
            n_test=n_test,
            chance=max(test.values()) / n_test,
            margin=margin,
            n_train=None if records[0].stage == "transfer" else data.training_samples(digest),
            reference=REFERENCES.get(records[0].stage),
        ),
        records=records,
        timings=read_json(timings) if timings.exists() else {},
        diagnostics=read_looks(looks) if looks.exists() else None,
    )
