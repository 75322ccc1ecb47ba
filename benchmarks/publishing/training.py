"""Part `training`: one study, trained alone, and while another process publishes it. Only the
command line is used."""

import sys
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from measuring.process import ON_CORES, call
from publishing.store import ENVIRONMENT, empty, rows
from warmstart.files import read_sealed
from warmstart.records import read_records, times_of

ROOT = Path(__file__).resolve().parents[2]
STUDY = "initializer"
# an arm whose best rate is an end of the grid gets one more: these ends are too far out for that
RATES = (0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
ARMS = {
    "glorot_normal": "glorot_normal",
    "glorot_uniform": "glorot_uniform",
    "he_normal": "he_normal",
    "he_uniform": "he_uniform",
    "lecun_normal": "lecun_normal",
    "lecun_uniform": "lecun_uniform",
    "orthogonal": "orthogonal",
    "normal_0.1": {"normal": {"stddev": 0.1}},
}
WAYS = ("alone", "beside")
AIM = 0.03
"""Share of the training time that publishing beside it may cost."""


def measure(folder: Path, quick: bool, repetitions: int) -> list[dict[str, Any]]:
    """A row for each way. All are measured once before any a second time, each repetition beginning
    with another one."""
    params = _write_params(folder / "params.yaml", quick)
    data, database = folder / "data", empty(folder / "empty.db")
    stage = [sys.executable, "-m", "warmstart"]
    call([*stage, "prepare", "--params", str(params), "--output", str(data)], ON_CORES, folder)
    compare = [*stage, "compare", STUDY, "--params", str(params), "--data", str(data)]
    seen: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for repetition in range(repetitions):
        first = repetition % len(WAYS)
        for way in WAYS[first:] + WAYS[:first]:
            place = folder / f"{repetition} {way}"
            seen[way].append(_train(way, compare, place, database))
            taken = seen[way][-1]
            print(
                f"{way:<10} training {taken['training_seconds']:7.1f} s, in whole "
                f"{taken['seconds']:7.1f} s, {taken['published_while_training']} of "
                f"{taken['runs']} runs in MLflow when it ended, others took "
                f"{taken['disturbed']:.0%} of the cores' time",
                flush=True,
            )
    return [_row(way, seen) for way in WAYS]


def _write_params(path: Path, quick: bool) -> Path:
    """The project's parameters with a study of 512 trials × 20 epochs on digits."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    arms = {arm: {"initializer": ARMS[arm]} for arm in list(ARMS)[: 2 if quick else None]}
    params["data"]["name"] = "digits"
    params["executor"] = {"kept_gb": 0}  # each repetition trains
    params["compare"] |= {
        "learning_rates": list(RATES[2:5] if quick else RATES),
        "seeds": 2 if quick else 8,
        "epochs": 2 if quick else 20,
        "studies": {STUDY: {"arms": arms}},
    }
    params["compare"]["base"]["hidden"] = [500, 300, 100]
    with path.open("w") as file:
        yaml.dump(params, file)
    return path


def _train(way: str, compare: list[str], place: Path, empty_database: Path) -> dict[str, Any]:
    """One training in a folder of its own, where its unfinished work lies too."""
    place.mkdir()
    database = place / "mlflow.db"
    database.write_bytes(empty_database.read_bytes())
    results = place / "results"
    command = [*compare, "--model", str(place / "best.keras"), "--output", str(results / STUDY)]
    if way == "beside":
        command = [*compare[:3], "track", "--results", str(results), "--during", *command]
    environment = {**ON_CORES, **ENVIRONMENT, "MLFLOW_TRACKING_URI": f"sqlite:///{database}"}
    done = call(command, environment, place)
    timings = times_of(results / STUDY)
    records = read_records(results / STUDY / "records.parquet")
    ended = timings.stat().st_mtime * 1000
    finished = rows(database, "SELECT end_time FROM runs WHERE status = 'FINISHED'")
    published = [end for (end,) in finished]
    if way != "alone" and len(published) < len(records):
        raise AssertionError(f"{way}: {len(published)} of {len(records)} trials are in MLflow")
    return {
        "training_seconds": read_sealed(timings)["seconds"],
        "seconds": done.seconds,
        "disturbed": done.disturbed,
        "trials": len(records),
        "trial_epochs": sum(len(record.epochs["loss"]) for record in records),
        "runs": len(published),
        "published_while_training": sum(end <= ended for end in published),
    }


def _row(way: str, seen: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Costs are of each repetition against the one alone beside it in time, then their median."""
    row: dict[str, Any] = {"way": way}
    for kind in ("training_seconds", "seconds"):
        taken = [run[kind] for run in seen[way]]
        shares = [
            run[kind] / alone[kind] - 1 for run, alone in zip(seen[way], seen["alone"], strict=True)
        ]
        row |= {
            kind: median(taken),
            f"{kind}_range": [min(taken), max(taken)],
            f"{kind}_cost": median(shares),
            f"{kind}_cost_range": [min(shares), max(shares)],
        }
    for count in ("trials", "trial_epochs", "runs", "published_while_training"):
        row[count] = median(run[count] for run in seen[way])
    return row | {"disturbed": max(run["disturbed"] for run in seen[way])}


def lines(rows: list[dict[str, Any]]) -> list[str]:
    found = []
    for row in rows:
        line = f"{row['way']:<10} {row['trials']:.0f} trials"
        for kind, name in (("training_seconds", "training"), ("seconds", "in whole")):
            low, high = row[f"{kind}_cost_range"]
            line += f"  {name} {row[kind]:.1f} s"
            if row["way"] != "alone":
                line += f" ({row[f'{kind}_cost']:+.1%}, {low:+.1%} to {high:+.1%})"
        if row["way"] == "beside":
            reached = "reached" if row["training_seconds_cost"] <= AIM else "missed"
            line += f"  (aim for training {AIM:.0%}: {reached})"
        found.append(line)
    return found
