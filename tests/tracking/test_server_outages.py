"""A real server that is away, dies, loses answers, has a full disk, or four publishers at once."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from urllib3.connection import HTTPConnection

from made_up_results import made_up, project_of, publish, publish_quietly, write
from mlflow_serving import Server, tracking
from seen import Seen, seen
from warmstart import __main__ as command_line
from warmstart.tracking.calls import Calls
from warmstart.tracking.publish import Published, Publisher
from warmstart.tracking.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """On a database that there was not; each test has a study of its own."""
    folder = tmp_path_factory.mktemp("server")
    with tracking(folder, f"sqlite:///{folder}/new.db") as process:
        process.start()
        yield process


def study(here: Path, name: str) -> Path:
    """Results of 9 trials and 3 arms."""
    return write(
        here / f"results/compare/{name}", *made_up(study=name, seeds=1, rates=(0.1, 1.0, 2.0))
    )


def warning(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that the end of a stage costs."""
    publish_quietly(folder)
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("warning: not all of ")
    return err


def test_a_server_away_before_killed_within_and_away_after(
    database: Path,
    published_at_once: Callable[[Path], Seen],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    here = database.parent
    first, second, third = (study(here, name) for name in ("first", "second", "third"))
    expected = {folder.name: published_at_once(folder) for folder in (first, second, third)}
    with tracking(here, f"sqlite:///{database}") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        assert "Connection refused" in warning(first, capfd)

        server.start()
        log, logged = MlflowClient.log_batch, []

        def killing(self: MlflowClient, *args: Any, **given: Any) -> None:
            log(self, *args, **given)
            logged.append(args)
            if len(logged) == 5:
                server.end(signal.SIGKILL)

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, "log_batch", killing)
            assert "Connection" in warning(second, capfd)
        assert len(logged) == 5
        assert "Connection refused" in warning(third, capfd)

        server.start()
        assert command_line.main(["track", "--results", "results"]) == 0
        # four of the second study were finished, the fifth had its values
        assert capfd.readouterr().out == "32 runs and models published, 4 were there already\n"
        assert {name: seen(server.url, name) for name in expected} == expected
        assert command_line.main(["track", "--results", "results"]) == 0
        assert capfd.readouterr().out == "0 runs and models published, 36 were there already\n"


def test_answers_that_are_lost(
    here: Path,
    lasting: Server,
    published_at_once: Callable[[Path], Seen],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each request is done by the server, and sent again since nobody heard of it: of each run
    there are two for a while."""
    folder = study(here, "lost_answers")
    expected = published_at_once(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", lasting.url)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    answer, answers = HTTPConnection.getresponse, []

    def lost(connection: HTTPConnection) -> Any:
        response = answer(connection)
        answers.append(response)
        if len(answers) % 2:
            response.read()
            raise ConnectionResetError("the answer is lost")
        return response

    with monkeypatch.context() as patch:
        patch.setattr(HTTPConnection, "getresponse", lost)
        assert publish(folder) == Published(new=12, present=0)
    assert seen(lasting.url, "lost_answers") == expected
    assert publish(folder) == Published(new=0, present=12)


def test_a_full_disk_at_the_server(
    here: Path,
    lasting: Server,
    published_at_once: Callable[[Path], Seen],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """None of its files may grow, as if the disk were full."""
    folder = write(
        here / "results/compare/full", *made_up(study="full", seeds=1, rates=(1.0, 2.0), epochs=300)
    )
    expected = published_at_once(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", lasting.url)
    size = lasting.log.with_name("new.db").stat().st_size
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in lasting.workers()}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        assert "too many 503 error responses" in warning(folder, capfd)
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    publish(folder)
    assert seen(lasting.url, "full") == expected
    assert publish(folder) == Published(new=0, present=9)


def test_four_publishers_on_four_machines(
    here: Path, lasting: Server, published_at_once: Callable[[Path], Seen]
) -> None:
    """With a temporary folder each, so that no lock keeps one from the others."""
    folder = study(here, "four")
    expected = published_at_once(folder)
    code = "import sys, pathlib, made_up_results as t; t.publish(pathlib.Path(sys.argv[1]))"
    processes = []
    for number in range(4):
        (here / f"tmp{number}").mkdir()
        own = {"TMPDIR": str(here / f"tmp{number}"), "MLFLOW_TRACKING_URI": lasting.url}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", code, str(folder)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | own,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    ends = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ends
    assert seen(lasting.url, "four") == expected


def test_a_run_that_another_machine_removes_under_us(
    database: Path, folder: Path, published_at_once: Callable[[Path], Seen]
) -> None:
    """It has an older one of the same, and has seen ours before it is complete."""
    expected = published_at_once(folder)
    api = MlflowClient(f"sqlite:///{database}")
    (batch,) = Publisher(project_of(folder))._batches(folder, failed=False)
    wanted = {run.digest: run for run in batch.runs}
    theirs = Calls(api, alone=False)

    class Ours(MlflowClient):
        def create_run(self, experiment_id: str, start_time: Any = None, **given: Any) -> Any:
            ours = api.create_run(experiment_id, **given)
            before = ours.info.start_time - 1000
            older = api.create_run(experiment_id, before, **given)
            tags = older.data.tags
            theirs._write(older, wanted[tags.get("warmstart.trial") or tags["warmstart.summary"]])
            api.delete_run(ours.info.run_id)
            return ours

    Store(Calls(Ours(api.tracking_uri), alone=False), None).bring(batch)
    assert seen(api.tracking_uri) == expected


@pytest.mark.usefixtures("by_calls")
@pytest.mark.parametrize("name", ["set_experiment_tag", "log_batch"])
def test_rows_that_another_machine_writes_in_the_same_moment(
    database: Path,
    folder: Path,
    published_at_once: Callable[[Path], Seen],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """MLflow looks whether they are there, and then may not insert them after all."""
    expected = published_at_once(folder)
    done, calls = getattr(MlflowClient, name), []

    def late(self: MlflowClient, *args: Any, **given: Any) -> None:
        done(self, *args, **given)
        calls.append(args)
        if len(calls) == 1:
            raise MlflowException("UNIQUE constraint failed", error_code=BAD_REQUEST)

    monkeypatch.setattr(MlflowClient, name, late)
    publish(folder)
    assert len(calls) > 1
    assert seen(f"sqlite:///{database}") == expected
