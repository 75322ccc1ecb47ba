"""The data of a run, as MLflow knows data sets."""

import json
from dataclasses import dataclass
from typing import Any

DIGEST_LENGTH = 36
"""Letters of a digest that MLflow takes; the tag `warmstart.data` has all of them."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What trials were trained, validated and tested on."""

    digest: str
    name: str
    source: str
    """Path of the file, from the project's root."""
    features: int
    classes: int
    train: int
    """Samples, as in `validation` and `test`."""
    validation: int
    test: int

    def as_input(self) -> Any:
        """MLflow's `DatasetInput`, in the words that it has for NumPy arrays in local files."""
        from mlflow.entities import Dataset as Entity
        from mlflow.entities import DatasetInput, InputTag

        schema = {
            "features": _tensor("float32", self.features),
            "targets": _tensor("int32"),
        }
        profile = ("classes", "train", "validation", "test")
        entity = Entity(
            name=self.name,
            digest=self.digest[:DIGEST_LENGTH],
            source_type="local",
            source=json.dumps({"uri": self.source}),
            schema=json.dumps({"mlflow_tensorspec": schema}),
            profile=json.dumps({key: getattr(self, key) for key in profile}),
        )
        return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def _tensor(dtype: str, *shape: int) -> str:
    """JSON within JSON, as MLflow keeps it."""
    spec = {"dtype": dtype, "shape": [-1, *shape]}
    return json.dumps([{"type": "tensor", "tensor-spec": spec}])
