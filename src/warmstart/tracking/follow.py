"""Publishing beside a pipeline instead of at the end of each of its stages.

Loading MLflow takes as long as publishing a hundred runs, and a stage that publishes uses one core.
A pipeline that is followed loads it once and trains on meanwhile.
"""

import os
import select
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from warmstart.errors import InputError
from warmstart.tracking import publish, publish_quietly
from warmstart.tracking.live import Live

FOLLOWED = "WARMSTART_FOLLOWED"
"""Environment variable by which stages know that somebody else publishes what they write."""

LOOK_SECONDS = 1.0
NICE = 19
"""Our priority beside a pipeline, the lowest: at 15 training took 1 % longer, at 10 5 %."""

Found = dict[Path, tuple[int, ...]]
"""Folders with records -> when their files were last written, in ns."""


def publish_during(command: Sequence[str], root: Path) -> int:
    """Run `command` and publish what it writes into folders below `root`; its exit code.

    Nothing that fails here reaches the command. What could not be published by its end is tried
    once more then, with one line on standard error where it fails again.

    Raises:
        InputError: if there is no such command.
    """
    before = _found(root)
    try:
        process = subprocess.Popen(command, env=os.environ | {FOLLOWED: "1"})
    except (OSError, IndexError) as error:
        raise InputError(
            f"--during: expected a command to run, received {' '.join(command) or 'nothing'} "
            f"({error}); name one, as in --during dvc repro"
        ) from None
    give_way()
    with process:
        _publish_while(lambda: _runs(process), root, before)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def publish_until_closed(stream: TextIO, root: Path) -> None:
    """As `publish_during`, until `stream` is at its end: for a pipeline that starts us."""
    give_way()
    _publish_while(lambda: _is_open(stream), root, _found(root))


def give_way() -> None:
    """Let those who train have the cores first."""
    os.setpriority(os.PRIO_PROCESS, 0, NICE)


def _publish_while(goes_on: Callable[[], bool], root: Path, before: Found) -> None:
    published = before
    live = Live()
    while goes_on():
        live.publish_quietly()
        now = _found(root)
        for folder, seen in now.items():
            # a stage writes several files: wait until they have stayed the same
            if before.get(folder) == seen != published.get(folder) and _publish(folder):
                published = published | {folder: seen}
        before = now
    for folder, seen in _found(root).items():
        if published.get(folder) != seen:
            publish_quietly(folder)
    live.publish_quietly()  # of a stage that failed or was killed


def _found(root: Path) -> Found:
    found = {}
    for path in sorted(root.rglob("records.parquet")):
        files = path, path.with_name("summary.json")
        try:
            found[path.parent] = tuple(f.stat().st_mtime_ns for f in files if f.exists())
        except OSError:  # DVC takes away what a stage is about to write anew
            continue
    return found


def _runs(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it still does, a second later."""
    while True:
        try:
            process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            return True
        except KeyboardInterrupt:  # the terminal told the command too, which ends as it must
            continue
        return False


def _is_open(stream: TextIO) -> bool:
    """Whether it still is, a second later."""
    try:
        return not select.select([stream], [], [], LOOK_SECONDS)[0]
    except KeyboardInterrupt:  # the pipeline closes it when it has ended
        return True


def _publish(folder: Path) -> bool:
    try:
        publish(folder)
    except KeyboardInterrupt:
        return False
    except Exception:  # as `publish_quietly`; there will be another try
        return False
    return True
