"""`python mortal_publisher.py FOLDER SEED MOST TIMES`: publish FOLDER in process after process.

Each is killed (SIGKILL) after a random number, up to MOST, of what it says to the store: SQL
statements, commits, and answers of a server; but for the one after TIMES of them, unless one has
come through before. Prints how many were killed.
"""

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import sqlalchemy
from urllib3.connection import HTTPConnection

from made_up_results import publish


def die_after(words: int) -> None:
    said = 0

    def count(*_: Any, **__: Any) -> None:
        nonlocal said
        said += 1
        if said == words:
            os.kill(os.getpid(), signal.SIGKILL)

    for event in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sqlalchemy.event.listen(sqlalchemy.engine.Engine, event, count)
    answer = HTTPConnection.getresponse

    def heard(connection: HTTPConnection) -> Any:
        response = answer(connection)  # the server has done it
        count()
        return response

    HTTPConnection.getresponse = heard  # type: ignore[method-assign]


def main(folder: Path, seed: int, most: int, times: int) -> int:
    import mlflow  # noqa: F401  (once for all of them)

    numbers = random.Random(seed)
    for killed in range(times + 1):
        words = numbers.randint(1, most)
        process = os.fork()
        if not process:
            if killed < times:
                die_after(words)
            publish(folder)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if status == 0:
            print(killed)
            return 0
        if status != -signal.SIGKILL:
            return 1
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
