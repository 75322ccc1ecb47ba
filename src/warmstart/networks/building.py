"""An arm as a plain Keras model that ends in logits, or in a number."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import keras

from warmstart.config.arm import Arm
from warmstart.config.network import LAST_OF_BLOCK
from warmstart.networks import choices
from warmstart.networks.calls import Call


class Start(NamedTuple):
    """Stands ahead of the layers whose input is to be added to what they put out."""


class Shortcut(NamedTuple):
    """Layers that the input is sent through before it is added."""

    layers: tuple[Call, ...]


def build(network: Arm, features: int, outputs: int, seed: int, first: int = 1) -> keras.Model:
    """The Keras model of a resolved `network`, input `(batch, features)`, output
    `(batch, outputs)`, which are logits of classes, or one standardized number: Sequential, unless
    it adds what comes before layers to what comes after them. Its hidden layers are numbered from
    `first`. Features of images come flat, as `(height, width, channels)` has them.

    Every layer draws from a stream of its own under `seed`, named after the layer.
    """
    calls: list[Call | Start | Shortcut] = [*choices.entry(network, seed)]
    calls += _convolutions(network, seed)
    for number, units in enumerate(network.hidden, start=first + len(network.network.layers)):
        assert isinstance(units, int)  # resolved: no "auto" left
        calls += [Start(), *choices.block(network, units, number, seed)]
        if number - first + 1 in network.skips:
            calls.append(choices.skip(number))
    calls.append(choices.head(outputs, seed, network.head_initializer))
    name = network.network.name if network.network.is_convolutional else "mlp"
    return _connected(keras.Input((features,), name="features"), calls, name)


def _convolutions(network: Arm, seed: int) -> Iterator[Call | Start | Shortcut]:
    """What comes before the dense layers."""
    kind = network.network
    channels = start = 0
    for number, layer in enumerate(kind.layers, start=1):
        if layer.place == 1:
            start, halves = channels, layer.strides
            yield Start()
        if layer.place == LAST_OF_BLOCK and (start != layer.filters or halves > 1):
            yield Shortcut((*choices.projection(network, layer.filters, halves, number, seed),))
        yield from choices.block(network, layer.filters, number, seed, layer)
        if layer.pooled:
            yield choices.pooling(network, number)
        channels = layer.filters
    if kind.layers:
        yield choices.flatten(network)


def _connected(
    inputs: keras.KerasTensor, calls: Iterable[Call | Start | Shortcut], name: str
) -> keras.Model:
    """A model of layers one after another; `Add` adds what arrived at the last `Start`."""
    calls = list(calls)
    if not any(isinstance(call, Call) and call.path == "keras.layers.Add" for call in calls):
        layers = [call.build() for call in calls if isinstance(call, Call)]
        return keras.Sequential([inputs, *layers], name=name)
    x = start = inputs
    for call in calls:
        if isinstance(call, Start):
            start = x
        elif isinstance(call, Shortcut):
            for layer in call.layers:
                start = layer.build()(start)
        else:
            layer = call.build()
            x = layer([x, start]) if isinstance(layer, keras.layers.Add) else layer(x)
    return keras.Model(inputs, x, name=name)


def rebuilt(
    model: keras.Model, inputs: keras.KerasTensor, layers: Iterable[keras.layers.Layer]
) -> keras.Model:
    """A model on `inputs` whose layers are connected as those of `model`, in whose order `layers`
    stand in their places."""
    if isinstance(model, keras.Sequential):
        plain = [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]
        return keras.Sequential([inputs, *plain], name=model.name)
    place = dict(zip([layer.name for layer in model.layers], layers, strict=True))
    return keras.models.clone_model(
        model, input_tensors=inputs, clone_function=lambda layer: place[layer.name]
    )


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
