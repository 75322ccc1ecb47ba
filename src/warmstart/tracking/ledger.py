"""What MLflow has of a project, as far as is known here: so that what a publisher that was killed
has left out is published by the next one, and nobody is asked where nothing is owed."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from warmstart.errors import InputError
from warmstart.files import read_sealed, write_sealed
from warmstart.runtime.process import is_gone, this_process
from warmstart.tracking.opening import local_file, tracking_uri
from warmstart.tracking.project import State


class Ledger:
    """A file that several publishers write. Each entry is true for good: this state was published.
    One that is lost is published again, which changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, FileLock(f"{path}.lock")
        self._me, self._at_work = this_process(), False

    def known(self) -> dict[Path, State]:
        """Folders with the state in which MLflow has them."""
        return {Path(of): tuple(state) for of, state in self._read()["folders"].items()}

    def interrupted(self) -> bool:
        """Whether a publisher has died in the middle."""
        return any(map(is_gone, self._read()["at_work"]))

    def begin(self) -> None:
        """From now on the middle."""
        if not self._at_work:
            self._change({}, at_work=True)

    def add(self, folder: Path, state: State) -> None:
        """MLflow has that folder in that state."""
        self._change({str(folder): state}, at_work=True)

    def end(self) -> None:
        """MLflow has nothing half, of ours and of those that have died."""
        if self._path.exists():
            self._change({}, at_work=False)

    def _change(self, folders: Mapping[str, State], *, at_work: bool) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            known = self._read()
            known["folders"] |= folders
            others = {name for name in known["at_work"] if name != self._me}
            if at_work:
                known["at_work"] = sorted(others | {self._me})
            else:
                known["at_work"] = sorted(name for name in others if not is_gone(name))
            write_sealed(self._path, known | {"store": _store()})
        self._at_work = at_work

    def _read(self) -> dict[str, Any]:
        """Nothing is known of another store; nor where the file is damaged."""
        with suppress(OSError, InputError):
            known = read_sealed(self._path)
            if known["store"] == _store():
                return known
        return {"folders": {}, "at_work": []}


def _store() -> str:
    """A digest, since the address may hold a password. An SQLite file is another one once it was
    removed."""
    uri = tracking_uri()
    file = local_file(uri)
    number = file.stat().st_ino if file and file.exists() else None
    named = f"{uri} {os.environ.get('MLFLOW_REGISTRY_URI')} {number}"
    return hashlib.sha256(named.encode()).hexdigest()
