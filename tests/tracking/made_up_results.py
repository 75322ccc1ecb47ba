"""Records, timings and summaries as stages write them, made up with NumPy; and how a test publishes
them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.analysis.summary import ArmSummary, Contrast, Interval, Summary, write_summary
from warmstart.files import write_sealed
from warmstart.records import EPOCH_METRICS, Record, times_of, write_records
from warmstart.tracking import publish as publishing
from warmstart.tracking.project import Project
from warmstart.tracking.publish import Published, Publisher
from warmstart.training.selection import last_epoch, mean

ARMS = ("he_normal", "glorot_normal", "normal_1")
RATES = (0.01, 0.1)


def made_up(
    *,
    stage: str = "compare",
    study: str = "initializer",
    arms: Sequence[str] = ARMS,
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    epochs: int = 4,
    root: int = 0,
) -> tuple[list[Record], Summary]:
    """Every arm × learning rate × seed; the first rate is chosen, the last arm's seed 0 diverges
    there in its second epoch."""
    numbers = np.random.default_rng(root)
    records = []
    for arm in arms:
        for rate in rates:
            for seed in range(seeds):
                chosen = rate == rates[0]
                diverged = chosen and arm == arms[-1] and seed == 0
                curves = {m: numbers.random(2 if diverged else epochs) for m in EPOCH_METRICS}
                if diverged:
                    for values in curves.values():
                        values[-1] = np.nan
                    curves["val_loss"][-1] = np.inf
                tests = {"test_loss": numbers.random(), "test_accuracy": numbers.random()}
                if diverged:
                    tests = dict.fromkeys(tests, np.nan)
                records.append(
                    Record(
                        stage=stage,
                        study=study,
                        arm=arm,
                        seed=seed,
                        learning_rate=rate,
                        settings={"activation": "relu", "initializer": arm, "optimizer": "sgd"},
                        data_digest="d" * 64,
                        outcome="diverged" if diverged else "completed",
                        epochs={m: tuple(map(float, v)) for m, v in curves.items()},
                        chosen=chosen,
                        test={m: float(v) for m, v in tests.items()} if chosen else {},
                    )
                )
    return records, _summary(records, stage, study, arms, rates, seeds)


def _summary(
    records: list[Record],
    stage: str,
    study: str,
    arms: Sequence[str],
    rates: Sequence[float],
    seeds: int,
) -> Summary:
    """The numbers only have to differ from each other."""

    def interval(value: float) -> Interval:
        return Interval(mean=value, low=value - 0.02, high=value + 0.02, sd=0.01, n=seeds)

    unknown = Interval(mean=0.25, low=None, high=None, sd=None, n=1)
    of_arms = {
        arm: ArmSummary(
            rank=rank,
            mean_rank=rank + 0.25,
            learning_rate=rates[0],
            rates={f"{rates[0]:g}": seeds},
            at_edge="lowest",
            test=interval(0.97 - rank / 100),
            test_loss=unknown,
            others={},
            validation=interval(
                mean(last_epoch(r)[0] for r in records if r.arm == arm and r.chosen)
            ),
            best_validation=interval(0.99 - rank / 100),
            best_epoch=3.5,
            last_epoch=4.0,
            epochs_to_target=interval(2.0) if rank == 1 else None,
            reached_share=1.0 if rank == 1 else 0.0,
            diverged_share=1 / seeds if arm == arms[-1] else 0.0,
            settings={"activation": "relu", "initializer": arm, "optimizer": "sgd"},
        )
        for rank, arm in enumerate(arms, start=1)
    }
    contrasts = {
        f"{arm} against {arms[0]}": Contrast(
            arm=arm,
            reference=arms[0],
            difference=interval(-rank / 100),
            loss_difference=unknown,
            error_factor=interval(1 - rank / 10),
            p_value=0.04 if rank == 1 else None,
            level=0.005,
            verdict="worse" if rank == 1 else "open",
            on_new_data="open",
        )
        for rank, arm in enumerate(arms[1:], start=1)
    }
    return Summary(
        stage=stage,
        study=study,
        data_name="digits",
        data_digest="d" * 64,
        n_test=360,
        seeds=seeds,
        trials=len(records),
        learning_rates=tuple(rates),
        metric="accuracy",
        chance=0.1,
        luck=0.13,
        target=0.9,
        arms=of_arms,
        reference=arms[0],
        contrasts=contrasts,
        groups=(tuple(arms[:1]), tuple(arms[1:])),
        equals=(),
        aside={},
        margin=0.01,
        widening=None,
        deviation=0.01,
    )


def made_up_timings(
    arms: Sequence[str] = ARMS, *, seconds: int = 3, gpus: Sequence[str] = ("NVIDIA H100",)
) -> dict[str, Any]:
    """As a stage writes them, on the data that the records name."""
    return {
        "started": "2026-11-25T14:27:03.250+00:00",
        "seconds": seconds + 0.5,
        "machine": {"cpu": "AMD EPYC", "cores": 2, "gpus": list(gpus), "platform": "Linux-6.1"},
        "device": gpus[0] if gpus else "AMD EPYC",
        "versions": {"python": "3.11.7", "keras": "3.15.1", "jax": "0.10.2"},
        "data": {
            "d" * 64: {
                "name": "digits/full",
                "source": "data/prepared/full.npz",
                "features": 64,
                "shape": [64],
                "classes": 10,
                "train": 1027,
                "validation": 357,
                "test": 413,
            }
        },
        "trial_epochs": 72,
        "samples": 73_944,
        "trial_epochs_per_second": 72 / (seconds + 0.5),
        "samples_per_second": 73_944 / (seconds + 0.5),
        "arms": {
            arm: {
                "seconds_per_epoch": 0.01 * number,
                "by_seed": {"0": 0.01 * number},
                "trial_epochs_per_second": 100 / number,
                "samples_per_second": 102_700 / number,
            }
            for number, arm in enumerate(arms, start=1)
        },
    }


def write(
    folder: Path,
    records: Sequence[Record],
    summary: Summary | None,
    timings: dict[str, Any] | None = None,
) -> Path:
    """As a stage and then the report do it; the folder."""
    write_records(folder / "records.parquet", records)
    if summary:
        project = project_of(folder)
        write_summary(project.summary(folder), summary)
    if timings:
        write_sealed(times_of(folder), timings)
    return folder


def project_of(folder: Path) -> Project:
    """The project to which a folder of results belongs."""
    results = next(parent for parent in (folder, *folder.parents) if parent.name == "results")
    return Project(results=results, reports=results.with_name("reports"))


def publish(folder: Path) -> Published:
    """That folder alone."""
    return Publisher(project_of(folder)).bring(folder)


def publish_quietly(folder: Path) -> None:
    """As at the end of a pipeline that has written what there is."""
    Publisher(project_of(folder), follows=True).follow(lambda: False)


def publish_all(results: Path) -> Published:
    return publishing.publish(project_of(results))
