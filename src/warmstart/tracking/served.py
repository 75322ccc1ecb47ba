"""The program of a registered version, which MLflow runs wherever the version is loaded: rows in,
names with probabilities or numbers out.

It lies in the version as a script, with copies of the two files that it uses (`packing`), so it
imports nothing of this package, and nothing imports it. No file that it loads can hold code: Keras
loads in safe mode, skops loads the types that are named here, the rest is JSON.
"""

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel
from numpy.typing import NDArray

_TRUSTED = ["numpy.dtype"]
"""All that a fitted `ColumnTransformer` holds beside types that skops knows, scikit-learn's own."""


class Served(PythonModel):
    """A version of a model."""

    def load_context(self, context: Any) -> None:
        """Put together what lies in the version."""
        about = json.loads(Path(context.artifacts["about"]).read_text(encoding="utf-8"))
        os.environ.setdefault("KERAS_BACKEND", about["backend"])
        import keras

        # two versions in one process may be of two releases of the package
        code = about["code"]
        predictor, tables = import_module(f"{code}.predictor"), import_module(f"{code}.columns")
        columns = [tables.Column.from_json(column) for column in about["columns"]]
        encoder = None
        if columns:
            from skops.io import load

            encoder = load(context.artifacts["encoder"], trusted=_TRUSTED)
        mean, scale = np.array(about["mean"]), np.array(about["scale"])

        def preprocess(x: NDArray[Any]) -> NDArray[np.float32]:
            features = x if encoder is None else encoder.transform(x)
            return ((features - mean) / scale).astype(np.float32)

        self._predictor = predictor.Predictor(
            keras.models.load_model(context.artifacts["network"], compile=False, safe_mode=True),
            raw=(lambda frame: tables.encode(frame, columns)) if columns else None,
            names=list(dict.fromkeys(column.name for column in columns)),
            preprocess=preprocess,
            shape=about["shape"],
            classes=about["classes"],
            target=about["target"],
        )

    # MLflow warns of a method without a type, and hands over whatever came
    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """See `Predictor.predict`.

        Raises:
            MlflowException: what is wrong with the rows, one line per problem.
        """
        try:
            return self._predictor.predict(model_input)
        except ValueError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None


set_model(Served())
