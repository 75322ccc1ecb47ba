"""A probe of a network's layers: activations, gradients, dead and saturated units, batch norm,
clipping."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from operator import itemgetter
from typing import Any

import keras
import numpy as np

from warmstart.data.task import Task
from warmstart.networks.choices import HIDDEN, SHORTCUT
from warmstart.training import backends, fed, measures
from warmstart.training.fed import Fed
from warmstart.training.layers import LayerProbe
from warmstart.training.objective import Objective

SAMPLES = 256
"""How many training samples the probe takes, the first ones: eight mini-batches of the usual 32."""

TOGETHER = 16
"""Stacked trials that are looked into together: their activations are there at once."""


def samples(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """x and y that are looked at."""
    y, dtype = task.y_train[:SAMPLES], keras.config.floatx()
    return task.x_train[:SAMPLES].astype(dtype), y if task.classes else y.astype(dtype)


def is_due(epoch: int) -> bool:
    """Whether to probe after `epoch` epochs: 0, 1, 2, 4, 8 …"""
    return epoch & (epoch - 1) == 0


@dataclass(frozen=True)
class _Place:
    """A layer with a kernel, dense or a convolution, with the layers around it."""

    layer: keras.layers.Layer
    activation: keras.layers.Layer | None
    batch_norm: keras.layers.BatchNormalization | None
    skip: keras.layers.Add | None


class Probe:
    """Looks into `model` on fixed samples.

    A look uses training mode, so it may move seed generators and moving statistics: its caller
    puts the values of `variables` back.

    Args:
        model: as `building.build` makes it.
        variables: all that a look reads: the model's, and those from which its layers and the
            optimizer are fed.
        x: (samples, features), floating point.
        y: (samples,) integer labels, or numbers of the type of `x`.
        optimizer: whose clipping is examined; None: none.
        batch_size: of the mini-batches that are clipped; a rest is left out.
        class_weights: as in `Objective`; among `variables`.
        often: whether many looks pay for tracing the first.
    """

    def __init__(
        self,
        model: keras.Model,
        variables: Sequence[keras.Variable],
        x: np.ndarray,
        y: np.ndarray,
        *,
        optimizer: keras.optimizers.Optimizer | None = None,
        batch_size: int = SAMPLES,
        class_weights: Fed | None = None,
        often: bool = False,
    ) -> None:
        backend = backends.current()
        self._model, self._optimizer = model, optimizer
        # variables, since a traced function would keep others for good
        self._x, self._y = (
            keras.Variable(values, trainable=False, dtype=values.dtype.name) for values in (x, y)
        )
        self._size = min(batch_size, len(y))
        self._objective = Objective(model.output_shape[-1], class_weights=class_weights)
        layers = {layer.name: layer for layer in model.layers}
        self._input_norm = layers.get("batch_norm_input")
        kernels = [
            layer
            for layer in model.layers
            if hasattr(layer, "kernel") and not layer.name.startswith(SHORTCUT)
        ]
        self._places = [
            _Place(
                layer,
                *(
                    layers.get(f"{kind}_{layer.name.removeprefix(HIDDEN)}")
                    for kind in ("activation", "batch_norm", "skip")
                ),
            )
            for layer in kernels
        ]
        # zeros that are added to what goes into an activation: the gradient with respect to them
        # is the gradient there, on every backend
        self._zeros = [
            keras.Variable(
                np.zeros((len(y), *place.layer.output.shape[1:]), x.dtype), dtype=x.dtype.name
            )
            for place in self._places
        ]
        everything = self._everything = [*variables, *self._zeros, self._x, self._y]
        self._tape = backend.Tape(everything)

        def prepare(function: Callable[..., Any]) -> Callable[..., Any]:
            return backend.traced(function, everything) if often else function

        self._see, self._clip = prepare(self._layers), prepare(self._clipping)
        self._measure = prepare(self._inference_loss)

    def use(self, x: np.ndarray, y: np.ndarray) -> None:
        """Look at other samples of the same shapes from now on."""
        self._x.assign(x)
        self._y.assign(y)

    def look(self, epoch: int) -> tuple[LayerProbe, ...]:
        """What the layers are after `epoch` epochs, first to last."""
        return self._described(epoch, self._seen(self._see, self._clip, self._measure))

    def looks(
        self, states: Callable[[Sequence[int]], Any], epochs: Mapping[int, int]
    ) -> dict[int, tuple[LayerProbe, ...]]:
        """The same of stacked trials: by the place of each that is in `epochs`, which says after
        how many it is.

        Args:
            states: of the trials at some places, stacked: values of `variables`.
        """
        found: dict[int, tuple[LayerProbe, ...]] = {}
        for start in range(0, len(epochs), TOGETHER):
            group = list(epochs)[start : start + TOGETHER]
            # always as many, so that one program does
            seen = self._mapped(states([*group, *group[:1] * (TOGETHER - len(group))]))
            each = [keras.tree.map_structure(itemgetter(n), seen) for n in range(len(group))]
            with ThreadPoolExecutor() as threads:
                described = threads.map(self._described, [epochs[i] for i in group], each)
                found |= dict(zip(group, described, strict=True))
        return found

    @cached_property
    def _mapped(self) -> Callable[..., Any]:
        look = partial(self._seen, self._layers, self._clipping, self._inference_loss)
        return backends.current().mapped(look, self._everything)

    def _seen(
        self, see: Callable[..., Any], clip: Callable[..., Any], measure: Callable[..., Any]
    ) -> tuple[Any, ...]:
        """What a look takes from the network: what batch norm on the input and that of each place
        remembers, the loss, gradients before and after clipping, kernels, and all of `_layers`."""
        # in this order: looking in training mode moves the statistics of batch norm
        of_input, norms = (
            measures.remembered(self._input_norm),
            [measures.remembered(place.batch_norm) for place in self._places],
        )
        loss, clips = measure(), self._clips(clip)
        kernels = [keras.ops.copy(place.layer.kernel) for place in self._places]
        return of_input, norms, loss, clips, kernels, tuple(see())

    def _described(self, epoch: int, seen: tuple[Any, ...]) -> tuple[LayerProbe, ...]:
        """What `_seen` gave, in numbers."""
        of_input, norms, loss, clips, kernels, (normalized, summed, *of_layers) = seen
        with np.errstate(all="ignore"):  # of a network that explodes, numbers may not be finite
            of_network = {"training_loss": float(keras.ops.convert_to_numpy(loss))}
            of_network |= measures.effect(clips)
            sums, layers = (
                iter(measures.in_float64(summed)),
                [measures.in_float64(tensors) for tensors in of_layers],
            )
            probes = [
                LayerProbe(
                    epoch=epoch,
                    layer=n,
                    name=place.layer.name,
                    **measures.activations(next(sums) if place.skip else outputs),
                    output_gradient=measures.rms(gradient * len(outputs)),
                    **measures.kernel(kernel, of_kernel),
                    **measures.units(place.activation, outputs, slopes),
                    **measures.batch_norm(norm),
                    **of_network,
                )
                for n, (place, norm, kernel, outputs, slopes, of_kernel, gradient) in enumerate(
                    zip(self._places, norms, measures.in_float64(kernels), *layers, strict=True),
                    start=1,
                )
            ]
            if not self._input_norm:
                return tuple(probes)
            first = LayerProbe(
                epoch=epoch,
                layer=0,
                name=self._input_norm.name,
                **measures.activations(measures.in_float64(normalized)[0]),
                **measures.batch_norm(of_input),
                **of_network,
            )
            return (first, *probes)

    def _layers(self) -> tuple[list[Any], ...]:
        """What batch norm makes of the input, the sums of skip connections, and per place: what the
        activation puts out, its slopes, and the mean loss's gradients of the kernel and of what
        goes into the activation."""

        def loss() -> tuple[Any, Any]:
            x = normalized = keras.ops.copy(self._x)
            made = {id(self._model.inputs[0]): x}
            inputs, outputs, sums = {}, {}, []
            for layer in layers:
                taken = layer.input
                x = [made[id(t)] for t in taken] if isinstance(taken, list) else made[id(taken)]
                if layer in activations:
                    n = activations.index(layer)
                    x = inputs[n] = x + self._zeros[n]
                    x = outputs[n] = _call(layer, x)
                else:
                    x = _call(layer, x)
                if layer in skips:
                    sums.append(x)
                if layer is self._input_norm:
                    normalized = x
                if layer in linear:  # what follows takes what it puts out as it is
                    n = linear.index(layer)
                    x = inputs[n] = outputs[n] = x + self._zeros[n]
                made[id(layer.output)] = x
            return self._objective.training_loss(keras.ops.copy(self._y), x), (
                normalized,
                sums,
                [inputs[n] for n in range(len(self._places))],
                [outputs[n] for n in range(len(self._places))],
            )

        kind = keras.layers.InputLayer
        layers = [layer for layer in self._model.layers if not isinstance(layer, kind)]
        skips = [place.skip for place in self._places]
        activations = [place.activation for place in self._places]
        linear = [None if place.activation else place.layer for place in self._places]
        kernels = [place.layer.kernel for place in self._places]
        (_, (normalized, sums, inputs, outputs)), gradients = self._tape.value_and_gradients(
            loss, [*kernels, *self._zeros]
        )

        def total() -> tuple[Any, Any]:
            """Its gradient is an activation's slope, element by element."""
            summed = [
                keras.ops.sum(_call(place.activation, x + zeros) if place.activation else zeros)
                for place, x, zeros in zip(self._places, inputs, self._zeros, strict=True)
            ]
            return sum(summed), ()

        slopes = self._tape.value_and_gradients(total, self._zeros)[1]
        count = len(self._places)
        return [normalized], sums, outputs, slopes, gradients[:count], gradients[count:]

    def _inference_loss(self) -> Any:
        """The mean loss in inference mode."""
        outputs = self._model(keras.ops.copy(self._x), training=False)
        return self._objective.loss(keras.ops.copy(self._y), outputs)

    def _clipping(self, x: Any, y: Any) -> tuple[list[Any], list[Any]]:
        """The loss's gradients on a mini-batch, as they are and as the optimizer clips them."""

        def loss() -> tuple[Any, Any]:
            return self._objective.training_loss(y, self._model(x, training=True)), ()

        _, raw = self._tape.value_and_gradients(loss, self._model.trainable_variables)
        return raw, fed.clipped(self._optimizer, raw)

    def _clips(self, clip: Callable[..., Any]) -> list[tuple[list[Any], list[Any]]]:
        """What `_clipping` gives for each mini-batch; none where nothing is clipped."""
        if self._optimizer is None or not fed.clips(self._optimizer):
            return []
        x, y = (keras.ops.copy(values) for values in (self._x, self._y))
        starts = range(0, len(y) - self._size + 1, self._size)
        return [clip(x[n : n + self._size], y[n : n + self._size]) for n in starts]


def _call(layer: keras.layers.Layer, x: Any) -> Any:
    """`layer` on `x` in training mode."""
    return layer(x, training=True) if layer._call_has_training_arg else layer(x)
