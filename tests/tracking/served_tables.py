"""A table as the pipeline leaves it: prepared from a file, with a network that was never trained
and the card that the report gives it."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fabricated import finished, predicted
from parameters import params
from warmstart.analysis.judging import judge
from warmstart.config.arm import Arm
from warmstart.data.view import View
from warmstart.files import write_sealed
from warmstart.library import Comparison
from warmstart.networks import building, saving
from warmstart.predictor import Predictor
from warmstart.records import Kept, write_records
from warmstart.stages.prepare import prepare

LABELS = ("sick", "well", "<b> & é")


def people(n: int = 90) -> pd.DataFrame:
    """Numbers, nullable ones, truth values, text, a date, a date in a form of its own, a category;
    gaps in most; `kind` and `cost` to predict."""
    draw = np.random.default_rng(2)
    days = pd.Timestamp("2024-01-30") + pd.to_timedelta(draw.integers(0, 900, n), "D")
    frame = pd.DataFrame(
        {
            "age": pd.array(draw.integers(20, 90, n), "Int64"),
            "income": draw.normal(3e4, 1e4, n).round(2),
            "smokes": pd.array(draw.integers(0, 2, n).astype(bool), "boolean"),
            "owns": draw.integers(0, 2, n).astype(bool),
            "city": draw.choice(["Oslo", "서울", "a, b"], n),
            "size": pd.Categorical(draw.choice(["S", "M", "L"], n), ["S", "M", "L"], ordered=True),
            "ward": draw.choice([3, 7, 12], n),
            "seen": days,
            "born": days.strftime("%d.%m.%Y"),
            "kind": np.resize(LABELS, n),
            "cost": draw.normal(2_000, 300, n),
        }
    )
    for place, name in enumerate(("age", "income", "smokes", "city", "size", "seen", "born")):
        frame.loc[[place, place + 20], name] = None
    return frame


def leave(
    here: Path, frame: pd.DataFrame, target: str, *, standardize: bool = True, **data: Any
) -> Predictor:
    """`models/compare/activation.keras` with its card and `data/prepared` below `here`; what
    `best_model()` of a notebook gives of that network."""
    frame.to_parquet(here / "table.parquet")
    columns = {"born": {"date": "%d.%m.%Y"}, "ward": "category"}
    known = params()
    given = {"name": "people", "path": str(here / "table.parquet"), "target": target}
    given |= {"columns": {k: v for k, v in columns.items() if k in frame}} | data
    prepared = here / "data/prepared"
    prepare(known.model_copy(update={"data": known.data.model_copy(update=given)}), prepared)
    view = View.read(prepared, "full")
    view = view if standardize else view.raw()
    task, path = view.task, here / "models/compare/activation.keras"
    network = building.build(
        Arm(hidden=(7,), activation="rrelu").resolve(task.features),
        features=task.features,
        outputs=task.outputs,
        seed=3,
    )
    saving.save(building.compile_for_use(network), path)
    of = finished if task.classes else predicted
    settings = {"settings": {"standardize": str(standardize).lower()}, "study": "activation"}
    records = [
        replace(record, data_digest=View.read(prepared, "full").task.digest)
        for arm, values in {"relu": [0.5, 0.6], "selu": [0.7, 0.8]}.items()
        for record in of(arm, values, **settings)
    ]
    kept = Kept(
        record=records[2].digest,
        model=path.as_posix(),
        data=records[2].data_digest,
        validation_hits="a0" if task.classes else "",
        validation_errors="" if task.classes else np.array([0.5, 2], "<f4").tobytes().hex(),
        validation_samples=3 if task.classes else 2,
    )
    write_records(here / "results/compare/activation/records.parquet", records)
    write_sealed(here / "results/compare/activation/kept.json", asdict(kept))
    judge(known, here / "results", prepared).write(here / "reports", here / "models/cards")
    return Comparison(
        results=None,  # type: ignore[arg-type]
        yardsticks=None,  # type: ignore[arg-type]
        recommended="",
        classes_=np.array(task.class_names),
        view=view,
        model=path.read_bytes(),
    ).best_model()
