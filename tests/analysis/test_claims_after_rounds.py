"""Rounds of seeds are no way to more claims: by simulation, through what chooses rounds."""

from collections.abc import Iterator

import numpy as np

from fabricated import trial
from warmstart.analysis.inference import paired_p_value
from warmstart.contrasts import level_of
from warmstart.training.chance import of_accuracy
from warmstart.training.selection import contenders

ARMS = {"one": 0.95, "same": 0.95, "worse": 0.94, "as bad": 0.94}
ROUNDS = (5, 10, 15)
VALIDATION, TEST = 357, 413


def p_values(random: np.random.Generator) -> Iterator[float]:
    """Of the two pairs of arms that are equal in truth, on the test set, after as many rounds as
    validation asks for. Luck of training is in both accuracies."""
    training = random.normal(0, 0.008, (len(ARMS), ROUNDS[-1]))
    truth = np.array([*ARMS.values()])[:, None] + training

    def measured(samples: int) -> np.ndarray:
        of_split = random.normal(0, 0.008, ROUNDS[-1])
        luck = random.normal(0, 0.006, truth.shape)
        return np.round((truth + of_split + luck) * samples) / samples

    validation, test = measured(VALIDATION), measured(TEST)
    seeds, going = dict.fromkeys(ARMS, 0), [*ARMS]
    for count in ROUNDS:
        if going:
            seeds |= dict.fromkeys(going, count)
            going = contenders(
                [
                    trial(arm, s, val_accuracy=(validation[i, s],))
                    for i, arm in enumerate(ARMS)
                    for s in range(seeds[arm])
                ],
                reference=None,
                margin=0.01,
                chance=of_accuracy(0.1, VALIDATION),
                resolution=1 / VALIDATION,
                level=level_of(count, ROUNDS[0]),
            )
    for i, j, arm, other in ((0, 1, "one", "same"), (2, 3, "worse", "as bad")):
        common = min(seeds[arm], seeds[other])
        apart = (test[i, :common] - test[j, :common]).tolist()
        found = paired_p_value(apart, resolution=1 / TEST)
        assert found is not None
        yield found


def test_equal_arms_are_told_apart_no_more_often_than_the_level_says() -> None:
    """Whether a study goes on is decided on validation; the test set's own luck is not in it."""
    random = np.random.default_rng(1)
    found = np.array([p for _ in range(400) for p in p_values(random)])
    for level in (0.05, 0.01):
        sampling_error = np.sqrt(level * (1 - level) / len(found))
        assert (found < level).mean() < level + 3 * sampling_error
