"""Has every Python process below a command say what it spent its processor time on.

It wraps the functions that `seams.json` in the folder WARMSTART_PROFILE names, as soon as their
module is loaded, and leaves a file there when the process ends. What it imports, every process has
to: nearly all of it Python has loaded by then.
"""

import atexit
import functools
import importlib._bootstrap as bootstrap
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

FOLDER = "WARMSTART_PROFILE"
START, IMPORTS, REST = "start of Python", "imports", "rest"


class Ledger:
    """Processor time of one process by (stage, kind). Kinds nest: an inner one is not counted in
    the outer one. All sum to what the process has spent, whatever threads spent it.

    Args:
        clock: seconds of all threads.
        thread_clock: of the calling thread.
        inside: outer kind -> kind -> what it is called there.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.process_time,
        thread_clock: Callable[[], float] = time.thread_time,
        inside: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self.spent: dict[tuple[str, str], float] = {}
        self.stage = os.environ.get("DVC_STAGE", "")
        self._clock, self._thread_clock, self._inside = clock, thread_clock, inside or {}
        self._kind, self._since = START, 0.0
        self._begin()

    def _begin(self) -> None:
        self._main, self._lock = threading.get_ident(), threading.Lock()
        self._others = threading.local()

    def forked(self) -> None:
        """In a child, whose processor time starts at 0."""
        self.spent.clear()
        self._since = 0.0
        self._begin()

    def serve(self, stage: str) -> None:
        """What is spent from now on is for `stage`."""
        self.enter(self._kind)
        self.stage = stage

    def enter(self, kind: str) -> str:
        """What is spent from now on is of `kind`. Returns the kind until now."""
        if threading.get_ident() == self._main:
            now, before = self._clock(), self._kind
            with self._lock:
                self._add(before, now - self._since)
            kind = self._inside.get(before, {}).get(kind, kind)
            self._kind, self._since = kind, now
            return before
        # the process's clock counts other threads in what the main one is at: taken from there
        now, own = self._thread_clock(), self._others
        before, since = getattr(own, "kind", ""), getattr(own, "since", now)
        if before:
            with self._lock:
                self._add(before, now - since)
                self._add(self._kind, since - now)
        own.kind, own.since = kind, now
        return before

    def _add(self, kind: str, seconds: float) -> None:
        key = self.stage, kind
        self.spent[key] = self.spent.get(key, 0.0) + seconds


def wrapped(ledger: Ledger, function: Any, kind: str, stage: int | None = None) -> Any:
    """`function`, whose time is of `kind`.

    Args:
        stage: the place of the argument whose last part of a path names the stage that it is for.
    """
    if isinstance(function, classmethod):
        return classmethod(wrapped(ledger, function.__func__, kind, stage))

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        if stage is not None:
            ledger.serve(str(arguments[stage]).rpartition("/")[2])
        before = ledger.enter(kind)
        try:
            return function(*arguments, **named)
        finally:
            ledger.enter(before)

    return call


class Hook:
    """Wraps functions in this process, and leaves the file."""

    def __init__(self, folder: str) -> None:
        with open(f"{folder}/seams.json", encoding="utf-8") as file:  # noqa: PTH123
            told = json.load(file)
        self._folder, self._seams, self._stages = folder, told["seams"], told["stages"]
        self._met: list[str] = []
        self._ledger = Ledger(inside=told["inside"])
        self._ledger.enter(REST)
        self._left = False
        self._reaped: list[tuple[int, float]] = []
        self._find, self._exit = bootstrap._find_and_load, os._exit  # type: ignore[attr-defined]
        self._wait4 = os.wait4

    def install(self) -> None:
        bootstrap._find_and_load = self._load  # type: ignore[attr-defined]
        os._exit = self._end  # type: ignore[assignment]
        os.waitpid, os.wait4 = self._reap, self._note  # type: ignore[assignment]
        os.register_at_fork(after_in_child=self._forked)
        atexit.register(self._leave)

    def _load(self, name: str, import_: Any) -> Any:
        """Python's own, for modules that are not loaded."""
        before = self._ledger.enter(IMPORTS)
        try:
            module = self._find(name, import_)
        finally:
            self._ledger.enter(before)
        if name in self._seams and not module.__spec__._initializing:
            self._wrap(module, self._seams.pop(name))
        return module

    def _wrap(self, module: Any, places: dict[str, str]) -> None:
        for place, kind in places.items():
            *outer, name = place.split(".")
            owner = functools.reduce(getattr, outer, module)
            seam = f"{module.__name__}:{place}"
            if name not in vars(owner):
                sys.exit(f"profile: expected {seam}, which benchmarks/profiling/seams.py names")
            stage = self._stages.get(seam)
            setattr(owner, name, wrapped(self._ledger, vars(owner)[name], kind, stage))
            self._met.append(seam)

    def _reap(self, pid: int, options: int, /) -> tuple[int, int]:
        """`os.waitpid`."""
        return self._note(pid, options)[:2]

    def _note(self, pid: int, options: int, /) -> tuple[int, int, Any]:
        """`os.wait4`, which notes what the child and all that it has reaped have spent."""
        pid, status, usage = self._wait4(pid, options)
        if pid:
            self._reaped.append((pid, usage.ru_utime + usage.ru_stime))
        return pid, status, usage

    def _forked(self) -> None:
        self._ledger.forked()
        self._reaped.clear()
        self._left = False

    def _end(self, code: int) -> None:
        self._leave()
        self._exit(code)

    def _leave(self) -> None:
        if self._left:
            return
        self._left = True
        self._ledger.enter(REST)
        content = {
            "process": os.getpid(),
            "command": sys.orig_argv[1:],
            "reaped": self._reaped,
            "seams": self._met,
            "spent": [[*key, seconds] for key, seconds in self._ledger.spent.items()],
        }
        path = f"{self._folder}/{os.getpid()}-{time.time_ns()}.json"
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(content, file)


def start() -> None:
    """Do so in this process, if it is asked for."""
    if folder := os.environ.get(FOLDER):
        Hook(folder).install()
