"""The user's loop: a model, `compile` and `fit` for every trial. All of Keras's rivals call it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras

from engines.job import CLASSES, DENSE, FEATURES, FILTERS, IMAGE, NETWORKS, Job, Report, Trained
from warmstart.data.task import Task


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one can turn without changing what is computed. The defaults are Keras's."""

    steps_per_execution: int = 1
    jit_compile: Literal["auto", True] = "auto"
    """`auto`: on a CPU no XLA."""
    feed: Literal["arrays", "dataset"] = "arrays"
    """`dataset`: batches gathered from tensors by a tf.data pipeline of our own, and validation
    in one batch."""
    threads: int = 0
    """Of each operation; 0: TensorFlow decides."""


def run(job: Job) -> Report:
    """One trial after another in this process, each with the next of the job's settings."""
    settings = [Settings(**choice) for choice in job.settings]
    set_threads(settings[0].threads)
    task = Task.read(Path(job.task))
    trials = [train(task, job, n, settings[n % len(settings)]) for n in range(job.v)]
    return Report(workers=1, trials=tuple(trials))


def set_threads(count: int) -> None:
    """Before TensorFlow does anything; 0 leaves the choice to it."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)


def train(task: Task, job: Job, number: int, settings: Settings) -> Trained:
    """Trial `number` of `job`."""
    start = time.perf_counter()
    keras.backend.clear_session()  # else what earlier trials left would slow the later ones
    keras.utils.set_random_seed(number)
    model = compiled(job.network, job.learning_rates[number], settings)
    clock = Clock()
    model.fit(**feed(task, job.batch, settings), epochs=job.epochs, verbose=0, callbacks=[clock])
    return clock.trained(model, job, task, time.perf_counter() - start)


def compiled(network: str, learning_rate: float, settings: Settings) -> keras.Model:
    """As in the chapter, but that it returns logits, as ours does."""
    hidden = [
        keras.layers.Dense(units, activation="elu", kernel_initializer="he_normal")
        for units in NETWORKS[network]
    ]
    if network not in DENSE:
        hidden = [keras.layers.Reshape(IMAGE), *_convolutions(), keras.layers.Flatten(), *hidden]
    model = keras.Sequential([keras.Input((FEATURES,)), *hidden, keras.layers.Dense(CLASSES)])
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=settings.steps_per_execution,
        jit_compile=settings.jit_compile,
    )
    return model


def _convolutions() -> Iterator[keras.layers.Layer]:
    for filters in FILTERS:
        yield keras.layers.Conv2D(
            filters, 3, padding="same", activation="elu", kernel_initializer="he_normal"
        )
        yield keras.layers.MaxPooling2D()


def feed(task: Task, batch: int, settings: Settings) -> dict[str, Any]:
    """What `fit` reads: the samples in a new order every epoch, and the validation set."""
    if settings.feed == "arrays":
        return {
            "x": task.x_train,
            "y": task.y_train,
            "batch_size": batch,
            "validation_data": (task.x_validation, task.y_validation),
        }
    import tensorflow as tf

    x, y, rows = tf.constant(task.x_train), tf.constant(task.y_train), tf.range(len(task.y_train))

    def batches(_: Any) -> Any:
        order = tf.data.Dataset.from_tensor_slices(tf.random.shuffle(rows))
        return order.batch(batch).map(lambda some: (tf.gather(x, some), tf.gather(y, some)))

    return {
        "x": tf.data.Dataset.range(1).flat_map(batches).prefetch(64),
        "validation_data": tf.data.Dataset.from_tensors((task.x_validation, task.y_validation)),
    }


class Clock(keras.callbacks.Callback):
    """How long each epoch took, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.val_accuracy = float("nan")

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._start)
        self.val_accuracy = float((logs or {})["val_accuracy"])

    def trained(self, model: keras.Model, job: Job, task: Task, seconds: float) -> Trained:
        """The trial whose `fit` this clock has watched."""
        epochs = len(self.seconds)
        # how often the weights were updated says how many samples were really seen
        per_epoch = int(model.optimizer.iterations) * job.batch // epochs
        return Trained(
            epoch_seconds=tuple(self.seconds[1:]),  # in the first both functions are traced
            seconds=seconds,
            samples=epochs * min(per_epoch, len(task.y_train)),
            val_accuracy=self.val_accuracy,
        )
