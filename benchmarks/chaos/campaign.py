"""Which troubles there are, how many of each a campaign has, and its run."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.chaos import damage, flow, inputs, names, publisher, requests, whole, worker
from benchmarks.chaos.rows import Row

KINDS = {
    kind.KIND: kind for kind in (inputs, requests, names, flow, worker, publisher, whole, damage)
}
"""Each has EXPECTED, what must come out, and `ready`, which in an empty folder gives what does as a
seed says."""
KILLS = {whole.KIND: 0.5, flow.KIND: 0.2, worker.KIND: 0.1, publisher.KIND: 0.2}
"""Shares of all kills."""
DAMAGES = 0.25
"""Damaged files for each kill."""
Plan = Mapping[str, Collection[int]]
"""Kind -> seeds."""


def planned(kills: int, mutants: int) -> dict[str, range]:
    """Seeds of a campaign, from 0 on. What can be asked of a server is asked in whole."""
    counts = {kind: round(share * kills) for kind, share in KILLS.items()}
    counts |= {damage.KIND: round(DAMAGES * kills), inputs.KIND: mutants}
    counts |= {requests.KIND: requests.COUNT, names.KIND: len(names.ASKED)}
    return {kind: range(counts[kind]) for kind in KINDS}


def left(plan: Plan, rows: Iterable[Row]) -> dict[str, list[int]]:
    """What of `plan` has no row yet."""
    done = {(row.kind, row.seed) for row in rows}
    return {kind: [s for s in seeds if (kind, s) not in done] for kind, seeds in plan.items()}


def run(plan: Plan) -> Iterator[Row]:
    """Each trouble of a plan in turn."""
    for kind, seeds in plan.items():
        if not seeds:
            continue
        with (
            TemporaryDirectory(prefix="chaos-") as folder,
            KINDS[kind].ready(Path(folder)) as trouble,
        ):
            for seed in seeds:
                began = time.monotonic()
                done = trouble(seed)
                seconds = round(time.monotonic() - began, 2)
                yield Row(kind=kind, seed=seed, seconds=seconds, **vars(done))
