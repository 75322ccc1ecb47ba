"""A registered version as files: the network, its preprocessing, a program that joins them, and
what MLflow wants to know. None of them is a pickle."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from warmstart import predictor
from warmstart.analysis.cards import view_of
from warmstart.data import columns as tables
from warmstart.data import rows
from warmstart.data.columns import Column
from warmstart.data.view import View
from warmstart.errors import InputError
from warmstart.files import write_json, write_sealed
from warmstart.training import setup

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

CARD = "card.json"
_CODE = (Path(predictor.__file__), Path(tables.__file__))
"""What the program uses, and a version takes along."""
_PACKAGES = ("mlflow", "keras", "{0}", "{0}-cpu", "numpy", "pandas", "scikit-learn", "skops")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A saved network as a version of a registered model."""

    network: Path
    """The `.keras` file."""
    card: Mapping[str, Any]
    prepared: Path
    """Folder that `prepare` wrote."""

    def save(self, path: Path, logged: Any) -> None:
        """As an MLflow model at `path`, the one that MLflow calls `logged`.

        Raises:
            InputError: the network is one of a table, and the table is not in `prepared`.
        """
        import mlflow.pyfunc
        from mlflow.models import Model

        setup.load(setup.backend())
        from warmstart.networks import saving

        with TemporaryDirectory() as name:
            folder = Path(name)
            code = folder / f"warmstart_{_digest(_CODE)[:8]}"
            code.mkdir()
            for file in _CODE:
                shutil.copy(file, code)
            saving.save(saving.portable(saving.load(self.network)), folder / "network.keras")
            write_json(folder / "about.json", self._about | {"code": code.name})
            files = {"network": "network.keras", "about": "about.json"}
            if self._columns:
                from skops.io import dump

                dump(self._view.preprocessing.encoder, folder / "encoder.skops")
                files["encoder"] = "encoder.skops"
            mlflow.pyfunc.save_model(
                str(path),
                python_model=str(Path(__file__).with_name("served.py")),
                artifacts={key: str(folder / file) for key, file in files.items()},
                code_paths=[str(code)],
                mlflow_model=Model(
                    artifact_path=logged.artifact_location,
                    model_uuid=logged.model_id,
                    run_id=logged.source_run_id,
                    model_id=logged.model_id,
                ),
                signature=self._signature(),
                input_example=self.example(),
                pip_requirements=_requirements(),
                metadata={"classes": self._classes, "columns": self.card["input"].get("columns")},
            )
        write_sealed(path / CARD, self.card)

    def example(self) -> Any | None:
        """Two validation rows: a frame, or `(2, *shape)`; None where they are not in `prepared`."""
        if not (view := self._there):
            return None
        names, part = view.dataset.class_names, view.parts["validation"]
        own = [names.index(each) for each in self._classes]
        chosen = part[np.isin(view.dataset.y[part], own)] if own else part
        raw = view.dataset.x[chosen[:2]]
        if self._columns and not _are_arrays(self._columns):
            return rows.decode(raw, self._columns)
        return raw.reshape(-1, *self.card["input"]["shape"])

    @cached_property
    def _there(self) -> View | None:
        """The samples that the network was trained on, if they are in `prepared`."""
        try:
            view = view_of(self.card, self.prepared)
        except InputError:
            return None
        return view if view.task.digest == self.card["data"]["digest"] else None

    @property
    def _view(self) -> View:
        if self._there:
            return self._there
        raise InputError(
            f"{self.prepared}: expected the data that {self.network} was trained on, received "
            "others or none; run `dvc repro`, or `dvc checkout` for those of this commit"
        )

    @property
    def _columns(self) -> tuple[Column, ...]:
        return self._view.dataset.columns if self.card["input"].get("columns") else ()

    @property
    def _classes(self) -> list[str]:
        return list(self.card["data"]["classes"])

    @property
    def _about(self) -> dict[str, Any]:
        """What the program is told."""
        given, target = self.card["input"], self.card["data"].get("target")
        mean, scale = given.get("mean"), given.get("scale")
        if self._columns:
            standard = self._view.standardization
            mean, scale = standard.mean.tolist(), standard.scale.tolist()
        return {
            "backend": setup.backend(),
            "columns": [column.to_json() for column in self._columns],
            "mean": mean,
            "scale": scale,
            "shape": list(given["shape"]),
            "classes": self._classes,
            "target": [target["name"], target["mean"], target["deviation"]]
            if target
            else ["", 0.0, 1.0],
        }

    def _signature(self) -> "ModelSignature":
        """Of a table the names of its columns. Types are left to the program: MLflow's would refuse
        integers where others were trained on, make False of missing truth values, and take
        31.01. and 01.02. for dates of the same form. It would refuse arrays of another type, too,
        so of arrays nothing is said."""
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, DataType, Schema
        from mlflow.types.schema import AnyType

        inputs = None
        if self._columns and not _are_arrays(self._columns):
            names = dict.fromkeys(column.name for column in self._columns)
            inputs = Schema([ColSpec(AnyType(), name) for name in names])
        if self._classes:
            answer = predictor.answer(self._classes)
            outputs = [ColSpec(DataType.string, answer)]
            outputs += [ColSpec(DataType.float, name) for name in self._classes]
        else:
            outputs = [ColSpec(DataType.double, self.card["data"]["target"]["name"])]
        return ModelSignature(inputs, Schema(outputs))


def _are_arrays(columns: Sequence[Column]) -> bool:
    """Whether these are the columns of arrays with gaps, which have no names of their own."""
    return all(column.name == f"feature {place}" for place, column in enumerate(columns))


def _digest(files: Sequence[Path]) -> str:
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _requirements() -> list[str]:
    pins = {each.name.replace("_", "-"): each.version for each in distributions()}
    names = [package.format(setup.backend()) for package in _PACKAGES]
    return [f"{name}=={pins[name]}" for name in names if name in pins]
