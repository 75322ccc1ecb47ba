"""The table to read."""

from collections.abc import Iterator, Sequence

from measuring.aims import aims
from measuring.plan import ENGINES, OURS
from measuring.rows import Row

DISTURBED = 0.1
"""A repetition during which others took more of the cores' time than this is not to be trusted."""

_HEAD = (
    f"{'engine':<22}{'V':>4}{'measured':>10}{'s/trial-epoch':>15}{'range':>17}{'fixed s':>9}"
    f"{'total s':>9}{'MiB':>7}{'floor':>7}{'× ours, epoch':>16}{'× ours, total':>16}"
)


def report(rows: Sequence[Row]) -> str:
    """All rows, the settings that were chosen, and the aims."""
    lines = []
    for key in dict.fromkeys(row.key for row in rows):
        network, batch, samples = key
        here = [row for row in rows if row.key == key]
        lines += ["", f"{network}, batch {batch}, {samples:,} samples, {here[0].epochs} epochs"]
        lines += [_HEAD, *(_line(r) for r in sorted(here, key=_order))]
    return "\n".join([*lines, "", *_notes(rows), *_aims(rows)])


def _order(row: Row) -> tuple[bool, int, int]:
    """By trials, then by engine; the floor at the bottom."""
    return row.engine == "floor", row.v, ENGINES.index(row.engine)


def _line(row: Row) -> str:
    low, high = row.seconds_per_trial_epoch_range
    measured = "" if row.v == row.v_measured else f"V = {row.v_measured}"
    share = f"{row.share_of_floor:.0%}" if row.share_of_floor else ""
    return (
        f"{row.engine:<22}{row.v:>4}{measured:>10}{row.seconds_per_trial_epoch:>15.4f}"
        f"{f'{low:.4f}–{high:.4f}':>17}{row.seconds_fixed:>9.1f}{row.seconds_total:>9.1f}"
        f"{row.memory_mib:>7.0f}{share:>7}{_pair(row.ratio_per_epoch):>16}"
        f"{_pair(row.ratio_total):>16}"
    )


def _name(row: Row) -> str:
    return f"{row.engine}, {row.network}, {row.samples:,} samples, V = {row.v}"


def _pair(ratios: dict[str, float] | None) -> str:
    """To TensorFlow / to JAX."""
    ratios = ratios or {}
    return " / ".join(f"{ratios[o]:.2f}" if o in ratios else "–" for o in OURS) if ratios else ""


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    yield "× ours: the engine's seconds / those of " + " / ".join(OURS)
    chosen = {
        f"{row.engine} on {row.network}: "
        + ", ".join(f"{name} {value}" for name, value in row.settings.items()): None
        for row in rows
        if row.settings
    }
    yield from chosen
    yield from (
        f"floor of {row.network} in batches of {row.batch}: {row.blas}, "
        f"{row.gflops:.0f} GFLOP/s on each core"
        for row in rows
        if row.gflops
    )
    if disturbed := [row for row in rows if row.disturbed > DISTURBED]:
        yield f"others took more than {DISTURBED:.0%} of the cores' time, measure again:"
        yield from (f"  {_name(row)}: {row.disturbed:.0%}" for row in disturbed)


def _aims(rows: Sequence[Row]) -> Iterator[str]:
    found = aims(rows)
    if found:
        yield ""
        yield f"{'aims':<22}{'':<58}{'wanted':<8}{'reached':>7}"
        yield from map(str, found)
