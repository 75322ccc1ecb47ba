"""The command line: arguments, files, exit codes. `warmstart` and `python -m warmstart` are one.

0 done; 2 the user's input has to change (one line per problem on standard error); 1 our bug.
Stages are imported when they run: `--help` and a wrong params.yaml answer without TensorFlow.
"""

import errno
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError
from rich.console import Console
from rich.text import Text

from warmstart import __version__, places
from warmstart.config.params import KNOWN_CLASSES
from warmstart.errors import InputError
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
from warmstart.runtime.lifetime import end_with_parent
from warmstart.stage_commands import STAGES

Rest = Annotated[
    tuple[str, ...], Parameter(consume_multiple=True, allow_leading_hyphen=True, negative=())
]
"""All that follows on the command line, options included."""
UNWRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
}  # fmt: skip
"""What a folder or a disk may have against a file that is opened or made."""

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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    try:
        with places.entered():
            code = app(argv, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        more = " ".join(error.unused_tokens or ())
        return _failed(f"expected nothing more, received {more}. See `warmstart --help`")
    except CycloptsError as error:
        return _failed(f"{' '.join(str(error).split())} See `warmstart --help`")
    except InputError as error:
        return _failed(*error.problems)
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename is None:
            raise
        return _failed(
            f"{error.filename}: expected a place to read and write in, received: {error.strerror}; "
            "choose another, or mend this one"
        )
    except KeyboardInterrupt:
        return 130
    return code or 0


def _failed(*problems: str) -> int:
    """Say a line for each, red where there is a terminal."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for problem in problems:
        console.print(Text.assemble(("error:", "bold red"), f" {problem}"))
    return 2


def run() -> None:
    """The console script."""
    if "DVC_STAGE" in os.environ:
        # a stage that outlived a killed `dvc repro` would write beside the next
        # (one that our imports took longer than it lived, too: prefect_dvc tells its number)
        end_with_parent(os.getppid(), int(os.environ.get("DVC_PROCESS", 0)))
    if isinstance(sys.stdout, TextIOWrapper):  # the terminal may lack letters that names have
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())


@app.command
def check(*, params: Params = PARAMS) -> None:
    """Name every problem of the parameter file, and of the data with it, and do nothing else.

    Data that would have to be fetched are not looked at.
    """
    options = places.options(params)
    if options.data.name == "fashion_mnist":
        return
    from warmstart.data.sources import load
    from warmstart.stages.plan import planned

    planned(load(options.data), options)


@app.command
def describe(
    path: ByUser | None = None, /, *, target: str | None = None, params: Params = PARAMS
) -> None:
    """Say what is understood of the data, and what settings come to on them; train nothing.

    Args:
        path: file or folder with the data; data.path of the parameter file
        target: column to predict; data.target of the parameter file
    """
    options = places.options(params)
    own = {
        "path": str(path) if path else None,
        "target": target,
        "name": path.stem if path else None,
    }
    if own["name"] in KNOWN_CLASSES:  # the user's file, not the data of that name
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
def advise(
    *, results: Results = RESULTS, data: Prepared = PREPARED, params: Params = PARAMS
) -> None:
    """Say what to use on these data, with its Keras code."""
    options = places.options(params)
    from warmstart.analysis.judging import advice_of

    advice, console = advice_of(options, results, data), Console(highlight=False)
    console.print(Text(advice.text), soft_wrap=not console.is_terminal)
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
    from warmstart.tracking.beside import publish_during, publish_until_closed
    from warmstart.tracking.project import Project
    from warmstart.tracking.publish import publish

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
        serve(found)


if __name__ == "__main__":
    run()
