"""`python -m warmstart advise`: from files to sentences and code."""

import sys
from pathlib import Path

import pytest

from warmstart.__main__ import main
from warmstart.analysis.statistics import summarize
from warmstart.config import params
from warmstart.files import write_json
from warmstart.records import write_records

sys.path.append(str(Path(__file__).parents[1] / "analysis"))
from fabricated import finished

ROOT = Path(__file__).parents[2]
COMPARE = params.load(ROOT / "params.yaml").compare


def advise(folder: Path) -> int:
    results, data = str(folder / "results"), str(folder / "prepared")
    given = ["--params", str(ROOT / "params.yaml"), "--results", results, "--data", data]
    return main(["advise", *given])


def test_advice_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert advise(tmp_path) == 2
    assert "run `dvc repro prepare`" in capsys.readouterr().err
    card = {"features": 64, "tasks": {"full": {"class_names": ["x", "y", "z"]}}}
    write_json(tmp_path / "prepared" / "card.json", card)
    assert advise(tmp_path) == 2
    assert "expected a study with the arms of the parameter file" in capsys.readouterr().err

    records = []
    for arm, accuracy in (("relu", 0.9), ("selu", 0.95)):
        settings = COMPARE.arms("activation")[arm].resolve(64).settings()
        settings |= {"epochs": str(COMPARE.epochs), "batch_size": str(COMPARE.batch_size)}
        records += finished(arm, [accuracy] * 5, study="activation", settings=settings)
    folder = tmp_path / "results" / "compare" / "activation"
    write_records(folder / "records.parquet", records)
    summary = summarize(records, data_name="x", n_test=100, reference=None)
    summary.write(folder / "summary.json")
    assert advise(tmp_path) == 0
    text, code = capsys.readouterr().out.split("\n\n", 1)
    assert text.startswith("Use selu (activation)")
    assert 'kernel_initializer="lecun_normal"' in code
    assert f'np.load("{tmp_path}/prepared/full.npz")' in code
    assert "keras.layers.Dense(3)" in code
    compile(code, "advice", "exec")
