"""Where trials start: the values of their model's variables before the first step."""

from dataclasses import replace
from functools import cache, lru_cache

import keras
import numpy as np

from warmstart.config.arm import Arm
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.networks import choices, lsuv, transfer
from warmstart.seeds import derive
from warmstart.training import shared
from warmstart.training.order import Order
from warmstart.training.program import Data, assign
from warmstart.training.shared import Source
from warmstart.training.trials import Cohort, Pretrained, Trial


class Starts:
    """Those of a cohort's trials.

    Args:
        model: that of the cohort's program.
        fresh: values of its variables where nothing is copied and no seed drawn.
        order: of the samples, which LSUV looks at.
    """

    def __init__(
        self, cohort: Cohort, model: keras.Model, fresh: list[np.ndarray], order: Order
    ) -> None:
        self._cohort, self._model, self._fresh, self._order = cohort, model, fresh, order
        self._plain_ones: dict[Arm, keras.Model] = {}

    def of(self, trial: Trial, data: Data) -> list[np.ndarray]:
        """Values of `model.variables`: every layer as `build` makes it, with the trial's
        initializers and seed in the layers not copied from a pretrained model.

        Args:
            data: of the split that `trial` sees.
        """
        return list(self._of(replace(trial, arm="", learning_rate=0.0, rivals=()), data))

    @lru_cache(maxsize=1)  # noqa: B019  the rates of an arm and seed come one after another
    def _of(self, trial: Trial, data: Data) -> list[np.ndarray]:
        """As `of`; the same at all learning rates, and drawn once."""
        cohort, model = self._cohort, self._model
        place = {id(variable): i for i, variable in enumerate(model.variables)}
        values = list(self.copied(cohort.source(trial)))
        seed = derive(cohort.root_seed, "trial", trial.seed)
        for layer in model.layers:
            own = choices.layer_seed(seed, layer.name)
            # dense layers, convolutions: what stands for all arms starts at zero
            if hasattr(layer, "kernel") and layer.name not in cohort.copied:
                last = layer is model.layers[-1]
                network = trial.network
                choice = network.head_initializer if last else network.initializer
                make = choices.initializer(choice, own).build()
                values[place[id(layer.kernel)]] = np.array(make(layer.kernel.shape))
            if hasattr(layer, "seed_generator"):
                state = keras.random.SeedGenerator(own).state
                values[place[id(layer.seed_generator.state)]] = np.array(state)
        if not lsuv.chosen(trial.network, model):
            return values
        seen = self._order.seen(trial, data.task.y_train)
        x, plain = np.asarray(data.arrays[0]), self._plain(trial.network, data.task)
        return lsuv.scaled(plain, trial.network, values, x[seen], cohort.copied)

    def _plain(self, network: Arm, task: Task) -> keras.Model:
        """Not that of the program, whose layers read numbers of the trial before."""
        if network not in self._plain_ones:
            self._plain_ones[network] = shared.build(self._cohort, task, network)
        return self._plain_ones[network]

    @cache  # noqa: B019  they are gone with their cohort
    def copied(self, source: Pretrained | None) -> list[np.ndarray]:
        """Values of `model.variables` with the layers that come from `source`.

        Raises:
            InputError: if its layers are not those of the cohort's first source.
        """
        cohort, model = self._cohort, self._model
        if source is None or cohort.autoencoder or cohort.on_features:
            return self._fresh
        pretrained, first = Source.read(source), cohort.sources[0]
        if pretrained != Source.read(first):
            raise InputError(
                f"{source.file}: expected the layers of {first.file}, on which other seeds start, "
                f"received {', '.join(layer.name for layer in pretrained.model.layers)} of other "
                "settings; pretrain them alike"
            )
        assign(model.variables, self._fresh)
        transfer.copy(pretrained.model, model, cohort.copied, cohort.not_copied)
        return [np.array(variable) for variable in model.variables]
