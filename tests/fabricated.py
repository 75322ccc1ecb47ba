"""Records made up from known truth, for tests of what is said about them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from warmstart.metrics import METRICS
from warmstart.records import Record


def trial(
    arm: str,
    seed: int = 0,
    learning_rate: float = 0.1,
    *,
    val_accuracy: Sequence[float] = (0.9,),
    val_loss: Sequence[float] = (0.3,),
    test: Mapping[str, float] | None = None,
    outcome: str = "completed",
    stage: str = "compare",
    study: str = "initializer",
    settings: Mapping[str, str] | None = None,
    metric: str = "accuracy",
    validation: float | None = None,
) -> Record:
    """One trial, whose `metric` on validation is `validation` if that is not the accuracy; chosen
    if it has `test` metrics."""
    return Record(
        stage=stage,
        study=study,
        arm=arm,
        seed=seed,
        learning_rate=learning_rate,
        settings=dict(settings or {}),
        data_digest="d" * 64,
        outcome=outcome,  # type: ignore[arg-type]
        epochs={
            "loss": tuple(val_loss),
            "accuracy": tuple(val_accuracy),
            "val_loss": tuple(val_loss),
            "val_accuracy": tuple(val_accuracy),
        },
        chosen=test is not None,
        test=dict(test or {}),
        metric=metric,
        validation={} if validation is None else {f"val_{metric}": validation},
    )


def finished(arm: str, accuracies: Sequence[float], **given: object) -> list[Record]:
    """One chosen trial per test accuracy, seeds 0, 1, 2 …"""
    return [
        trial(arm, seed, test={"test_loss": 1 - a, "test_accuracy": a}, **given)  # type: ignore[arg-type]
        for seed, a in enumerate(accuracies)
    ]


def predicted(
    arm: str,
    errors: Sequence[float],
    *,
    metric: str = "rmse",
    deviation: float = 20.0,
    **given: object,
) -> list[Record]:
    """One chosen trial of a regression per RMSE in the test, seeds 0, 1, 2 …

    The target's own `deviation`, by which epochs are standardized; validation is as the test, twice
    that in the epoch before, and MAE is 0.8 of RMSE.
    """
    return [
        replace(
            trial(arm, seed, **given),  # type: ignore[arg-type]
            metric=metric,
            epochs={
                "loss": ((2 * error / deviation) ** 2, (error / deviation) ** 2),
                "mae": (1.6 * error / deviation, 0.8 * error / deviation),
                "val_loss": ((2 * error / deviation) ** 2, (error / deviation) ** 2),
                "val_mae": (1.6 * error / deviation, 0.8 * error / deviation),
            },
            validation=_of_numbers("val", error, deviation),
            chosen=True,
            test={"test_loss": (error / deviation) ** 2} | _of_numbers("test", error, deviation),
        )
        for seed, error in enumerate(errors)
    ]


def _of_numbers(part: str, error: float, deviation: float) -> dict[str, float]:
    r2 = 1 - (error / deviation) ** 2
    return {f"{part}_rmse": error, f"{part}_mae": 0.8 * error, f"{part}_r2": r2}


def classified(
    arm: str, values: Sequence[float], *, metric: str = "balanced_accuracy", **given: object
) -> list[Record]:
    """One chosen trial per value of `metric` in the test, of which validation has the same; every
    other metric is 0.5. Seeds 0, 1, 2 …"""
    others = [name for name, metric in METRICS.items() if "binary" in metric.kinds]
    return [
        replace(
            trial(arm, seed, val_loss=(0.6, 0.4), val_accuracy=(0.5, 0.5), **given),  # type: ignore[arg-type]
            metric=metric,
            validation={f"val_{metric}": value},
            chosen=True,
            test={"test_loss": 0.4}
            | {f"test_{name}": 0.5 for name in others}
            | {f"test_{metric}": value},
        )
        for seed, value in enumerate(values)
    ]


def study(
    arms: Mapping[str, float],
    *,
    stage: str = "compare",
    name: str = "initializer",
    seeds: int = 5,
    rates: Sequence[float] = (0.003, 0.01, 0.03, 0.1, 0.3),
    epochs: int = 20,
    n_test: int = 360,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    spread: float = 0.2,
) -> list[Record]:
    """All trials of a study. `arms` maps each arm to the error it truly has at its best rate.

    The middle rate but one is best; an error of 0.9 does not learn; a negative error is one that
    diverges at the highest rate for every second seed and is best there nevertheless.
    """
    random = np.random.default_rng(7)
    records = []
    best = len(rates) - 2
    ease = random.normal(size=seeds)  # what a seed does to every arm alike
    for arm, signed in arms.items():
        error, diverges = abs(signed), signed < 0
        chosen = len(rates) - 1 if diverges else best
        for index, rate in enumerate(rates):
            distance = abs(index - chosen)
            for seed in range(seeds):
                noise = np.exp(spread * (0.5 * ease[seed] + random.normal()))
                final = min(0.9, error * noise * (1 + 0.8 * distance**2))
                start = 0.9 if index == 0 else 0.7
                progress = np.exp(-np.arange(1, epochs + 1) / (2 + distance))
                errors = final + (max(start, final) - final) * progress
                errors *= np.exp(0.05 * random.normal(size=epochs)) if error < 0.9 else 1
                accuracy = np.round((1 - np.minimum(errors, 0.9)) * n_test) / n_test
                loss = 2.3 * np.minimum(errors, 1)
                outcome = "completed"
                if diverges and index == len(rates) - 1 and seed % 2:
                    accuracy, loss, outcome = accuracy[:4], loss[:4], "diverged"
                    accuracy[-1] = loss[-1] = np.nan
                test_errors = round(min(0.9, final * np.exp(0.1 * random.normal())) * n_test)
                records.append(
                    trial(
                        arm,
                        seed,
                        rate,
                        val_accuracy=tuple(map(float, accuracy)),
                        val_loss=tuple(map(float, loss)),
                        outcome=outcome,
                        stage=stage,
                        study=name,
                        settings=(settings or {}).get(arm, {}),
                        test={
                            "test_accuracy": 1 - test_errors / n_test,
                            "test_loss": 3 * test_errors / n_test,
                        }
                        if index == chosen
                        else None,
                    )
                )
    return records
