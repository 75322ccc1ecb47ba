"""What is left of a trial when it has ended."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from warmstart.data.task import Task
from warmstart.training import scores
from warmstart.training.outcomes import Outcome, Result, Standing, epoch_metrics
from warmstart.training.trials import Cohort, Trial
from warmstart.training.watch import GOOD, Watch


def result(
    cohort: Cohort,
    trial: Trial,
    standing: Standing,
    watch: Watch,
    *,
    task: Task,
    samples: int,
    outputs: Callable[[], NDArray[np.float32]],
    outcome: Outcome | None = None,
) -> Result:
    """The result of `trial`.

    Args:
        standing: of `trial` alone.
        watch: that has seen it.
        task: that the trial saw.
        samples: training samples of an epoch.
        outputs: see `scores.validated`.
        outcome: None: `completed`, or `diverged` if it did.
    """
    diverged = bool(watch.diverged[0])
    curves = _curves(np.array(standing.rows)[: watch.epochs[0], 0], diverged)
    epochs = dict(zip(epoch_metrics(task.kind), curves, strict=True))
    last = {metric: values[-1] for metric, values in epochs.items()}
    validation = scores.validated(cohort.metric, task, last, outputs)
    return Result(
        key=cohort.key(trial),
        outcome="diverged" if diverged else outcome or "completed",
        epochs=epochs,
        samples=samples,
        train_seconds=standing.seconds,
        probes=standing.probes[0],
        validation=dict.fromkeys(validation, np.nan) if diverged else validation,
    )


def _curves(rows: np.ndarray, diverged: bool) -> list[tuple[float, ...]]:
    """Columns of `rows` (epochs, 5) but the last; the last row may be that of a divergence."""
    metrics = rows[:, :GOOD]
    if diverged and not np.isfinite(metrics[-1]).all():
        metrics[-1] = np.nan  # accuracies of a network without numbers mean nothing
    return [tuple(column) for column in metrics.T.tolist()]
