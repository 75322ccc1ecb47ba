"""Where a project's files are, wherever in it a command is called."""

from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from warmstart.config import loading
from warmstart.config import params as config
from warmstart.errors import InputError

PARAMS, PREPARED, RESULTS = Path("params.yaml"), Path("data/prepared"), Path("results")
MODELS, REPORTS = Path("models"), Path("reports")
"""As in dvc.yaml, from the project's folder."""

_start = Path()
"""Where the user stands, seen from the project's folder, which is the current one."""


@contextmanager
def entered() -> Iterator[None]:
    """Be in the folder of the project, as `git` and `dvc` are: the current one or the next above it
    that holds params.yaml. Where there is none, stay."""
    global _start
    here, there = Path.cwd(), root()
    before, _start = _start, Path() if there == here else here
    try:
        with chdir(there):
            yield
    finally:
        _start = before


def root() -> Path:
    """The folder of the project around the current one; where there is none, that one."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / PARAMS).exists()), here)


def given(path: str) -> Path:
    """A path that the user wrote, who may stand below the project's folder."""
    return _start / path


def options(params: Path) -> config.Params:
    """What the parameter file says.

    Raises:
        InputError: with all its problems, or since this is no project.
    """
    if params == PARAMS and not params.exists():
        raise InputError(
            f"{PARAMS}: expected a project in this folder or one above, found none; go into its "
            "folder, or name its parameter file with --params"
        )
    return loading.load(params)


def _path(_: Any, tokens: Sequence[Any]) -> Path:
    return given(tokens[0].value)


ByUser = Annotated[Path, Parameter(converter=_path)]
Params = Annotated[ByUser, Parameter(name="--params", help="parameter file")]
Prepared = Annotated[ByUser, Parameter(name="--data", help="folder that `prepare` wrote")]
Results = Annotated[
    ByUser, Parameter(name="--results", help="folder with the results of all stages")
]
Output = Annotated[ByUser, Parameter(name="--output", help="folder for records and timings")]
