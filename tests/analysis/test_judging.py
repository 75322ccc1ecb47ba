"""Judging reads records and writes what they come to, whatever stages have run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fabricated import finished, study
from parameters import params
from project import keep, prepare
from warmstart.analysis.judging import advice_of, judge
from warmstart.analysis.summary import read_summary
from warmstart.errors import InputError
from warmstart.files import read_json, read_sealed, write_sealed
from warmstart.records import write_records

PARAMS = params()
SCRATCH = [0.70, 0.75, 0.65, 0.70, 0.75]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One study, `transfer` with 10 labels besides, and two pairs; to be read only."""
    project = tmp_path_factory.mktemp("project")
    prepare(project / "prepared")
    results, hits = project / "results", np.array([1, 0, 1, 1])
    records = study({"glorot_normal": 0.3, "he_normal": 0.1, "zeros": 0.9}, n_test=20)
    write_records(results / "compare/initializer/records.parquet", records)
    settings = {"standardize": "true"}

    def trials(gain: float, study: str = "") -> list:
        given = {"stage": "transfer", "study": study, "settings": settings}
        return finished("scratch", SCRATCH, **given) + finished(
            "on_a", [round(a + gain, 2) for a in SCRATCH], **given
        )

    keep(results / "transfer", trials(0.1), 7, "models/b.keras", hits)
    write_records(results / "transfer/labels/10/records.parquet", trials(0.2, "labels_10"))
    for pair, gain in {"0-1": 0.1, "0-2": -0.2, "1-2": 0.0}.items():
        folder = results / "transfer/pairs" / pair
        write_records(folder / "records.parquet", trials(gain, f"pair_{pair}"))
    return project


def test_every_folder_of_records_has_its_summary(made: Path, tmp_path: Path) -> None:
    judgement = judge(PARAMS, made / "results", made / "prepared")
    judgement.write(tmp_path / "reports", tmp_path / "cards")
    folder = tmp_path / "reports/summaries"
    written = {p.relative_to(folder).with_suffix("").as_posix(): p for p in folder.rglob("*.json")}
    assert written.keys() == {
        "compare/initializer",
        "transfer",
        "transfer/labels/10",
        *(f"transfer/pairs/{pair}" for pair in ("0-1", "0-2", "1-2")),
    }
    for place, path in written.items():
        assert read_summary(path) == judgement.summaries[place]
    assert written.keys() == judgement.summaries.keys()
    transfer = judgement.summaries["transfer"]
    assert list(transfer.contrasts) == ["on_a against scratch"]
    assert transfer.n_test == 20
    assert next(iter(judgement.summaries["compare/initializer"].arms)) == "he_normal"


def test_metrics_are_a_dozen_headlines_at_most(made: Path, tmp_path: Path) -> None:
    judgement = judge(PARAMS, made / "results", made / "prepared")
    judgement.write(tmp_path, tmp_path / "cards")
    metrics = read_json(tmp_path / "metrics.json")
    best = judgement.summaries["compare/initializer"].arms["he_normal"].test
    records = [r for one in (*judgement.studies, judgement.transfer) if one for r in one.records]
    assert metrics == {
        "accuracy": round(best.mean, 4),
        "low": round(best.low, 4),
        "high": round(best.high, 4),
        "b_accuracy": pytest.approx(0.81),  # 0.71 from scratch
        "b_gain": pytest.approx(0.1),
        "decided": 1,
        "epochs": sum(len(record.epochs["loss"]) for record in records),
    }
    assert len(metrics) + len(["gain"]) <= 12


def test_judging_twice_writes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        judgement = judge(PARAMS, made / "results", made / "prepared")
        judgement.write(tmp_path / name, tmp_path / name / "cards")
    one, two = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.json")}
        for name in ("one", "two")
    )
    assert one == two
    assert Path("cards/b.json") in one
    assert Path("claims.json") in one


def test_pairs_are_corrected_over_all_of_them(made: Path) -> None:
    pairs = judge(PARAMS, made / "results", made / "prepared").pairs
    assert pairs
    assert [row.classes for row in pairs.rows] == [("elm", "oak"), ("oak", "ash"), ("elm", "ash")]
    assert [row.contrast.verdict for row in pairs.rows] == ["better", "open", "worse"]
    # equal in every seed, so the spread of one is that of rounding, 1/20 / √12, and of a mean
    # difference √(2/5) of it: t = gain / 0.00913, p(10.95) = 3.945e-4 and p(21.9) = 2.568e-5
    alone = [row.contrast.p_value for row in pairs.rows]
    assert alone == pytest.approx([2 * 3.945e-4, 1.0, 3 * 2.568e-5], rel=2e-3)
    assert pairs.difference.mean == pytest.approx(-0.1 / 3)


def test_labels_are_in_one_table(made: Path) -> None:
    labels = judge(PARAMS, made / "results", made / "prepared").labels
    assert set(labels) == {10, PARAMS.transfer.train_size}
    difference = labels[10].contrasts["on_a against scratch"].difference
    assert difference.mean == pytest.approx(0.2)


def test_what_has_not_run_is_absent(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "results/compare", tmp_path / "results/compare")
    judgement = judge(PARAMS, tmp_path / "results", made / "prepared")
    assert judgement.pretrain is judgement.transfer is judgement.pairs is None
    assert [study.name for study in judgement.everything] == ["initializer"]
    assert not judgement.cards
    nothing = judge(PARAMS, tmp_path / "none", tmp_path / "none")
    assert nothing.everything == ()
    assert nothing.advice is nothing.data is None
    assert {claim.verdict for claim in nothing.claims} == {"open"}


def test_results_on_other_data_are_not_judged(made: Path, tmp_path: Path) -> None:
    """They stay where they are until their stage runs again."""
    write_records(
        tmp_path / "results/transfer/records.parquet",
        finished("scratch", SCRATCH, stage="transfer"),
    )
    prepared = shutil.copytree(made / "prepared", tmp_path / "prepared")
    card = prepared / "card.json"
    other = json.dumps(read_sealed(card)).replace("d" * 64, "e" * 64)
    write_sealed(card, json.loads(other))
    assert judge(PARAMS, tmp_path / "results", prepared).everything == ()


def test_advice_needs_data_and_a_study(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected prepared data, found none; run `dvc repro"):
        advice_of(PARAMS, made / "results", tmp_path)
    with pytest.raises(InputError, match="expected a study with the arms of the parameter file"):
        advice_of(PARAMS, tmp_path, made / "prepared")
