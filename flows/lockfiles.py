"""DVC's own files of state, which it writes in place: `kill -9` may leave half of one.

The next DVC then refuses to work. What is lost is made good by DVC's run cache.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.lock import make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK
from dvc.utils.serialize import load_yaml, modify_yaml

from flows.graph import Stage

FOLDER, LOCK = Path(".dvc/tmp"), Path("dvc.lock")
BEFORE = FOLDER / "flow.dvc.lock"
"""dvc.lock as the flow found it; there while one runs and after one was killed."""


def mend_rwlock() -> None:
    """Forget which paths are held where DVC was killed while it wrote that down."""
    held = FOLDER / RWLOCK_FILE
    if _is_json(held):
        return
    # under DVC's own guard, for which it waits half a second: a file that is being written looks so
    with make_lock(str(FOLDER / RWLOCK_LOCK), tmp_dir=str(FOLDER), wait=True):
        if not _is_json(held):
            held.unlink()


def mend_lock() -> None:
    """Take back the dvc.lock from before a flow that was killed, if what it left is unreadable.

    One with a merge's conflicts is a person's to solve.
    """
    if BEFORE.exists() and not _is_readable() and "<<<<<<<" not in LOCK.read_text():
        kept = LOCK.rename(FOLDER / "dvc.lock.unreadable")
        _put(LOCK, BEFORE.read_text())
        print(f"{LOCK}: unreadable since a flow was killed, now as before it; the other is {kept}")


@contextmanager
def lock_in_order(stages: Sequence[Stage]) -> Iterator[None]:
    """Leave the dvc.lock that bare `dvc repro` leaves: each stage adds its entry when it ends."""
    if not BEFORE.exists():
        _put(BEFORE, LOCK.read_text() if LOCK.exists() else "")
    here = _names(LOCK)
    before = [name for name in _names(BEFORE) if name in here]  # a killed flow may have lost some
    yield
    after = _names(LOCK)
    added = [stage.name for stage in stages if stage.name in after and stage.name not in before]
    if [name for name in after if name in added] != added:
        with Repo(_wait_for_lock=True) as repo, repo.lock, modify_yaml(LOCK) as lock:
            for name in added:
                lock["stages"][name] = lock["stages"].pop(name)
    BEFORE.unlink()


def _is_json(path: Path) -> bool:
    """Or not there."""
    try:
        json.loads(path.read_text())
    except FileNotFoundError:
        pass
    except ValueError:
        return False
    return True


def _is_readable() -> bool:
    try:
        with Repo() as repo:
            Lockfile(repo, str(LOCK)).load()
    except DvcException:
        return False
    return True


def _names(path: Path) -> list[str]:
    return list(load_yaml(path).get("stages", {})) if path.exists() else []


def _put(path: Path, text: str) -> None:
    half = path.with_suffix(".half")
    half.write_text(text)
    half.replace(path)
