"""`make bench`: our engine and what a user would take instead, side by side.

Every job runs in a process of its own, all jobs once before any a second time; medians are given.
benchmarks/README.md says what is measured and how to read the table.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.job import NETWORKS, Job
from measuring import machine, plan, rows, text, tuning
from measuring.data import write_tasks
from measuring.process import JobError, Run, run
from warmstart.errors import InputError
from warmstart.files import write_json

RESULTS = Path(__file__).parent / "results" / "engine.json"


def main(argv: Sequence[str]) -> int:
    options = _parse(argv)
    wanted = plan.Selection(
        parts=tuple(options.parts),
        engines=tuple(options.engines),
        networks=tuple(options.networks),
        batches=tuple(options.batches),
        v=tuple(options.v),
        samples=(plan.SHORT,) if options.quick else tuple(options.samples),
        epochs=options.epochs,
        full=options.full,
        cores=options.cores,
    )
    machine.limit_cores(options.cores)
    with tempfile.TemporaryDirectory() as folder:
        trial_samples = min({plan.SHORT, *plan.sizes(wanted)})
        paths = {n: Path(folder) / f"{n}.npz" for n in {trial_samples, *plan.sizes(wanted)}}
        jobs = plan.jobs(wanted, paths)
        _show(jobs, options.repetitions)
        if options.plan or not jobs:
            return 0
        try:
            write_tasks(paths)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        small = replace(jobs[0], samples=trial_samples, task=str(paths[trial_samples]))
        jobs = _tuned(jobs, small, options.feeds)
        runs, failures = _measure(jobs, options.repetitions)
    table = rows.table(runs)
    print(text.report(table))
    for failure in failures:
        print(f"\nfailed: {failure}", file=sys.stderr)
    output = options.output or (RESULTS if _is_whole(argv) and not failures else None)
    if output:
        content = {
            **machine.made("benchmarks/engine.py", *argv),
            "rows": [row.to_json() for row in table],
        }
        write_json(output, content)
        print(f"\nwritten: {output}")
    return 1 if failures else 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="engine.py", description=__doc__.splitlines()[0])
    several: dict[str, Any] = {"nargs": "+", "metavar": "…"}
    parser.add_argument("--parts", choices=plan.PARTS, default=(), **several)
    parser.add_argument("--engines", choices=plan.ENGINES, default=(), **several)
    parser.add_argument("--networks", choices=tuple(NETWORKS), default=(), **several)
    parser.add_argument("--batches", type=int, default=(), **several)
    parser.add_argument("--v", type=int, default=(), help="trials, instead of a part's", **several)
    parser.add_argument("--samples", type=int, default=(), help="up to 55000", **several)
    parser.add_argument("--quick", action="store_true", help=f"{plan.SHORT} samples everywhere")
    parser.add_argument(
        "--full", action="store_true", help="every part, V, batch and network: two hours"
    )
    parser.add_argument(
        "--feeds", choices=tuning.FEEDS, default=tuning.FEEDS, help="of a tuned fit", **several
    )
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--plan", action="store_true", help="show the plan and stop")
    parser.add_argument("--output", type=Path, help="also of a part of the plan")
    return parser.parse_args(argv)


def _is_whole(argv: Sequence[str]) -> bool:
    """Whether nothing was left out: only such a table replaces the committed one."""
    return set(argv) <= {"--full"}


def _show(jobs: Sequence[Job], repetitions: int) -> None:
    for job in jobs:
        print(f"{plan.line(job)}{plan.estimate(job):>7.0f} s")
    seconds = tuning.estimate(jobs) + repetitions * sum(map(plan.estimate, jobs))
    print(f"{len(jobs)} jobs, {repetitions} times: about {seconds / 60:.0f} minutes", flush=True)


def _tuned(jobs: Sequence[Job], small: Job, feeds: Sequence[str]) -> list[Job]:
    """`jobs` with the best settings wherever there is a choice, found with data as in `small`."""
    found = {(job.engine, job.network): None for job in jobs if job.engine in tuning.CANDIDATES}
    settings = {}
    for engine, network in found:
        first = next(job for job in jobs if (job.engine, job.network) == (engine, network))
        attempt = replace(small, engine=engine, network=network, batch=first.batch)
        settings[engine, network] = tuning.best(attempt, feeds)
        print(f"{engine} on {network}: {settings[engine, network]}", flush=True)
    return [replace(job, settings=(settings.get((job.engine, job.network), {}),)) for job in jobs]


def _measure(jobs: Sequence[Job], repetitions: int) -> tuple[list[list[Run]], list[str]]:
    """The runs of each job, and what failed; a job that failed is not tried again."""
    runs: dict[int, list[Run]] = {number: [] for number in range(len(jobs))}
    failures = []
    began = time.perf_counter()
    for repetition in range(repetitions):
        for number in list(runs):
            job = jobs[number]
            try:
                done = run(job)
            except JobError as error:
                print(f"failed: {error}", file=sys.stderr)
                failures.append(plan.line(job))
                del runs[number]
                continue
            runs[number].append(done)
            passed = time.perf_counter() - began
            print(
                f"{passed:6.0f} s  {repetition + 1}/{repetitions}  {plan.line(job)}"
                f"{done.seconds:>8.1f} s",
                flush=True,
            )
    return list(runs.values()), failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
