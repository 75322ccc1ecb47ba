"""The report of numbers, and of classes that are not alike in number."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fabricated import classified, predicted
from parameters import params
from warmstart.analysis.judging import judge
from warmstart.analysis.page import write_report
from warmstart.files import read_json, write_sealed
from warmstart.records import Record, write_records

PARAMS = params()
ELSEWHERE: dict[str, Any] = {"stage": "yardsticks", "study": ""}


def settings(arm: str) -> dict[str, Any]:
    network = PARAMS.compare.arms("activation")[arm].resolve(64).settings()
    budget = {"epochs": str(PARAMS.compare.epochs), "batch_size": str(PARAMS.compare.batch_size)}
    return {"study": "activation", "settings": network | budget | {"splits": "resampled"}}


def report(
    folder: Path,
    test: Mapping[str, Any],
    networks: Sequence[Record],
    yardsticks: Sequence[Record],
    **about: Any,
) -> str:
    """The Markdown of a project with one study."""
    names = {"class_names": list(test.get("classes", ()))}
    task = {"digest": "d" * 64, "train": {"n": 600}, "validation": {"n": 200}, "test": test}
    card = {
        "name": "made up",
        "n": 1000,
        "features": 64,
        "shape": [64],
        "feature_shape": [64],
        "size": "1,000 rows of 64 columns beside the target, 64 features",
        "kind": "multiclass",
        "why": "classes",
        "target": {"name": "y"},
        "splits": "resampled",
        "warnings": [],
        "source": "a generator",
        "licence": "none",
        "digest": "f" * 64,
        "tasks": {"full": task | names},
    }
    write_sealed(folder / "prepared/card.json", card | about)
    write_records(folder / "results/compare/activation/records.parquet", networks)
    write_records(folder / "results/yardsticks/records.parquet", yardsticks)
    judgement = judge(PARAMS, folder / "results", folder / "prepared")
    judgement.write(folder / "reports", folder / "cards")
    write_report(judgement, folder / "reports")
    return (folder / "reports/report.md").read_text()


def test_a_regression_is_told_in_the_unit_of_its_target(tmp_path: Path) -> None:
    errors = {"relu": [5.2, 5.1, 5.3, 5.2, 5.2], "silu": [4.4, 4.5, 4.4, 4.3, 4.4]}
    networks = [r for arm, e in errors.items() for r in predicted(arm, e, **settings(arm))]
    others = {
        "mean": [20.0] * 5,
        "linear": [8.0, 8.1, 7.9, 8.0, 8.0],
        "gradient_boosting": [9.0] * 5,
    }
    yardsticks = [r for arm, e in others.items() for r in predicted(arm, e, **ELSEWHERE)]
    text = report(
        tmp_path,
        {"n": 200},
        networks,
        yardsticks,
        kind="regression",
        target={"name": "price", "mean": 100.0, "deviation": 20.0},
    )
    assert "\n\n**Use silu (activation): hidden layers 100-50" in text
    assert "Test RMSE of price 4.40 (4.31 to 4.49); -0.800 (" in text
    assert "; it beats a linear model and gradient boosting.**\n" in text
    assert "| silu | reference | 4.40 (4.31…4.49) | – | 0.1 | 5 |" in text
    assert "| relu | worse | 5.20 (5.11…5.29) | +0.800 (" in text
    chosen = "validation chooses silu: test RMSE of price 4.40 (4.31 to 4.49); always predicting "
    assert f"{chosen}the mean gives 20.0. Worse: arm relu." in text
    assert "“Practically equal” is within 0.2; of all differences" in text
    assert "| always the mean | 20.0 | -15.6 (" in text
    # MAE: 0.8 · 5.2 ± 2.776 · 0.8 · 0.0707 / √5; R²: 1 - (5.2 / 20)²
    assert "| relu | 4.16 (4.09 to 4.23) | 0.932 (0.930 to 0.935) |" in text
    assert "the lowest of their means of RMSE of price would still lie" in text
    assert "Left out, since they speak of classes and the target here is a number: Glorot" in text
    for word in ("accuracy", "points (", "most frequent"):
        assert word not in text, word
    metrics = read_json(tmp_path / "reports/metrics.json")
    assert metrics["rmse"] == 4.4
    assert metrics["gain"] > 0  # it errs less than what does without a network
    assert json.loads((tmp_path / "reports/claims.json").read_text())


def test_imbalanced_noise_is_recommended_to_nobody(tmp_path: Path) -> None:
    """95 of 100 are of one class, which is no merit of any network."""
    noise = {"relu": [0.5, 0.48, 0.52, 0.5, 0.5], "silu": [0.5, 0.53, 0.47, 0.51, 0.48]}
    networks = [r for arm, v in noise.items() for r in classified(arm, v, **settings(arm))]
    others = {"majority": [0.5] * 5, "linear": noise["silu"], "gradient_boosting": noise["relu"]}
    yardsticks = [r for arm, v in others.items() for r in classified(arm, v, **ELSEWHERE)]
    test = {"n": 120, "classes": {"no": 114, "yes": 6}}
    text = report(tmp_path, test, networks, yardsticks, kind="binary")
    assert "\n\n**Nothing here is worth using: relu (activation), test balanced" in text
    assert "No signal is shown in these data." in text
    assert "Use " not in text
    assert "; always naming the same class gives 50.0 %." in text
    assert (
        "| always naming the most frequent class | 50.0 % | +0.0 points (-2.6 to +2.6) | open |"
        in text
    )
    assert "| test accuracy | test macro F1 | test ROC AUC | test log loss |" in text
    assert "best epoch’s loss" in text
