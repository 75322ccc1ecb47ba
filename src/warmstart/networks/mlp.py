"""An arm as a plain Keras model: a multilayer perceptron that ends in logits, or in a number."""

from collections.abc import Iterable

import keras

from warmstart.config.arm import Arm
from warmstart.networks import choices


def build(network: Arm, features: int, outputs: int, seed: int, first: int = 1) -> keras.Model:
    """The Keras model of a resolved `network`, input `(batch, features)`, output
    `(batch, outputs)`, which are logits of classes, or one standardized number: Sequential, unless
    it has skip connections. Its hidden layers are numbered from `first`.

    Every layer draws from a stream of its own under `seed`, named after the layer.
    """
    calls = choices.entry(network, features, seed)
    for number, units in enumerate(network.hidden, start=first):
        assert isinstance(units, int)  # resolved: no "auto" left
        calls += choices.block(network, units, number, seed)
        if number - first + 1 in network.skips:
            calls.append(choices.skip(number))
    calls.append(choices.head(outputs, seed, network.head_initializer))
    inputs = keras.Input((features,), name="features")
    return connect(inputs, [call.build() for call in calls])


def connect(inputs: keras.KerasTensor, layers: Iterable[keras.layers.Layer]) -> keras.Model:
    """A model of `layers` one after another, inputs first. An `Add` layer adds what the `Dense` one
    before it took in to what arrives, both `(batch, units)`; a model without any is Sequential."""
    layers = [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]
    if not any(isinstance(layer, keras.layers.Add) for layer in layers):
        return keras.Sequential([inputs, *layers], name="mlp")
    x = start = inputs
    for layer in layers:
        if isinstance(layer, keras.layers.Dense):
            start = x
        x = layer([x, start]) if isinstance(layer, keras.layers.Add) else layer(x)
    return keras.Model(inputs, x, name="mlp")


def loss_of(outputs: int) -> keras.losses.Loss:
    """What networks are trained by: the cross-entropy of logits; of a single output, which is a
    number, the mean squared error."""
    if outputs == 1:
        return keras.losses.MeanSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compile_for_use(
    model: keras.Model, optimizer: keras.optimizers.Optimizer | None = None
) -> keras.Model:
    """Give `model` the loss and metric with which `evaluate` returns what records say, and the
    optimizer with which `fit` goes on."""
    outputs = model.output_shape[-1]
    model.compile(
        # named, since Keras numbers unnamed ones through the process, and the name is saved
        optimizer=optimizer or keras.optimizers.SGD(name="sgd"),
        loss=loss_of(outputs),
        metrics=["mae" if outputs == 1 else "accuracy"],
    )
    return model
