"""Results as `compare` writes them, made up: what publishing costs does not depend on what was
learned."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from warmstart.analysis.statistics import summarize
from warmstart.analysis.summary import write_summary
from warmstart.records import EPOCH_METRICS, Record, write_records

N_TEST = 10_000


def write(
    folder: Path,
    *,
    study: str,
    arms: Sequence[str],
    rates: Sequence[float],
    seeds: int,
    epochs: int,
    summary: Path | None,
) -> None:
    """Every arm × learning rate × seed, of which none diverges; arms are the better the sooner they
    come, and every middle rate is the chosen one. `summary`: the file for their summary; None: none
    is written."""
    numbers = np.random.default_rng(0)
    records = []
    for place, arm in enumerate(arms):
        for step, rate in enumerate(rates):
            best = 0.95 - 0.3 * place / len(arms) - 0.05 * abs(step - len(rates) // 2)
            for seed in range(seeds):
                curves = _curves(numbers, best, epochs)
                chosen = step == len(rates) // 2
                accuracy = round(float(curves["val_accuracy"][-1]) * N_TEST) / N_TEST
                test = {"test_loss": float(curves["val_loss"][-1]), "test_accuracy": accuracy}
                records.append(
                    Record(
                        stage="compare",
                        study=study,
                        arm=arm,
                        seed=seed,
                        learning_rate=rate,
                        settings={
                            "hidden": "100-50-50-50-50",
                            "activation": "relu",
                            "initializer": arm,
                            "batch_norm": "none",
                            "clipping": "none",
                            "optimizer": "sgd",
                            "standardize": "True",
                            "batch_size": "32",
                            "epochs": str(epochs),
                        },
                        data_digest="0" * 64,
                        outcome="completed",
                        epochs={m: tuple(map(float, values)) for m, values in curves.items()},
                        chosen=chosen,
                        test=test if chosen else {},
                    )
                )
    write_records(folder / "records.parquet", records)
    if summary:
        found = summarize(
            records, data_name="made_up", n_test=N_TEST, chance=0.1, margin=0.01, reference=None
        )
        write_summary(summary, found)


def _curves(numbers: np.random.Generator, best: float, epochs: int) -> dict[str, np.ndarray]:
    """(epochs,) each: accuracies that rise to `best`, losses that fall with them."""
    learned = 1 - np.exp(-4 * np.arange(1, epochs + 1) / epochs)
    accuracies = {
        metric: np.clip(best * learned + numbers.normal(0, 0.005, epochs), 0, 1)
        for metric in ("accuracy", "val_accuracy")
    }
    losses = {
        metric.replace("accuracy", "loss"): 2.3 * (1 - values) + numbers.random(epochs) / 1000
        for metric, values in accuracies.items()
    }
    return {metric: (accuracies | losses)[metric] for metric in EPOCH_METRICS}
