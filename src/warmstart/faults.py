"""How a command ends: 0 done; 2 the user can do something, a line each on standard error, be it the
input or the system (disk, memory, limits); 1 our bug, with a file to report it by. Needs nothing
but Python, since imports are the first to meet a limit."""

import errno
import os
import platform
import re
import select
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from warmstart.errors import InputError

ERRORS = Path(".warmstart/errors")
"""Where reports of our bugs lie, below the folder of the project."""
LEAST_MEMORY = 1 << 30
"""Bytes of address space. Below, OpenBLAS waits for ever where it may not have a buffer."""
_MEMORY = (
    "enough memory",
    "close other programs, or give fewer executor.workers in params.yaml",
)
_PLACE = ("a place to read and write in", "choose another, or mend this one")
_ROOM = ("room on the disk", "free some and run the command again, which goes on where it stood")
_FILES = ("to open more files at once", "raise the limit, as `ulimit -n 4096` does")
_PROCESSES = (
    "to start one more process or thread",
    "give fewer executor.workers in params.yaml, or raise the limit (`ulimit -u`, in a container "
    "--pids-limit)",
)
_DISK = ("a disk that reads and writes", "look after it, or choose another")
FAULTS = {
    errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM,
    errno.EACCES: _PLACE, errno.EPERM: _PLACE, errno.EROFS: _PLACE, errno.ENOTDIR: _PLACE,
    errno.EISDIR: _PLACE, errno.EEXIST: _PLACE, errno.ELOOP: _PLACE, errno.ENAMETOOLONG: _PLACE,
    errno.EMFILE: _FILES, errno.ENFILE: _FILES,
    errno.EAGAIN: _PROCESSES, errno.ENOMEM: _MEMORY,
    errno.EFBIG: ("to write a larger file", "raise the limit, as `ulimit -f unlimited` does"),
    errno.EIO: _DISK, errno.ESTALE: _DISK, errno.ENXIO: _DISK,
}  # fmt: skip
"""What the system may refuse -> what was expected, what to do."""
_SAID = {os.strerror(code).lower(): code for code in FAULTS if code != errno.EEXIST} | {
    "database or disk is full": errno.ENOSPC,
    "disk i/o error": errno.EIO,
    "attempt to write a readonly database": errno.EROFS,
    "unable to open database file": errno.EACCES,
    "can't start new thread": errno.EAGAIN,
    "failed to map segment from shared object": errno.ENOMEM,
    "resource_exhausted": errno.ENOMEM,
    "resourceexhaustederror": errno.ENOMEM,
    "std::bad_alloc": errno.ENOMEM,
}
"""How libraries say so that keep the code to themselves: HDF5, Arrow, SQLite, TensorFlow, ld.so."""
_BUGS = (LookupError, TypeError, AttributeError, AssertionError, NameError)
_CODE = re.compile(r"\berrno[ =:]+(\d+)", re.IGNORECASE)
_SECRET = re.compile(
    r"(?<=://)[^/@\s'\"]+(?=@)|(?i:(?<=password=)|(?<=token=)|(?<=secret=))[^&\s]+"
)


def ended(work: Callable[[], int]) -> int:
    """Do `work`, which returns an exit code, and say in a line each why it fails -> the code."""
    try:
        return _done(work)
    except KeyboardInterrupt:
        return 130
    except InputError as error:
        return _say(2, *error.problems)
    except BaseException as error:
        if isinstance(error, SystemExit | GeneratorExit):
            raise
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 141  # as of a program that SIGPIPE ends: `warmstart describe | head`
        line = system(error)
        return _say(2, line) if line else _say(1, _bug(error))


def _done(work: Callable[[], int]) -> int:
    code = work()
    if sys.stdout:
        sys.stdout.flush()  # what is printed may not reach the disk, or anybody
    return code


def system(error: BaseException) -> str | None:
    """What the system refused, in a line; None: nothing, so that `error` is a bug."""
    for one in _chain(error):
        code = _code(one)
        expected, advice = FAULTS.get(code or 0, ("", ""))
        if code == errno.ENOENT and getattr(one, "filename", None) is None:
            # no file of ours: the current folder, or a place for temporary ones, is gone
            expected, advice = _PLACE
        if expected:
            name = getattr(one, "filename", None)
            where = "memory" if code == errno.ENOMEM else name or "the system"
            known = isinstance(one, OSError) and one.strerror
            said = known if known and len(known) < 200 else _short(one)
            return f"{where}: expected {expected}, received: {said}; {advice}"
    return None


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 200 else f"{text[:120]} … {text[-60:]}"


def _code(error: BaseException) -> int | None:
    """Of `errno` the number that says what `error` came from."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError) and error.errno in (*FAULTS, errno.ENOENT):
        return error.errno
    text = f"{type(error).__name__}: {error}"
    if found := _CODE.search(text):
        return int(found[1]) if int(found[1]) in FAULTS else None
    if not isinstance(error, _BUGS):
        lower = text.lower()
        return next((code for said, code in _SAID.items() if said in lower), None)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """What Python's traceback would show, `error` first."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from (one for some in error.exceptions for one in _chain(some))
        # what was raised while another error was handled may be a bug of that handler
        handled = not error.__suppress_context__ and not isinstance(error, _BUGS)
        error = error.__cause__ or (error.__context__ if handled else None)


def _bug(error: BaseException) -> str:
    """Write all that is known of `error` -> the line that asks for a report."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    known = "\n".join(
        [
            f"warmstart on Python {platform.python_version()}, {platform.platform()}",
            " ".join(sys.argv),
            "".join(traceback.format_exception(error)),
        ]
    )
    known = _SECRET.sub("…", known)
    report = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        from warmstart.places import root

        folder = root() / ERRORS
        if not (root() / "params.yaml").exists():
            raise FileNotFoundError(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / report).write_text(known, encoding="utf-8", errors="backslashreplace")
        there = f"the file {folder / report}"
    except Exception:
        print(known, file=sys.stderr)
        there = "the lines above"
    said = _SECRET.sub("…", _short(error))
    return (
        f"a bug of warmstart, {type(error).__name__}: {said}{place}; please report it with {there}"
    )


def _say(code: int, *lines: str) -> int:
    """Say a line for each, red where there is a terminal -> `code`."""
    problems = InputError(*lines).problems
    if sys.stderr is None:
        return code
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    red = sys.stderr.isatty() and not plain
    head = "\x1b[1;31merror:\x1b[0m" if red else "error:"
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        _discard_output()
    try:
        for problem in problems:
            print(f"{head} {problem}", file=sys.stderr)
        sys.stderr.flush()
    except OSError:  # nobody is there to be told
        pass
    return code


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader is gone."""
    try:
        events = select.poll()
        events.register(sys.stdout.fileno(), 0)
        if not events.poll(0):
            return False
    except (AttributeError, OSError, ValueError):
        return False
    _discard_output()
    return True


def _discard_output() -> None:
    """Else what is left of it would be a traceback when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_little_memory() -> None:
    """Raise InputError where the address space is too small for the packages that are loaded."""
    try:
        import resource
    except ImportError:  # no Unix
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY:
        raise InputError(
            f"memory: expected {LEAST_MEMORY / 1e9:.1f} GB of address space at least, received a "
            f"limit of {limit / 1e9:.2f} GB; raise it, as `ulimit -v unlimited` does"
        )
