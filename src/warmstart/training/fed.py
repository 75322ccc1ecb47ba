"""Numbers that are fed to a compiled program instead of being compiled into it.

Among them learning-rate factors of single layers; a layer with factor 0 is frozen. Keras freezes by
`trainable`, which takes another `compile`, and has one learning rate for all layers. As numbers the
factors let one program serve every strategy of transfer, in all its phases.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from warmstart.networks.choices import CLIPPING


class Fed:
    """A hyperparameter that a program reads from a variable, like a weight.

    Keras's code asks of its settings whether they are set (`momentum != 0`, `clipnorm > 0`) and
    then calculates with them. A fed number is set, whatever its value: that question is one of the
    program's structure.
    """

    def __init__(self, value: float | np.ndarray) -> None:
        self.variable = keras.Variable(value, trainable=False, dtype=keras.config.floatx())

    @property
    def dtype(self) -> str:
        return self.variable.dtype

    def __bool__(self) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # nothing that compares so belongs in a dict

    def __mul__(self, other: Any) -> Any:
        return self.variable * other

    def __neg__(self) -> Any:
        return -self.variable

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.variable

    __rmul__ = __mul__

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        return self.variable.__tf_tensor__(dtype, name)

    def __jax_array__(self) -> Any:
        return self.variable.__jax_array__()


def clips(optimizer: keras.optimizers.Optimizer) -> bool:
    return any(getattr(optimizer, setting) is not None for setting in CLIPPING.values())


def clipped(optimizer: keras.optimizers.Optimizer, gradients: list[Any]) -> list[Any]:
    """What `optimizer.apply` makes of `gradients` before it uses them; Keras has no public name
    for it."""
    return optimizer._clip_gradients(gradients)


def feed_optimizer(optimizer: keras.optimizers.Optimizer) -> dict[str, Fed]:
    """Have `optimizer` read its momentum, its clip threshold and all of its schedule, where it has
    them, from variables."""
    fed = _feed_schedule(optimizer._learning_rate)  # `learning_rate` is its value
    if getattr(optimizer, "momentum", 0.0) and isinstance(optimizer, keras.optimizers.SGD):
        fed["momentum"] = optimizer.momentum = Fed(optimizer.momentum)
    for setting in CLIPPING.values():
        if getattr(optimizer, setting) is not None:
            fed["clip_threshold"] = Fed(getattr(optimizer, setting))
            setattr(optimizer, setting, fed["clip_threshold"])
    return fed


def _feed_schedule(schedule: Any) -> dict[str, Fed]:
    """Have `schedule` read the rate and its steps; any other learning rate is a variable."""
    if not isinstance(schedule, keras.optimizers.schedules.CosineDecay):
        return {}
    fed = {"learning_rate": Fed(0.0), "decay_steps": Fed(1.0)}
    rate = "initial_learning_rate" if schedule.warmup_target is None else "warmup_target"
    setattr(schedule, rate, fed["learning_rate"].variable)
    schedule.decay_steps = fed["decay_steps"].variable
    if rate == "warmup_target":
        fed["warmup_steps"] = Fed(0.0)
        schedule.warmup_steps = fed["warmup_steps"].variable
    return fed


def feed_slope(model: keras.Model) -> Fed | None:
    """Have all LeakyReLU layers of `model` read their slope from one variable, if it has any.

    The layers' own `call` cannot: TensorFlow's operation compiles its slope in.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.LeakyReLU)]
    if not layers:
        return None
    slope = Fed(layers[0].negative_slope)
    for layer in layers:
        layer.call = partial(_leaky_relu, slope)
    return slope


def _leaky_relu(slope: Fed, x: Any) -> Any:
    """The backend's, whose derivative at 0 is 1 on JAX and the slope on TensorFlow."""
    positive = x >= 0 if keras.backend.backend() == "jax" else x > 0
    return keras.ops.where(positive, x, slope * x)


class Factors:
    """One factor for each layer of `model` that has weights, in their order.

    For a whole step `before` is called first and `apply` instead of the optimizer's own.

    With factor 0 nothing of a layer moves, to the bit: weights, batch norm's statistics (which it
    then normalizes with, as with `trainable = False`), the optimizer's slots. Another factor f
    shortens the step: w + f (w' - w). The steps of all our optimizers are proportional to the
    learning rate, AdamW's decay included, so that is the step at f times the rate.
    """

    def __init__(self, model: keras.Model) -> None:
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
