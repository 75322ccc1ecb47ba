"""DVC as we run it. It waits for others, takes what was made here for what another machine made,
and mends what a killed process or a loss of power has left half written, where it reads it.

Of 3.67: its files of state are written in place, and half of one stops every command; objects in
its cache are taken for whole by their mode. Imports nothing of ours: `dvc_process.py` loads it as a
file.
"""

import json
import logging
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, partialmethod
from itertools import count
from pathlib import Path
from typing import Any


def apply() -> None:
    """Change DVC in this process."""
    from dvc import lock, output, rwlock
    from dvc.dvcfile import Lockfile
    from dvc.stage.cache import StageCache
    from dvc.utils.serialize import _common
    from dvc_data.hashfile.db.local import LocalHashFileDB

    # stages side by side make DVC wait: for the repository's lock it would look each half second,
    # for the guard of its list of held paths give up after three
    lock.DEFAULT_TIMEOUT = 0.3  # seconds; it looks six times in this
    rwlock.make_lock = partial(lock.make_lock, wait=True)
    rwlock._edit_rwlock = edit_held
    _common._dump_data = partial(dump, _common._dump_data)
    Lockfile._load = partialmethod(load_lock, Lockfile._load)
    LocalHashFileDB.check = check  # type: ignore[assignment,method-assign]
    StageCache.restore = partialmethod(restore, StageCache.restore)
    StageCache._load_cache = partialmethod(load_run, StageCache._load_cache)
    StageCache._load = load
    output.otransfer = partial(keep, output.otransfer)
    told = count()
    # of many files that cannot be kept the first
    logging.getLogger("dvc_data.hashfile.transfer").addFilter(lambda _: not next(told))


@contextmanager
def edit_held(folder: str, _: Any, hardlink: bool) -> Iterator[dict[str, Any]]:
    """DVC's `rwlock._edit_rwlock`: the list of paths that processes hold. Half a list is none, and
    a process that is gone holds nothing, though another one may have its number now."""
    from dvc import rwlock

    path = Path(folder, rwlock.RWLOCK_FILE)
    guard = str(path.with_name(rwlock.RWLOCK_LOCK))
    with rwlock.make_lock(guard, tmp_dir=folder, hardlink_lock=hardlink):
        held, when = rwlock.SCHEMA({}), 0.0
        with suppress(FileNotFoundError, ValueError, rwlock.Invalid):
            held, when = rwlock.SCHEMA(json.loads(path.read_bytes())), path.stat().st_mtime
        lives = partial(lived_at, when)
        readers = {of: [*filter(lives, those)] for of, those in held["read"].items()}
        held["read"] = defaultdict(list, {of: those for of, those in readers.items() if those})
        held["write"] = defaultdict(
            dict, {o: who for o, who in held["write"].items() if lives(who)}
        )
        yield held
        with replacing(path) as file:
            json.dump(held, file)


def lived_at(when: float, holder: dict[str, Any]) -> bool:
    """Whether the process is there and had been started then (s since 1970)."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        # known to a second; nobody has loaded DVC and written the list so soon
        return psutil.Process(holder["pid"]).create_time() < when + 1
    return False


@contextmanager
def replacing(path: Path) -> Iterator[Any]:
    """A file to write, which then takes the place of `path`, on the disk, too."""
    path = path.resolve()
    beside = path.with_name(f".{path.name}.unfinished")
    try:
        with beside.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def dump(by_dvc: Callable[..., None], path: Any, data: Any, dumper: Any, fs: Any = None) -> None:
    """DVC's `_dump_data`, for dvc.lock and whatever else it modifies: never half of it."""
    if fs and fs.protocol != "local":
        by_dvc(path, data, dumper, fs)
        return
    with replacing(Path(path)) as file:
        dumper(data, file)


def load_lock(lock: Any, by_dvc: Callable[..., Any], **how: Any) -> Any:
    """DVC's `Lockfile._load`. What nobody can read is set aside for what was committed: the outputs
    that it named beyond that are found by `restore`. One with a merge's conflicts is a person's to
    solve, and one in a commit stays as it is."""
    from dvc.exceptions import DvcException
    from dvc.fs import LocalFileSystem
    from dvc.utils.serialize import ParseError
    from dvc.utils.strictyaml import YAMLValidationError

    try:
        return by_dvc(lock, **how)
    except (ParseError, YAMLValidationError):
        path = Path(lock.path)
        if not isinstance(lock.repo.fs, LocalFileSystem) or b"<<<<<<<" in path.read_bytes():
            raise
    aside = path.replace(Path(lock.repo.tmp_dir, f"{path.name}.unreadable"))
    print(
        f"{path.name}: unreadable, set aside as {os.path.relpath(aside)}; what was committed holds",
        file=sys.stderr,
        flush=True,
    )
    show = ["git", "show", f"HEAD:./{path.name}"]
    with suppress(OSError):
        committed = subprocess.run(show, cwd=path.parent, capture_output=True)
        if committed.returncode == 0:
            path.write_bytes(committed.stdout)
    try:
        return by_dvc(lock, **how)
    except DvcException:
        path.unlink()
        return by_dvc(lock, **how)


def check(objects: Any, oid: str, check_hash: bool = True, _info: Any = None) -> Any:
    """DVC's `LocalHashFileDB.check`, which takes what is read-only for whole. DVC knows the hash of
    a file by its size and time, so only what was changed is read."""
    from dvc_data.fsutils import _localfs_info
    from dvc_data.hashfile.db import HashFileDB

    info = _info or _localfs_info(objects.oid_to_path(oid))
    return HashFileDB.check(objects, oid, check_hash, info)


def restore(cache: Any, by_lock: Callable[..., None], stage: Any, **how: Any) -> None:
    """DVC's `StageCache.restore`, which where dvc.lock knows a stage's inputs looks for the outputs
    that it names, and for no others. Those may have been made on another machine: then look for
    what has been made of these inputs here."""
    from dvc.stage.cache import RunCacheNotFoundError
    from dvc_data.hashfile.hash_info import HashInfo

    try:
        by_lock(cache, stage, **how)
    except RunCacheNotFoundError:
        for out in stage.outs:
            out.hash_info = HashInfo()
        by_lock(cache, stage, **how)


def keep(transfer: Callable[..., Any], *given: Any, **how: Any) -> Any:
    """DVC's `transfer`, after which all seems well where outputs did not get into the cache."""
    from dvc.exceptions import DvcException

    done = transfer(*given, **how)
    if done.failed:
        raise DvcException(
            f"DVC's cache: expected room for all outputs, {len(done.failed)} files are not in it, "
            "as said above; free some and run the command again"
        )
    return done


def load_run(cache: Any, by_dvc: Callable[..., Any], key: str, value: str) -> Any:
    """DVC's `StageCache._load_cache`: a run whose name is the hash of what it says."""
    from dvc.stage.cache import _get_cache_hash

    run = by_dvc(cache, key, value)
    if run and _get_cache_hash(run) != value:
        Path(cache._get_cache_path(key, value)).unlink()
        return None
    return run


def load(cache: Any, stage: Any) -> Any:
    """DVC's `StageCache._load`, which of all runs with these inputs takes the newest, although its
    outputs may be nowhere: take the newest whose outputs are here, else the newest of all."""
    from dvc.stage.cache import _get_stage_hash

    key = _get_stage_hash(stage)
    runs = sorted(Path(cache._get_cache_dir(key)).glob("*"), key=os.path.getmtime, reverse=True)
    found = [known for run in runs if (known := cache._load_cache(key, run.name))]
    here = (known for known in found if cache._create_stage(known, stage.wdir).outs_cached())
    return next(here, found[0] if found else None)
