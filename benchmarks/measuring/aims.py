"""What the engine is meant to reach, beside what it did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from measuring.plan import OURS
from measuring.rows import Row

V, BATCH = 32, 32
"""Where the aims hold."""

FASTER = {
    ("deep", "fit"): 6.5,
    ("deep", "fit-2-processes"): 2.2,
    ("shallow", "fit"): 9.5,
    ("shallow", "fit-2-processes"): 3.5,
    ("convolutional", "fit"): 4.0,
}
FASTER_STUDY = {"optuna": 5.0, "keras-tuner": 8.0, "ray-tune": 8.0, "ray-tune-default": 8.0}
OF_THE_FLOOR = {"deep": 0.75, "shallow": 0.85}
FLAT_FROM, FLAT_TO, FLAT_WITHIN = 8, 256, 1.1


@dataclass(frozen=True, kw_only=True)
class Aim:
    """One number that one backend is to reach."""

    engine: str
    what: str
    wanted: float
    reached: float
    at_most: bool = False
    """Whether less is better."""

    def __str__(self) -> str:
        beyond = self.reached / self.wanted - 1
        missed = beyond if self.at_most else -beyond
        return (
            f"{self.engine:<22}{self.what:<58}{'≤' if self.at_most else '≥'} {self.wanted:<6g}"
            f"{self.reached:>7.2f}  {f'missed by {missed:.0%}' if missed > 0 else 'reached'}"
        )


def aims(rows: Sequence[Row]) -> list[Aim]:
    """Those on which `rows` have something to say, for each backend."""
    here = [row for row in rows if row.batch == BATCH]
    return [
        aim
        for engine in OURS
        for aim in (*_loops(here, engine), *_studies(here, engine), *_floor(here, engine))
    ] + [aim for engine in OURS for aim in _flat(here, engine)]


def _loops(rows: Sequence[Row], engine: str) -> Iterator[Aim]:
    """Epoch against epoch, and whole time with compilation against whole time."""
    for row in rows:
        wanted = FASTER.get((row.network, row.engine))
        if wanted is None or row.v != V:
            continue
        where = f"{row.network}, {row.samples:,} samples: × {row.engine}"
        per_epoch, total = row.ratio_per_epoch or {}, row.ratio_total or {}
        if engine in per_epoch:
            yield Aim(
                engine=engine, what=f"{where}, an epoch", wanted=wanted, reached=per_epoch[engine]
            )
        if engine in total:
            yield Aim(
                engine=engine, what=f"{where}, {V} trials", wanted=wanted, reached=total[engine]
            )


def _studies(rows: Sequence[Row], engine: str) -> Iterator[Aim]:
    for row in rows:
        total = row.ratio_total or {}
        if row.engine in FASTER_STUDY and row.v == row.v_measured == V and engine in total:
            yield Aim(
                engine=engine,
                what=f"{row.network}, {row.samples:,} samples: × {row.engine}, {V} trials",
                wanted=FASTER_STUDY[row.engine],
                reached=total[engine],
            )


def _floor(rows: Sequence[Row], engine: str) -> Iterator[Aim]:
    for row in rows:
        # with a single trial a core stands idle, and the floor is that of all cores
        if row.engine == engine and row.share_of_floor and row.v > 1:
            yield Aim(
                engine=engine,
                what=f"{row.network}, {row.samples:,} samples, V = {row.v}: share of the floor",
                wanted=OF_THE_FLOOR[row.network],
                reached=row.share_of_floor,
            )


def _flat(rows: Sequence[Row], engine: str) -> Iterator[Aim]:
    """Epochs alone, and all that a trial adds: what it starts and leaves behind included."""
    for key in dict.fromkeys(row.key for row in rows):
        ours = {row.v: row for row in rows if row.engine == engine and row.key == key}
        few, many = ours.get(FLAT_FROM), ours.get(FLAT_TO)
        if few is None or many is None:
            continue
        epoch = few.seconds_per_trial_epoch
        added = (many.seconds_total - few.seconds_total) / (many.v - few.v) / many.epochs
        for what, reached in (
            ("an epoch", many.seconds_per_trial_epoch / epoch),
            ("a further trial", added / epoch),
        ):
            yield Aim(
                engine=engine,
                what=f"{few.network}, {few.samples:,} samples: {what}, V = {many.v} / V = {few.v}",
                wanted=FLAT_WITHIN,
                reached=reached,
                at_most=True,
            )
