"""What a Dask worker does with a piece of work: the same as a local one, in a folder of its own.

It asks the process that submitted the work ("home") for the files it needs, and sends finished
trials there, so that its death costs those of the last second and no others: Dask gives the piece
to another worker, which leaves out what has arrived.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, TypeVar

from distributed import Queue, get_client, get_worker

from warmstart.files import replacing
from warmstart.runtime.processes import StoppedError
from warmstart.training import setup
from warmstart.training.trials import Cohort, Pretrained, Split

ASK_AGAIN_SECONDS = 60
SEND_SECONDS = 1.0
"""Between two deliveries: each waits for the scheduler, and a small trial takes milliseconds."""
T = TypeVar("T", Split, Pretrained)

_one_at_a_time = Lock()  # a worker that joined later may have several threads


def do(
    work: Callable[..., Any], cohort: Cohort, files: Sequence[str], queue: str, backend: str
) -> Any:
    """`work` on `cohort`, of whose trials home has `files`; new ones of theirs are sent home.

    Args:
        queue: name of the Dask queue that is read at home.

    Raises:
        StoppedError: when nobody waits for the answer any more.
    """
    home, here = _Home(queue), Path(get_worker().local_directory)
    with _one_at_a_time, TemporaryDirectory(dir=here) as name:
        setup.enter(backend)
        folder, kept = Path(name), here / "warmstart"
        for file in files:
            home.fetch(file, folder / file)
        there = replace(
            cohort,
            splits=tuple(home.brought(split, kept) for split in cohort.splits),
            sources=tuple(home.brought(source, kept) for source in cohort.sources),
        )
        trials = {cohort.key(trial): trial for trial in cohort.trials}
        awaited = {f"{key}{end}" for key in trials for end in (".npz", ".keras")} - set(files)
        sent, delivered = home.sent(), time.monotonic()

        def send(_: int = 0, *, at_once: bool = False) -> None:
            nonlocal delivered
            home.check()
            if not at_once and time.monotonic() < delivered + SEND_SECONDS:
                return
            if done := sorted(path for path in folder.iterdir() if path.name in awaited):
                sent.update(path.name for path in done)
                home.send(done, sent)
                awaited.difference_update(sent)
            delivered = time.monotonic()

        left = tuple(trial for key, trial in trials.items() if f"{key}.npz" not in sent)
        answer = work(replace(there, trials=left), folder, send)
        send(at_once=True)
    return answer


class _Home:
    """The process that submitted the piece of work which runs in this thread."""

    def __init__(self, queue: str) -> None:
        self._worker, self._client = get_worker(), get_client()
        self._key = self._worker.get_current_task()
        self._queue = Queue(queue, client=self._client)

    def check(self) -> None:
        """Raise StoppedError if it has gone, or dropped this work."""
        task = self._worker.state.tasks.get(self._key)
        if task is None or task.state == "cancelled":
            raise StoppedError

    def fetch(self, name: str, path: Path) -> Path:
        """`path`, with the content of the file that home knows as `name`."""
        if path.exists():
            return path
        # not as data in Dask: it gives work to those who already have them, however many wait
        # there, and loses them with the worker that has them
        answer, content = Queue(client=self._client), None
        while content is None:
            self.check()
            self._queue.put([name, answer.name])
            try:
                content = answer.get(timeout=ASK_AGAIN_SECONDS)
            except TimeoutError:
                continue
        answer.close()
        with replacing(path, lasting=False) as unfinished:
            unfinished.write_bytes(content)
        return path

    def brought(self, needed: T, folder: Path) -> T:
        """`needed`, which home knows by its digest, with its file below `folder`."""
        path = folder / needed.digest / needed.file.name
        return replace(needed, file=self.fetch(needed.digest, path))

    def send(self, paths: Sequence[Path], sent: set[str]) -> None:
        """Send these files, with which all of `sent` are home."""
        self._queue.put([[(path.name, path.read_bytes()) for path in paths], None])
        # Dask keeps the note as long as it knows the piece: also when the worker dies
        self._client.set_metadata([self._key], sorted(sent))

    def sent(self) -> set[str]:
        """Names of the files of this piece that are home, sent by a worker that died."""
        return set(self._client.get_metadata([self._key], []))
