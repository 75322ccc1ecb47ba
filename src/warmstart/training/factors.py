"""Learning-rate factors of single layers, fed to a program; a layer with factor 0 is frozen.

Keras freezes by `trainable`, which takes another `compile`, and has one learning rate for all
layers. As numbers the factors let one program serve every strategy of transfer, in all its phases.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from warmstart.training.fed import Fed


class Factors:
    """One factor for each layer of `model` that has weights, in their order.

    For a whole step `before` is called first and `apply` instead of the optimizer's own.

    With factor 0 nothing of a layer moves, to the bit: weights, batch norm's statistics (which it
    then normalizes with, as with `trainable = False`), the optimizer's slots. Another factor f
    shortens the step: w + f (w' - w). The steps of all our optimizers are proportional to the
    learning rate, AdamW's decay included, so that is the step at f times the rate.
    """

    def __init__(self, model: keras.Sequential) -> None:
        self.layers = tuple(layer.name for layer in model.layers if layer.weights)
        self.fed = Fed(np.ones(len(self.layers)))
        self._weights: list[tuple[keras.Variable, int]] = []
        self._statistics: list[tuple[keras.Variable, int]] = []
        for place, name in enumerate(self.layers):
            layer = model.get_layer(name)
            self._weights += [(weight, place) for weight in layer.trainable_weights]
            self._statistics += [(weight, place) for weight in layer.non_trainable_weights]
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.call = partial(_batch_norm, layer.call, partial(self._thawed, place))

    def of(self, given: Sequence[tuple[str, float]]) -> tuple[float, ...]:
        """The factors `given` by layer, in our order; 1 everywhere if none are.

        Raises:
            ValueError: if some are and a layer with weights is not among them.
        """
        by_layer = dict(given) or dict.fromkeys(self.layers, 1.0)
        if missing := [layer for layer in self.layers if layer not in by_layer]:
            raise ValueError(
                f"layer_factors: expected each of {', '.join(self.layers)}, "
                f"received {', '.join(by_layer)}, without {', '.join(missing)}"
            )
        return tuple(by_layer[layer] for layer in self.layers)

    def before(self) -> list[Any]:
        """What a step starts from."""
        kept = [variable for variable, _ in (*self._weights, *self._statistics)]
        return [keras.ops.copy(variable) for variable in kept]

    def apply(
        self, optimizer: keras.optimizers.Optimizer, gradients: Sequence[Any], before: Sequence[Any]
    ) -> None:
        """Let `optimizer` step by `gradients` (of all trainable weights), each layer at its own
        factor of the learning rate. A frozen layer's gradient counts in no norm."""
        ops = keras.ops
        pairs = zip(gradients, self._weights, strict=True)
        shown = [ops.where(self._thawed(place), g, ops.zeros_like(g)) for g, (_, place) in pairs]
        optimizer.apply(shown, [weight for weight, _ in self._weights])
        weights, statistics = before[: len(self._weights)], before[len(self._weights) :]
        for old, (weight, place) in zip(weights, self._weights, strict=True):
            factor, new = self._factor(place), weight.value
            moved = ops.where(factor == 1, new, old + factor * (new - old))
            weight.assign(ops.where(self._thawed(place), moved, old))
        for old, (statistic, place) in zip(statistics, self._statistics, strict=True):
            statistic.assign(ops.where(self._thawed(place), statistic.value, old))

    def _factor(self, place: int) -> Any:
        return self.fed.variable.value[place]

    def _thawed(self, place: int) -> Any:
        return self._factor(place) > 0


def _batch_norm(call: Any, thawed: Any, x: Any, training: Any = None, mask: Any = None) -> Any:
    if not training:
        return call(x, training=False, mask=mask)
    # in this order: the second one moves the statistics
    frozen = call(x, training=False, mask=mask)
    return keras.ops.where(thawed(), call(x, training=True, mask=mask), frozen)
