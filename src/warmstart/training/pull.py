"""L2-SP: a penalty on the way from where a network starts (Li, Grandvalet and Davoine 2018,
"Explicit Inductive Bias for Transfer Learning with Convolutional Networks", section 3):

    Ω(w) = α/2 · ‖w_S − w_S⁰‖² + β/2 · ‖w_S̄‖²

w_S are all weights of the copied layers, biases and batch norm's scales among them, w_S⁰ what was
copied, w_S̄ the weights of the other layers. What records call the loss is that without Ω.
"""

from collections.abc import Collection, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from warmstart.training.fed import Fed

NEW = 0.01
"""β, as in the paper's experiments."""


class Pull:
    """The gradient of Ω for `model`. Strengths and w⁰ are data to a program, as weights are."""

    def __init__(self, model: keras.Model) -> None:
        self._weights = model.trainable_variables
        place = {id(v): i for i, v in enumerate(model.variables)}
        self._places = [place[id(weight)] for weight in self._weights]
        layer_of = {id(w): layer.name for layer in model.layers for w in layer.trainable_weights}
        self._layers = [layer_of[id(weight)] for weight in self._weights]
        sizes = [int(np.prod(weight.shape)) for weight in self._weights]
        self._ends = np.cumsum([0, *sizes]).tolist()
        self.strengths = Fed(np.zeros(len(self._weights)))
        """`(weights,)`: α or β of each trainable variable."""
        self.start = Fed(np.zeros(self._ends[-1]))
        """`(parameters,)`: w⁰ of all trainable variables, one after another; 0 of new ones."""

    def of(
        self, alpha: float, values: Sequence[np.ndarray], copied: Collection[str]
    ) -> tuple[tuple[float, ...], NDArray[np.float32]]:
        """What `strengths` and `start` are fed for a trial that starts with the layers `copied` at
        `values`, which are in the order of `model.variables`."""
        own = [layer in copied for layer in self._layers]
        start = [
            values[place].ravel() if is_copied else np.zeros(values[place].size, np.float32)
            for place, is_copied in zip(self._places, own, strict=True)
        ]
        return tuple(alpha if is_copied else NEW for is_copied in own), np.concatenate(start)

    def added(self, gradients: Sequence[Any]) -> list[Any]:
        """`gradients` of the loss, one for each trainable variable, plus those of Ω."""
        strengths, start = self.strengths.variable.value, self.start.variable.value
        found = []
        for number, (gradient, weight) in enumerate(zip(gradients, self._weights, strict=True)):
            begin, end = self._ends[number : number + 2]
            origin = keras.ops.reshape(start[begin:end], weight.shape)
            found.append(gradient + strengths[number] * (weight.value - origin))
        return found
