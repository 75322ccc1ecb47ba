"""Names, revisions and parameters of runs, by Prefect's API, that reach for more than the run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hostile import NAMES, REFUSED, Asked, attempts, harm, prepared, tree

from benchmarks.chaos.rows import Done
from foreign_project import made
from prefect_serving import prefect_server

KIND = "name"
EXPECTED = "the run ends, or is refused in a line; every file outside of it is as it was"
ASKED = [
    *(Asked(name=name) for name in NAMES),
    *(Asked(parameters=each) for each in REFUSED),
    *(Asked(parameters=each, enforce_parameter_schema=False) for each in REFUSED),
]


@contextmanager
def ready(folder: Path) -> Iterator[Callable[[int], Done]]:
    """A server, a project, and a neighbour of it with unsaved work."""
    home, project = folder / "home", folder / "around/project"
    home.mkdir()
    project.mkdir(parents=True)
    with prefect_server(home) as server:
        around = prepared(made(project))

        def ask(seed: int) -> Done:
            asked = ASKED[seed % len(ASKED)]
            before, faults = tree(around, project), dict[str, str]()
            try:
                (became,) = attempts(project, server.url, [asked])
                if asked.parameters and became.state in ("Completed", "Failed"):
                    faults["changed"] = f"{became}"[:300]
            except (AssertionError, ValueError) as error:
                faults["traceback"] = str(error)[-300:]
            if changed := harm(before, tree(around, project)):
                faults["changed"] = ", ".join(sorted(changed))[:300]
            return Done(
                what="parameters" if asked.parameters else "name",
                faults=faults,
            )

        yield ask
