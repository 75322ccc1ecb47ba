"""The door: `warmstart` and `python -m warmstart` are one. `warmstart.faults` says how it ends."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence

from warmstart import terminal
from warmstart.faults import ended, refuse_little_memory
from warmstart.runtime.lifetime import end_with_parent


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""

    def work() -> int:
        refuse_little_memory()
        from warmstart.commands import called  # what it imports may meet a limit, too

        return called(argv)

    return ended(work)


def run() -> None:
    """The console script."""
    if "DVC_STAGE" in os.environ:
        # a stage that outlived a killed `dvc repro` would write beside the next
        # (one that our imports took longer than it lived, too: prefect_dvc tells its number)
        end_with_parent(os.getppid(), int(os.environ.get("DVC_PROCESS", 0)))
    # most objects are of modules, which stay: to search them for garbage, while they are loaded and
    # once more at the end, took a third of what a stage spends beside its work
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    terminal.prepare()
    sys.exit(main())


if __name__ == "__main__":
    run()
