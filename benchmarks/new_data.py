"""Whether intervals hold on truly new data: the same study on disjoint sets of Fashion-MNIST.

    python benchmarks/new_data.py --sets 20

Each set of 1,800 images is somebody's data. Its study splits it anew for each of its seeds, so an
interval over seeds speaks of that set alone: how often it holds the mean over all other sets is
compared with intervals that are widened for what the splits of one set share,

    error² · (1 + seeds · test / train),

the correction of Nadeau and Bengio (2003, "Inference for the generalization error", equation 9) for
test and training samples of these numbers.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

import warmstart
from measuring import machine
from replicate import TRIVIAL, differences
from warmstart.analysis.results import Results
from warmstart.config.data import Data
from warmstart.data.sources import load
from warmstart.files import write_json

RESULTS = Path(__file__).parent / "results/new_data.json"
SAMPLES = 1800
TEST, VALIDATION = 0.23, 0.2
ARMS = {"relu": {}, "tanh": {"activation": "tanh"}, "raw": {"standardize": False}}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    rows = table([study(x, y, options.seeds) for x, y in cut(options.sets)], options.seeds)
    content = {
        **machine.made("benchmarks/new_data.py", *argv),
        "rows": rows,
    }
    write_json(options.output, content)
    for row in rows:
        print(
            f"{row['interval']}: {row['coverage_difference']:.0%} of differences, "
            f"{row['coverage_arm']:.0%} of arms ({row['factor']:.2f} times as wide)"
        )
    print(f"written: {options.output}")
    return 0


def cut(sets: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Disjoint sets of SAMPLES images `(SAMPLES, 28, 28)` and their labels."""
    parts = Data(name="fashion_mnist", path="-", validation_fraction=0.2, test_fraction=0.2)
    everything = load(parts)
    order = np.random.default_rng(0).permutation(len(everything.y))[: sets * SAMPLES]
    x = everything.x.reshape(-1, 28, 28)
    return [(x[rows], everything.y[rows]) for rows in np.split(order, sets)]


def study(x: np.ndarray, y: np.ndarray, seeds: int) -> Results:
    return warmstart.compare(
        x,
        y,
        arms=ARMS,
        seeds=seeds,
        learning_rates=(0.03, 0.1),
        epochs=5,
        validation_fraction=VALIDATION,
        test_fraction=TEST,
    ).results


def table(sets: Sequence[Results], seeds: int) -> list[dict[str, Any]]:
    """Coverage of 95 % intervals, as they are and widened; `nominal` intervals know the spread over
    sets, which nobody has."""
    arms = [arm for arm in sets[0].arms if arm not in TRIVIAL]
    pairs = list(itertools.combinations(arms, 2))
    seen = [differences(one, pairs) for one in sets]
    means = np.array([[one[pair].mean for pair in pairs] for one in seen])
    errors = np.array([[one[pair].error for pair in pairs] for one in seen])
    freedom = seen[0][pairs[0]].freedom
    own = [[one.summary.arms[arm].test for arm in arms] for one in sets]
    arm_means = np.array([[i.mean for i in row] for row in own])
    arm_errors = np.array([[(i.sd or 0) / np.sqrt(seeds) for i in row] for row in own])
    share = TEST / (1 - TEST - VALIDATION)
    rows = []
    for name, factor in (
        ("over seeds", 1.0),
        ("widened for new data", np.sqrt(1 + seeds * share)),
    ):
        rows.append(
            {
                "interval": name,
                "factor": float(factor),
                "coverage_difference": _coverage(means, factor * errors, freedom),
                "coverage_arm": _coverage(arm_means, factor * arm_errors, seeds - 1),
                "sets": len(sets),
                "seeds": seeds,
                "deviation_over_sets": float(means.std(axis=0, ddof=1).mean()),
                "error_over_seeds": float(errors.mean()),
            }
        )
    return rows


def _coverage(means: np.ndarray, errors: np.ndarray, freedom: int) -> float:
    """The share of intervals, `(sets, pairs)`, that hold the mean over the other sets."""
    others = (means.sum(axis=0) - means) / (len(means) - 1)
    return float(np.mean(np.abs(means - others) <= stdtrit(freedom, 0.975) * errors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
