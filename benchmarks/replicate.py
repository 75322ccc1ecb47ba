"""Whether a verdict holds when the run is repeated: the same stages on several root seeds.

    python benchmarks/replicate.py --roots 8

Every root seed draws its own splits, weights and batch orders, as another user's run would. Of all
pairs of arms of a study (without the arms of `TRIVIAL`, which anybody could have told apart) it is
counted how many are decided (better, worse or practically equal); how often another root's run
decides them the same way, leaves them open, decides otherwise or reverses them; and how often an
interval holds the mean of the other runs. Claims and advice are compared in the same way.
"""

import argparse
import itertools
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from measuring import machine
from warmstart.analysis.inference import interval
from warmstart.analysis.judging import Judgement, judge
from warmstart.analysis.results import Results
from warmstart.analysis.scores import gains
from warmstart.analysis.summary import Interval
from warmstart.config import loading as config
from warmstart.config.params import Params
from warmstart.contrasts import Contrasts, Difference, level_of
from warmstart.files import write_json
from warmstart.stages.autoencode import autoencode
from warmstart.stages.compare import compare
from warmstart.stages.prepare import prepare
from warmstart.stages.pretrain import pretrain
from warmstart.stages.transfer import transfer
from warmstart.training.chance import resolution

RESULTS = Path(__file__).parent / "results/replicate.json"
TRIVIAL = ("zeros", "normal_1", "sigmoid", "sigmoid_before")
REVERSED = {"better": "worse", "worse": "better"}
Pair = tuple[str, str]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--roots", type=int, default=8, help="how many root seeds, from 1 on")
    parser.add_argument("--studies", nargs="+", help="those of the file, and transfer; default all")
    parser.add_argument("--folder", type=Path, help="results that lie here are not made again")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    if options.roots < 2:
        parser.error(f"--roots: expected 2 or more to compare, received {options.roots}")
    known = config.load(options.params)
    names = [*known.compare.studies, "transfer"]
    chosen = options.studies or names
    if unknown := [study for study in chosen if study not in names]:
        parser.error(
            f"--studies: expected some of {', '.join(names)}, received {', '.join(unknown)}"
        )
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        runs = [
            run(known.model_copy(update={"seed": root}), chosen, folder / str(root))
            for root in range(1, 1 + options.roots)
        ]
    rows = [*studies(runs, chosen), claims(runs), advice(runs)]
    content = {
        **machine.made("benchmarks/replicate.py", *argv),
        "roots": options.roots,
        "rows": rows,
    }
    write_json(options.output, content)
    for row in rows:
        print(text(row))
    print(f"written: {options.output}")
    return 0


def run(params: Params, chosen: Sequence[str], folder: Path) -> Judgement:
    """The studies `chosen` on the root seed of `params`, judged."""
    data, models, results = (folder / name for name in ("prepared", "models", "results"))
    if not data.exists():
        prepare(params, data)
    for study in chosen:
        output = results / ("transfer" if study == "transfer" else f"compare/{study}")
        if (output / "records.parquet").exists():
            continue
        if study == "transfer":
            pretrain(params, data, models / "a.keras", results / "pretrain")
            autoencode(params, data, models / "autoencode", results / "autoencode")
            starts = {f"on_{p.name}": p for p in sorted((models / "autoencode").iterdir())}
            starts = {"on_a": models / "a"} | starts
            transfer(params, data, starts, results / "pretrain", models / "b.keras", output)
        else:
            compare(params, study, data, models / f"{study}.keras", output)
    return judge(params, results, data)


def studies(runs: Sequence[Judgement], chosen: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each study, and one for all of them."""
    rows, everything = [], list[tuple[str, str]]()
    for name in chosen:
        found = [next(r for r in one.everything if r.name == name) for one in runs]
        row, follow = table(found)
        rows.append({"study": name} | row)
        everything += follow
    decided, pairs = (sum(row[key] for row in rows) for key in ("decided", "pairs"))
    return [*rows, {"study": "all", "pairs": pairs, "decided": decided} | _again(everything)]


def table(runs: Sequence[Results]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What several runs of one study say of each other, and the verdicts of ordered pairs of runs
    where the first decides.

    Returns:
        `pairs` judged over all runs; `decided` among them, and `equal` among those; the shares of
        `_again`; `coverage_difference` and `coverage_arm`, the shares of 95 % intervals that hold
        the mean of the other runs, with their standard errors and `nominal`, what that share is
        for intervals that are right; `best`, the share of pairs of runs that name the same best
        arm.
    """
    arms = [arm for arm in runs[0].arms if arm not in TRIVIAL]
    pairs = list(itertools.combinations(arms, 2))
    seen = [differences(run, pairs) for run in runs]
    margin = runs[0].summary.margin
    verdicts = [{pair: d.verdict(margin) for pair, d in one.items()} for one in seen]
    decided = [verdict for one in verdicts for verdict in one.values() if verdict != "open"]
    follow = [
        (one[pair], other[pair])
        for one, other in itertools.permutations(verdicts, 2)
        for pair in pairs
        if pair in one and pair in other and one[pair] != "open"
    ]
    points = [
        {n: one[pair].pointwise() for n, one in enumerate(seen) if pair in one} for pair in pairs
    ]
    means = [_bounds([run.summary.arms[arm].test for run in runs]) for arm in arms]
    best = [next(arm for arm in run.summary.arms if arm not in TRIVIAL) for run in runs]
    row = {
        "pairs": sum(map(len, verdicts)),
        "decided": len(decided),
        "equal": decided.count("practically equal"),
        **_again(follow),
        **_coverage("difference", points),
        **_coverage("arm", means),
        "nominal": nominal(runs[0].summary.seeds, len(runs)),
        "best": _share([a == b for a, b in itertools.combinations(best, 2)]),
    }
    return row, follow


def _again(follow: Sequence[tuple[str, str]]) -> dict[str, float | None]:
    """Shares of decisions that another run gives `again`, leaves `open`, decides `otherwise` or has
    `reversed`; None where there are none."""
    return {
        "again": _share([a == b for a, b in follow]),
        "open": _share([b == "open" for _, b in follow]),
        "otherwise": _share([b not in (a, "open", REVERSED.get(a)) for a, b in follow]),
        "reversed": _share([b == REVERSED.get(a) for a, b in follow]),
    }


def differences(run: Results, pairs: Sequence[Pair]) -> dict[Pair, Difference]:
    """Those of `pairs`, as the report judges them."""
    summary = run.summary
    values = gains({arm: run.chosen(arm) for arm in run.arms}, summary.n_test, summary.chance)
    found = Contrasts(
        values,
        aside=summary.aside,
        resolution=resolution(summary.metric, summary.n_test),
        level=level_of(summary.seeds, run.records[0].first_round),
    )
    return {pair: d for pair in pairs if (d := found.between(*pair))}


Bounds = Mapping[int, tuple[float, float]]
"""Number of a run -> the interval that it has for an arm or a pair."""


def _bounds(row: Sequence[Interval]) -> Bounds:
    return {
        n: (i.low, i.high) for n, i in enumerate(row) if i.low is not None and i.high is not None
    }


def _coverage(what: str, rows: Sequence[Bounds]) -> dict[str, float | None]:
    """The share of intervals that hold the mean of the other runs, and its standard error: runs
    are independent, the intervals of one are not."""
    hits: dict[int, list[bool]] = defaultdict(list)
    for row in rows:
        for run, hit in zip(row, _held([*row.values()]), strict=True):
            hits[run].append(hit)
    of_runs = [float(np.mean(own)) for own in hits.values()]
    error = float(np.std(of_runs, ddof=1)) / len(of_runs) ** 0.5 if len(of_runs) > 1 else None
    share = _share([hit for own in hits.values() for hit in own])
    return {f"coverage_{what}": share, f"coverage_{what}_error": error}


def _held(row: Sequence[tuple[float, float]]) -> list[bool]:
    """Which intervals of a row hold the mean of the others' centres."""
    centres = np.array([(low + high) / 2 for low, high in row])
    others = (centres.sum() - centres) / max(1, len(row) - 1)
    return [low <= mean <= high for (low, high), mean in zip(row, others, strict=True)]


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


def claims(runs: Sequence[Judgement]) -> dict[str, Any]:
    """A row for the claims that could have come out otherwise and were tested."""
    verdicts: list[Mapping[str, str]] = [
        {c.id: c.verdict for c in run.claims if not c.sanity and c.seeds} for run in runs
    ]
    decided = [verdict for one in verdicts for verdict in one.values() if verdict != "open"]
    follow = [
        (one[id], other[id])
        for one, other in itertools.permutations(verdicts, 2)
        for id in one.keys() & other.keys()
        if one[id] != "open"
    ]
    shares = _again(follow)
    opposite = {"supported": "contradicted", "contradicted": "supported"}
    turned = [b == opposite.get(a) for a, b in follow]
    shares |= {"reversed": _share(turned)}
    shares["otherwise"] = _share([b not in (a, "open", opposite.get(a)) for a, b in follow])
    return {"study": "claims", "pairs": sum(map(len, verdicts)), "decided": len(decided)} | shares


def advice(runs: Sequence[Judgement]) -> dict[str, Any]:
    """A row for what is recommended: how often two runs recommend the same code."""
    codes = [run.advice.code for run in runs if run.advice]
    same = _share([a == b for a, b in itertools.combinations(map(_network, codes), 2)])
    return {"study": "advice", "pairs": len(codes), "again": same}


def _network(code: str) -> str:
    """The code without the learning rate and the place of the data."""
    own = ("learning_rate", "np.load")
    return "\n".join(line for line in code.splitlines() if not any(word in line for word in own))


def _share(hits: Sequence[bool]) -> float | None:
    return float(np.mean(hits)) if len(hits) else None


WORDS: Mapping[str, Callable[[Any], str]] = {
    "decided": lambda row: f"{row['decided']} of {row['pairs']} decided",
    "equal": lambda row: f"{row['equal']} of them practically equal",
    **{
        key: lambda row, key=key: f"{key} {row[key]:.0%}"
        for key in ("again", "open", "otherwise", "reversed")
    },
    "coverage_difference": lambda row: f"intervals of differences hold {_held_text(row, 0)}",
    "coverage_arm": lambda row: f"of arms {_held_text(row, 1)} (nominal {row['nominal']:.0%})",
    "best": lambda row: f"same best arm {row['best']:.0%}",
}
COVERAGE = ("coverage_difference", "coverage_arm")


def _held_text(row: Mapping[str, Any], which: int) -> str:
    error = row[f"{COVERAGE[which]}_error"]
    return f"{row[COVERAGE[which]]:.0%}" + (f" ± {error:.0%}" if error is not None else "")


def text(row: Mapping[str, Any]) -> str:
    said = [say(row) for key, say in WORDS.items() if row.get(key) is not None]
    return f"{row['study']}: {'; '.join(said)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
