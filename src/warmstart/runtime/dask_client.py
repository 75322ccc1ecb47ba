"""Workers of a Dask cluster. No disk is shared: files travel by their content."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distributed import Client, KilledWorker, Queue

from warmstart import login
from warmstart.errors import InputError
from warmstart.files import replacing
from warmstart.runtime import dask_worker, environment
from warmstart.runtime.finished import decided_by
from warmstart.training.trials import Cohort

LOCAL = ("127.0.0.1", "localhost", "::1")
HERE = "--host 127.0.0.1 --dashboard-address 127.0.0.1:0"
"""Dask itself listens on every address; and also without a dashboard there is its server."""
ANSWER_SECONDS = 8
"""How long a scheduler, and then its first worker, may take to answer."""


class Cluster:
    """Dask workers, which know neither our files nor each other's."""

    def __init__(
        self,
        client: Client,
        workers: list[str],
        resources: Mapping[str, float],
        folder: Path,
        backend: str,
    ) -> None:
        self.count = len(workers)
        told = client.run(decided_by, backend, workers=workers)
        self.decided_by: list[str] = list(told.values())
        """Of each worker that was there at the start."""
        self._client, self._folder, self._backend = client, folder, backend
        self._pool = client.get_executor(resources=dict(resources), pure=False)
        self._queue = Queue(client=client)
        self._files: dict[str, Path] = {}  # what workers may ask for, by digest or name
        self._epochs: dict[str, int] = {}  # name of an awaited file -> epochs of its trial

    def submit(self, work: Callable[..., Any], cohort: Cohort) -> Future[Any]:
        names = [f"{cohort.key(trial)}.npz" for trial in cohort.trials]
        here = {name: path for name in names if (path := self._folder / name).exists()}
        self._files |= here | {split.digest: split.file for split in cohort.splits}
        self._files |= {source.digest: source.file for source in cohort.sources}
        self._epochs |= {name: cohort.epochs for name in names if name not in here}
        return self._pool.submit(
            dask_worker.do, work, cohort, list(here), self._queue.name, self._backend
        )

    def next_report(self) -> int | None:
        message = self._queue.get()
        if message is None:
            return None
        what, answer = message
        if answer:  # a worker asks for one
            Queue(answer, client=self._client).put(self._files[what].read_bytes())
            return 0
        for name, content in what:
            with replacing(self._folder / name, lasting=False) as unfinished:
                unfinished.write_bytes(content)
        # a file may come twice, when its worker died before it could record that it had sent it
        return sum(self._epochs.pop(name, 0) for name, _ in what)

    def end_reports(self) -> None:
        self._queue.put(None)

    def stop(self) -> None:
        self._pool.shutdown(wait=False)


@contextmanager
def connect(
    address: str, resources: Mapping[str, float], folder: Path, backend: str
) -> Iterator[Cluster]:
    """The workers at `address` that have `resources`.

    Raises:
        InputError: if there are none, they are not set up as this process is, or the way to them
            is open: whoever reaches a scheduler without TLS runs programs on every worker.
    """
    known = urlsplit(address)
    if known.scheme != "tls" and (known.hostname not in LOCAL or login.others()):
        raise InputError(
            "executor.address: expected tls://HOST:PORT, since other users of this machine or of "
            f"the network could have the workers run theirs, received {address}; docs/team.md, "
            "Dask, has the commands"
        )
    try:
        client = Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except TypeError:  # distributed's word for it
        raise InputError(
            f"executor.address: expected a certificate for {address}, received none; set "
            "DASK_DISTRIBUTED__COMM__TLS__… as docs/team.md, Dask, says"
        ) from None
    except (OSError, ValueError):
        raise InputError(
            f"executor.address: expected a Dask scheduler at {address}, none answered; start one "
            f"with `dask scheduler {HERE}`, correct the address, or give null for workers on this "
            "machine"
        ) from None
    with client:
        workers = _check_workers(client, address, resources, backend)
        try:
            yield Cluster(client, workers, resources, folder, backend)
        except KilledWorker as error:
            raise InputError(
                "executor.address: expected workers that live, received the death of "
                f"{error.allowed_failures + 1} on one piece of work; their logs may say why, "
                "most often they had too little memory"
            ) from None
        except Exception:
            if client.status == "running":
                raise
            raise InputError(
                f"executor.address: expected the Dask scheduler at {address} to stay, it is gone; "
                "start it again and repeat: finished trials are kept"
            ) from None


def _check_workers(
    client: Client, address: str, resources: Mapping[str, float], backend: str
) -> list[str]:
    """The workers that have `resources`, each of them fit for the work."""
    tags = f" --resources {_tags(resources)}" if resources else ""
    start = f"`dask worker {address} {HERE} --nthreads 1{tags}`"
    try:
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except TimeoutError:
        raise InputError(
            f"executor.address: expected workers at {address}, received none; start some with "
            f"{start}"
        ) from None
    workers = {
        name: worker
        for name, worker in client.scheduler_info(n_workers=-1)["workers"].items()
        if all(worker["resources"].get(tag, 0) >= n for tag, n in resources.items())
    }
    if not workers:
        raise InputError(
            f"executor.resources: expected a worker with {_tags(resources)} at {address}, received "
            f"none; start one with {start}"
        )
    # threads would share what Keras and the compiled programs keep per process
    problems = [
        f"executor.address: expected workers of one thread, received {name} with "
        f"{worker['nthreads']}; start it with {start}"
        for name, worker in workers.items()
        if worker["nthreads"] != 1
    ]
    ours = environment.versions(backend)
    problems += [
        f"executor.address: expected {_text(ours)} as here, received {_text(theirs)} on {name}; "
        "install the same lock there"
        for name, theirs in _versions(client, list(workers), backend).items()
        if theirs != ours
    ]
    if problems:
        raise InputError(*problems)
    return list(workers)


def _versions(client: Client, workers: list[str], backend: str) -> dict[str, Any]:
    """What each worker and the scheduler, which reads the calls too, have installed; an exception
    if that is no `warmstart`."""
    find = environment.versions
    there = client.run(find, backend, workers=workers, on_error="return")
    installed: dict[str, Any] = {f"worker {name}": versions for name, versions in there.items()}
    try:
        installed["the scheduler"] = client.run_on_scheduler(find, backend)
    except Exception as error:
        installed["the scheduler"] = error
    return installed


def _tags(resources: Mapping[str, float]) -> str:
    return ",".join(f"{tag}={number:g}" for tag, number in resources.items())


def _text(versions: Mapping[str, str] | Exception) -> str:
    if isinstance(versions, Exception):
        return repr(versions)
    return ", ".join(f"{name} {version}" for name, version in versions.items())
