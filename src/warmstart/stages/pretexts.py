"""What encoders are pretrained on, and the cohorts that do it; `stages.autoencode` runs them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from warmstart.config.arm import Arm
from warmstart.config.augmentation import Augmentation
from warmstart.config.params import Params
from warmstart.data import pretext
from warmstart.data.fitting import method_problems, unsuited
from warmstart.data.split import resplit
from warmstart.data.view import View
from warmstart.errors import InputError
from warmstart.training.trials import Autoencoder, Cohort, Phase, Pretrained, Split, Trial


def suited(params: Params, shape: Sequence[int]) -> Sequence[str]:
    """Those of params.yaml that suit samples of `shape`, and the network.

    Raises:
        InputError: if rotation alone is asked for, and does not.
    """
    asked = params.autoencode.methods
    if problems := list(method_problems(asked, shape)):
        raise InputError(*problems)
    network = params.pretrain.network.resolve(shape, "pretrain.network").network
    reasons = dict(unsuited(asked, shape, network))
    for reason in reasons.values():
        print(f"autoencode: {reason}")
    return [method for method in asked if method not in reasons]


def samples(
    params: Params, methods: Sequence[str], whole: View, folder: Path
) -> dict[str, list[Split]]:
    """Name of a pretext task -> what each replicate sees of it, below `folder`. One by one: all of
    them may not fit into memory."""
    splits = defaultdict(list)
    for number in range(params.replicates):
        view = resplit(whole, number, params.seed, params.data.drawn)
        place = folder / str(number)
        splits["unlabelled"].append(Split.write(pretext.unlabelled(view.task), place))
        if "rotation" in methods:
            turned = pretext.turned(view.task, view.standardization)
            splits["turned"].append(Split.write(turned, place))
    return splits


@dataclass(frozen=True)
class Maker:
    """What all cohorts of this stage have in common."""

    params: Params
    shape: tuple[int, ...]
    """Of one sample."""
    samples: Mapping[str, Sequence[Split]]
    """See the function `samples`."""
    folder: Path

    @cached_property
    def network(self) -> Arm:
        """Resolved."""
        network = self.params.pretrain.network.resolve(self.shape)
        changes = {
            "optimizer": self.params.autoencode.optimizer,
            "class_weight": "none",  # nothing here has classes that are rarer than others
            "augmentation": Augmentation(),  # what is to be reconstructed would not be augmented
        }
        return network.model_copy(update=changes)

    @property
    def depth(self) -> int:
        return len(self.network.hidden)

    def layer(self, number: int, below: Sequence[Path] = ()) -> Cohort:
        """Hidden layer `number` (from 1), on the codes of the unrolled autoencoders `below`."""
        changes: dict[str, Any] = {"hidden": (self.network.hidden[number - 1],)}
        norm = self.network.batch_norm
        if below and norm.on_input:  # codes are no input
            changes["batch_norm"] = norm.model_copy(update={"name": norm.place})
        how = Autoencoder(noise=0.0, tied=self.params.autoencode.tied, first=number)
        network = self.network.model_copy(update=changes)
        return self._cohort(f"stacked_{number}", "unlabelled", network, how, below)

    def denoising(self) -> Cohort:
        options = self.params.autoencode
        how = Autoencoder(noise=options.noise, tied=options.tied)
        return self._cohort("denoising", "unlabelled", self.network, how)

    def classifier(self) -> Cohort:
        return self._cohort("rotation", "turned", self.network)

    def _cohort(
        self,
        arm: str,
        samples: str,
        network: Arm,
        autoencoder: Autoencoder | None = None,
        sources: Sequence[Path] = (),
    ) -> Cohort:
        options = self.params.autoencode
        return Cohort(
            structure=network.structure(),
            phases=(Phase(epochs=options.epochs),),
            splits=tuple(self.samples[samples]),
            batch_size=options.batch_size,
            root_seed=self.params.seed,
            sources=tuple(map(Pretrained.of, sources)),
            autoencoder=autoencoder,
            trials=tuple(
                Trial(arm=arm, network=network, seed=seed, learning_rate=rate)
                for rate in options.learning_rates
                for seed in range(self.params.replicates)
            ),
        )


def first_cohorts(make: Maker, methods: Sequence[str]) -> tuple[dict[str, Cohort], dict[str, str]]:
    """The cohorts that need no other's codes, by arm; and of each method the arm that completes
    it."""
    cohorts, last = {}, {}
    if "stacked" in methods:
        cohorts["stacked_1"] = make.layer(1)
        last["stacked"] = f"stacked_{make.depth}"
    if "denoising" in methods:
        cohorts["denoising"] = make.denoising()
        last["denoising"] = "denoising"
    if "rotation" in methods:
        cohorts["rotation"] = make.classifier()
        last["rotation"] = "rotation"
    return cohorts, last
