"""The command line: arguments, files, exit codes. `warmstart` and `python -m warmstart` are one.

0 done; 2 the user's input has to change (one line per problem on standard error); 1 our bug.
Stages are imported when they run: `--help` and a wrong params.yaml answer without TensorFlow.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from warmstart import __version__
from warmstart.config import loading as config
from warmstart.errors import InputError
from warmstart.runtime.lifetime import end_with_parent

PARAMS, PREPARED, RESULTS = Path("params.yaml"), Path("data/prepared"), Path("results")
MODELS, REPORTS = Path("models"), Path("reports")
Params = Annotated[Path, Parameter(name="--params", help="parameter file")]
Prepared = Annotated[Path, Parameter(name="--data", help="folder that `prepare` wrote")]
Results = Annotated[Path, Parameter(name="--results", help="folder with the results of all stages")]
Output = Annotated[Path, Parameter(name="--output", help="folder for records and timings")]
Rest = Annotated[
    tuple[str, ...], Parameter(consume_multiple=True, allow_leading_hyphen=True, negative=())
]
"""All that follows on the command line, options included."""

app = App(
    name="warmstart",
    version=__version__,
    help="How should a deep network start? The stages of the pipeline, which `dvc repro` runs, "
    "and what to do with their results. The default of every path is its place in dvc.yaml.",
    help_format="plaintext",
    result_action="return_value",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    try:
        code = app(argv, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        print(f"error: {' '.join(str(error).split())} See `warmstart --help`", file=sys.stderr)
        return 2
    except InputError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code or 0


def run() -> None:
    """The console script."""
    if "DVC_STAGE" in os.environ:
        # a stage that outlived a killed `dvc repro` would write beside the next
        end_with_parent(os.getppid())
    if isinstance(sys.stdout, TextIOWrapper):  # the terminal may lack letters that names have
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())


@app.command
def check(*, params: Params = PARAMS) -> None:
    """Name every problem of the parameter file, and of the data with it, and do nothing else.

    Data that would have to be fetched are not looked at.
    """
    options = config.load(params)
    if options.data.name == "fashion_mnist":
        return
    from warmstart.data.sources import load
    from warmstart.stages.plan import planned

    planned(load(options.data), options)


@app.command
def describe(
    path: str | None = None, /, *, target: str | None = None, params: Params = PARAMS
) -> None:
    """Say what is understood of the data, and what settings come to on them; train nothing.

    Args:
        path: file or folder with the data; data.path of the parameter file
        target: column to predict; data.target of the parameter file
    """
    options = config.load(params)
    own = {"path": path, "target": target, "name": Path(path).stem if path else None}
    if own["name"] in config.KNOWN_CLASSES:  # the user's file, not the data of that name
        own["name"] = "mine"
    given = {key: value for key, value in own.items() if value is not None}
    from warmstart.stages.describe import describe

    changes: dict[str, Any] = {"data": options.data.model_copy(update=given)}
    if path and options.transfer:  # as `make run DATA=path` does
        changes["transfer"] = options.transfer.model_copy(
            update={"task_b": ("auto",), "label_counts": ("all",)}
        )
    print(describe(options.model_copy(update=changes)))


@app.command
def prepare(*, output: Path = PREPARED, params: Params = PARAMS) -> None:
    """Read the data, split and standardize them.

    Args:
        output: folder for the prepared data
    """
    options = config.load(params)
    from warmstart.stages.prepare import prepare

    prepare(options, output)


@app.command
def pretrain(
    *,
    data: Prepared = PREPARED,
    model: Path = MODELS / "a.keras",
    output: Output = RESULTS / "pretrain",
    params: Params = PARAMS,
) -> None:
    """Train model A on task A, once for each split that model B sees.

    Args:
        model: where the best on validation is saved (PATH.keras); that of each seed becomes
            PATH/SEED.keras
    """
    options = config.load(params)
    from warmstart.stages.pretrain import pretrain

    with _file(options.transfer.a if options.transfer else None) as own:
        pretrain(options, data, model, output, own)


@app.command
def autoencode(
    *,
    data: Prepared = PREPARED,
    models: Path = MODELS / "autoencode",
    output: Output = RESULTS / "autoencode",
    params: Params = PARAMS,
) -> None:
    """Pretrain encoders without labels.

    Args:
        models: folder where the encoders are saved (METHOD/SEED.keras)
    """
    options = config.load(params)
    from warmstart.stages.autoencode import autoencode

    autoencode(options, data, models, output)


@app.command
def transfer(
    *,
    a: str | None = None,
    encoders: Path = MODELS / "autoencode",
    data: Prepared = PREPARED,
    pretrained: Path = RESULTS / "pretrain",
    model: Path = MODELS / "b.keras",
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
    options = config.load(params)
    from warmstart.stages.transfer import transfer

    trained = MODELS / ("a.keras" if options.transfer and options.transfer.a else "a")
    with _file(a or str(trained)) as path:
        assert path
        others = {
            f"on_{place.stem}": place
            for place in sorted(encoders.glob("*"))
            if place.is_dir() or place.suffix == ".keras"
        }
        transfer(options, data, {"on_a": path} | others, pretrained, model, output)


@app.command
def compare(
    study: str,
    /,
    *,
    data: Prepared = PREPARED,
    model: Path | None = None,
    output: Path | None = None,
    params: Params = PARAMS,
) -> None:
    """Train the arms of one study, each at its own best learning rate.

    Args:
        study: one of compare.studies in the parameter file
        model: where the best network is saved (.keras); models/compare/STUDY.keras
        output: folder for records and timings; results/compare/STUDY
    """
    options = config.load(params)
    from warmstart.stages.compare import compare

    model = model or MODELS / "compare" / f"{study}.keras"
    output = output or RESULTS / "compare" / study
    compare(options, study, data, model, output)


@app.command
def yardsticks(
    *,
    data: Prepared = PREPARED,
    output: Output = RESULTS / "yardsticks",
    params: Params = PARAMS,
) -> None:
    """Measure what does without a network, on the same splits."""
    options = config.load(params)
    from warmstart.stages.yardsticks import yardsticks

    yardsticks(options, data, output)


@app.command
def report(
    *,
    results: Results = RESULTS,
    data: Prepared = PREPARED,
    models: Path = MODELS,
    output: Path = REPORTS,
    params: Params = PARAMS,
) -> None:
    """Judge the records of all stages: write summaries, claims, cards of models and the report.

    Args:
        models: folder with the models; their cards go into its subfolder `cards`
        output: folder for the report
    """
    options = config.load(params)
    from warmstart.stages.report import report

    report(options, results, data, models, output)


@app.command
def advise(
    *, results: Results = RESULTS, data: Prepared = PREPARED, params: Params = PARAMS
) -> None:
    """Say what to use on these data, with its Keras code."""
    options = config.load(params)
    from warmstart.analysis.judging import advice_of

    advice = advice_of(options, results, data)
    print(f"{advice.text}\n\n{advice.code}", end="")


@app.command
def track(
    *,
    results: Results = RESULTS,
    models: Path = MODELS,
    data: Prepared = PREPARED,
    reports: Path = REPORTS,
    follow: Annotated[bool, Parameter(negative=())] = False,
    during: Rest = (),
) -> int:
    """Publish to MLflow what it lacks of all results.

    Args:
        models: folder with the models, to register them
        reports: folder with the report
        follow: publish what is written there until standard input ends
        during: run this command and publish while it runs; its exit code is ours
    """
    from warmstart.tracking.publish import Project, publish, publish_during, publish_until_closed

    project = Project(results=results, reports=reports, models=models, data=data)
    if during:
        return publish_during(during, project)
    if follow:
        return 0 if publish_until_closed(sys.stdin, project) else 2
    print(publish(project))
    return 0


@app.command
def links(*, server: str = "") -> None:
    """Print the addresses of MLflow's pages that matter.

    Args:
        server: address of MLflow's server; that of $MLFLOW_TRACKING_URI, else of `make mlflow`
    """
    from warmstart.tracking.links import links

    for link in links(server):
        print(f"{link.about} {link.text}:\n    {link.url}".lstrip())


@app.command
def mlflow(*, port: int = 5000) -> None:
    """Serve MLflow's pages on 127.0.0.1.

    Args:
        port: where; if it is busy, the next one that is free
    """
    from warmstart.tracking.links import server
    from warmstart.tracking.pages import HOST, free_port, serve

    address, found = server(), port
    if not address:
        if (found := free_port(port)) != port:
            print(f"port {port} is busy, {found} is free")
        address = f"http://{HOST}:{found}"
    links(server=address)
    print(f"MLflow: {address}/#/experiments?workflowType=machine_learning", flush=True)
    if not server():  # there is none
        serve(found)


@contextmanager
def _file(model: str | None) -> Iterator[Path | None]:
    """The file `model`, or what MLflow's registry has of that name: stages know only files."""
    if model is None or not model.startswith("models:/"):
        yield Path(model) if model else None
        return
    from warmstart.tracking.models import fetch

    with TemporaryDirectory() as folder:
        yield fetch(model, Path(folder))


if __name__ == "__main__":
    run()
