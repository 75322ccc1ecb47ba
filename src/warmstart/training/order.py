"""Which training samples a trial sees, and in which order."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from warmstart.data.draw import draw
from warmstart.seeds import generator
from warmstart.training.trials import Trial


class Order:
    """That of all trials of a root seed. The seed of a trial decides it, and its labels do: arms
    are held against each other on the same batches.

    Methods take the targets `y (samples,)` of a trial's split, of which each seed has one.
    """

    def __init__(self, root_seed: int) -> None:
        self._root_seed = root_seed
        self._known: dict[tuple[int, int], np.ndarray] = {}  # by seed and number of labels

    def of(self, trials: Sequence[Trial], epoch: int, y: np.ndarray) -> np.ndarray:
        """(trials, samples) int32: of each trial its samples, batch after batch. Of one with fewer
        labels only the first places count."""
        orders = np.zeros((len(trials), len(y)), np.int32)
        alike: dict[tuple[int, int | None], list[int]] = defaultdict(list)
        for place, trial in enumerate(trials):
            alike[trial.seed, trial.labels].append(place)
        for (seed, labels), places in alike.items():
            batches = generator(self._root_seed, "batches", seed, epoch)
            seen = len(y) if labels is None else self._drawn(seed, labels, y)
            orders[places, :labels] = batches.permutation(seen)
        return orders

    def seen(self, trial: Trial, y: np.ndarray) -> Any:
        """What takes the samples that `trial` sees out of an array of all."""
        return slice(None) if trial.labels is None else self._drawn(trial.seed, trial.labels, y)

    def _drawn(self, seed: int, labels: int, y: np.ndarray) -> np.ndarray:
        if (seed, labels) not in self._known:
            draws = generator(self._root_seed, "labels", seed)
            self._known[seed, labels] = draw(y, labels, draws)
        return self._known[seed, labels]
