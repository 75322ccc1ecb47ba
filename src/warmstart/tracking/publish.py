"""What lies in a project's folders -> MLflow: once (`publish`), or while a pipeline works.

A stage says in its folder below `.warmstart` what it trains, and leaves each trial there once it is
trained. When it has ended, its records complete the same runs; summaries come with the report.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from warmstart.analysis.summary import Summary, read_summary
from warmstart.errors import InputError
from warmstart.files import read_sealed
from warmstart.records import Record, read_records, times_of
from warmstart.runtime.process import is_gone
from warmstart.runtime.store import Store as Trained
from warmstart.runtime.store import announced
from warmstart.tracking import views
from warmstart.tracking.ledger import Ledger
from warmstart.tracking.opening import opened
from warmstart.tracking.project import Project, State
from warmstart.tracking.runs import PIPELINE, Batch, Run, experiment_of

PAUSE_SECONDS = 60.0
"""After a failure: who waits for a server that is down does not see the stage end."""
REST = 20
"""Times the processor time that publishing has taken until the next: at most 5 % of a core. In wall
time it takes many times that, since those who train come first."""
NICE = 19
"""Our priority beside a pipeline, the lowest: at 15 training took 1 % longer, at 10 5 %."""


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
    return publisher.bring_all(states)


class Publisher:
    """Brings MLflow the folders of a project."""

    def __init__(self, project: Project, *, follows: bool = False, says: bool = False) -> None:
        """follows: stages that are at work. says: what is published, folder by folder, while they
        are."""
        self._project, self._follows, self._says = project, follows, says
        self._ledger = Ledger(project.unfinished / "published.json")
        self._published = self._ledger.known()
        known, states = self._published, project.states() if follows else {}
        self._owed = {folder for folder, state in states.items() if known.get(folder) != state}
        self._unsettled = self._ledger.interrupted()
        self._monitors: dict[Path, Any] = {}
        self._pause, self.published, self._has_opened = 0.0, 0, False

    def bring_all(self, states: Mapping[Path, State]) -> Published:
        """Publish what MLflow lacks of `Project.states()`, whatever is known of it, and end what
        publishers that have died left half. Raises InputError as `bring`."""
        self._ledger.begin()
        total = Published()
        for folder, state in states.items():
            total += self.bring(folder)
            self._ledger.add(folder, state)
        self._unsettled = True
        self._settle()
        return total

    def bring(self, folder: Path, *, failed: bool = False) -> Published:
        """Publish what MLflow lacks of `folder`, one of `Project.states()`.

        `failed`: the stage that was at work there has ended and left it unfinished.
        Raises:
            InputError: one line; a file cannot be read or MLflow does not answer.
        """
        if folder == self._project.models:
            from warmstart.tracking.models import publish_models  # loads SciPy

            project = self._project
            return Published(new=publish_models(folder, project.data, project.results))
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
        self._unsettled |= bool(left)
        for folder in left:
            self._monitors.pop(folder).finish()
            self._published.pop(folder, None)
        if error := self._look(self._project.states(), failed=left):
            named = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            warn(self._project, f"{named}{' '.join(str(error).split())}")
        return not error

    def _look(
        self, now: Mapping[Path, State], failed: frozenset[Path] = frozenset()
    ) -> BaseException | None:
        """Publish folders whose state is new, up to the first that fails; then rest."""
        began, made_up = time.process_time(), 0
        try:
            for folder, state in now.items():
                if self._published.get(folder) == state:
                    continue
                if not self._has_opened:
                    with opened():  # loads MLflow and makes its tables, which comes once
                        began, self._has_opened = time.process_time(), True
                self._ledger.begin()
                done = self.bring(folder, failed=folder in failed)
                self._published[folder] = state
                self._ledger.add(folder, state)
                self.published += done.new
                made_up += done.new if folder in self._owed else 0
                self._owed.discard(folder)
                if self._says and done.new:
                    print(f"{folder}: {done.new} published", flush=True)
            made_up += self._settle()
        except (Exception, KeyboardInterrupt) as error:  # the terminal tells the command too
            self._pause = time.monotonic() + PAUSE_SECONDS
            return error
        if made_up:
            print(f"made up for {made_up} runs that MLflow lacked from an earlier run", flush=True)
        self._pause = time.monotonic() + REST * (time.process_time() - began)
        return None

    def _settle(self) -> int:
        """MLflow has all there is: end what publishers that have died left running; how many."""
        ended = 0
        if self._unsettled:
            with opened() as store:
                ended = store.end_left()
            self._unsettled = False
        if not self._monitors:
            self._ledger.end()
        return ended

    def _batches(self, folder: Path, failed: bool) -> list[Batch]:
        """What MLflow should hold of `folder`, each digest once."""
        commit, at_work = views.head(folder), folder.parent == self._project.unfinished
        if folder == self._project.reports:
            found = [report] if (report := views.report_run(folder, commit)) else []
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
            experiment = PIPELINE if pipeline else experiment_of(stage, study)
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
        found = list(views.trial_runs(records, commit))
        at_work = failed or not is_gone(facts.get("process", ""))
        if self._follows and at_work and trials and "started" in facts:
            stage, study, data = (trials[0][1][k] for k in ("stage", "study", "data_digest"))
            run = views.stage_run(stage, study, data, facts, commit)
            found.append(replace(run, status="FAILED") if failed else run)
        return [views.with_facts(run, facts) for run in found]


def _finished(project: Project, folder: Path, commit: str) -> tuple[list[Run], Summary | None]:
    """All that a stage has left in `folder`, and what was judged of it."""
    records, summary = read_records(folder / "records.parquet"), None
    if not records:
        return [], None
    stage, study, data = records[0].stage, records[0].study, records[0].data_digest
    found = list(views.trial_runs(records, commit))
    path = project.summary(folder)
    if path.exists():
        hues = project.reports / "colours.json"
        known = read_sealed(hues) if hues.exists() else {}
        colours = known.get(study, known.get(stage, {}))  # with other labels arms keep theirs
        summary = read_summary(path)
        arms = views.summary_runs(summary, records, colours, commit)
        # who looks for pictures looks at the best
        found += [views.with_figures(arm, project.figures(folder)) for arm in arms[:1]]
        found += arms[1:]
    # results/transfer/labels/N and results/transfer/pairs/L-M belong to results/transfer
    places = (folder, *folder.absolute().parents[:2])
    times = next((path for place in places if (path := times_of(place)).exists()), None)
    facts = read_sealed(times) if times else {}
    if times == times_of(folder) and "started" in facts:
        found.append(views.stage_run(stage, study, data, facts, commit))
    return [views.with_facts(run, facts) for run in found], summary


def warn(project: Project, why: str) -> None:
    """Say that MLflow lacks something, and why."""
    print(
        f"warning: not all of {project.results} is in MLflow yet, the next run or `make track` "
        f"publishes it: {why}",
        file=sys.stderr,
        flush=True,
    )
