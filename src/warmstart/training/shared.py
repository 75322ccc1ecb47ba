"""What cohorts of one program share: the model, its program, and the probe of its layers."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from math import prod

import keras
import numpy as np

from warmstart.config.arm import Arm
from warmstart.data.task import Task
from warmstart.networks import autoencoder, building, choices, transfer
from warmstart.training import backends
from warmstart.training.fed import Factors, Fed, feed_slope
from warmstart.training.probe import Probe, samples
from warmstart.training.program import Data, Program
from warmstart.training.pull import Pull
from warmstart.training.trials import Cohort, Pretrained


def capacity(cohort: Cohort, task: Task) -> int:
    """How many trials of `cohort` to train at once: more than one only where the backend stacks
    them, and no more than fit its memory by a generous estimate."""
    arm, maps = cohort.structure, map(prod, cohort.structure.network.maps)
    widths = [arm.network.flat(task.features), *arm.hidden, task.outputs]
    weights = arm.network.weights + sum(a * b for a, b in pairwise(widths))
    widths = [task.features, *maps, *widths[1:]]
    # a layer's activations on the validation set, in and out, against a batch's in all layers
    outputs = max(2 * max(widths[1:]) * len(task.y_validation), 6 * sum(widths) * cohort.batch_size)
    return backends.current().trials_at_once(4 * (6 * weights + outputs))


def build(cohort: Cohort, task: Task, network: Arm) -> keras.Model:
    """The plain Keras model of `network`, which is the cohort's structure or one of its trials',
    or that of the cohort's sources, or an autoencoder; its weights are not those of a trial."""
    if cohort.autoencoder:
        how, features = cohort.autoencoder, task.features
        if cohort.sources:
            below = Source.read(cohort.sources[0]).model
            features = autoencoder.codes(below).output_shape[-1]
        return autoencoder.build(
            network,
            features,
            cohort.root_seed,
            noise=how.noise,
            tied=how.tied,
            first=how.first,
        )
    if not cohort.sources or cohort.on_features:
        return building.build(network, task.features, task.outputs, cohort.root_seed)
    source = Source.read(cohort.sources[0]).model
    return transfer.graft(source, task.features, task.outputs, cohort.root_seed)


@dataclass(frozen=True)
class Source:
    """A pretrained model whose layers are to be reused; equals all that differ in weights only."""

    layers: str
    """Those before the last, in JSON."""
    model: keras.Model = field(compare=False, repr=False)

    @classmethod
    @lru_cache(maxsize=64)  # a load takes as long as hundreds of small epochs
    def read(cls, saved: Pretrained) -> "Source":
        """The model in the file of `saved`.

        Raises:
            InputError: as `transfer.load`.
        """
        model = transfer.load(saved.file)
        # in a model that branches each names those that it takes in; tensors have other names each
        # time that a model is loaded, and so may inputs
        layers = [
            layer
            for layer in model.get_config()["layers"][:-1]
            if layer["class_name"] != "InputLayer"
        ]
        for layer in layers:  # kernels are copied, or drawn as the trial says
            layer["config"].pop("kernel_initializer", None)
        return cls(json.dumps([model.input_shape, layers], sort_keys=True, default=str), model)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """What cohorts of one program share."""

    model: keras.Model
    factors: Factors | None
    pull: Pull | None
    program: Program
    probe: Probe | None
    fresh: list[np.ndarray]
    """Values of `model.variables` where nothing is copied and no seed drawn."""


ALONE, STACKED = 32, 4
"""Programs that a process keeps: those of one trial are small, a study's next round and its wider
grid run them again; the states of many trials fill a GPU's memory."""
_programs: dict[object, Shared] = {}  # the one that was used last comes last


def program(
    cohort: Cohort, source: Source | None, by_layer: bool, data: Data, at_once: int
) -> Shared:
    """The program of all cohorts like `cohort`, compiled now or before; arguments as `_compile`."""
    # not `data` itself: what is kept must not keep samples in memory
    key = cohort, source, by_layer, data.shapes, data.classes, at_once
    shared = _programs.pop(key, None) or _compile(cohort, source, by_layer, data, at_once)
    _programs[key] = shared
    while len(_programs) > (ALONE if at_once == 1 else STACKED):
        del _programs[next(iter(_programs))]
    return shared


def forget_programs() -> None:
    """Free what `program` keeps."""
    _programs.clear()


def _compile(
    cohort: Cohort, source: Source | None, by_layer: bool, data: Data, at_once: int
) -> Shared:
    """The program of all cohorts like `cohort`, which has neither phases nor trials nor a task.

    Args:
        source: whose layers they reuse, if any.
        by_layer: whether it takes learning-rate factors of layers.
        data: samples like those that it is run on.
        at_once: how many trials it advances together.
    """
    task = data.task
    if source:
        model = transfer.graft(source.model, task.features, task.outputs, cohort.root_seed)
    else:
        model = build(cohort, task, cohort.structure)
    slope = None if source else feed_slope(model)
    factors = Factors(model) if by_layer else None
    pull = Pull(model) if cohort.l2_sp else None
    weighted = cohort.structure.class_weight == "balanced"
    class_weights = Fed(np.ones(task.classes)) if weighted else None
    of = replace(cohort, root_seed=0, sources=()), source, by_layer, data.shapes, at_once
    program = Program(
        model,
        choices.optimizer(cohort.structure).build(),
        data,
        cohort.batch_size,
        at_once,
        slope,
        factors,
        reconstruct=cohort.autoencoder is not None,
        class_weights=class_weights,
        rest=cohort.rest,
        pull=pull,
        name=hashlib.sha256(repr(of).encode()).hexdigest()[:16],
    )
    return Shared(
        model=model,
        factors=factors,
        pull=pull,
        fresh=[np.array(variable) for variable in model.variables],
        program=program,
        probe=Probe(
            model,
            program.variables,
            *samples(task),
            optimizer=program.optimizer,
            batch_size=cohort.batch_size,
            class_weights=class_weights,
            often=True,
        )
        if cohort.probed
        else None,
    )
