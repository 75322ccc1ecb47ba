"""When trials are over, epoch by epoch."""

import numpy as np
import pytest

from warmstart.training.outcomes import EPOCH_METRICS
from warmstart.training.watch import Watch

NAN = float("nan")


def row(*val_losses: float, good: float = 1.0, **others: float) -> np.ndarray:
    """An epoch (trials, 5) of so many trials; `good` is 0 where they diverged."""
    columns = dict.fromkeys(EPOCH_METRICS, 0.5) | others
    rows = [[columns[m] if m != "val_loss" else loss for m in EPOCH_METRICS] for loss in val_losses]
    return np.array([[*values, good] for values in rows])


def ends(watch: Watch, *rows: np.ndarray) -> list[int]:
    """Epochs that each trial lived."""
    for epoch in rows:
        watch.see(epoch)
    return watch.epochs.tolist()


@pytest.mark.parametrize(("patience", "lived"), [(1, 3), (2, 6), (3, 7), (None, 8)])
def test_it_ends_with_the_epoch_that_exhausts_patience(patience: int | None, lived: int) -> None:
    """Lower than all before are epochs 1, 2 and 4; an equal one is not."""
    losses = [0.9, 0.5, 0.6, 0.4, 0.4, 0.7, 0.8, 0.3]
    watch = Watch(1, patience)
    assert ends(watch, *(row(loss) for loss in losses)) == [lived]
    assert watch.over.tolist() == [patience is not None]
    assert not watch.diverged.any()


def test_patience_begins_with_the_last_phase() -> None:
    """Two epochs before it: the loss that rises with the thaw is the one to beat."""
    losses = [0.3, 0.4, 0.9, 0.8, 0.85, 0.86]
    assert ends(Watch(1, 2, start=2), *(row(loss) for loss in losses)) == [6]
    assert ends(Watch(1, 2), *(row(loss) for loss in losses)) == [3]


def test_the_validation_loss_counts_and_no_other() -> None:
    watch = Watch(2, 2)
    for epoch in range(6):
        watch.see(row(0.5, 0.9 - epoch / 10, loss=1.0 - epoch / 10, accuracy=epoch / 10))
    assert watch.epochs.tolist() == [3, 6]
    assert watch.over.tolist() == [True, False]


def test_a_trial_that_diverged_is_over_and_the_others_go_on() -> None:
    watch = Watch(2, None)
    watch.see(row(0.5, 0.5))
    watch.see(np.concatenate([row(NAN, good=0.0), row(0.4)]))
    watch.see(row(0.3, 0.3))
    assert watch.epochs.tolist() == [2, 3]
    assert watch.diverged.tolist() == watch.over.tolist() == [True, False]


def test_what_comes_after_the_end_means_nothing() -> None:
    watch = Watch(1, 1)
    assert ends(watch, row(0.5), row(0.5), row(0.1), row(0.0, good=0.0)) == [2]
    assert not watch.diverged.any()
