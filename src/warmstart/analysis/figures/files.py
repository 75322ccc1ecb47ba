"""The pictures of a run as files."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from warmstart.analysis.figures.forest import forest
from warmstart.analysis.figures.looks import palette
from warmstart.analysis.figures.rows import PLOTS
from warmstart.analysis.figures.shown import Shown
from warmstart.analysis.judging import Judgement
from warmstart.analysis.results import Results
from warmstart.files import write_json, write_sealed


def shown(judgement: Judgement) -> dict[str, Shown]:
    """Every stage and study by its name, arms in one palette."""
    looks = palette({results.name: _networks(results) for results in judgement.everything})
    return {
        results.name: Shown(
            results, looks[results.name], judgement.labels if results is judgement.transfer else {}
        )
        for results in judgement.everything
    }


def write_figures(judgement: Judgement, studies: Mapping[str, Shown], output: Path) -> None:
    """Write into `output` the pictures as `figures/STUDY/KIND.json` (Vega-Lite with its data) and
    `.svg`, that of all studies as `figures/forest.*`, the colours of arms as `colours.json`, and
    the numbers as `plots/*.json` for `dvc plots`.

    `studies` is what `shown` gives.
    """
    places = {
        f"{name}/{kind}": figure
        for name, study in studies.items()
        for kind, figure in study.figures.items()
    }
    if overall := forest(judgement):
        places["forest"] = overall
    shutil.rmtree(output / "figures", ignore_errors=True)
    for place, figure in places.items():
        for suffix in ("json", "svg"):
            figure.save(output / "figures" / f"{place}.{suffix}")
    write_sealed(output / "colours.json", {name: study.colours for name, study in studies.items()})
    for name in PLOTS:
        rows = [row for study in studies.values() for row in study.rows.get(name, ())]
        write_json(output / "plots" / f"{name}.json", rows)


def _networks(results: Results) -> list[str]:
    """The arms of a study, then the networks that were only looked into, never trained."""
    looks = results.diagnostics
    return list(dict.fromkeys([*results.arms, *([] if looks is None else looks["arm"])]))
