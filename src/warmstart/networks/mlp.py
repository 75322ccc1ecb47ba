"""An arm as a plain Keras model: a multilayer perceptron that ends in logits."""

import keras

from warmstart.arms import Network
from warmstart.networks import activations, initializers
from warmstart.networks.stack import HEAD
from warmstart.seeds import derive


def build(network: Network, features: int, classes: int, seed: int) -> keras.Sequential:
    """The Keras model of a resolved `network`, input `(batch, features)`, output logits
    `(batch, classes)`.

    Every layer draws from a stream of its own under `seed`, named after the layer. The head has
    Keras's default kernel (Glorot uniform) in every arm: an arm's initializer is that of the hidden
    layers. A layer that batch norm follows directly has no bias, since β takes its place.
    """
    before, after = "before" in network.batch_norm, "after" in network.batch_norm
    layers: list[keras.layers.Layer] = [keras.Input((features,), name="features")]
    if "input" in network.batch_norm:
        layers.append(keras.layers.BatchNormalization(name="batch_norm_input"))
    for number, units in enumerate(network.hidden, start=1):
        assert isinstance(units, int)  # resolved: no "auto" left
        kernel = initializers.make(network.initializer, layer_seed(seed, f"hidden_{number}"))
        layers.append(
            keras.layers.Dense(
                units, kernel_initializer=kernel, use_bias=not before, name=f"hidden_{number}"
            )
        )
        if before:
            layers.append(keras.layers.BatchNormalization(name=f"batch_norm_{number}"))
        name = f"activation_{number}"
        layers.append(activations.make(network.activation, seed=layer_seed(seed, name), name=name))
        if after:
            layers.append(keras.layers.BatchNormalization(name=f"batch_norm_{number}"))
    return keras.Sequential([*layers, head(classes, seed)], name="mlp")


def head(classes: int, seed: int) -> keras.layers.Dense:
    """The output layer: logits `(batch, classes)`."""
    kernel = keras.initializers.GlorotUniform(seed=layer_seed(seed, HEAD))
    return keras.layers.Dense(classes, kernel_initializer=kernel, name=HEAD)


def layer_seed(seed: int, layer: str) -> int:
    """Seed of one layer's own stream."""
    return derive(seed, "layer", layer)


def compile_for_use(
    model: keras.Model, optimizer: keras.optimizers.Optimizer | None = None
) -> keras.Model:
    """Give `model` the loss and metric with which `evaluate` returns what records say, and the
    optimizer with which `fit` goes on."""
    model.compile(
        # named, since Keras numbers unnamed ones through the process, and the name is saved
        optimizer=optimizer or keras.optimizers.SGD(name="sgd"),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
