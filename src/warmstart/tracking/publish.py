"""What lies in a project's folders -> MLflow: once (`publish`), or while a pipeline works.

A stage says in its folder below `.warmstart` what it trains, and leaves each trial there once it is
trained. When it has ended, its records complete the same runs; summaries come with the report.
"""

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TextIO

from warmstart.analysis.summary import Summary, read_summary
from warmstart.errors import InputError
from warmstart.files import read_sealed
from warmstart.records import Record, read_records, times_of
from warmstart.runtime.store import PLAN, UNFINISHED, announced
from warmstart.runtime.store import Store as Trained
from warmstart.tracking import runs
from warmstart.tracking.addresses import shown
from warmstart.tracking.opening import opened, tracking_uri
from warmstart.tracking.runs import Batch, Run

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 60.0
"""After a failure: who waits for a server that is down does not see the stage end."""
REST = 5
"""Times as long as publishing has taken until the next: thousands of trials take seconds."""
END_SECONDS = 60.0
"""From the end of the command that is followed until ours, however long a server takes."""
NICE = 19
"""Our priority beside a pipeline, the lowest: at 15 training took 1 % longer, at 10 5 %."""

State = tuple[int | None, ...]
"""When the files of a folder were last written (ns), or how many there are; None: no such file."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """The folders that are published."""

    results: Path = Path("results")
    reports: Path = Path("reports")
    models: Path = Path("models")
    data: Path = Path("data/prepared")
    """Where registered models take their example from."""
    unfinished: Path = UNFINISHED

    def states(self) -> dict[Path, State]:
        """What there is to publish, models after the runs that trained them, and its state."""
        found: dict[Path, State] = {
            plan.parent: (_written(plan), len(list(plan.parent.glob("*.npz"))))
            for plan in sorted(self.unfinished.glob(f"*/{PLAN}"))
        }
        # MLflow lists experiments that were written last first
        for path in sorted(self.results.rglob("records.parquet"), reverse=True):
            of = path.parent
            files = path, times_of(of), self.summary(of), self.figures(of)
            found[of] = tuple(map(_written, files))
        for folder, pattern in ((self.models, "cards/*.json"), (self.reports, "report.*")):
            if paths := sorted(folder.glob(pattern)):
                found[folder] = tuple(map(_written, paths))
        return found

    def figures(self, folder: Path) -> Path:
        """Where the pictures of the study in `folder` are."""
        place = folder.relative_to(self.results).as_posix()
        return self.reports / "figures" / place.removeprefix("compare/")

    def summary(self, folder: Path) -> Path:
        """Of the records in `folder`."""
        return self.reports / "summaries" / f"{folder.relative_to(self.results)}.json"


@dataclass(frozen=True, kw_only=True)
class Published:
    """Runs, and models: published now, if only in part, or present before."""

    new: int = 0
    present: int = 0

    def __add__(self, other: Self) -> "Published":
        return Published(new=self.new + other.new, present=self.present + other.present)

    def __str__(self) -> str:
        return f"{self.new} runs and models published, {self.present} were there already"


def publish(project: Project) -> Published:
    """Publish what MLflow lacks of the project.

    Raises:
        InputError: one line; a file cannot be read, MLflow does not answer, or there is nothing.
    """
    publisher, states = Publisher(project), project.states()
    if not states:
        raise InputError(
            f"{project.results}: expected records.parquet of a stage below it, found none; "
            "run the pipeline (`make run`) or fetch its results (`dvc pull`) first"
        )
    return sum((publisher.bring(folder) for folder in states), Published())


def publish_during(command: Sequence[str], project: Project) -> int:
    """Run `command` and publish what it writes, whatever fails there; its exit code.

    Raises:
        InputError: if there is no such command.
    """
    publisher = Publisher(project, known=project.states())
    try:
        process = subprocess.Popen(command)
    except (OSError, IndexError) as error:
        raise InputError(
            f"--during: expected a command to run, received {' '.join(command) or 'nothing'} "
            f"({error}); name one, as in --during dvc repro"
        ) from None

    def code() -> int:
        return process.returncode if process.returncode >= 0 else 128 - process.returncode

    with process, _in_time(project, process.wait, code):
        publisher.follow(lambda: _runs(process))
    return code()


def publish_until_closed(stream: TextIO, project: Project) -> bool:
    """As `publish_during`, until `stream` ends, for a pipeline that starts us: whether MLflow has
    all. Says on standard output what was published."""
    publisher = Publisher(project, known=project.states(), says=True)
    with _in_time(project, lambda: select.select([stream], [], []), lambda: 2):
        complete = publisher.follow(lambda: _is_open(stream))
    if complete:
        print(f"{publisher.published} runs and models published")
    return complete


class Publisher:
    """Brings MLflow the folders of a project."""

    def __init__(
        self, project: Project, *, known: Mapping[Path, State] | None = None, says: bool = False
    ) -> None:
        """known: what was there before the stages that are followed; None: none are.
        says: what is published, folder by folder, while they are."""
        self._project, self._follows = project, known is not None
        self._published: dict[Path, State] = dict(known or {})
        self._monitors: dict[Path, Any] = {}
        self._pause, self._says, self.published = 0.0, says, 0

    def bring(self, folder: Path, *, failed: bool = False) -> Published:
        """Publish what MLflow lacks of `folder`, one of `Project.states()`.

        `failed`: the stage that was at work there has ended and left it unfinished.
        Raises:
            InputError: one line; a file cannot be read or MLflow does not answer.
        """
        if folder == self._project.models:
            from warmstart.tracking.models import publish_models  # loads SciPy

            return Published(new=publish_models(folder, self._project.data))
        total, batches = Published(), self._batches(folder, failed)
        if not batches:
            return total
        with opened() as store:
            for batch in batches:
                new = store.bring(batch)
                total += Published(new=new, present=len(batch.runs) - new)
                at_work = [run.digest for run in batch.runs if run.status == "RUNNING"]
                if at_work and folder not in self._monitors:
                    _, there = store.one(batch.experiment, "warmstart.timings", at_work[0])
                    self._monitors[folder] = store.watch(there)
        return total

    def follow(self, goes_on: Callable[[], bool]) -> bool:
        """Publish what changes until `goes_on`, which waits a while, says no: whether MLflow then
        has all. What fails costs one line on standard error."""
        os.setpriority(os.PRIO_PROCESS, 0, NICE)  # those who train have the cores first
        before: Mapping[Path, State] = self._published
        while goes_on():
            now = self._project.states()
            for folder in self._monitors.keys() - now.keys():  # that stage has ended
                self._monitors.pop(folder).finish()
            if time.monotonic() >= self._pause:
                # a stage writes several files: wait until they have stayed the same
                self._look(
                    {
                        f: s
                        for f, s in now.items()
                        if f.parent == self._project.unfinished or before.get(f) == s
                    }
                )
            before = now
        left = frozenset(self._monitors)
        for folder in left:
            self._monitors.pop(folder).finish()
            self._published.pop(folder, None)
        if error := self._look(self._project.states(), failed=left):
            named = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            _warn(self._project, f"{named}{' '.join(str(error).split())}")
        return not error

    def _look(
        self, now: Mapping[Path, State], failed: frozenset[Path] = frozenset()
    ) -> BaseException | None:
        """Publish folders whose state is new, up to the first that fails; then rest."""
        began = time.monotonic()
        for folder, state in now.items():
            if self._published.get(folder) == state:
                continue
            try:
                done = self.bring(folder, failed=folder in failed)
            except (Exception, KeyboardInterrupt) as error:  # the terminal tells the command too
                self._pause = time.monotonic() + PAUSE_SECONDS
                return error
            self._published[folder] = state
            self.published += done.new
            if self._says and done.new:
                print(f"{folder}: {done.new} published", flush=True)
        self._pause = time.monotonic() + REST * (time.monotonic() - began)
        return None

    def _batches(self, folder: Path, failed: bool) -> list[Batch]:
        """What MLflow should hold of `folder`, each digest once."""
        commit, at_work = runs.head(folder), folder.parent == self._project.unfinished
        if folder == self._project.reports:
            found = [report] if (report := runs.report_run(folder, commit)) else []
            return self._placed(found, True, None)
        summary: Summary | None = None
        try:
            if at_work:
                found = self._unfinished(folder, failed, commit)
            else:
                found, summary = _finished(self._project, folder, commit)
        except InputError as error:
            # the stage has ended, or DVC empties what it will write anew
            if isinstance(error.__cause__, FileNotFoundError):
                return []
            raise
        return self._placed(found, not at_work, summary)

    @staticmethod
    def _placed(found: Sequence[Run], whole: bool, summary: Summary | None) -> list[Batch]:
        places: dict[tuple[str, str, str], dict[str, Run]] = {}
        for run in found:
            stage, study = run.tags["warmstart.stage"], run.tags.get("warmstart.study", "")
            pipeline = run.tags["warmstart.kind"] in ("stage", "report")
            experiment = runs.PIPELINE if pipeline else runs.experiment_of(stage, study)
            places.setdefault((experiment, stage, study), {})[run.digest] = run
        return [
            Batch(
                experiment=experiment,
                stage=stage,
                study=study,
                runs=tuple(of_place.values()),
                whole=whole,
                summary=summary,
            )
            for (experiment, stage, study), of_place in places.items()
        ]

    def _unfinished(self, folder: Path, failed: bool, commit: str) -> list[Run]:
        """The trials that a stage has trained by now, and its own run."""
        trials, facts = announced(folder)
        trained = Trained(folder)
        records = [
            Record(
                **known,
                outcome=result.outcome,
                epochs=result.epochs,
                validation=result.validation,
            )
            for key, known in trials
            if (result := trained.read(key))
        ]
        found = list(runs.trial_runs(records, commit))
        if self._follows and trials and "started" in facts:
            stage, study, data = (trials[0][1][k] for k in ("stage", "study", "data_digest"))
            run = runs.stage_run(stage, study, data, facts, commit)
            found.append(replace(run, status="FAILED") if failed else run)
        return [runs.with_facts(run, facts) for run in found]


def _finished(project: Project, folder: Path, commit: str) -> tuple[list[Run], Summary | None]:
    """All that a stage has left in `folder`, and what was judged of it."""
    records, summary = read_records(folder / "records.parquet"), None
    if not records:
        return [], None
    stage, study, data = records[0].stage, records[0].study, records[0].data_digest
    found = list(runs.trial_runs(records, commit))
    path = project.summary(folder)
    if path.exists():
        hues = project.reports / "colours.json"
        known = read_sealed(hues) if hues.exists() else {}
        colours = known.get(study, known.get(stage, {}))  # with other labels arms keep theirs
        summary = read_summary(path)
        arms = runs.summary_runs(summary, records, colours, commit)
        # who looks for pictures looks at the best
        found += [runs.with_figures(arm, project.figures(folder)) for arm in arms[:1]]
        found += arms[1:]
    # results/transfer/labels/N and results/transfer/pairs/L-M belong to results/transfer
    places = (folder, *folder.absolute().parents[:2])
    times = next((path for place in places if (path := times_of(place)).exists()), None)
    facts = read_sealed(times) if times else {}
    if times == times_of(folder) and "started" in facts:
        found.append(runs.stage_run(stage, study, data, facts, commit))
    return [runs.with_facts(run, facts) for run in found], summary


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


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
            _warn(project, f"{shown(tracking_uri())} had {END_SECONDS:.0f} s for it after the end")
            os._exit(code())

    if not tracking_uri().startswith("sqlite"):
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _warn(project: Project, why: str) -> None:
    print(
        f"warning: not all of {project.results} is in MLflow yet, `make track` publishes it "
        f"later: {why}",
        file=sys.stderr,
        flush=True,
    )


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
