"""`warmstart.compare`: a study in a notebook, without the pipeline and without files."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from warmstart.analysis.advice import advise
from warmstart.analysis.results import DataCard, read_results
from warmstart.comparison import Comparison
from warmstart.config import limits
from warmstart.config.checking import check
from warmstart.config.data import Data, Splits
from warmstart.config.params import Compare, Executor, Seed
from warmstart.config.parts import Activation
from warmstart.config.values import Frozen
from warmstart.data.dataset import Dataset
from warmstart.data.incoming import Told
from warmstart.data.kinds import Override
from warmstart.data.memory import from_memory
from warmstart.data.split import resplit, split_full
from warmstart.data.target import TaskKind
from warmstart.errors import InputError
from warmstart.files import read_sealed
from warmstart.records import write_records
from warmstart.stages.compare import make_study
from warmstart.stages.run import run
from warmstart.stages.yardsticks import measured

_WHERE = "warmstart.compare"
_STUDY = "comparison"
_ARMS = {
    name: {"activation": name}
    for name in get_args(Activation.model_fields["name"].annotation)
    if name not in ("linear", "mish")  # which the chapter does not compare
}


class _Options(Frozen):
    """The arguments of `compare` under the names that params.yaml has for them."""

    seed: Seed
    data: Data
    compare: Compare
    executor: Executor


def compare(
    x: ArrayLike | pd.DataFrame,
    y: ArrayLike | pd.Series | Sequence[Any] | None = None,
    *,
    target: Any = None,
    task: TaskKind = "auto",
    columns: Mapping[str, Override] | None = None,
    group: str | None = None,
    order: str | None = None,
    arms: Mapping[str, Mapping[str, Any]] | None = None,
    base: Mapping[str, Any] | None = None,
    seeds: int = 5,
    splits: Splits = "resampled",
    learning_rates: Iterable[float] = (0.01, 0.03, 0.1, 0.3, 1.0),
    epochs: int = 20,
    patience: int | None = None,
    metric: str = "auto",
    equivalence: float = 0.01,
    batch_size: int = 32,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 42,
    workers: int | Literal["auto"] = "auto",
) -> Comparison:
    """Compare how a network can start, on your data: the stages `prepare` and `compare` of the
    pipeline in one call, with all files in a temporary folder.

    The samples are split and standardized here. Every arm is trained at every learning rate on
    every seed, each gets its best rate by validation accuracy, and then the test set is used, once.

    Args:
        x: `(n, ...)` numbers, or a frame with a column per feature; raw. Text is categories or
            dates, gaps are filled, see docs/data.md.
        y: `(n,)` labels of any hashable kind, or numbers to predict; None: a column of `x`.
        target: name of that column.
        task: `classification`, `regression`, or `auto`: numbers are predicted where many differ.
        columns: name -> what a column is, where that is not what it looks like, as `data.columns`
            of params.yaml.
        group: name of a column of `x`, whose rows of one value are never on two sides of a split.
        order: name of a column of `x` by which the newest rows are the test part.
        arms: name -> what it changes in `base`, in the words of params.yaml, as
            `{"selu": {"activation": "selu"}, "relu": {"activation": "relu"}}`. None: every
            activation, each with the initializer that the chapter's table pairs it with.
        base: the network that all arms start from, such as `{"hidden": [100, 50]}`.
        seeds: repetitions of every arm, paired between arms; 2 or more.
        splits: `resampled`: each seed has a training, validation and test part of its own, drawn
            from all samples; `fixed`: all have the same. `official` is for the pipeline: `x` and
            `y` have no test set of their own.
        learning_rates: the grid, the same for every arm.
        epochs: of every trial.
        patience: stop a trial after so many epochs without a lower validation loss; None: never.
        metric: what decides, as `compare.metric` of params.yaml; `auto`: accuracy, balanced
            accuracy where classes are imbalanced, RMSE for numbers.
        equivalence: arms whose means differ by less are practically equal: a share, or for numbers
            a share of the target's standard deviation.
        batch_size: samples.
        validation_fraction: share of each class that chooses learning rates and the best model.
        test_fraction: share of each class that the results are measured on.
        seed: root of every random number; the same call gives the same result.
        workers: processes that train trials; `auto`: one per GPU, without GPUs one per core.

    Raises:
        InputError: with one line per problem of the data or the arguments.
    """
    rates: Any = learning_rates
    if isinstance(rates, Iterable):  # which may have no end
        rates = list(islice(rates, limits.RATES + 1))
    budget: dict[str, Any] = {"seeds": seeds, "learning_rates": rates}
    budget |= {"epochs": epochs, "patience": patience, "batch_size": batch_size}
    budget |= {"metric": metric, "equivalence": equivalence}
    parts = {
        "splits": splits,
        "validation_fraction": validation_fraction,
        "test_fraction": test_fraction,
    }
    study = {"arms": _ARMS if arms is None else arms}
    budget |= {"base": {} if base is None else base, "studies": {_STUDY: study}}
    if isinstance(columns, Mapping):
        columns = {str(name): kind for name, kind in columns.items()}
    named = {"group": _name(group), "order": _name(order)}
    said = {"task": task, "columns": {} if columns is None else columns} | named
    data = {"name": "arrays", "path": "none"} | said | parts
    executor = {"workers": workers}
    if splits == "official":
        raise InputError(
            f"{_WHERE}: splits: expected resampled or fixed, since x and y have no test set of "
            "their own, received official; choose one, or use the pipeline (docs/data.md)"
        )
    options = _options({"seed": seed, "data": data, "compare": budget, "executor": executor})
    chosen = options.data
    told = Told(
        task=chosen.task,
        columns=chosen.columns,
        group=chosen.group,
        order=chosen.order,
        test_fraction=chosen.test_fraction,
    )
    dataset = from_memory(x, y, target=target, told=told, where=_WHERE)
    if misfits := options.compare.misfits(dataset.kind):
        raise InputError(*(f"{_WHERE}: {line}" for line in misfits))
    with TemporaryDirectory(prefix="warmstart-") as name:
        return _run(dataset, options, Path(name))


def _run(dataset: Dataset, options: _Options, folder: Path) -> Comparison:
    whole = split_full(dataset, options.data, options.seed)
    task, file, chosen, drawn = whole.task, folder / "full.npz", options.compare, options.data.drawn
    output, model = folder / "results", folder / "model.keras"
    task.write(file)
    study = make_study(
        chosen,
        _STUDY,
        data_name=dataset.name,
        file=file,
        whole=whole,
        splits=drawn,
        root_seed=options.seed,
        folder=folder / "unfinished",
    )
    run({output: study}, options.executor, model, folder=folder / "unfinished")
    without = measured(
        whole,
        seeds=study.seeds,
        splits=drawn,
        root_seed=options.seed,
        metric=study.metric,
        weights=chosen.base.class_weight,
    )
    write_records(folder / "yardsticks" / "records.parquet", without)
    predicted = dataset.target if not dataset.class_names else ""
    card = DataCard.of(dataset.name, task, predicted)
    results = read_results(output, card, chosen.equivalence)
    yardsticks = read_results(folder / "yardsticks", card, chosen.equivalence)
    assert results, "it was written a moment ago"
    assert yardsticks
    advice = advise(
        chosen,
        [results],
        shape=task.shape,
        classes=task.classes,
        task=file,
        yardsticks=yardsticks,
    )
    assert advice  # every arm is a candidate
    kept = read_sealed(output / "kept.json")["record"]
    best = next(record for record in results.records if record.digest == kept)
    view = resplit(whole, best.split, options.seed, drawn)
    raw = best.settings["standardize"] == "false"
    return Comparison(
        results=results,
        yardsticks=yardsticks,
        recommended=advice.text.replace(f" ({_STUDY})", ""),  # there is no other study
        classes_=dataset.labels,
        view=view.raw() if raw else view,
        model=model.read_bytes(),
    )


def _options(content: dict[str, Any]) -> _Options:
    """Checked, with the messages of params.yaml under the names of the arguments."""
    try:
        plain = _plain(content)
    except RecursionError:
        raise InputError(
            f"{_WHERE}: expected arms and base of mappings, lists, text and numbers, received one "
            "that holds itself; change it"
        ) from None
    options, problems = check(plain, _Options)
    if options is None:
        sections = rf"^(compare\.studies\.{_STUDY}\.|compare\.|data\.|executor\.)"
        raise InputError(*(f"{_WHERE}: {re.sub(sections, '', line)}" for line in problems))
    return options


def _name(column: Any) -> str | None:
    """Columns may be called 3."""
    return None if column is None else str(column)


def _plain(value: Any) -> Any:
    """`value` with NumPy's numbers and any mapping as Python's own."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
