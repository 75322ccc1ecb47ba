"""What a verdict costs: our rounds and races, a full grid, and Optuna with its pruners.

    python benchmarks/decision.py --studies activation batch_norm --roots 42

Every arm at every learning rate on 30 seeds to the end of its epochs is the full grid, and the
curves of all ways that stop sooner: ours is really run, Optuna's pruners see these curves, and what
its trials cost with a plain `fit` is measured on a part. benchmarks/README.md says how to read it.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from engines import pruned_fit
from measuring import machine, pruning
from measuring.question import MOST, Question, against, chosen, epochs, kept, standing
from measuring.spending import Cost, Row, spending
from warmstart.config import loading as config
from warmstart.files import write_json
from warmstart.records import Record

RESULTS = Path(__file__).parent / "results/decision.json"
PART = 4
"""Arms whose seed 0 Optuna really trains."""
JOINT = {100: 20, 300: 5}
"""Trials of Optuna's joint study, its guides' hundred among them -> how often it is repeated."""


def rows(question: Question, cost: Cost) -> Iterator[Row]:
    """Of one study on one root seed."""
    name, place = question.study.name, question.folder
    ours, own = kept(place / "ours" / name, question.ours)
    grid, whole = kept(place / "grid" / name, question.grid)
    table = {(r.arm, r.seed, r.learning_rate): r for r in grid}
    best = chosen(grid)
    truth = standing(question.judged(best))
    seeds, spent = 1 + max(record.seed for record in ours), epochs(ours)
    found = question.judged([record for record in ours if record.chosen])
    yield (
        {"way": "ours", "seeds": seeds, "trial_epochs": spent}
        | own.share(1)
        | against(standing(found), truth)
    )
    fewest = next(
        (n for n in range(3, MOST) if not question.is_open([r for r in best if r.seed < n])), MOST
    )
    for way, count in (("as ours", seeds), ("fewest, known afterwards", fewest), ("most", MOST)):
        some = epochs([record for record in grid if record.seed < count])
        seen = standing(question.judged([record for record in best if record.seed < count]))
        yield {
            "way": f"full grid, seeds: {way}", "seeds": count, "trial_epochs": some,
            "trial_epochs_of_ours": some / spent,
        } | whole.share(some / epochs(grid)) | against(seen, truth)  # fmt: skip
    for pruner in pruning.PRUNERS:
        yield from _pruned(question, table, pruner, spent, truth, cost)
        for trials, times in JOINT.items():
            done = [pruning.joint(table, question.rates, pruner, n, trials) for n in range(times)]
            yield {
                "way": f"Optuna, one study of {trials} trials", "pruner": pruner,
                "repetitions": times,
                "trial_epochs": round(np.mean([count for _, count in done])),
                "names_a_best_arm": np.mean([truth[arm] == "best" for arm, _ in done]),
                "arms_named": len({arm for arm, _ in done}),
            }  # fmt: skip


def _pruned(
    question: Question, table: pruning.Tried, pruner: str, budget: int,
    truth: Mapping[str, str], cost: Cost,
) -> Iterator[Row]:  # fmt: skip
    """A study for every arm and seed: with as many seeds as `budget` trial-epochs pay for, and with
    the fewest that leave no verdict open."""
    spent: list[int] = []
    best: list[Record] = []
    for seed in range(MOST):
        ran = [pruning.race(table, a, seed, question.rates, pruner) for a in question.study.arms]
        best += [record for record, _ in ran]
        spent.append(sum(sum(each) for _, each in ran))
    totals = np.cumsum(spent)

    def until(count: int) -> list[Record]:
        return [record for record in best if record.seed < count]

    affordable = max(1, int(np.searchsorted(totals, budget, side="right")))
    fewest = next((n for n in range(3, MOST) if not question.is_open(until(n))), MOST)
    for way, count in (("as many trial-epochs as ours", affordable), ("fewest seeds", fewest)):
        total = int(totals[count - 1])
        trials = count * len(question.study.arms) * len(question.rates)
        found = standing(question.judged(until(count)))
        yield {
            "way": f"Optuna, a study for each arm and seed, {way}", "pruner": pruner,
            "seeds": count, "trial_epochs": total, "trial_epochs_of_ours": total / budget,
        } | cost.of(trials, total) | against(found, truth)  # fmt: skip


def measured(question: Question) -> tuple[Cost, Row]:
    """The studies of the first arms on seed 0, really run."""
    study, pruner = question.study, "SuccessiveHalvingPruner"
    arms = {name: arm.network for name, arm in list(study.arms.items())[:PART]}
    length = next(iter(study.arms.values())).cohort.epochs
    with spending() as spent:
        costs = pruned_fit.run(arms, question.rates, pruner, study.file, length)
    counts, seconds = (np.array(column) for column in zip(*costs, strict=True))
    per_epoch, per_trial = np.polyfit(counts, seconds, 1)
    cost = Cost(
        per_trial=float(per_trial), per_epoch=float(per_epoch),
        start=spent.cpu - float(seconds.sum()), wall=spent.wall / spent.cpu,
    )  # fmt: skip
    return cost, {
        "way": "Optuna, really run in part", "pruner": pruner, "arms": len(arms),
        "trials": len(costs), "trial_epochs": int(counts.sum()),
        "cpu_seconds_per_trial": cost.per_trial, "cpu_seconds_per_epoch": cost.per_epoch,
    } | spent.share(1)  # fmt: skip


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--studies", nargs="+", default=["activation", "batch_norm"])
    parser.add_argument("--roots", type=int, nargs="+", default=[42])
    parser.add_argument("--folder", type=Path, help="what lies here is not trained again")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    known = config.load(options.params)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    table: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, costs = options.folder or Path(temporary), dict[str, Cost]()
        for root in options.roots:
            params = known.model_copy(update={"seed": root})
            for name in options.studies:
                question = Question.of(params, name, folder / str(root))
                if name not in costs:
                    costs[name], row = measured(question)
                    table.append({"study": name, "root": root} | row)
                for row in rows(question, costs[name]):
                    table.append({"study": name, "root": root} | row)
                    print(table[-1], flush=True)
    write_json(options.output, machine.made("benchmarks/decision.py", *argv) | {"rows": table})
    print(f"written: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
