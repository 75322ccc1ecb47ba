"""The commands of the command line: arguments and files.

Stages are imported when they run: `--help` and a wrong params.yaml answer without TensorFlow.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError
from rich.console import Console
from rich.text import Text

from warmstart import __version__, login, places
from warmstart.config.params import Params as Options
from warmstart.errors import InputError, visible
from warmstart.own_data import name_of
from warmstart.places import (
    MODELS,
    PARAMS,
    PREPARED,
    REPORTS,
    RESULTS,
    ByUser,
    Params,
    Prepared,
    Results,
)
from warmstart.stage_commands import STAGES, own_a, say_model_a

Rest = Annotated[
    tuple[str, ...], Parameter(consume_multiple=True, allow_leading_hyphen=True, negative=())
]
"""All that follows on the command line, options included."""
app = App(
    name="warmstart",
    version=__version__,
    help="How should a deep network start? Call a command anywhere in the project's folder. "
    "The default of every path is its place in dvc.yaml; those you give start where you are.",
    help_format="plaintext",
    result_action="return_value",
    group_commands=Group("For you", sort_key=1),
)
_STAGES, _OPTIONS = (
    Group("Stages of the pipeline, called by `dvc repro`", sort_key=2),
    Group("Options", sort_key=3),
)
for _flag in ("--help", "--version"):
    app[_flag].group = (_OPTIONS,)
for _place, _stage in enumerate(STAGES):
    app.command(_stage, group=_STAGES, sort_key=_place)


def called(argv: Sequence[str] | None) -> int:
    """Run one command and return its exit code.

    Raises:
        InputError: with the problems of the arguments, or of what the command reads.
    """
    try:
        with places.entered():
            return app(argv, exit_on_error=False, print_error=False) or 0
    except UnusedCliTokensError as error:
        more = " ".join(error.unused_tokens or ())
        raise InputError(
            f"expected nothing more, received {more}. See `warmstart --help`"
        ) from None
    except CycloptsError as error:
        raise InputError(f"{' '.join(str(error).split())} See `warmstart --help`") from None


@app.command
def check(
    *, path: ByUser | None = None, target: str | None = None, params: Params = PARAMS
) -> None:
    """Name every problem of the parameter file, and of the data with it, and do nothing else.

    Data that would have to be fetched are not looked at.

    Args:
        path: as of `describe`
        target: as of `describe`
    """
    options = _on_own_data(places.options(params), path, target)
    if options.data.name == "fashion_mnist":
        return
    from warmstart.data.sources import load
    from warmstart.stages.plan import planned

    planned(load(options.data), options)
    _foresee(options)


def _foresee(options: Options) -> None:
    """Say what becomes of the data before a model A of the user's own, where there is one."""
    if not own_a(options):
        return
    from warmstart.data.sources import load
    from warmstart.stages.plan import planned

    dataset = load(options.data)
    if not planned(dataset, options).no_transfer:
        say_model_a(options, dataset)


@app.command
def describe(
    path: ByUser | None = None, /, *, target: str | None = None, params: Params = PARAMS
) -> None:
    """Say what is understood of the data, and what settings come to on them; train nothing.

    Args:
        path: file or folder with the data; data.path of the parameter file
        target: column to predict; data.target of the parameter file
    """
    options = _on_own_data(places.options(params), path, target)
    from warmstart.stages.describe import describe

    print(describe(options))
    _foresee(options)


def _on_own_data(options: Options, path: Path | None, target: str | None) -> Options:
    """`options` with what `make run DATA=path TARGET=target` changes; nothing: as they are."""
    changes: dict[str, Any] = {"target": target} if target else {}
    if path and path != Path():
        changes |= {"path": str(path), "name": name_of(path)}
    data = options.data.model_copy(update=changes)
    if "path" in changes and options.transfer:
        own = {"task_b": ("auto",), "label_counts": ("all",)}
        return options.model_copy(
            update={"data": data, "transfer": options.transfer.model_copy(update=own)}
        )
    return options.model_copy(update={"data": data})


@app.command
def advise(
    *, results: Results = RESULTS, data: Prepared = PREPARED, params: Params = PARAMS
) -> None:
    """Say what to use on these data, with its Keras code."""
    options = places.options(params)
    from warmstart.analysis.judging import advice_of

    advice, console = advice_of(options, results, data), Console(highlight=False)
    console.print(Text(visible(advice.text)), soft_wrap=not console.is_terminal)
    print(f"\n{advice.code}", end="")


@app.command
def track(
    *,
    results: Results = RESULTS,
    models: ByUser = MODELS,
    data: Prepared = PREPARED,
    reports: ByUser = REPORTS,
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
    from warmstart.runtime import fork_server
    from warmstart.tracking.beside import publish_during, publish_until_closed
    from warmstart.tracking.project import Project
    from warmstart.tracking.publish import publish

    project = Project(results=results, reports=reports, models=models, data=data)
    if during:
        with fork_server.serving():
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
        print(f"{visible(link.about)} {visible(link.text)}:\n    {visible(link.url)}".lstrip())


@app.command
def mlflow(*, port: int = 5000) -> None:
    """Serve MLflow's pages on 127.0.0.1.

    Args:
        port: where; if it is busy, the next one that is free
    """
    from warmstart.tracking.links import links, server
    from warmstart.tracking.pages import HOST, free_port, serve

    there, found = server(), port
    if there:
        links(there)  # does it answer?
    elif (found := free_port(port)) != port:
        print(f"port {port} is busy, {found} is free")
    address = there or f"http://{HOST}:{found}"
    print(f"MLflow: {address}/#/experiments?workflowType=machine_learning", flush=True)
    if not there:
        if login.others():
            print(f"log in with what {login.place()} says", flush=True)
        serve(found)
