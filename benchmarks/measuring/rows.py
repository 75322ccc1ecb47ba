"""Repetitions of a job -> a row of the table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import mean, median
from typing import Any

from measuring.plan import LOOPS, OURS
from measuring.process import Run

Key = tuple[str, int, int]
"""(network, batch, samples)."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Medians over the repetitions of one job."""

    engine: str
    network: str
    batch: int
    v: int
    v_measured: int
    """Fewer than `v` where each trial costs the same: the times of `v` are then calculated."""
    samples: int
    epochs: int
    seconds_per_trial_epoch: float
    """Wall time of an epoch with validation, divided by the trials in training at the time."""
    seconds_fixed: float
    """The rest of `seconds_total`: start, imports, data, tracing, compilation."""
    seconds_total: float
    """From the start of the process to its end."""
    seconds_per_trial_epoch_range: tuple[float, float]
    seconds_total_range: tuple[float, float]
    repetitions: int
    memory_mib: float
    val_accuracy: float | None
    disturbed: float
    """What others took of the cores' time during a repetition, at worst."""
    settings: dict[str, Any]
    blas: str | None = None
    """Of the floor: the library that multiplied, and its kernel."""
    gflops: float | None = None
    """Of the floor: 10⁹ operations a second on each core."""
    share_of_floor: float | None = None
    """The time that its matrix products alone take / `seconds_per_trial_epoch`."""
    ratio_per_epoch: dict[str, float] | None = None
    """`seconds_per_trial_epoch` / that of our engine on each backend."""
    ratio_total: dict[str, float] | None = None
    """`seconds_total` / that of our engine on each backend, where all V trials were measured."""

    @property
    def key(self) -> Key:
        return self.network, self.batch, self.samples

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def of(runs: Sequence[Run]) -> Row:
    """The row of one job's repetitions."""
    job = runs[0].job
    epochs = [seconds_per_trial_epoch(run) for run in runs]
    totals = [run.seconds for run in runs]
    fixed = [
        run.seconds - job.v * job.epochs * epoch for run, epoch in zip(runs, epochs, strict=True)
    ]
    accuracies = [
        t.val_accuracy for run in runs for t in run.report.trials if t.val_accuracy is not None
    ]
    return Row(
        engine=job.engine,
        network=job.network,
        batch=job.batch,
        v=job.v,
        v_measured=job.v,
        samples=job.samples,
        epochs=job.epochs,
        seconds_per_trial_epoch=median(epochs),
        seconds_fixed=median(fixed),
        seconds_total=median(totals),
        seconds_per_trial_epoch_range=(min(epochs), max(epochs)),
        seconds_total_range=(min(totals), max(totals)),
        repetitions=len(runs),
        memory_mib=median(run.memory_mib for run in runs),
        val_accuracy=mean(accuracies) if accuracies else None,
        disturbed=max(run.disturbed for run in runs),
        settings=job.settings[0] if job.settings else {},
        blas=runs[0].report.blas or None,
        gflops=median(run.report.gflops or 0 for run in runs) or None,
    )


def seconds_per_trial_epoch(run: Run) -> float:
    """Per the samples that the job names, whatever the engine really trained on."""
    trials, job = run.report.trials, run.job
    epoch = median(seconds for trial in trials for seconds in trial.epoch_seconds)
    trained = sum(trial.samples for trial in trials) / len(trials)
    return epoch / run.report.workers * job.epochs * job.samples / trained


def for_more_trials(row: Row, runs: Sequence[Run], v: int) -> Row:
    """`row` as it would be with `v` trials: each further one costs what the quickest one did."""
    workers = runs[0].report.workers
    trial = median(min(trial.seconds for trial in run.report.trials) for run in runs)
    total = row.seconds_total + (v - row.v) / workers * trial
    shift = total - row.seconds_total
    low, high = row.seconds_total_range
    return replace(
        row,
        v=v,
        seconds_total=total,
        seconds_total_range=(low + shift, high + shift),
        seconds_fixed=total - v * row.epochs * row.seconds_per_trial_epoch,
    )


def compared(rows: Sequence[Row]) -> list[Row]:
    """`rows` with their ratios to our engine and their share of the floor."""
    floor = {row.key: row.seconds_per_trial_epoch for row in rows if row.engine == "floor"}
    return [
        replace(
            row,
            share_of_floor=_quotient(floor.get(row.key), row.seconds_per_trial_epoch),
            ratio_per_epoch=_ratios(row, rows, "seconds_per_trial_epoch"),
            ratio_total=None if row.engine == "floor" else _ratios(row, rows, "seconds_total"),
        )
        for row in rows
    ]


def _ratios(row: Row, rows: Sequence[Row], what: str) -> dict[str, float]:
    """To ours with as many trials; per epoch to ours with as many, or else with the most."""
    ratios: dict[str, float] = {}
    for engine in OURS:
        same = {o.v: o for o in rows if o.engine == engine and o.key == row.key}
        if row.v in same:
            ratios[engine] = getattr(row, what) / getattr(same[row.v], what)
        elif same and what == "seconds_per_trial_epoch":
            ratios[engine] = getattr(row, what) / getattr(same[max(same)], what)
    return ratios


def _quotient(numerator: float | None, denominator: float) -> float | None:
    return None if numerator is None else numerator / denominator


def table(runs: Sequence[Sequence[Run]]) -> list[Row]:
    """A row for the repetitions of each job, and for the loops of `fit` one more for each V of ours
    beside them, and for 32 trials."""
    rows = [of(repetitions) for repetitions in runs]
    ours = {(row.key, row.v) for row in rows if row.engine in OURS}
    calculated = [
        for_more_trials(row, repetitions, v)
        for row, repetitions in zip(rows, runs, strict=True)
        if row.engine in LOOPS
        for v in sorted({32} | {v for key, v in ours if key == row.key})
        if v > row.v
    ]
    return compared([*rows, *calculated])
