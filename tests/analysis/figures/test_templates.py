"""What `dvc plots` makes of the templates, filled by DVC's own code and drawn with Vega-Lite 5."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from dvc_render.vega import VegaRenderer
from made_up import ERRORS, drawn, looked_into, results, texts
from ruamel.yaml import YAML

from fabricated import predicted, study
from warmstart.analysis.figures.looks import palette
from warmstart.analysis.figures.rows import PLOTS, rows
from warmstart.analysis.figures.templates import FOLDER, as_text, templates
from warmstart.analysis.results import Results

ROOT = Path(__file__).parents[3]
STAGE = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["report"]
DECLARED = {Path(path).stem: options for plot in STAGE["plots"] for path, options in plot.items()}


def of(found: Results) -> dict[str, list[dict[str, Any]]]:
    looks = palette({"s": [*found.arms, "profile"]})["s"]
    labels = {10: found.summary, 50: found.summary}
    return rows(found, looks, labels)


@pytest.fixture(scope="module")
def numbers() -> dict[str, list[dict[str, Any]]]:
    """Of two studies."""
    one = of(results(diagnostics=looked_into()))
    other = of(results(study({"good": 0.1, "other": 0.2}, name="second")))
    return {name: one[name] + other.get(name, []) for name in PLOTS}


def filled(name: str, content: list[dict[str, Any]], *revisions: str) -> dict[str, Any]:
    """As DVC does it: options of dvc.yaml, rows with the revision they are of."""
    points = [row | {"rev": revision} for revision in revisions for row in copy.deepcopy(content)]
    options = DECLARED[name] | {"template_dir": str(ROOT / FOLDER)}
    return VegaRenderer(points, name, **options).get_filled_template()


def test_the_files_are_what_the_code_gives() -> None:
    """Else: `python -m warmstart.analysis.figures.templates`."""
    files = {path.stem: path.read_text() for path in (ROOT / FOLDER).glob("*.json")}
    assert files == {name: as_text(spec) for name, spec in templates().items()}


def test_every_plot_is_declared_with_axes_titles_and_a_template() -> None:
    assert list(DECLARED) == list(PLOTS)
    for name, options in DECLARED.items():
        assert options.keys() == {"title", "x", "x_label", "y", "y_label", "template"}
        assert options["template"] == name


@pytest.mark.parametrize("name", PLOTS)
def test_every_row_is_a_point(name: str, numbers: dict[str, list[dict[str, Any]]]) -> None:
    spec = filled(name, numbers[name], "workspace")
    assert "<DVC_METRIC" not in json.dumps(spec)
    for version in ("5.8", "5.20"):
        assert len(drawn(spec, version)) == len(numbers[name]) > 0
    words = {text["text"] for text in texts(spec, "5.20")}
    assert {DECLARED[name]["title"], DECLARED[name]["x_label"]} <= words
    panels = {row.get("panel", row["study"]) for row in numbers[name]}
    assert {f"{panel} (workspace)" if name == "layers" else panel for panel in panels} <= words


@pytest.mark.parametrize("name", PLOTS)
def test_arms_have_the_colours_of_the_report(
    name: str, numbers: dict[str, list[dict[str, Any]]]
) -> None:
    seen = {
        point.get("fill") if point.get("fill") != "transparent" else point["stroke"]
        for point in drawn(filled(name, numbers[name], "workspace"), "5.20")
    }
    assert seen == {row["colour"] for row in numbers[name]}


@pytest.mark.parametrize("name", PLOTS)
def test_two_revisions_are_told_apart(name: str, numbers: dict[str, list[dict[str, Any]]]) -> None:
    spec = filled(name, numbers[name], "workspace", "main")
    assert len(drawn(spec, "5.20")) == 2 * len(numbers[name])
    words = [text["text"] for text in texts(spec, "5.20")]
    if name == "layers":
        assert sum(word.endswith("(main)") for word in words) == 2
    else:
        assert {"revision", "workspace", "main"} <= set(words)
    if name in ("ranking", "seeds"):  # below each other, and by their shapes
        points = drawn(spec, "5.20")
        assert {point["shape"] for point in points} == {"circle", "square"}
        arms = [p for p in points if "arm: bad" in p["description"] and p["shape"] == "circle"]
        others = [p for p in points if "arm: bad" in p["description"] and p["shape"] == "square"]
        assert {p["y"] for p in arms}.isdisjoint(p["y"] for p in others)


def test_errors_of_numbers_are_drawn_too() -> None:
    records = predicted("a", [4.0, 5.0, 6.0]) + predicted("b", [8.0, 9.0, 10.0])
    content = of(results(records))
    for name in ("ranking", "learning_curves"):
        spec = filled(name, content[name], "workspace")
        assert len(drawn(spec, "5.20")) == len(content[name])
        words = [text["text"] for text in texts(spec, "5.20")]
        assert "5" in words
        assert not any("%" in word for word in words if word not in DECLARED[name].values())
    assert ERRORS
