"""Whether a verdict holds when the run is repeated: the same studies on several root seeds.

    python benchmarks/replicate.py --roots 8 --studies activation initializer

Every root seed draws its own splits, weights and batch orders, as another user's run would. Of all
pairs of arms in a study (without the arms of `TRIVIAL`, which anybody could have told apart) it is
counted how many are decided, by the paired t-test with Holm's correction and by the pooled error
with the studentized range (`inference.all_pairs`); how often another root's run decides them the
same way, leaves them open or reverses them; and how often an interval holds the mean of the other
runs.
"""

import argparse
import itertools
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from measuring import machine
from warmstart.analysis.inference import LEVEL, all_pairs, interval
from warmstart.analysis.results import DataCard, Results, read_results
from warmstart.analysis.statistics import pairwise_p_values
from warmstart.analysis.summary import Interval
from warmstart.config import params as config
from warmstart.config.params import Params
from warmstart.files import write_json
from warmstart.stages.compare import compare
from warmstart.stages.prepare import prepare

RESULTS = Path(__file__).parent / "results/replicate.json"
TRIVIAL = ("zeros", "normal_1", "sigmoid")
Pair = tuple[str, str]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--roots", type=int, default=8, help="how many root seeds, from 1 on")
    parser.add_argument("--studies", nargs="+", default=["activation", "initializer"])
    parser.add_argument("--splits", choices=["resampled", "fixed"], default="resampled")
    parser.add_argument("--seeds", type=int, help="of every study; those of the file if left out")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    if options.roots < 2:
        parser.error(f"--roots: expected 2 or more to compare, received {options.roots}")
    known = config.load(options.params)
    if unknown := [study for study in options.studies if study not in known.compare.studies]:
        parser.error(
            f"--studies: expected some of {', '.join(known.compare.studies)}, "
            f"received {', '.join(unknown)}"
        )
    given = _changed(known, options)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        runs = [_run(given, root, options.studies, Path(folder)) for root in _roots(options)]
        for study in options.studies:
            for rule in ("paired", "pooled"):
                row = {"study": study, "rule": rule}
                rows.append(row | table([run[study] for run in runs], rule))
    content = {
        "command": shlex.join(["python", "benchmarks/replicate.py", *argv]),
        "machine": machine.describe(),
        "versions": machine.versions(),
        "splits": options.splits,
        "roots": options.roots,
        "rows": rows,
    }
    write_json(options.output, content)
    for row in rows:
        print(text(row))
    print(f"written: {options.output}")
    return 0


def _roots(options: argparse.Namespace) -> range:
    return range(1, options.roots + 1)


def _changed(params: Params, options: argparse.Namespace) -> Params:
    """`params` with the splits and the number of seeds that `options` asks for."""
    data = params.data.model_copy(update={"splits": options.splits})
    compare = params.compare
    if options.seeds:
        studies = {
            name: study.model_copy(update={"seeds": options.seeds})
            for name, study in compare.studies.items()
        }
        compare = compare.model_copy(update={"seeds": options.seeds, "studies": studies})
    return params.model_copy(update={"data": data, "compare": compare})


def _run(params: Params, root: int, studies: Sequence[str], folder: Path) -> dict[str, Results]:
    """The `studies` on the root seed `root`."""
    params, folder = params.model_copy(update={"seed": root}), folder / str(root)
    prepare(params, folder / "prepared")
    data, found = DataCard.read(folder / "prepared"), {}
    for study in studies:
        output = folder / "results" / study
        compare(params, study, folder / "prepared", folder / f"{study}.keras", output)
        results = read_results(output, data)
        assert results  # it was written a moment ago
        found[study] = results
    return found


def table(runs: Sequence[Results], rule: str) -> dict[str, Any]:
    """What several runs of one study say of each other.

    Returns:
        `pairs` tested over all runs, `decided` among them; of ordered pairs of runs the shares in
        which a decision of the first is given `again`, `open` or `reversed` in the second (None
        where nothing was decided); `coverage_difference` and `coverage_arm`, the shares of
        intervals that hold the mean of the other runs, with `nominal`, what that share is for
        intervals that are right; `best`, the share of pairs of runs that name the same best arm.
    """
    arms = [arm for arm in runs[0].arms if arm not in TRIVIAL]
    pairs = list(itertools.combinations(arms, 2))
    decisions = [_decisions(run, arms, rule) for run in runs]
    follow = [
        (one[pair], other[pair])
        for one, other in itertools.permutations(decisions, 2)
        for pair in pairs
        if one[pair]
    ]
    differences = [[_difference(run, pair) for run in runs] for pair in pairs]
    means = [[run.summary.arms[arm].test_accuracy for run in runs] for arm in arms]
    best = [max(arms, key=lambda arm: run.summary.arms[arm].test_accuracy.mean) for run in runs]
    return {
        "pairs": len(pairs) * len(runs),
        "decided": sum(bool(decision) for run in decisions for decision in run.values()),
        "again": _share([a == b for a, b in follow]),
        "open": _share([b == 0 for _, b in follow]),
        "reversed": _share([a == -b for a, b in follow]),
        "coverage_difference": _coverage(differences),
        "coverage_arm": _coverage(means),
        "nominal": nominal(runs[0].summary.seeds, len(runs)),
        "best": _share([a == b for a, b in itertools.combinations(best, 2)]),
    }


def nominal(seeds: int, runs: int, *, draws: int = 200_000) -> float:
    """How often the 95 % t interval of `seeds` values holds the mean of `runs - 1` other runs of
    as many, which has an error of its own."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=(draws, seeds))
    others = draw.normal(scale=(seeds * (runs - 1)) ** -0.5, size=draws)
    reach = interval([-1.0, 1.0] if seeds == 2 else np.linspace(-1, 1, seeds))
    assert reach.high is not None
    assert reach.sd is not None
    factor = reach.high / reach.sd  # t / √n
    off = np.abs(values.mean(axis=1) - others)
    return float(np.mean(off <= factor * values.std(axis=1, ddof=1)))


def _decisions(run: Results, arms: Sequence[str], rule: str) -> dict[Pair, int]:
    """Pair of `arms` -> 1 where its first is better, -1 where it is worse, 0 where that is open."""
    n_test = run.summary.n_test
    errors = {
        arm: {r.seed: round((1 - r.test["test_accuracy"]) * n_test) for r in run.chosen(arm)}
        for arm in run.arms
    }
    p_values: Mapping[frozenset[str], float | None]
    if rule == "paired":  # the trivial arms count in the correction, as they do in a study
        every = list(itertools.combinations(run.arms, 2))
        p_values = pairwise_p_values(errors, every, n_test=n_test)
    else:
        shares = np.array([[*errors[arm].values()] for arm in arms]) / n_test
        pooled = all_pairs(shares, resolution=1 / n_test)
        p_values = {
            frozenset((arms[i], arms[j])): float(pooled[i, j])
            for i, j in itertools.combinations(range(len(arms)), 2)
        }
    found = {}
    for pair in itertools.combinations(arms, 2):
        p = p_values[frozenset(pair)]
        decided = p is not None and p < LEVEL
        found[pair] = int(np.sign(_difference(run, pair).mean)) if decided else 0
    return found


def _difference(run: Results, pair: Pair) -> Interval:
    accuracies: list[Mapping[int, float]] = [
        {r.seed: r.test["test_accuracy"] for r in run.chosen(arm)} for arm in pair
    ]
    return interval(accuracies[0][seed] - accuracies[1][seed] for seed in accuracies[0])


def _coverage(rows: Sequence[Sequence[Interval]]) -> float | None:
    """The share of intervals that hold the mean of the others in their row."""
    return _share(
        [
            own.low <= np.mean([other.mean for j, other in enumerate(row) if j != i]) <= own.high
            for row in rows
            for i, own in enumerate(row)
            if own.low is not None and own.high is not None
        ]
    )


def _share(hits: Sequence[bool]) -> float | None:
    return float(np.mean(hits)) if len(hits) else None


def text(row: Mapping[str, Any]) -> str:
    def percent(key: str) -> str:
        return "–" if row[key] is None else f"{row[key]:.0%}"

    return (
        f"{row['study']}, {row['rule']}: {row['decided']} of {row['pairs']} pairs decided; again "
        f"{percent('again')}, open {percent('open')}, reversed {percent('reversed')}; intervals of "
        f"differences hold the other runs' mean {percent('coverage_difference')}, of arms "
        f"{percent('coverage_arm')} (nominal {percent('nominal')}); same best arm {percent('best')}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
