"""What one stage or study left, read from its folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from warmstart.analysis import series
from warmstart.analysis.inference import overlap_of
from warmstart.files import read_json
from warmstart.records import Contrast, Record, Summary, read_records


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """Summary, records, times and what was seen inside the networks."""

    summary: Summary
    records: tuple[Record, ...]
    timings: dict[str, Any]
    """Empty where none were taken."""
    diagnostics: pd.DataFrame | None = None
    """One row per arm, seed, epoch and layer; None where nobody looked."""

    @property
    def name(self) -> str:
        return self.summary.study or self.summary.stage

    @property
    def arms(self) -> list[str]:
        """In the order of params.yaml, which fixes their colours."""
        return series.arms_of(self.records)

    @property
    def smallest(self) -> float:
        """Half an error in the test set: the smallest error worth drawing."""
        return 0.5 / self.summary.n_test

    @property
    def overlap(self) -> float:
        """Of the training samples of its trials: see `inference`."""
        return overlap_of(self.summary.folds)

    def contrast(self, arm: str) -> Contrast | None:
        return next((c for c in self.summary.contrasts.values() if c.arm == arm), None)

    def chosen(self, arm: str) -> list[Record]:
        """The trials of `arm` at the learning rate chosen for it."""
        return [record for record in self.records if record.arm == arm and record.chosen]

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


def read_results(folder: Path) -> Results | None:
    """The results below `folder`; None where the stage has not run."""
    if not (folder / "summary.json").exists() or not (folder / "records.parquet").exists():
        return None
    timings, looks = folder / "timings.json", folder / "diagnostics.parquet"
    return Results(
        summary=Summary.read(folder / "summary.json"),
        records=read_records(folder / "records.parquet"),
        timings=read_json(timings) if timings.exists() else {},
        diagnostics=pd.read_parquet(looks) if looks.exists() else None,
    )
