"""A cohort's trials through its compiled program, one after another or many at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np

from warmstart.config.arm import Arm
from warmstart.networks import schedules
from warmstart.training import backends, convolution, ending, shared
from warmstart.training.layers import LayerProbe
from warmstart.training.objective import balanced
from warmstart.training.order import Order
from warmstart.training.outcomes import Checkpoint, Outcome, Result, Standing, Store
from warmstart.training.probe import is_due, samples
from warmstart.training.program import Data, Numbers, assign
from warmstart.training.shared import Source
from warmstart.training.starts import Starts
from warmstart.training.trials import Cohort, Phase, Progress, Trial
from warmstart.training.watch import Watch


class Trainer:
    """A cohort's model with its compiled program.

    Trials and cohorts that differ only in phases, samples of the same shapes, or what they copy of
    pretrained models with the same layers are trained by the same program, which is kept for the
    next of them.

    Args:
        at_once: how many trials pass through together.

    Raises:
        ValueError: if the cohort's layers to copy, or a phase's factors, do not cover the layers
            there are.
    """

    def __init__(self, cohort: Cohort, data: Data, at_once: int = 1) -> None:
        self.cohort, self.at_once = cohort, at_once
        by_layer = any(phase.layer_factors for phase in cohort.phases)
        alike = replace(cohort, phases=(), copied=(), not_copied=(), patience=None)
        alike = replace(alike, splits=(), trials=(), metric="accuracy")
        alike = replace(alike, l2_sp=float(cohort.l2_sp > 0))
        source = None
        if cohort.on_features:
            alike = replace(alike, sources=(), on_features=False)
        elif cohort.sources and not cohort.autoencoder:
            source = Source.read(cohort.sources[0])
            alike = replace(alike, sources=())
        self.data = data
        """Samples that the next trials see; others of the same shapes may take their place."""
        made = shared.program(alike, source, by_layer, data, at_once)
        self.model, self._program, self._probe = made.model, made.program, made.probe
        self._order = Order(cohort.root_seed)
        self._starts = Starts(cohort, made.model, made.fresh, self._order)
        self._first_looks: dict[tuple[Arm, int], tuple[LayerProbe, ...]] = {}
        self._pull = made.pull
        self._phases: dict[int, tuple[Phase, tuple[float, ...]]] = {}  # by the epoch it starts at
        start = 0
        for phase in cohort.phases:
            factors = made.factors.of(phase.layer_factors) if made.factors else ()
            self._phases[start] = phase, factors
            start += phase.epochs

    def train(
        self,
        trials: Sequence[Trial],
        store: Store,
        progress: Progress,
        *,
        standings: Sequence[Standing] = (),
        until: int | None = None,
    ) -> list[Standing]:
        """Train `trials` (`at_once` or fewer) on `data`: where each stands then.

        Continues from a checkpoint in `store`, which may lie beyond `until`, and keeps one there
        while it trains. A trial diverges in the epoch whose metrics are not finite or whose loss is
        out of bounds; its weights are then those before that epoch.

        Args:
            standings: where they go on from, all after as many epochs; empty: from the start.
            until: epochs after which they stop; None: the last one.
        """
        self._program.use(self.data)
        if self._probe:
            self._probe.use(*samples(self.data.task))
        keys = [self.cohort.key(trial) for trial in trials]
        checkpoint = store.checkpoint(keys)
        # a smaller group leaves seats of the program empty: what fills them does not train
        seats = [*trials, *[trials[0]] * (self.at_once - len(trials))]
        watch = self._watch(len(seats))
        watch.over[len(trials) :] = True
        known = len(standings[0].rows) if standings else 0
        standing = checkpoint.read() or (
            Standing.together([*standings, *[standings[0]] * (len(seats) - len(trials))])
            if standings
            else Standing([], [self.initial(seat) for seat in seats], 0.0, [() for _ in seats])
        )
        for row in standing.rows:
            watch.see(row)
        progress((len(standing.rows) - known) * len(trials))
        until = until or self.cohort.epochs
        self._go_on(seats, standing, watch, checkpoint, until, lambda: progress(len(trials)))
        self._program.use(None)
        progress(max(0, until - len(standing.rows)) * len(trials))
        return [standing.alone(i, len(trials)) for i in range(len(trials))]

    def _watch(self, trials: int) -> Watch:
        return Watch(trials, self.cohort.patience, self.cohort.last_phase)

    def finished(
        self, trial: Trial, standing: Standing, outcome: Outcome | None = None
    ) -> tuple[Result, list[np.ndarray]]:
        """The result of `trial`, and values of `model.variables`.

        Args:
            standing: of `trial` alone.
            outcome: None: `completed`, or `diverged` if it did.
        """
        watch = self._watch(1)
        for row in standing.rows:
            watch.see(row)

        def outputs() -> np.ndarray:
            assign(self._program.variables, standing.states[0])
            x = self.data.task.x_validation.astype(keras.config.floatx())
            return np.array(convolution.outputs(self.model, x))

        result = ending.result(
            self.cohort,
            trial,
            standing,
            watch,
            task=self.data.task,
            samples=trial.labels or self._program.samples,
            outputs=outputs,
            outcome=outcome,
        )
        return result, standing.states[0][: len(self.model.variables)]

    def is_over(self, standing: Standing) -> bool:
        """Whether the trial that stands there alone has diverged or stopped."""
        watch = self._watch(1)
        for row in standing.rows:
            watch.see(row)
        return bool(watch.over[0]) or len(standing.rows) == self.cohort.epochs

    def _go_on(
        self,
        seats: Sequence[Trial],
        standing: Standing,
        watch: Watch,
        checkpoint: Checkpoint,
        until: int,
        report: Callable[[], None],
    ) -> None:
        """Take `standing` to the epoch `until`, or to the one after which all trials are over."""
        program, done, clock = self._program, len(standing.rows), backends.current().clock
        orders: np.ndarray | None = None
        if done not in self._phases:
            program.load(standing.states)
        for epoch in range(done, until):
            if watch.over.all():
                break
            if epoch in self._phases:
                states = program.state() if epoch > done else standing.states
                weights = [state[: len(self.model.variables)] for state in states]
                numbers = [self._numbers(trial, *self._phases[epoch]) for trial in seats]
                program.start(weights, numbers)
            if epoch == 0:
                self._look(seats, standing, watch, ~watch.over)
            lives, began = ~watch.over, clock()
            if orders is None:
                orders = self._orders(seats, epoch)
            row = program.epoch(orders, lives)
            # meanwhile, where an accelerator is still at work
            orders = self._orders(seats, epoch + 1) if epoch + 1 < until else None
            standing.rows.append(np.asarray(row))
            standing.seconds += clock() - began
            watch.see(standing.rows[-1])
            last = watch.over | (epoch + 1 == self.cohort.epochs)
            on_the_way = np.array([seat.seed == 0 and is_due(epoch + 1) for seat in seats])
            self._look(seats, standing, watch, lives & (on_the_way | last))
            report()
            if checkpoint.is_due():
                standing.states = program.state()
                checkpoint.write(standing)
        standing.states = program.state() if len(standing.rows) > done else standing.states
        checkpoint.remove()

    def _look(
        self, seats: Sequence[Trial], standing: Standing, watch: Watch, wanted: np.ndarray
    ) -> None:
        """Probe those of the `wanted` (trials,) that have changed since they were probed last: one
        that diverged has not."""
        if not self._probe:
            return
        due: dict[int, int] = {}  # the epoch of each seat
        for i in np.flatnonzero(wanted).tolist():
            epoch = int(watch.epochs[i] - watch.diverged[i])
            if epoch not in {probe.epoch for probe in standing.probes[i]}:
                due[i] = epoch
        # where a trial starts is the same at all learning rates
        starts = {i: (seats[i].network, seats[i].seed) for i, epoch in due.items() if not epoch}
        new = {start for start in starts.values() if start not in self._first_looks}
        first = {start: i for i, start in reversed(starts.items()) if start in new}
        looks = self._looks({i: due[i] for i in due if due[i] or i in first.values()})
        self._first_looks |= {start: looks[i] for start, i in first.items()}
        for i, epoch in due.items():
            standing.probes[i] += looks[i] if epoch else self._first_looks[starts[i]]

    def _looks(self, epochs: Mapping[int, int]) -> dict[int, tuple[LayerProbe, ...]]:
        """Into the trials at these places, after so many epochs each."""
        assert self._probe
        if self.at_once > 1:
            return self._probe.looks(self._program.states, epochs)
        looks = {}
        for i, epoch in epochs.items():
            with self._program.holding(i):
                looks[i] = self._probe.look(epoch)
        return looks

    def initial(self, trial: Trial) -> list[np.ndarray]:
        """Values of `model.variables` where `trial` starts."""
        return self._starts.of(trial, self.data)

    def _numbers(self, trial: Trial, phase: Phase, layer_factors: tuple[float, ...]) -> Numbers:
        strengths: tuple[float, ...] = ()
        start = None
        if self._pull:
            source = self.cohort.source(trial)
            strengths, start = self._pull.of(
                self.cohort.l2_sp, self._starts.copied(source), self.cohort.copied
            )
        samples = trial.labels or self._program.samples
        steps = schedules.steps(phase.epochs, samples, self.cohort.batch_size)
        decay_steps, warmup_steps = schedules.spans(trial.network.schedule, steps)
        return Numbers(
            learning_rate=trial.learning_rate * phase.learning_rate_factor,
            momentum=trial.network.optimizer.momentum,
            clip_threshold=trial.network.clipping.threshold,
            negative_slope=trial.network.activation.negative_slope,
            decay_steps=decay_steps,
            warmup_steps=warmup_steps,
            full_batches=(trial.labels or 0) // self.cohort.batch_size,
            layer_factors=layer_factors,
            class_weights=self._class_weights(trial),
            pull_strengths=strengths,
            pull_start=start,
        )

    def _class_weights(self, trial: Trial) -> tuple[float, ...]:
        if trial.network.class_weight == "none":
            return ()
        task = self.data.task
        return balanced(task.y_train[self._order.seen(trial, task.y_train)], task.classes)

    def _orders(self, trials: Sequence[Trial], epoch: int) -> np.ndarray:
        return self._order.of(trials, epoch, self.data.task.y_train)
