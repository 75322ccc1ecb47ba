"""The commands of the stages, which `dvc repro` calls.

Stages are imported when they run: `--help` and a wrong params.yaml answer without TensorFlow.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from warmstart import places
from warmstart.config.model_a import ModelA
from warmstart.config.params import Params as Options
from warmstart.errors import visible
from warmstart.places import (
    MODELS,
    PARAMS,
    PREPARED,
    REPORTS,
    RESULTS,
    ByUser,
    Output,
    Params,
    Prepared,
    Results,
)

if TYPE_CHECKING:
    from warmstart.data.dataset import Dataset

REGISTRY = "models:/"
"""How names of models in MLflow's registry begin."""


def prepare(*, output: ByUser = PREPARED, params: Params = PARAMS) -> None:
    """Read the data, split and standardize them.

    Args:
        output: folder for the prepared data
    """
    options = places.options(params)
    from warmstart.stages.left_out import reason
    from warmstart.stages.prepare import prepare

    prepare(options, output)
    if own_a(options) and not reason(output):
        from warmstart.data.dataset import Dataset

        dataset, _ = Dataset.read(output / "dataset.npz")
        say_model_a(options, dataset, download=True)


def pretrain(
    *,
    data: Prepared = PREPARED,
    model: ByUser = MODELS / "a.keras",
    output: Output = RESULTS / "pretrain",
    params: Params = PARAMS,
) -> None:
    """Train model A on task A, once for each split that model B sees.

    Args:
        model: where the best on validation is saved (PATH.keras); that of each seed becomes
            PATH/SEED.keras
    """
    options = places.options(params)
    from warmstart.stages.pretrain import pretrain

    with _file(own_a(options)) as own:
        pretrain(options, data, model, output, own)


def autoencode(
    *,
    data: Prepared = PREPARED,
    models: ByUser = MODELS / "autoencode",
    output: Output = RESULTS / "autoencode",
    params: Params = PARAMS,
) -> None:
    """Pretrain encoders without labels.

    Args:
        models: folder where the encoders are saved (METHOD/SEED.keras)
    """
    options = places.options(params)
    from warmstart.stages.autoencode import autoencode

    autoencode(options, data, models, output)


def transfer(
    *,
    a: str | None = None,
    encoders: ByUser = MODELS / "autoencode",
    data: Prepared = PREPARED,
    pretrained: ByUser = RESULTS / "pretrain",
    model: ByUser = MODELS / "b.keras",
    output: Output = RESULTS / "transfer",
    params: Params = PARAMS,
) -> None:
    """Compare model B from scratch with B on pretrained layers.

    Args:
        a: model A: a folder with SEED.keras (models/a); or one for all seeds: a .keras file, or
            models:/NAME@ALIAS or models:/NAME/VERSION in MLflow (models/a.keras, where the
            parameter file has transfer.a)
        encoders: folder with further models to start on: folders with SEED.keras, or .keras files
        pretrained: folder with the records of model A
        model: where model B is saved (.keras)
    """
    options = places.options(params)
    from warmstart.stages.transfer import transfer

    trained = MODELS / ("a.keras" if own_a(options) else "a")
    if a and not a.startswith(REGISTRY):
        a = str(places.given(a))
    with _file(a or str(trained)) as path:
        assert path
        others = {
            f"on_{place.stem}": place
            for place in sorted(encoders.glob("*"))
            if place.is_dir() or place.suffix == ".keras"
        }
        transfer(options, data, {"on_a": path} | others, pretrained, model, output)


def compare(
    study: str,
    /,
    *,
    data: Prepared = PREPARED,
    model: ByUser | None = None,
    output: ByUser | None = None,
    params: Params = PARAMS,
) -> None:
    """Train the arms of one study, each at its own best learning rate.

    Args:
        study: one of compare.studies in the parameter file
        model: where the best network is saved (.keras); models/compare/STUDY.keras
        output: folder for records and timings; results/compare/STUDY
    """
    options = places.options(params)
    from warmstart.stages.compare import compare

    model = model or MODELS / "compare" / f"{study}.keras"
    output = output or RESULTS / "compare" / study
    compare(options, study, data, model, output)


def yardsticks(
    *,
    data: Prepared = PREPARED,
    output: Output = RESULTS / "yardsticks",
    params: Params = PARAMS,
) -> None:
    """Measure what does without a network, on the same splits."""
    options = places.options(params)
    from warmstart.stages.yardsticks import yardsticks

    yardsticks(options, data, output)


def report(
    *,
    results: Results = RESULTS,
    data: Prepared = PREPARED,
    models: ByUser = MODELS,
    output: ByUser = REPORTS,
    params: Params = PARAMS,
) -> None:
    """Judge the records of all stages: write summaries, claims, cards of models and the report.

    Args:
        models: folder with the models; their cards go into its subfolder `cards`
        output: folder for the report
    """
    options = places.options(params)
    from warmstart.stages.report import report

    report(options, results, data, models, output)


def own_a(options: Options) -> ModelA | None:
    """The model A of the user's own, if there is one."""
    return options.transfer.a if options.transfer else None


def say_model_a(options: Options, dataset: "Dataset", *, download: bool = False) -> None:
    """Print what becomes of `dataset` before such a model; nothing where there is none.

    Args:
        download: whether weights that are not on this machine are fetched at once.

    Raises:
        InputError: it does not fit the data, or cannot be had.
    """
    if a := own_a(options):
        from warmstart.stages.model_a import foreseen

        with _file(a) as own:
            if line := foreseen(a, own, dataset, options.seed, download=download):
                print(visible(line))


@contextmanager
def _file(model: ModelA | str | None) -> Iterator[Path | None]:
    """The file of `model`, or what MLflow's registry has of that name: stages know only files.
    None: one of Keras's own."""
    name = model.model if isinstance(model, ModelA) else model
    if name is None or (isinstance(model, ModelA) and model.application):
        yield None
        return
    if not name.startswith(REGISTRY):
        yield Path(name)
        return
    from warmstart.tracking.models import fetch

    with TemporaryDirectory() as folder:
        yield fetch(name, Path(folder))


STAGES: tuple[Callable[..., None], ...] = (
    prepare, pretrain, autoencode, transfer, compare, yardsticks, report,
)  # fmt: skip
