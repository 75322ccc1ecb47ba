import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import altair as alt
import pytest
from made_up import drawn, results, texts

from fabricated import predicted, study
from warmstart.analysis.figures.figure import Figure
from warmstart.analysis.figures.forest import VERDICTS, forest
from warmstart.analysis.results import Results


def of(*studies: Results, transfer: Results | None = None) -> Figure | None:
    judgement: Any = SimpleNamespace(studies=studies, transfer=transfer)
    return forest(judgement)


def rows(figure: Figure | None) -> list[dict[str, Any]]:
    assert figure
    spec = figure.spec()
    assert alt.LayerChart.from_dict(spec).to_dict()  # is valid
    return spec["data"]["values"]


CALM = results(study({"a": 0.05, "b": 0.051, "c": 0.049}, name="calm", spread=0.02))
TORN = results(study({"a": 0.05, "lost": 0.9}, name="torn", spread=0.02))


def test_each_arm_stands_at_its_difference_in_margins() -> None:
    found = {row["label"]: row for row in rows(of(CALM))}
    contrasts = {c.arm: c for c in CALM.summary.contrasts.values()}
    assert found.keys() == contrasts.keys()
    for arm, row in found.items():
        apart = contrasts[arm].difference
        assert row["place"] == pytest.approx(apart.mean / 0.01, rel=1e-3, abs=1e-9)
        assert apart.low is not None
        assert apart.high is not None
        assert row["from"] == pytest.approx(apart.low / 0.01, rel=1e-3)
        assert row["to"] == pytest.approx(apart.high / 0.01, rel=1e-3)
        assert row["verdict"] == contrasts[arm].verdict == "practically equal"


def test_where_most_is_at_stake_is_on_top_and_transfer_at_the_bottom() -> None:
    records = [
        replace(r, stage="transfer", study="") for r in study({"scratch": 0.1, "on_a": 0.01})
    ]
    transfer = results(records)
    order = dict.fromkeys(
        row["row"].split("|")[0] for row in rows(of(CALM, TORN, transfer=transfer))
    )
    assert list(order) == ["torn", "calm", "transfer"]
    assert "B on A, freeze then thaw" in {row["label"] for row in rows(of(transfer=transfer))}


def test_marks_are_verdicts_and_far_ones_have_their_name() -> None:
    figure = of(CALM, TORN)
    assert figure
    points = drawn(figure.spec())
    assert len(points) == 3
    seen = {(point["fill"], point["shape"]) for point in points}
    assert seen == {VERDICTS["practically equal"], VERDICTS["worse"]}
    words = [text["text"] for text in texts(figure.spec())]
    assert words.count("lost") == 1
    assert "points of accuracy, right is better" in words
    assert all(text["fontSize"] >= 11 for text in texts(figure.spec()))


def test_smaller_errors_are_better_in_their_own_unit() -> None:
    """RMSE 4 and 8 of a target whose deviation is 20: 1 % of it, 0.2, is a margin."""
    found = results(predicted("a", [4.0, 4.1, 3.9]) + predicted("b", [8.0, 8.1, 7.9]))
    figure = of(found)
    (row,) = rows(figure)
    assert row["place"] == pytest.approx(-20, rel=1e-3)
    assert row["verdict"] == "worse"
    assert figure
    words = [text["text"] for text in texts(figure.spec())]
    assert "RMSE of price, right is better" in words
    assert "−2" in words  # ten margins


def test_nothing_to_compare_is_no_picture() -> None:
    assert of() is None
    assert of(results(study({"only": 0.1}))) is None
    assert not math.isnan(rows(of(CALM))[0]["place"])
