"""What a trained network is worth: on validation when it is finished, and on the test set."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from warmstart.data.task import Task
from warmstart.metrics import classification_scores, regression_scores
from warmstart.training import convolution
from warmstart.training.objective import Objective


def outputs(model: keras.Model, task: Task) -> Any:
    """Those of `model` for the test samples of `task`."""
    return convolution.outputs(model, keras.ops.convert_to_tensor(task.x_test))


def tested(outputs: Any, task: Task) -> dict[str, float]:
    """`test_loss`, as Keras's `evaluate` gives it, and `test_NAME` of every metric of its kind, in
    the target's own unit, of a network with these `outputs (n, units)` for the test samples."""
    objective, y = Objective(task.outputs), keras.ops.convert_to_tensor(task.y_test)
    predicted = np.array(outputs)
    if task.kind == "regression":
        raw = task.raw_target(task.y_test), task.raw_target(predicted[:, 0])
        found = regression_scores(*raw)
    else:
        # rounded as the accuracy of an epoch is
        accuracy = {"accuracy": float(objective.beside(y, outputs))}
        found = classification_scores(task.y_test, predicted) | accuracy
    loss = float(objective.loss(y, outputs))
    return {"test_loss": loss} | {f"test_{name}": value for name, value in found.items()}


def validated(
    metric: str, task: Task, last: Mapping[str, float], outputs: Callable[[], NDArray[np.float32]]
) -> dict[str, float]:
    """`val_NAME` of `metric` on the validation samples of `task` where no epoch has it; of a
    regression of every metric, in the target's own unit.

    Args:
        metric: a name in `metrics.METRICS`.
        last: of the last epoch, each of `epoch_metrics`.
        outputs: what the network puts out for the validation samples, `(n, outputs)`; called where
            the last epoch does not say enough.
    """
    if task.kind == "regression":
        (_, deviation), spread = task.target, float(np.var(task.y_validation, dtype=np.float64))
        return {
            "val_rmse": last["val_loss"] ** 0.5 * deviation,
            "val_mae": last["val_mae"] * deviation,
            "val_r2": 1 - last["val_loss"] / spread if spread > 0 else np.nan,
        }
    if metric == "accuracy":
        return {}
    if metric == "log_loss":
        return {"val_log_loss": last["val_loss"]}
    return {f"val_{metric}": classification_scores(task.y_validation, outputs())[metric]}
