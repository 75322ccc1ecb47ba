"""`warmstart advise`: from files to sentences and code."""

from pathlib import Path

import pytest

import parameters
from fabricated import finished
from warmstart.__main__ import main
from warmstart.files import write_sealed
from warmstart.records import write_records

COMPARE = parameters.params().compare


def advise(folder: Path) -> int:
    results, data = str(folder / "results"), str(folder / "prepared")
    given = ["--params", str(parameters.PATH), "--results", results, "--data", data]
    return main(["advise", *given])


def test_advice_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert advise(tmp_path) == 2
    assert "run `dvc repro prepare`" in capsys.readouterr().err
    records = []
    for arm, accuracy in (("relu", 0.9), ("selu", 0.95)):
        settings = COMPARE.arms("activation")[arm].resolve(64).settings()
        settings |= {"epochs": str(COMPARE.epochs), "batch_size": str(COMPARE.batch_size)}
        records += finished(
            arm, [accuracy] * 5, study="activation", settings=settings, val_accuracy=(accuracy,)
        )
    full = {
        "class_names": ["x", "y", "z"],
        "digest": records[0].data_digest,
        "test": {"n": 100, "classes": {"x": 40, "y": 30, "z": 30}},
    }
    card = {"name": "letters", "features": 64, "shape": [64], "tasks": {"full": full}}
    write_sealed(tmp_path / "prepared" / "card.json", card)
    assert advise(tmp_path) == 2
    assert "expected a study with the arms of the parameter file" in capsys.readouterr().err

    write_records(tmp_path / "results/compare/activation/records.parquet", records)
    assert advise(tmp_path) == 0
    text, code = capsys.readouterr().out.split("\n\n", 1)
    assert text.startswith("Use selu (activation)")
    assert 'kernel_initializer="lecun_normal"' in code
    assert f'np.load("{tmp_path}/prepared/full.npz")' in code
    assert "keras.layers.Dense(3)" in code
    compile(code, "advice", "exec")
