"""Unfinished work of a stage, so that a run that was killed goes on where it stood.

Finished trials lie in the folder as `KEY.npz`, those that were in training in `running/`, what
is to be trained stands in `trials.json`, for those who show trials as they finish, and by which
code and on what they are trained in `decided_by.json`. The folder lies outside DVC's outs, which
DVC empties before it runs a stage. `runtime.finished` keeps trials beyond their stage.

No trial waits for the disk: what a loss of power cuts off is not finished, and trained again.
"""

import hashlib
import shutil
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np

from warmstart.errors import InputError
from warmstart.files import check_zip, intact, read_arrays, read_sealed, replacing, write_sealed
from warmstart.runtime.process import this_process
from warmstart.training.layers import pack, unpack
from warmstart.training.outcomes import Outcome, Result, Standing

UNFINISHED = Path(".warmstart")
"""Unfinished work, below the current folder; removed when its stage succeeds."""
PLAN = "trials.json"
_FINISHED = "[0-9a-f]" * 64 + ".npz"
"""What matches the file of a finished trial and no other."""


def begin(folder: Path, decided_by: Collection[str]) -> None:
    """Drop what a run that was killed left in `folder` and is damaged, and if they would be others
    now all its trials: keys name neither code nor machine. Each is said in one line.

    Args:
        folder: of a stage.
        decided_by: as `finished.decided_by` says on each worker.
    """
    file, now = folder / "decided_by.json", {"decided_by": sorted(set(decided_by))}
    why = "of other code or another machine"
    try:
        alike = file.exists() and read_sealed(file) == now
    except InputError:
        alike, why = False, f"of unknown code, since {file.name} is damaged"
    if not alike:
        shutil.rmtree(folder / "running", ignore_errors=True)
        _drop(folder, list(folder.glob(_FINISHED)), why)
        write_sealed(file, now)
        return
    kept = [*folder.glob(_FINISHED), *folder.glob("running/*.npz")]
    _drop(folder, [path for path in kept if not _is_whole(path)], "cut off or damaged")


def _drop(folder: Path, trials: Sequence[Path], why: str) -> None:
    for path in trials:
        path.unlink()
    if trials:
        line = f"{len(trials)} trials {why}: trained anew"
        print(f"{folder}: {line}", file=sys.stderr, flush=True)


def _is_whole(path: Path) -> bool:
    with suppress(InputError), intact(path):
        check_zip(path)
        return True
    return False


def announce(
    folder: Path, trials: Sequence[tuple[str, Mapping[str, Any]]], facts: Mapping[str, Any]
) -> None:
    """Say which trials are going to be trained: the key of each, and the fields of its `Record`
    that are known before. Two records may have one key: they are trained once. `facts` are what
    the stage's times will say of device, versions and data; beside them stands who trains."""
    facts = {**facts, "process": this_process()}
    write_sealed(folder / PLAN, {"facts": facts, "trials": [list(trial) for trial in trials]})


def announced(folder: Path) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """What `announce` wrote last: trials, facts. Raises InputError as `files.intact`."""
    plan = read_sealed(folder / PLAN)
    return [(key, known) for key, known in plan["trials"]], plan["facts"]


class Store:
    """Finished trials in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """The file of the trial called `key`, once it is finished."""
        return self.folder / f"{key}.npz"

    def model_path(self, key: str) -> Path:
        """Where the trial's network is exported to."""
        return self.folder / f"{key}.keras"

    def write(self, result: Result, weights: list[np.ndarray]) -> None:
        """Keep `result` and the trained weights in one file named by the trial's key."""
        arrays: dict[str, Any] = {f"weight_{i}": value for i, value in enumerate(weights)}
        arrays |= {f"epochs_{metric}": np.array(v) for metric, v in result.epochs.items()}
        arrays |= {f"validation_{metric}": np.array(v) for metric, v in result.validation.items()}
        with replacing(self.path(result.key), lasting=False) as unfinished:
            np.savez(
                unfinished,
                outcome=np.array(result.outcome),
                samples=np.array(result.samples),
                train_seconds=np.array(result.train_seconds),
                probes=pack(result.probes),
                **arrays,
            )

    def read(self, key: str) -> Result | None:
        """The result of the trial called `key`, if it was finished. A damaged file is as none."""
        with suppress(InputError), intact(self.path(key)), _opened(self.path(key)) as file:

            def named(prefix: str) -> dict[str, Any]:
                names = [name for name in file if name.startswith(prefix)]
                return {name.removeprefix(prefix): file[name].tolist() for name in names}

            return Result(
                key=key,
                outcome=cast(Outcome, str(file["outcome"])),
                epochs={metric: tuple(values) for metric, values in named("epochs_").items()},
                samples=int(file["samples"]),
                train_seconds=float(file["train_seconds"]),
                probes=unpack(file["probes"]),
                validation=named("validation_"),
            )
        return None

    def weights(self, key: str) -> list[np.ndarray]:
        """A finished trial's values of `model.variables`."""
        with intact(self.path(key)), _opened(self.path(key)) as file:
            return [file[f"weight_{i}"] for i in range(sum(n.startswith("weight_") for n in file))]

    def checkpoint(self, keys: Iterable[str]) -> "Checkpoint":
        """The checkpoint of the trials called `keys`, which train together."""
        name = hashlib.sha256("".join(keys).encode()).hexdigest()
        return Checkpoint(self.folder / "running" / f"{name}.npz")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Its arrays, read as they are asked for. Opened here: NumPy does not close what it cannot
    read."""
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        yield file


class Checkpoint:
    """The file that holds where trials that train together stand.

    An epoch is kept unless the one kept last is younger than `SECONDS`: writing it would take
    longer than training it again.
    """

    SECONDS = 1.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self._written >= self.SECONDS

    def write(self, standing: Standing) -> None:
        arrays: dict[str, Any] = {
            f"state_{trial}_{i}": value
            for trial, state in enumerate(standing.states)
            for i, value in enumerate(state)
        }
        arrays |= {f"probes_{trial}": pack(seen) for trial, seen in enumerate(standing.probes)}
        rows, seconds = np.array(standing.rows), np.array(standing.seconds)
        with replacing(self._path, lasting=False) as unfinished:
            np.savez(unfinished, rows=rows, seconds=seconds, **arrays)
        self._written = time.monotonic()

    def read(self) -> Standing | None:
        """What was written last; None: nothing, or it is damaged."""
        with suppress(InputError), intact(self._path):
            file = read_arrays(self._path)
            rows = list(file["rows"])
            trials = len(rows[0])
            size = (len(file) - 2) // trials - 1
            states = [[file[f"state_{t}_{i}"] for i in range(size)] for t in range(trials)]
            probes = [unpack(file[f"probes_{t}"]) for t in range(trials)]
            return Standing(rows, states, float(file["seconds"]), probes)
        return None

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
