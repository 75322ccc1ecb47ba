"""Part `publish`: 512 trials × 20 epochs × 4 metrics, published or logged."""

import json
import sys
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from measuring.process import call
from publishing.made_up import write
from publishing.store import ENVIRONMENT, empty
from publishing.ways import STORES, WAYS

EPOCHS, METRICS = 20, 4
AIM = 7
"""Times that publishing shall be faster than `log_metric`."""
AIM_MS = 5
"""Of the processor for a run, into an SQLite file."""


def measure(folder: Path, quick: bool, repetitions: int) -> list[dict[str, Any]]:
    """A row for each way and store. All are measured once before any a second time."""
    trials, logged = (16, 2) if quick else (512, 16)
    rates, seeds = (0.01, 0.03, 0.1, 0.3), 2 if quick else 8
    arms = [f"arm_{n}" for n in range(trials // (len(rates) * seeds))]
    results, database = folder / "results", empty(folder / "empty.db")
    write(
        results,
        study="made_up",
        arms=arms,
        rates=rates,
        seeds=seeds,
        epochs=EPOCHS,
        summary=None,
    )
    seconds: dict[tuple[str, str], list[float]] = {pair: [] for pair in product(STORES, WAYS)}
    disturbed = dict.fromkeys(seconds, 0.0)
    dues: dict[tuple[str, str], dict[str, float]] = {}
    for _ in range(repetitions):
        for store, way in seconds:
            count = trials if way == "publish" else logged
            command = [sys.executable, "-m", "publishing.ways", way, store, str(results)]
            done = call([*command, str(database), str(count)], ENVIRONMENT)
            answer = json.loads(done.printed.splitlines()[-1])
            # the chosen ones have two test metrics besides
            if not 0 <= answer["values"] - count * EPOCHS * METRICS <= 2 * count:
                raise AssertionError(f"{way} left {answer['values']} values in MLflow's {store}")
            seconds[store, way].append(answer["seconds"] * trials / count)
            dues[store, way] = {  # of the last time; it hardly varies
                "processor_ms_a_run": 1000 * answer["processor_seconds"] / count,
                "statements_a_run": answer["statements"] / count,
            }
            disturbed[store, way] = max(disturbed[store, way], done.disturbed)
            print(f"{store:<7} {way:<12} {seconds[store, way][-1]:8.1f} s", flush=True)
    return [
        {
            "store": store,
            "way": way,
            "trials": trials,
            "trials_measured": trials if way == "publish" else logged,
            "seconds": median(taken),
            "seconds_range": [min(taken), max(taken)],
            "ratio": median(taken) / median(seconds[store, "publish"]),
            **dues[store, way],
            "disturbed": disturbed[store, way],
        }
        for (store, way), taken in seconds.items()
    ]


def lines(rows: list[dict[str, Any]]) -> list[str]:
    found = []
    for row in rows:
        low, high = row["seconds_range"]
        line = f"{row['store']:<7} {row['way']:<12} {row['seconds']:7.1f} s ({low:.1f}–{high:.1f})"
        line += f"  × publish {row['ratio']:.1f}"
        if "processor_ms_a_run" in row:
            line += f"  {row['processor_ms_a_run']:.1f} ms of the processor a run"
            line += f", {row['statements_a_run']:.1f} statements"
        if row["way"] == "publish" and row["store"] == "sqlite" and "processor_ms_a_run" in row:
            reached = "reached" if row["processor_ms_a_run"] <= AIM_MS else "missed"
            line += f"  (aim {AIM_MS} ms: {reached})"
        if row["way"] == "log_metric":
            line += f"  (aim {AIM}: {'reached' if row['ratio'] >= AIM else 'missed'})"
        found.append(line)
    return found
