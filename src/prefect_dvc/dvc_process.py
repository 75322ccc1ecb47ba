"""A DVC command of which nothing outlives the flow: `python dvc_process.py SECONDS ARGUMENT...`;
or, for a terminal, DVC as the flow runs it: `python dvc_process.py dvc ARGUMENT...`.

The flow holds our standard input, so its end, however it comes, is that of the input. DVC runs in a
child. Linux gives us every orphan below it (PR_SET_CHILD_SUBREAPER), sessions of their own
included, so all that the stage has started can be ended, by force after a while.
"""

import ctypes
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial, partialmethod
from itertools import count
from pathlib import Path
from typing import Any

LATE = 124
"""Exit code of a command that took more than SECONDS (0: no limit), as that of `timeout`."""
GRACE_SECONDS = 3.0


def main(seconds: float, arguments: list[str]) -> int:
    """Run the command; its exit code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    command = os.fork()
    if not command:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        run_dvc(arguments)
    code, late, ends = 0, threading.Event(), queue.SimpleQueue[bytes]()
    threading.Thread(target=lambda: ends.put(os.read(0, 1)), daemon=True).start()
    threading.Thread(target=end_all, args=[ends, seconds or None, late], daemon=True).start()
    with suppress(ChildProcessError):  # none is left
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == command:
                code = os.waitstatus_to_exitcode(status)
                ends.put(b"")  # for what the stage has left behind
    return LATE if late.is_set() else code


def run_dvc(arguments: list[str]) -> None:
    """Run DVC, which stages side by side often make wait for its locks: for the repository's it
    would look each half second, for the guard of its list of held paths give up after three. And
    see `restore`, `load` and `keep`."""
    from dvc import cli, lock, output, rwlock
    from dvc.stage.cache import StageCache

    lock.DEFAULT_TIMEOUT = 0.3  # seconds; it looks six times in this
    rwlock.make_lock = partial(lock.make_lock, wait=True)
    StageCache.restore = partialmethod(restore, StageCache.restore)
    StageCache._load = load
    output.otransfer = partial(keep, output.otransfer)
    files = logging.getLogger("dvc_data.hashfile.transfer")
    told = count()
    files.addFilter(lambda _: not next(told))  # of many files the first
    sys.exit(cli.main(["--wait-for-lock", *arguments]))


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


def load(cache: Any, stage: Any) -> Any:
    """DVC's `StageCache._load`, which of all runs with these inputs takes the newest, although its
    outputs may be nowhere: take the newest whose outputs are here, else the newest of all."""
    from dvc.stage.cache import _get_stage_hash

    key = _get_stage_hash(stage)
    runs = sorted(Path(cache._get_cache_dir(key)).glob("*"), key=os.path.getmtime, reverse=True)
    found = [known for run in runs if (known := cache._load_cache(key, run.name))]
    here = (known for known in found if cache._create_stage(known, stage.wdir).outs_cached())
    return next(here, found[0] if found else None)


def end_all(ends: "queue.SimpleQueue[bytes]", seconds: float | None, late: threading.Event) -> None:
    """Once asked to, or after `seconds`, end all descendants as long as there are any."""
    try:
        ends.get(timeout=seconds)
    except queue.Empty:
        late.set()
    import psutil

    force, asked = time.monotonic() + GRACE_SECONDS, set[object]()
    while True:
        # parents first: a DVC that sees its stage end writes its files, and would die at it
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if time.monotonic() > force:
                    process.kill()
                elif process not in asked:
                    process.terminate()
                    asked.add(process)
        time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1] == "dvc":
        run_dvc(sys.argv[2:])
    os._exit(main(float(sys.argv[1]), sys.argv[2:]) & 255)  # a thread still reads
