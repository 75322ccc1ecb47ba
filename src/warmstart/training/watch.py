"""When a trial ends before its last epoch: it diverged, or no longer learns."""

import numpy as np

from warmstart.training.outcomes import EPOCH_METRICS

VAL_LOSS, GOOD = EPOCH_METRICS.index("val_loss"), len(EPOCH_METRICS)
"""Columns of what `Program.epoch` returns."""


class Watch:
    """How many epochs each of several trials takes part in, from what their epochs gave.

    Args:
        trials: how many.
        patience: epochs without a lower validation loss after which a trial stops; None: it goes
            on.
        start: epochs before the last phase. Patience begins with it: layers that are still frozen
            leave a loss that does not fall, and thawed ones one that rises first.
    """

    def __init__(self, trials: int, patience: int | None, start: int = 0) -> None:
        self._patience, self._start, self._seen = patience, start, 0
        self._best = np.full(trials, np.inf)
        self._waited = np.zeros(trials, int)
        self.epochs = np.zeros(trials, int)
        """(trials,): epochs trained, the one in which it diverged among them."""
        self.diverged = np.zeros(trials, bool)
        self.over = np.zeros(trials, bool)

    def see(self, row: np.ndarray) -> None:
        """Count an epoch, `row` (trials, 5); the row of a trial that is over is ignored."""
        lives = ~self.over
        self.epochs += lives
        self.diverged |= lives & (row[:, GOOD] == 0)
        better = row[:, VAL_LOSS] < self._best
        if self._seen <= self._start:
            better[:] = True
        self._seen += 1
        self._best = np.where(better, row[:, VAL_LOSS], self._best)
        self._waited = np.where(better, 0, self._waited + 1)
        self.over |= self.diverged
        if self._patience is not None:
            self.over |= self._waited >= self._patience
