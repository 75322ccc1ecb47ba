"""One file of a project that has run, damaged as power loss and disks do."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from damages import damages, files

import whole_runs
from benchmarks.chaos import kills, whole
from benchmarks.chaos.rows import Done

KIND = "damage"
EXPECTED = "the next `make run` ends well, with the same outputs and all in MLflow"
PLACES = ("data/prepared", "models", "results", "reports", ".dvc/tmp", "dvc.lock")


@contextmanager
def ready(folder: Path, *, transfer: bool = True) -> Iterator[Callable[[int], Done]]:
    """A project whose finished trials are kept; it is damaged after its first run."""
    golden = whole.Golden.made(folder / "golden", transfer=transfer)

    def damage(seed: int) -> Done:
        luck = random.Random(seed)
        project = folder / str(seed)
        shutil.copytree(golden.folder, project, symlinks=True)
        place = luck.choice(PLACES)
        path = luck.choice(files(project / place) or [project / "dvc.lock"])
        how, content = luck.choice([*damages(path.read_bytes())])
        path.unlink()
        path.write_bytes(content)
        faults = kills.again(project, *whole_runs.MAKE_RUN)
        if "stuck" not in faults:
            problems = whole_runs.problems(project, golden.digests)
            faults |= kills.first_of_each(problems, whole.KINDS)
        shutil.rmtree(project)
        return Done(
            what=place,
            faults={k: f"{path.relative_to(project)}, {how}: {v}"[:300] for k, v in faults.items()},
        )

    yield damage
