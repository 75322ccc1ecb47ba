"""MLflow gets what a pipeline writes while it works: beside a command that we start, or beside one
that has started us."""

import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from warmstart.errors import InputError
from warmstart.tracking.addresses import shown
from warmstart.tracking.opening import local_file, tracking_uri
from warmstart.tracking.project import Project
from warmstart.tracking.publish import Publisher, warn

LOOK_SECONDS = 1.0
END_SECONDS = 60.0
"""From the end of the command that is followed until ours, however long a server takes."""
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that are meant for the command. Ours is to publish what it leaves."""


def publish_during(command: Sequence[str], project: Project) -> int:
    """Run `command` and publish what it writes, and what earlier runs owe, whatever fails there;
    its exit code, or that of a signal to us, which it gets.

    Raises:
        InputError: if there is no such command.
    """
    publisher = Publisher(project, follows=True)
    with _started(command) as (process, told):

        def code() -> int:
            found = -told[0] if told else process.returncode
            return found if found >= 0 else 128 - found

        with _in_time(project, process.wait, code):
            publisher.follow(lambda: _runs(process))
    return code()


def publish_until_closed(stream: TextIO, project: Project) -> bool:
    """As `publish_during`, until `stream` ends, for a pipeline that starts us: whether MLflow has
    all. Says on standard output what was published."""
    publisher = Publisher(project, follows=True, says=True)
    with _in_time(project, lambda: select.select([stream], [], []), lambda: 2):
        complete = publisher.follow(lambda: _is_open(stream))
    if complete:
        print(f"{publisher.published} runs and models published")
    return complete


@contextmanager
def _in_time(
    project: Project, ended: Callable[[], object], code: Callable[[], int]
) -> Iterator[None]:
    """Where the store is on a server, which may take any time, leave with the exit `code` when the
    block still lasts `END_SECONDS` after `ended` has returned. A publisher may end anywhere."""
    done = threading.Event()

    def watch() -> None:
        ended()
        if not done.wait(END_SECONDS):
            warn(project, f"{shown(tracking_uri())} had {END_SECONDS:.0f} s for it after the end")
            os._exit(code())

    if not local_file(tracking_uri()):
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


@contextmanager
def _started(command: Sequence[str]) -> Iterator[tuple["subprocess.Popen[bytes]", list[int]]]:
    """The command, and the signals that it was passed; it has ended when the block has."""
    process: subprocess.Popen[bytes] | None = None
    told: list[int] = []

    def tell(number: int, _: object) -> None:
        told.append(number)
        if process and process.returncode is not None:  # then it is us who are to end
            raise KeyboardInterrupt
        if process:
            process.send_signal(number)

    # one that is ignored stays so, as under nohup
    before = {n: had for n in ENDS if (had := signal.getsignal(n)) != signal.SIG_IGN}
    for ours in before:
        signal.signal(ours, tell)
    try:
        try:
            process = subprocess.Popen(command)
        except (OSError, IndexError) as error:
            raise InputError(
                f"--during: expected a command to run, received {' '.join(command) or 'nothing'} "
                f"({error}); name one, as in --during dvc repro"
            ) from None
        for number in told:  # before there was a process
            process.send_signal(number)
        with process:
            yield process, told
    finally:
        for ours, had in before.items():
            signal.signal(ours, had)


def _runs(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it still does, a second later."""
    try:
        process.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _is_open(stream: TextIO) -> bool:
    """Whether it still is, a second later."""
    try:
        return not select.select([stream], [], [], LOOK_SECONDS)[0]
    except KeyboardInterrupt:  # the pipeline closes it when it has ended
        return True
