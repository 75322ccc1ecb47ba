"""Whatever of a project's files is cut off, emptied or has a wrong bit: its reader says so in a
line that names it and what to do, or returns the very same."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damages import damaging, files
from prepared import leave

from fabricated import finished
from small_task import make_task
from warmstart.analysis.results import DataCard, judged
from warmstart.analysis.summary import read_summary, write_summary
from warmstart.data.dataset import Dataset
from warmstart.data.standardization import Standardization
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import intact, read_arrays, read_sealed, replacing, stage_of, write_sealed
from warmstart.records import looks, read_looks, read_records, write_looks, write_records
from warmstart.training.layers import LayerProbe


def _task(path: Path) -> Any:
    task = Task.read(path)
    return task.name, task.digest, task.x_train.tobytes(), task.y_test.tobytes(), task.class_names


def _dataset(path: Path) -> Any:
    dataset, more = Dataset.read(path)
    arrays = {name: array.tobytes() for name, array in more.items()}
    return dataset.digest, dataset.x.tobytes(), dataset.name, arrays


def _scale(path: Path) -> Any:
    read = Standardization.read(path)
    return read.mean.tolist(), read.scale.tolist()


def _shown(path: Path) -> Any:
    with intact(path):
        return {name: array.tolist() for name, array in read_arrays(path).items()}


READERS: dict[str, Callable[[Path], Any]] = {
    "prepared/full.npz": _task,
    "prepared/dataset.npz": _dataset,
    "prepared/standardize.npz": _scale,
    "autoencode/shown.npz": _shown,
    "initializer/records.parquet": lambda path: [record.digest for record in read_records(path)],
    "initializer/diagnostics.parquet": lambda path: read_looks(path).to_json(),
    "summaries/compare/initializer.json": lambda path: asdict(read_summary(path)),
}
"""How the path ends -> its reader; all others are sealed."""


def _reader(path: Path) -> Callable[[Path], Any]:
    ends = (read for end, read in READERS.items() if path.as_posix().endswith(end))
    return next(ends, read_sealed)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each kind of file that a stage writes and another one reads, but models."""
    folder = tmp_path_factory.mktemp("project")
    prepared, study = folder / "data/prepared", folder / "results/compare/initializer"
    leave(prepared, make_task())
    card = {"name": "made up", "digest": "f" * 64, "n": 150}
    write_sealed(prepared / "card.json", card)
    records = [r for arm in ("he", "glorot") for r in finished(arm, [0.9, 0.95, 0.93])]
    write_records(study / "records.parquet", records)
    probe = LayerProbe(epoch=1, layer=1, name="a", activation_mean=0.5, activation_deviation=1.5)
    rows = looks([probe] * 20, study="initializer", arm="he", seed=0, learning_rate=0.1)
    write_looks(study / "diagnostics.parquet", rows)
    write_sealed(study / "kept.json", {"record": records[0].digest, "validation_hits": "ff00"})
    write_sealed(folder / "results/times/compare/initializer.json", {"seconds": 1.25})
    with replacing(folder / "results/autoencode/shown.npz") as unfinished:
        np.savez(unfinished, originals=np.ones((3, 4), "float32"))
    part = {"n": 40, "classes": {"a": 20, "b": 20}}
    tasks = {"full": {"digest": "d" * 64, "train": {"n": 70}, "test": part}}
    found = judged(tuple(records), DataCard({**card, "kind": "binary", "tasks": tasks}), 0.01)
    assert found
    write_summary(folder / "reports/summaries/compare/initializer.json", found.summary)
    write_sealed(folder / "reports/colours.json", {"initializer": {"he": "#123456"}})
    write_sealed(folder / "models/cards/initializer.json", {"metric": "accuracy", "x": 0.5})
    return folder


def test_each_reader_says_it_in_a_line_or_reads_the_same(project: Path) -> None:
    seen = 0
    for path in files(project):
        read = _reader(path)
        whole = read(path)
        for damage in damaging(path):
            try:
                assert read(path) == whole, f"{path.name}, {damage}"
            except InputError as error:
                (line,) = error.problems
                stage = stage_of(path)
                assert line.startswith(
                    f"{path}: expected what the stage {stage} writes, received a damaged file ("
                )
                assert line.endswith(f"; run `dvc repro --force --single-item {stage}`")
                assert "\n" not in line
                seen += 1
        assert read(path) == whole
    assert seen > 80


def test_a_records_number_that_was_changed_by_hand_is_seen(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "records.parquet"
    write_records(path, finished("he", [0.9, 0.95]))
    table = pq.read_table(path).to_pandas()
    table.loc[0, "test_accuracy"] = 0.99
    table.to_parquet(path)
    with pytest.raises(InputError, match="seed=0 has not the digest that stands beside it"):
        read_records(path)
