"""Trials of a stage that is still at work, as they finish.

The stage has said in its scratch folder what it trains, and leaves each trial there once it is
trained; so being watched costs it nothing. Until it has ended no trial is tested and no learning
rate chosen; then `publish` completes the runs of those that were instead of making others. Trials
of a stage that never ends stay as what they are: trained. `track` brings them too, while they lie
in the scratch folder.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from warmstart.runtime.store import PLAN, SCRATCH, announced, untested
from warmstart.tracking import Published, tracking_uri
from warmstart.tracking.facts import Facts
from warmstart.tracking.runs import Run, head, trial_runs

BATCH = 50
"""Trials in one go, some two seconds: others wait for the store meanwhile."""
PAUSE_SECONDS = 60.0
"""After a failure: who waits for a server that is down does not see the stage end."""


class Live:
    """What lies below the scratch folder."""

    def __init__(self, scratch: Path = SCRATCH, *, since_now: bool = True) -> None:
        """since_now: leave out stages that have not begun since, as those that were killed."""
        self._scratch = scratch
        plans = scratch.glob(f"*/{PLAN}") if since_now else ()
        self._read = {plan: plan.stat().st_mtime_ns for plan in plans}
        self._waiting: dict[Path, list[tuple[str, dict[str, Any]]]] = {}
        self._facts: dict[Path, Facts] = {}
        self._finished: dict[tuple[str, str], set[str]] = {}
        """Trials that MLflow has all of, by stage and study."""
        self._pause = 0.0

    def publish_quietly(self) -> None:
        """As `publish`. Nothing may fail here: what is missing comes when the stage has ended."""
        if time.monotonic() < self._pause:
            return
        try:
            self.publish()
        except Exception:  # as `tracking.publish_quietly`
            self._pause = time.monotonic() + PAUSE_SECONDS

    def publish(self) -> Published:
        """A batch of each stage's trials that have finished since the last one.

        Raises:
            InputError: one line; MLflow does not answer.
        """
        total = Published()
        for plan in sorted(self._scratch.glob(f"*/{PLAN}")):
            with suppress(FileNotFoundError):  # the stage has ended and removed its folder
                total += self._publish(plan)
        return total

    def _publish(self, plan: Path) -> Published:
        written = plan.stat().st_mtime_ns
        if self._read.get(plan) != written:
            self._waiting[plan], facts = announced(plan.parent)
            self._facts[plan] = Facts(content=facts, own=False)
            self._read[plan] = written
        waiting = self._waiting.get(plan, [])
        there = {path.name for path in plan.parent.glob("*.npz")}
        ready = [trial for trial in waiting if f"{trial[0]}.npz" in there][:BATCH]
        if not ready:
            return Published()
        found = [record for trial in ready if (record := untested(plan.parent, *trial))]
        runs = trial_runs(found, head(plan.parent))
        new = self._bring([self._facts[plan].add_to(run) for run in runs])
        self._waiting[plan] = [trial for trial in waiting if trial not in ready]
        return Published(new=new, present=len(found) - new)

    def _bring(self, runs: Sequence[Run]) -> int:
        from warmstart.tracking.opening import opened

        new = 0
        with opened(tracking_uri()) as store:
            for place in {(run.stage, run.study) for run in runs}:
                # looked up once per stage, since that takes longer than to publish a few
                there = {} if place in self._finished else store.trials(*place)
                finished = self._finished.setdefault(place, set())
                finished |= {d for d, run in there.items() if run.info.status == "FINISHED"}
                for run in runs:
                    if (run.stage, run.study) == place and run.digest not in finished:
                        store.add(run, there.get(run.digest))
                        finished.add(run.digest)
                        new += 1
        return new
