import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import altair as alt
import pytest
from made_up import ERRORS, drawn, looked_into, results, texts

from fabricated import finished, predicted, trial
from warmstart.analysis.figures.figure import Figure
from warmstart.analysis.figures.looks import palette
from warmstart.analysis.figures.shown import Shown

NAMES = ["lost", "good"]
LOOKS = palette({"initializer": [*ERRORS, "profile"]})["initializer"]


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return Shown(results(diagnostics=looked_into()), LOOKS).figures


def test_kinds_in_the_order_of_the_page(figures: dict[str, Figure]) -> None:
    assert list(figures) == [
        "ranking",
        "seeds",
        "curves",
        "times",
        "rates",
        "activations-3",
        "gradients-3",
    ]
    assert figures["curves"].name == "initializer-curves"


def test_every_picture_is_valid_and_draws_a_point_for_each_row(figures: dict[str, Figure]) -> None:
    for kind, figure in figures.items():
        figure.chart.to_dict(validate=True)
        spec = figure.spec()
        assert len(drawn(spec)) == len(spec["data"]["values"]) > 0, kind
        assert spec["description"] == figure.caption


def test_pictures_have_the_colours_and_shapes_of_their_arms(figures: dict[str, Figure]) -> None:
    for kind in ("ranking", "seeds", "curves", "times", "rates"):
        seen = {(point["stroke"] if kind == "ranking" else point["fill"], point["shape"])
                for point in drawn(figures[kind].spec())}  # fmt: skip
        assert seen == {tuple(LOOKS[arm]) for arm in ERRORS}, kind


def across(figure: Figure) -> dict[str, float]:
    """Arm -> pixels from the left."""
    points = drawn(figure.spec())
    return {point["description"].split("arm: ")[1].split(";")[0]: point["x"] for point in points}


def test_better_is_up_and_right_on_a_logarithm_of_errors(figures: dict[str, Figure]) -> None:
    """Equal factors of the error are equally far apart."""
    error = {row["label"]: row["place"] for row in figures["ranking"].spec()["data"]["values"]}
    x = across(figures["ranking"])
    assert x["good"] > x["near"] > x["bad"]
    first = (x["good"] - x["near"]) / math.log(error["near"] / error["good"])
    second = (x["near"] - x["bad"]) / math.log(error["bad"] / error["near"])
    assert first == pytest.approx(second, rel=1e-3)
    heights = [point["y"] for point in drawn(figures["curves"].spec())]
    assert heights[0] > heights[19]  # the first arm's first and last epoch, pixels from above


def test_axes_are_labelled_in_the_metrics_own_unit(figures: dict[str, Figure]) -> None:
    words = [text["text"] for text in texts(figures["ranking"].spec())]
    assert "test accuracy" in words
    ends = [float(w.split()[0]) for w in words if w.endswith(" %")]
    assert ends
    assert all(50 < end < 100 for end in ends)
    records = predicted("a", [4.0, 5.0, 6.0]) + predicted("b", [8.0, 9.0, 10.0])
    looks = palette({"s": ["a", "b"]})["s"]
    rmse = Shown(results(records), looks).figures["ranking"]
    words = [text["text"] for text in texts(rmse.spec())]
    assert "test RMSE of price (better is right)" in words
    assert "5" in words
    assert across(rmse)["a"] > across(rmse)["b"]


def test_no_text_is_too_small_or_of_a_colour_that_a_page_may_have(
    figures: dict[str, Figure],
) -> None:
    for figure in figures.values():
        for text in texts(figure.spec()):
            assert text["fontSize"] >= 11
            assert text["fill"] == "currentColor"


def test_the_same_numbers_are_the_same_bytes(figures: dict[str, Figure], tmp_path: Path) -> None:
    again = Shown(results(diagnostics=looked_into()), LOOKS).figures
    for kind, figure in figures.items():
        for suffix in ("json", "svg"):
            figure.save(tmp_path / f"one.{suffix}")
            again[kind].save(tmp_path / f"other.{suffix}")
            one, other = ((tmp_path / f"{n}.{suffix}").read_bytes() for n in ("one", "other"))
            assert one == other, kind


def test_files_stand_by_themselves(figures: dict[str, Figure], tmp_path: Path) -> None:
    figure = figures["ranking"]
    figure.save(tmp_path / "a.svg")
    svg = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert "currentColor" not in (tmp_path / "a.svg").read_text()
    figure.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    figure.save(tmp_path / "a.html")
    html = (tmp_path / "a.html").read_text()
    assert "<script src=" not in html
    assert "cdn." not in html.split("embed(")[0][-2000:]
    figure.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == figure.spec()
    with pytest.raises(ValueError, match=r"a\.pdf: expected \.svg, \.png, \.html or \.json"):
        figure.save(tmp_path / "a.pdf")


def test_a_notebook_gets_what_it_can_show_without_a_network(figures: dict[str, Figure]) -> None:
    bundle = figures["curves"]._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.vegalite.v5+json", "image/svg+xml", "text/plain"}
    assert len(drawn(bundle["application/vnd.vegalite.v5+json"], "5.8")) == len(
        drawn(figures["curves"].spec())
    )


def test_what_diverges_at_once_has_no_curve() -> None:
    """In every arm a seed diverges in its first epoch: then no mean over all seeds is there."""
    lost = {"val_accuracy": [math.nan], "val_loss": [math.nan], "outcome": "diverged"}
    tested = {"test_accuracy": 0.1, "test_loss": math.nan}
    records = [trial(arm, 0, test=tested, **lost) for arm in "ab"]  # type: ignore[arg-type]
    records += [record for arm in "ab" for record in finished(arm, [0.9, 0.8])[1:]]
    kinds = Shown(results(records), palette({"s": ["a", "b"]})["s"]).figures
    assert list(kinds) == ["ranking", "seeds"]


def test_an_arm_without_any_test_is_not_drawn_as_perfect() -> None:
    """All its seeds diverged: its RMSE is no number, and no 0 either."""
    lost = [
        replace(record, test=dict.fromkeys(record.test, math.nan), outcome="diverged")
        for record in predicted("lost", [4.0, 5.0, 6.0])
    ]
    made = Shown(results(lost + predicted("good", [4.0, 5.0, 6.0])), palette({"s": NAMES})["s"])
    assert {row["label"] for row in made.rows["ranking"]} == {"good"}
    assert len(drawn(made.figures["ranking"].spec())) == 1


def test_every_rate_tells_whether_it_was_chosen(figures: dict[str, Figure]) -> None:
    told = [row["chosen"] for row in figures["rates"].spec()["data"]["values"]]
    assert {True, False} == set(told)


def test_names_that_people_write_are_shown_as_they_are() -> None:
    names = ["<b>one</b>", "$x$ 'quoted'", "초기화", "a|b.c[0]"]
    records = [r for n, name in enumerate(names) for r in predicted(name, [4.0 + n, 5.0 + n])]
    made = Shown(results(records), palette({"s": names})["s"]).figures
    for kind in ("ranking", "curves"):
        spec = made[kind].spec()
        assert set(names) <= {text["text"] for text in texts(spec)}, kind
        assert alt.LayerChart.from_dict(spec).to_dict()
