"""One epoch of one network as one compiled TensorFlow program.

The model is an ordinary Keras model and the optimizer Keras's own; the program only removes the
overhead between their steps. Trials pass through it one after another: their initial weights,
learning rate and batch order are data, so nothing is traced or compiled again.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from warmstart.data.task import Task


class Program:
    """`model`'s training on `task` for the layers that are trainable at construction.

    Freezing or thawing afterwards does not reach it: build another one, as Keras asks for another
    `compile`.
    """

    def __init__(
        self,
        model: keras.Sequential,
        optimizer: keras.optimizers.Optimizer,
        task: Task,
        batch_size: int,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.samples, self.batch_size = len(task.y_train), min(batch_size, len(task.y_train))
        self._weights = model.trainable_variables
        optimizer.build(self._weights)
        self._fresh_slots = [variable.numpy() for variable in optimizer.variables]
        self._train = tf.constant(task.x_train), tf.constant(task.y_train)
        self._validation = tf.constant(task.x_validation), tf.constant(task.y_validation)
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._epoch = tf.function(
            self._trace_epoch, jit_compile=True, autograph=False
        ).get_concrete_function(tf.TensorSpec((self.samples,), tf.int32))

    def start(self, learning_rate: float) -> None:
        """Forget the optimizer's state, as a newly compiled model has none."""
        for variable, value in zip(self.optimizer.variables, self._fresh_slots, strict=True):
            variable.assign(value)
        self.optimizer.learning_rate.assign(learning_rate)

    def epoch(self, order: np.ndarray) -> list[float]:
        """Train on the samples in `order` (samples,) int32, then validate.

        Returns:
            EPOCH_METRICS in their order: loss and accuracy as Keras's progress bar shows them at
            the end of an epoch (means over its samples, in training mode), then both on the
            validation set after it.
        """
        return self._epoch(tf.constant(order, tf.int32)).numpy().tolist()

    def _trace_epoch(self, order: tf.Tensor) -> tf.Tensor:
        full, size = self.samples // self.batch_size, self.batch_size

        def step(number: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = tf.ensure_shape(tf.slice(order, [number * size], [size]), (size,))
            return number + 1, sums + size * self._step(rows)

        _, sums = tf.while_loop(
            lambda number, _: number < full, step, [tf.constant(0), tf.zeros(2)]
        )
        if rest := self.samples % size:
            sums += rest * self._step(order[full * size :])
        x, y = self._validation
        return tf.concat([sums / self.samples, self._measure(y, self.model(x, training=False))], 0)

    def _step(self, rows: tf.Tensor) -> tf.Tensor:
        """One batch -> [loss, accuracy] before its update."""
        x, y = (tf.gather(part, rows) for part in self._train)
        with tf.GradientTape() as tape:
            logits = self.model(x, training=True)
            loss = self._loss(y, logits)
        gradients = tape.gradient(loss, [weight.value for weight in self._weights])
        self.optimizer.apply(gradients, self._weights)
        return tf.stack([loss, _accuracy(y, logits)])

    def _measure(self, y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.stack([self._loss(y, logits), _accuracy(y, logits)])


def evaluate(model: keras.Sequential, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Loss and accuracy of `model` on `x` (n, features), `y` (n,), in one pass."""
    logits = model(tf.constant(x), training=False)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, logits)
    return float(loss), float(_accuracy(tf.constant(y), logits))


def assign(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _accuracy(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    hits = tf.argmax(logits, axis=-1, output_type=y.dtype) == y
    return tf.reduce_mean(tf.cast(hits, tf.float32))
