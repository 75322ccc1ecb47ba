"""How commands end: what the system refuses is a line and 2, our bug a line and 1."""

import errno
import os
import pickle
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warmstart.errors import MOST_PROBLEMS, InputError
from warmstart.faults import FAULTS, ended, system

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="needs /dev/full of Linux")


def full_database() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA max_page_count = 1")
    database.execute("CREATE TABLE x (y)")


# by an open file: pyarrow removes a path where it fails, and root may remove a device


def written_by_numpy() -> None:
    with FULL.open("wb") as file:
        np.save(file, np.zeros(100_000))


def written_by_arrow() -> None:
    with pa.OSFile(str(FULL), "w") as file:
        pq.write_table(pa.table({"x": np.arange(100_000)}), file)


def written_by_zipfile() -> None:
    with FULL.open("wb") as raw, zipfile.ZipFile(raw, "w") as file:
        file.writestr("x", b"y" * 100_000)


def written_by_hdf5() -> None:
    # as h5py 3.14 says it: it keeps the code to itself
    raise OSError(
        "Can't synchronously write data (file write failed: time = Fri Nov 27, filename = 'm.h5', "
        "errno = 28, error message = 'No space left on device', buf = 0x55d, total = 4)"
    )


@needs_full
@pytest.mark.parametrize(
    "write",
    [
        lambda: FULL.write_text("x" * 100_000),
        written_by_numpy,
        written_by_arrow,
        written_by_zipfile,
        written_by_hdf5,
        full_database,
    ],
    ids=["text", "numpy", "arrow", "zip", "hdf5", "sqlite"],
)
def test_a_full_disk_is_one_line_whoever_writes(
    write: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(lambda: int(write() is None)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected room on the disk" in line
    assert "free some" in line


def wrapped(error: BaseException) -> BaseException:
    """As a library hands it on."""
    try:
        try:
            raise error
        except BaseException as inner:
            raise ValueError("it failed") from inner
    except ValueError as outer:
        return outer


class ResourceExhaustedError(Exception):
    """As TensorFlow's is called."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files", "x"), "x: expected to open more files"),
        (OSError(errno.EROFS, "Read-only file system", "x"), "x: expected a place to read"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily"), "expected to start one more"),
        (RuntimeError("can't start new thread"), "executor.workers"),
        (OSError(errno.EFBIG, "File too large"), "ulimit -f"),
        (
            MemoryError("Unable to allocate 8.00 EiB"),
            "memory: expected enough memory, received: Un",
        ),
        (ResourceExhaustedError("OOM when allocating tensor"), "give fewer executor.workers"),
        (ImportError("libx.so: failed to map segment from shared object"), "memory: expected"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found"), "a place to read"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_limits_of_the_system_are_told_apart(error: Exception, said: str) -> None:
    for one in (error, wrapped(error), BaseExceptionGroup("several", [error])):
        line = system(one)
        assert line
        assert said in line
        assert "\n" not in line


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        TypeError("x"),
        ZeroDivisionError(),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "of_ours"),
        OSError(errno.EBADF, "Bad file descriptor"),
        KeyError("No space left on device"),
    ],
)
def test_what_is_none_of_the_systems_doing_is_a_bug(error: Exception) -> None:
    assert system(error) is None
    assert system(wrapped(error)) is None


def test_codes_are_those_of_this_system() -> None:
    assert all(os.strerror(code) for code in FAULTS)


def test_input_interrupts_and_good_ends(capsys: pytest.CaptureFixture[str]) -> None:
    def raises(error: BaseException) -> Callable[[], int]:
        def work() -> int:
            raise error

        return work

    assert ended(lambda: 0) == 0
    assert ended(raises(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ""
    assert ended(raises(InputError("a: expected b", "c\n: expected d"))) == 2
    assert capsys.readouterr().err == "error: a: expected b\nerror: c\\u000a: expected d\n"
    with pytest.raises(SystemExit):
        ended(raises(SystemExit(3)))


def test_problems_that_are_too_many_stay_as_many(capsys: pytest.CaptureFixture[str]) -> None:
    """Said anew by the command line, and come from a worker."""
    error = InputError(*map(str, range(120)))
    assert len(error.problems) == MOST_PROBLEMS
    assert error.problems[-2:] == ("48", "and 71 problems more; mend these first")
    assert pickle.loads(pickle.dumps(error)).problems == error.problems

    def fail() -> int:
        raise error

    assert ended(fail) == 2
    assert capsys.readouterr().err.splitlines() == [f"error: {line}" for line in error.problems]


def test_who_reads_the_first_line_alone_is_told_no_more(tmp_path: Path) -> None:
    code = (
        "import sys; from warmstart.faults import ended\n"
        "sys.exit(ended(lambda: [print('x' * 99) for _ in range(9999)] and 0))"
    )
    command = f'{sys.executable} -c "$0" | head -n 1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command, code], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.stderr, done.returncode) == ("", 141)
    assert done.stdout == "x" * 99 + "\n"


def test_a_bug_in_what_handles_a_refusal_is_a_bug() -> None:
    def handler() -> None:
        try:
            raise PermissionError(errno.EACCES, "Permission denied", "a.csv")
        except PermissionError:
            {}["missing"]

    with pytest.raises(KeyError) as caught:
        handler()
    assert system(caught.value) is None
