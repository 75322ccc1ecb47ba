"""The examples of docs/data.md, run as they are written."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from warmstart.config.params import Data
from warmstart.data.readers.raw import Raw
from warmstart.data.sources import read

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")
OWN = PAGE[PAGE.index("## Your own data") : PAGE.index("### A test set of its own")]
EXAMPLES = dict(
    re.findall(r"(?ms)^### (?P<title>[^\n]+)\n\n(?P<code>```python\n.*?^```yaml\n.*?^```)", OWN)
)
"""Title of the section -> its two blocks of code, what makes the data and what names them."""


def run(title: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Raw:
    (folder / "data/raw").mkdir(parents=True)
    monkeypatch.chdir(folder)
    code, keys = re.findall(r"(?ms)^```(?:python|yaml)\n(.*?)^```", EXAMPLES[title])
    exec(compile(code, title, "exec"), {"__name__": "__main__"})
    data = YAML(typ="safe", pure=True).load(keys)["data"]
    fractions = {"validation_fraction": 0.2, "test_fraction": 0.2}
    return read(Data.model_validate({**data, **fractions}, strict=False))


def test_every_kind_of_source_has_its_example() -> None:
    kinds = ["A table of text", "Parquet and Feather", "ARFF", "Arrays", "IDX", "Images"]
    assert list(EXAMPLES) == kinds


@pytest.mark.parametrize(
    ("title", "shape", "labels"),
    [
        ("A table of text", (178, 12), {"class_0": 59, "class_1": 71, "class_2": 48}),
        ("Parquet and Feather", (90, 2), {"N": 30, "E": 30, "S": 30}),
        ("ARFF", (2, 2), {"ash": 1, "silver birch": 1}),
        ("Arrays", (500, 12), dict.fromkeys(["ash", "beech", "elm", "oak", "yew"], 100)),
        # counts of the documentation of the UCI repository
        ("IDX", (1797, 8, 8), dict(enumerate([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]))),
        ("Images", (200, 10, 10), None),
    ],
)
def test_examples_run_as_they_are_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    title: str,
    shape: tuple[int, ...],
    labels: dict | None,
) -> None:
    raw = run(title, tmp_path, monkeypatch)
    assert raw.x.shape == shape
    if labels is not None:
        assert pd.Series(np.asarray(raw.y)).value_counts().to_dict() == labels
    else:
        assert raw.class_names == tuple(f"digit_{number}" for number in range(10))
        assert set(raw.y.tolist()) == set(range(10))
