"""A data set as MLflow keeps it with a run."""

import json
from collections.abc import Mapping
from typing import Any

_DIGEST_LENGTH = 36
"""Letters of a digest that MLflow takes; the tag `warmstart.data` has all of them."""


def dataset_input(data: Mapping[str, Any], digest: str) -> Any:
    """MLflow's `DatasetInput`, in the words that it has for NumPy arrays in local files."""
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    schema = {"features": _tensor("float32", data["features"]), "targets": _tensor("int32")}
    profile = {key: data[key] for key in ("classes", "train", "validation", "test")}
    entity = Entity(
        name=data["name"],
        digest=digest[:_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": data["source"]}),
        schema=json.dumps({"mlflow_tensorspec": schema}),
        profile=json.dumps(profile),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def _tensor(dtype: str, *shape: int) -> str:
    """JSON within JSON, as MLflow keeps it."""
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *shape]}}])
