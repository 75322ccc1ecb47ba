"""A study as a question: asked our way, or by a full grid, and what either says of its arms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from measuring.spending import Row, Spent, spending
from warmstart.analysis.results import DataCard, Results, judged
from warmstart.config.params import Executor, Params
from warmstart.contrasts import LEVEL
from warmstart.data.view import View
from warmstart.files import read_json, write_json
from warmstart.records import Record, read_records, write_records
from warmstart.runtime import pool
from warmstart.stages.compare import make_study
from warmstart.stages.prepare import prepare
from warmstart.stages.rounds import cohorts
from warmstart.stages.run import run
from warmstart.stages.study import Study
from warmstart.training.chance import chance, resolution
from warmstart.training.selection import choose_learning_rates, contenders

MOST = 30
"""Seeds of the full grid, and where our rounds end at last."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A study on a root seed, with what is needed to judge it."""

    study: Study
    card: DataCard
    equivalence: float
    folder: Path

    @classmethod
    def of(cls, params: Params, name: str, folder: Path) -> "Question":
        options = params.compare.model_copy(update={"most_seeds": MOST})
        data = folder / "prepared"
        if not data.exists():
            prepare(params, data)
        study = make_study(
            options, name, data_name=params.data.name, file=data / "full.npz",
            whole=View.read(data, "full"), splits=params.data.drawn, root_seed=params.seed,
            folder=folder / "splits" / name,
        )  # fmt: skip
        card = DataCard.read(data)
        assert card
        return cls(study=study, card=card, equivalence=options.equivalence, folder=folder)

    @property
    def rates(self) -> tuple[float, ...]:
        return tuple(sorted(set(self.study.learning_rates)))

    def ours(self) -> tuple[Record, ...]:
        output = self.folder / "run" / self.study.name
        run({output: self.study}, Executor(kept_gb=0), folder=self.folder / "trials")
        return read_records(output / "records.parquet")

    def grid(self) -> tuple[Record, ...]:
        """Every trial to its end, and tested."""
        study = replace(self.study, most_seeds=None).ready_for(MOST)
        trials = [replace(t, rivals=()) for t in study.grid(study.arms, range(MOST))]
        with pool.start(Executor(kept_gb=0), self.folder / "grid" / self.study.name) as workers:
            groups = cohorts([study.pair(trial) for trial in trials])
            results = workers.train(groups, "full grid")
            scores = workers.evaluate(groups)
        return tuple(
            # `chosen`, that its test is kept: which one is chosen, each way says
            replace(study.record(trial, results), chosen=True, test=scores[study.key(trial)])
            for trial in trials
        )

    def judged(self, chosen: Sequence[Record]) -> Results:
        records = tuple(replace(record, chosen=True) for record in chosen)
        found = judged(records, self.card, self.equivalence)
        assert found
        return found

    def is_open(self, chosen: Sequence[Record]) -> bool:
        """Whether validation leaves a verdict open, as at the end of a single round."""
        y = self.study.task.y_validation
        return bool(
            contenders(
                chosen, reference=None, margin=self.study.margin, level=LEVEL,
                chance=chance(self.study.metric, y), resolution=resolution("accuracy", len(y)),
            )
        )  # fmt: skip


def kept(folder: Path, make: Callable[[], tuple[Record, ...]]) -> tuple[tuple[Record, ...], Spent]:
    """What `make` returns and takes; what lies in `folder` is not made again."""
    records, times = folder / "records.parquet", folder / "spent.json"
    if not times.exists():
        with spending() as spent:
            made = make()
        write_records(records, made)
        write_json(times, asdict(spent))
    return read_records(records), Spent(**read_json(times))


def epochs(records: Sequence[Record]) -> int:
    return sum(len(record.epochs["loss"]) for record in records)


def chosen(records: Sequence[Record]) -> list[Record]:
    """At the learning rates that validation chooses."""
    rates = choose_learning_rates(records)
    return [r for r in records if r.learning_rate == rates[r.arm, r.seed]]


def standing(results: Results) -> dict[str, str]:
    """arm -> `best`: the choice of validation, or not worse than it by more than the margin;
    `worse`; or `open`. The same whichever of several equals is the choice."""
    summary = results.summary
    words = {contrast.arm: contrast.verdict for contrast in summary.contrasts.values()}
    told = {"worse": "worse", "open": "open"}
    return {arm: told.get(words.get(arm, ""), "best") for arm in results.arms}


def against(found: Mapping[str, str], truth: Mapping[str, str]) -> Row:
    """How many arms stand as in `truth`, are open, or stand otherwise."""
    same = [arm for arm in truth if found[arm] == truth[arm]]
    left = [arm for arm in truth if found[arm] == "open" != truth[arm]]
    return {
        "best": [arm for arm in found if found[arm] == "best"],
        "arms": len(truth), "same": len(same), "open": len(left),
        "otherwise": len(truth) - len(same) - len(left),
    }  # fmt: skip
