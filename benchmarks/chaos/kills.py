"""A command with all that it starts, some process of which is killed at a random moment."""

import os
import random
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from whole_runs import Running, start

ENDS_SECONDS = 180.0
"""After which what a killed command has left running counts as stuck."""
NEXT_SECONDS = 1800.0
"""After which the next run does."""
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)
ALL = "everything"
BUG = "error: a bug of warmstart"
Roles = Mapping[str, str]
"""Who -> a text in the command line of a process that is it; the first that fits holds."""


def struck(running: Running, moment: float, luck: random.Random, roles: Roles) -> str:
    """Kill of a command that has just been started what luck says, so many seconds later: what was
    done; nothing where it has ended before."""
    with suppress(subprocess.TimeoutExpired):
        running.process.wait(moment)
        return ""
    # what has no role yet is between fork and exec, or a helper of Python's
    living = [(who, p) for p in running.processes() if (who := role(p, roles))]
    how, victim = luck.choice(SIGNALS), luck.choice([ALL, *sorted({who for who, _ in living})])
    if victim == ALL and how == signal.SIGKILL:
        running.kill_all()
    elif victim == ALL:  # as the terminal does, or the end of a session
        os.killpg(running.process.pid, how)
    else:
        process = luck.choice([process for who, process in living if who == victim])
        with suppress(psutil.NoSuchProcess):
            process.send_signal(how)
    return f"{how.name} to {victim}"


def role(process: psutil.Process, roles: Roles) -> str:
    """Whose it is; empty: nobody's."""
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return ""
    return next((who for who, text in roles.items() if text in line), "")


def after(running: Running) -> dict[str, str]:
    """Wait until nothing of it runs any more; what is wrong with its end."""
    try:
        running.ended(ENDS_SECONDS)
    except AssertionError as left:
        running.kill_all()
        return {"stuck": str(left)[:300]}
    return tracebacks(running.log)


def again(folder: Path, *command: str, **more: str) -> dict[str, str]:
    """Run it once more, which must end well; what is wrong with that."""
    running = start(folder, *command, **more)
    try:
        code = running.process.wait(NEXT_SECONDS)
    except subprocess.TimeoutExpired:
        running.kill_all()
        return {"stuck": f"the next run took more than {NEXT_SECONDS:.0f} s"}
    faults = after(running)
    if code:
        last = " / ".join(running.log.read_text(errors="replace").strip().splitlines()[-3:])
        faults["stuck"] = f"the next run ended with {code}: {last}"[:300]
    return faults


def tracebacks(log: Path) -> dict[str, str]:
    """The fault of a text with Python's own account of an error, or of one that we take for a bug
    of ours: that error."""
    said = log.read_text(errors="replace").splitlines()
    bugs = [line for line in said if BUG in line]
    begins = [n for n, line in enumerate(said) if "Traceback (most recent call last)" in line]
    if begins:  # the first line below that is not indented
        rest = (line for line in said[begins[0] + 1 :] if line and not line.startswith((" ", "|")))
        bugs.append(next(rest, "cut off"))
    return {"traceback": bugs[0][:300]} if bugs else {}


def first_of_each(problems: Iterable[str], kinds: Mapping[str, str]) -> dict[str, str]:
    """Problems sorted by fault, of each fault the first and how many more.

    Args:
        kinds: a text in a problem -> its fault; the first that fits holds.
    """
    found: dict[str, list[str]] = {}
    for problem in problems:
        fault = next((fault for text, fault in kinds.items() if text in problem), "differs")
        found.setdefault(fault, []).append(problem)
    return {
        fault: lines[0][:300] + (f", and {len(lines) - 1} more" if len(lines) > 1 else "")
        for fault, lines in found.items()
    }
