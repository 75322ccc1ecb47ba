"""One epoch of a network as one compiled program.

The model is an ordinary Keras model and the optimizer Keras's own; the program only removes the
overhead between their steps. Weights, optimizer state, learning rate and its schedule, momentum,
clip threshold, leaky slope, class weights, batch order: all are data to it, so nothing is traced or
compiled again for another trial. What differs between backends lies in `backends`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from warmstart.data.task import Task
from warmstart.networks import activations
from warmstart.training import backends, convolution, fed
from warmstart.training.fed import Factors, Fed
from warmstart.training.objective import Objective
from warmstart.training.pull import Pull

LOSS_BOUND = 1e9
"""A mean loss beyond this has diverged, though it is still a number."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What a program is fed beside weights and data."""

    learning_rate: float
    momentum: float
    clip_threshold: float
    negative_slope: float
    decay_steps: int = 1
    """Steps of the phase beyond a warm-up; for programs with a schedule."""
    warmup_steps: int = 0
    """Steps of the warm-up; for programs with one."""
    full_batches: int = 0
    """Full batches in an epoch; for programs with a `rest`."""
    layer_factors: tuple[float, ...] = ()
    """One per layer, in the order of `Factors.layers`; for programs with factors."""
    class_weights: tuple[float, ...] = ()
    """One per class; for programs with weights of classes."""
    pull_strengths: tuple[float, ...] = ()
    """As `Pull.strengths`, for programs with one."""
    pull_start: np.ndarray | None = field(default=None, compare=False)
    """As `Pull.start`, for programs with a pull."""


@dataclass(frozen=True)
class Data:
    """A task's training and validation samples where the programs read them, once per process.
    Equals all of the same shapes and classes, which one program can train on."""

    shapes: tuple[tuple[int, ...], ...]
    """Training samples and targets, validation samples and targets: (n, …) each."""
    classes: int
    """0: a regression."""
    task: Task = field(compare=False)
    arrays: tuple[Any, ...] = field(compare=False)
    """The arrays on the device, in the order of `shapes`."""

    @property
    def samples(self) -> int:
        """How many there are to train on."""
        return self.shapes[0][0]

    @classmethod
    def of(cls, task: Task) -> "Data":
        """The samples of `task` with their labels or numbers."""
        return cls._placed(task, task.x_train, task.y_train, task.x_validation, task.y_validation)

    @classmethod
    def reconstructed(cls, task: Task, x_train: np.ndarray, x_validation: np.ndarray) -> "Data":
        """`x_train` and `x_validation` (n, features), made of the samples of `task`, as their own
        targets."""
        return cls._placed(task, x_train, x_train, x_validation, x_validation)

    @classmethod
    def _placed(cls, task: Task, *arrays: np.ndarray) -> "Data":
        place, dtype = backends.current().place, keras.config.floatx()
        return cls(
            shapes=tuple(array.shape for array in arrays),
            classes=task.classes,
            task=task,
            arrays=tuple(
                place(array.astype(dtype) if array.dtype.kind == "f" else array) for array in arrays
            ),
        )


class Program:
    """Training of `model` on `data`, for the layers that are trainable at construction.

    Freezing or thawing afterwards does not reach it: build another one, as Keras asks for another
    `compile`.

    Args:
        model: not compiled; its LeakyReLU layers read `slope` if that is given.
        optimizer: not built; its momentum, clip threshold and schedule are fed from now on.
        batch_size: the last batch of an epoch is smaller if it does not divide the samples.
        trials: how many states the program advances at once.
        factors: of the layers of `model`, if some may be frozen or learn slower than others.
        reconstruct: the targets are samples. Else they are labels or numbers, as `data` has them.
        class_weights: as in `Objective`, fed from now on.
        rest: samples of an epoch beyond the full batches, the number of which is fed then. None:
            an epoch has all samples.
        pull: of `model`, if its weights are pulled to where they start.
        name: equal ones for equal programs in other processes, which find them by it where
            compiled programs are kept. It decides nothing else.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        data: Data,
        batch_size: int,
        trials: int = 1,
        slope: Fed | None = None,
        factors: Factors | None = None,
        reconstruct: bool = False,
        class_weights: Fed | None = None,
        rest: int | None = None,
        pull: Pull | None = None,
        name: str = "",
    ) -> None:
        backend = backends.current()
        activations.name_generators(model)
        convolution.unfold(model)
        self._convolutional = convolution.is_in(model)
        self.model, self.optimizer, self.samples = model, optimizer, data.samples
        self._take, self._batch_size = backend.take, min(batch_size, data.samples)
        self._weights = model.trainable_variables
        optimizer.build(self._weights)
        self._factors, self._pull = factors, pull
        self._fed = fed.feed_optimizer(optimizer) | ({"negative_slope": slope} if slope else {})
        self._rest = self.samples % self._batch_size if rest is None else rest
        if rest is not None:
            self._fed["full_batches"] = Fed(0.0)
        if factors:
            self._fed["layer_factors"] = factors.fed
        if class_weights:
            self._fed["class_weights"] = class_weights
        if pull:
            self._fed |= {"pull_strengths": pull.strengths, "pull_start": pull.start}
        self.variables = [
            *model.variables,
            *optimizer.variables,
            *(number.variable for number in self._fed.values()),
        ]
        self._fresh_slots = [np.array(variable) for variable in optimizer.variables]
        # the place of the learning rate among them; a schedule has it among what is fed
        rate = None if "learning_rate" in self._fed else optimizer.learning_rate
        self._rate = next((i for i, v in enumerate(optimizer.variables) if v is rate), None)
        self._objective = Objective(
            data.classes or 1, reconstruct=reconstruct, class_weights=class_weights
        )
        self._tape = backend.Tape(self.variables)
        self._compiled = backend.Compiled(
            self._epoch,
            self.variables,
            data.arrays,
            data.samples,
            trials,
            name,
            self._convolutional,
        )

    def use(self, data: Data | None) -> None:
        """Train on `data` of the same shapes from now on; None: hold none in memory."""
        self._compiled.use(data.arrays if data else ())

    def start(self, weights: Sequence[Sequence[np.ndarray]], numbers: Sequence[Numbers]) -> None:
        """Put each trial at `weights` (in the order of `model.variables`) with its `numbers`, and
        an optimizer that remembers nothing, as that of a newly compiled model."""
        self._compiled.load(
            [
                [*own, *self._slots(n.learning_rate), *self._numbers(n)]
                for own, n in zip(weights, numbers, strict=True)
            ]
        )

    def load(self, states: Sequence[Sequence[np.ndarray]]) -> None:
        """Go on from what `state` gave."""
        self._compiled.load(states)

    def state(self) -> list[list[np.ndarray]]:
        """Per trial: all that its next epoch depends on, the model's variables first."""
        return self._compiled.read()

    def holding(self, trial: int) -> AbstractContextManager[None]:
        """The model and all that it is fed at the state of `trial`. The block may run the model,
        which moves seed generators and moving statistics: that is undone."""
        weights = {id(weight) for weight in self._weights}
        moved = [variable for variable in self.model.variables if id(variable) not in weights]
        return self._compiled.holding(trial, moved)

    def states(self, trials: Sequence[int]) -> Any:
        """As `state` of these trials, stacked, for what the backend has `mapped`."""
        return self._compiled.states(trials)

    def weights(self) -> list[list[np.ndarray]]:
        """Per trial: the values of `model.variables`."""
        return [state[: len(self.model.variables)] for state in self.state()]

    def epoch(self, orders: np.ndarray, active: np.ndarray | None = None) -> Any:
        """Train each trial on the samples in its row of `orders` (trials, samples) int32, or on
        the first of them if the number of batches is fed, then validate. A trial that diverges or
        is not `active` (trials,) stays as it was.

        Returns:
            (trials, 5): `epoch_metrics` in their order (loss and accuracy, or mean absolute error,
            as Keras's progress bar shows them at the end of an epoch, which are means over its
            samples, in training mode; then both on the validation set after it), and 1 if both
            losses are finite and within LOSS_BOUND, else 0. Of stacked trials it may still be being
            computed, until NumPy asks for it.
        """
        return self._compiled.run(orders, np.ones(len(orders), bool) if active is None else active)

    def _slots(self, learning_rate: float) -> list[np.ndarray]:
        slots = list(self._fresh_slots)
        if self._rate is not None:
            slots[self._rate] = np.asarray(learning_rate, slots[self._rate].dtype)
        return slots

    def _numbers(self, numbers: Numbers) -> list[np.ndarray]:
        return [np.asarray(getattr(numbers, n), f.dtype) for n, f in self._fed.items()]

    def _epoch(self, data: Sequence[Any], order: Any, active: Any) -> Any:
        """Traced by the backend: all variables may be read and assigned."""
        ops, size, full = keras.ops, self._batch_size, self.samples // self._batch_size
        samples: Any = self.samples
        if fed := self._fed.get("full_batches"):
            full = ops.cast(fed.variable.value, "int32")
            samples = fed.variable.value * size + self._rest
        x, y, x_validation, y_validation = data
        before = [ops.copy(variable) for variable in self.variables]

        def step(rows: Any) -> Any:
            return self._step(self._take(x, rows), self._take(y, rows))

        def batch(number: Any, sums: Any) -> Any:
            return sums + size * step(ops.slice(order, [number * size], [size]))

        sums = self._tape.repeat(full, batch, ops.zeros(2, keras.config.floatx()))
        if rest := self._rest:
            sums = sums + rest * step(ops.slice(order, [full * size], [rest]))
        validation = self._objective.measure(y_validation, self._outputs(x_validation))
        metrics = ops.concatenate([sums / samples, validation])
        losses = metrics[::2]
        good = ops.all(ops.isfinite(losses)) & ops.all(losses <= LOSS_BOUND)
        for variable, value in zip(self.variables, before, strict=True):
            variable.assign(ops.where(good & active, variable.value, value))
        return ops.concatenate([metrics, ops.cast(good, metrics.dtype)[None]])

    def _outputs(self, x: Any) -> Any:
        """Those of the network for `x (n, features)`, in inference mode. A convolutional one takes
        batch by batch: the patches of thousands of images are gigabytes."""
        ops, count, size = keras.ops, x.shape[0], self._batch_size
        if not self._convolutional or count <= size:
            return self.model(x, training=False)

        def batch(number: Any, outputs: Any) -> Any:
            part = ops.slice(x, [number * size, 0], [size, x.shape[1]])
            return ops.slice_update(outputs, [number * size, 0], self.model(part, training=False))

        outputs = ops.zeros((count, self.model.output_shape[-1]), x.dtype)
        outputs = self._tape.repeat(count // size, batch, outputs)
        if rest := count % size:
            last = self.model(x[count - rest :], training=False)
            outputs = ops.slice_update(outputs, [count - rest, 0], last)
        return outputs

    def _step(self, x: Any, y: Any) -> Any:
        """One batch -> [loss, what is shown beside it] before its update."""

        def loss() -> tuple[Any, Any]:
            outputs = self.model(x, training=True)
            return self._objective.training_loss(y, outputs), outputs

        before = self._factors.before() if self._factors else []
        (value, outputs), gradients = self._tape.value_and_gradients(loss, self._weights)
        if self._pull:
            gradients = self._pull.added(gradients)
        if self._factors:
            self._factors.apply(self.optimizer, gradients, before)
        else:
            self.optimizer.apply(gradients, self._weights)
        return keras.ops.stack([value, self._objective.beside(y, outputs)])


def assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
