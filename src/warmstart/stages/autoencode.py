"""Encoders that were pretrained without labels, for model B to start on."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from warmstart.config.arm import Arm
from warmstart.config.params import METHODS, Params
from warmstart.data import pretext
from warmstart.data.task import Standardization, Task
from warmstart.errors import InputError
from warmstart.files import read_json, replacing
from warmstart.records import Record, write_records
from warmstart.runtime import pool
from warmstart.runtime.store import UNFINISHED
from warmstart.runtime.timings import Stopwatch, describe, facts
from warmstart.training.trials import (
    SHOWN,
    Autoencoder,
    Cohort,
    Learned,
    Phase,
    Result,
    Split,
    Trial,
)


def autoencode(params: Params, data: Path, models: Path, output: Path) -> None:
    """Pretrain by each of `autoencode.methods`, each at its best learning rate, save the encoders
    as `models/METHOD.keras`, and write records, timings and what can be seen of the encoders
    (`shown.npz`) below `output`. Files of these names are replaced or removed, others in `models`
    stay.

    - `stacked`: one hidden layer after the other learns to give back the codes of the layers
      below, which stay frozen (Bengio et al. 2007, "Greedy Layer-Wise Training of Deep Networks");
    - `denoising`: all layers at once learn to restore what noise was added to (Vincent et al.
      2008, "Extracting and Composing Robust Features with Denoising Autoencoders");
    - `rotation`: all layers learn by how much an image was turned (Gidaris et al. 2018).

    They see the training samples of all classes, no labels and never a test sample; validation
    samples choose learning rates. Every model ends in a Dense layer for `transfer` to replace.

    Raises:
        InputError: if one of them diverges at every learning rate, or none suits the data.
    """
    full = Task.read(data / "full.npz")
    standardization = Standardization.read(data / "standardize.npz")
    make = _Maker.of(params, full, UNFINISHED / "autoencode")
    shape = read_json(data / "card.json")["feature_shape"]
    cohorts, last = _cohorts(make, full, shape, standardization)
    source = describe(full, params.data.name, data / "full.npz")
    about = facts({full.digest: source}, params.executor.address)
    with Stopwatch() as stopwatch, pool.start(params.executor, make.folder) as workers:
        trained = _train(workers, cohorts)
        for number in range(2, make.depth + 1) if "stacked" in last else ():
            below = make.folder / f"stacked_{number - 1}.keras"
            workers.export_autoencoder(*trained[f"stacked_{number - 1}"].chosen, below)
            trained |= _train(workers, {f"stacked_{number}": make.layer(number, below)})
        for known in METHODS:  # what an earlier run left would be a start for model B
            (models / f"{known}.keras").unlink(missing_ok=True)
        learned = {
            method: workers.export_encoder(*trained[arm].chosen, models / f"{method}.keras")
            for method, arm in last.items()
        }
    stopwatch.write(  # before the records: a publisher that sees them needs it
        output / "timings.json",
        arms={name: [(0, result) for result in arm.results] for name, arm in trained.items()},
        trained=workers.trained,
        facts=about,
    )
    _write_shown(output / "shown.npz", learned, full, standardization)
    write_records(
        output / "records.parquet",
        [record for arm in trained.values() for record in arm.records(full.digest)],
    )
    shutil.rmtree(make.folder, ignore_errors=True)
    for method, arm in last.items():
        loss = trained[arm].results[trained[arm].best].epochs["val_loss"][-1]
        print(f"autoencode: {method}, validation loss {loss:.4f}")


@dataclass(frozen=True, kw_only=True)
class _Maker:
    """What all cohorts of this stage have in common."""

    params: Params
    network: Arm
    """Resolved."""
    samples: Task
    """Without labels."""
    folder: Path

    @classmethod
    def of(cls, params: Params, full: Task, folder: Path) -> Self:
        network = params.pretrain.network.resolve(full.features)
        network = network.model_copy(update={"optimizer": params.autoencode.optimizer})
        samples = pretext.unlabelled(full)
        samples.write(folder / "unlabelled.npz")
        return cls(params=params, network=network, samples=samples, folder=folder)

    @property
    def depth(self) -> int:
        return len(self.network.hidden)

    def layer(self, number: int, below: Path | None = None) -> Cohort:
        """Hidden layer `number` (from 1), on the codes of the unrolled autoencoder `below`."""
        changes: dict[str, Any] = {"hidden": (self.network.hidden[number - 1],)}
        norm = self.network.batch_norm
        if below and norm.on_input:  # codes are no input
            changes["batch_norm"] = norm.model_copy(update={"name": norm.place})
        how = Autoencoder(noise=0.0, tied=self.params.autoencode.tied, first=number)
        network = self.network.model_copy(update=changes)
        return self._cohort(f"stacked_{number}", self.samples, network, how, below)

    def denoising(self) -> Cohort:
        options = self.params.autoencode
        how = Autoencoder(noise=options.noise, tied=options.tied)
        return self._cohort("denoising", self.samples, self.network, how)

    def classifier(self, turned: Task) -> Cohort:
        turned.write(self.folder / "turned.npz")
        return self._cohort("rotation", turned, self.network)

    def _cohort(
        self,
        arm: str,
        task: Task,
        network: Arm,
        autoencoder: Autoencoder | None = None,
        source: Path | None = None,
    ) -> Cohort:
        options = self.params.autoencode
        return Cohort(
            structure=network.structure(),
            phases=(Phase(epochs=options.epochs),),
            splits=(Split(self.folder / f"{task.name}.npz", task.digest),),
            batch_size=options.batch_size,
            root_seed=self.params.seed,
            source=source,
            source_digest=hashlib.sha256(source.read_bytes()).hexdigest() if source else "",
            autoencoder=autoencoder,
            trials=tuple(
                Trial(arm=arm, network=network, seed=0, learning_rate=rate)
                for rate in options.learning_rates
            ),
        )


def _cohorts(
    make: _Maker, full: Task, shape: list[int], standardization: Standardization
) -> tuple[dict[str, Cohort], dict[str, str]]:
    """The cohorts that need no other's codes, by arm; and of each method the arm that completes
    it."""
    methods = make.params.autoencode.methods
    cohorts, last = {}, {}
    if "stacked" in methods:
        cohorts["stacked_1"] = make.layer(1)
        last["stacked"] = f"stacked_{make.depth}"
    if "denoising" in methods:
        cohorts["denoising"] = make.denoising()
        last["denoising"] = "denoising"
    if "rotation" in methods and pretext.is_square(shape):
        cohorts["rotation"] = make.classifier(pretext.turned(full, shape, standardization))
        last["rotation"] = "rotation"
    elif "rotation" in methods:
        print(f"autoencode: rotation takes square images, it is left out for shape {shape}")
    if not cohorts:
        raise InputError(
            f"autoencode.methods: expected stacked or denoising for samples of shape {shape}, "
            f"received {list(methods)}; rotation takes square images, add another method"
        )
    return cohorts, last


@dataclass(frozen=True, kw_only=True)
class _Trained:
    """One cohort of this stage with what came of it."""

    cohort: Cohort
    results: tuple[Result, ...]
    """One per trial."""

    @property
    def best(self) -> int:
        """Position of the trial with the lowest validation loss after the last epoch."""

        def loss(i: int) -> tuple[bool, float]:
            result = self.results[i]
            return result.outcome == "diverged", result.epochs["val_loss"][-1]

        return min(range(len(self.results)), key=loss)

    @property
    def chosen(self) -> tuple[Cohort, Trial]:
        return self.cohort, self.cohort.trials[self.best]

    def records(self, data_digest: str) -> list[Record]:
        """All trials, without test metrics; accuracies are NaN where there are none."""
        how = self.cohort.autoencoder
        settings = {"batch_size": str(self.cohort.batch_size), "epochs": str(self.cohort.epochs)}
        if how:
            settings |= {"noise": f"{how.noise:g}", "tied": str(how.tied).lower()}
        return [
            Record(
                stage="autoencode",
                study="",
                arm=trial.arm,
                seed=trial.seed,
                learning_rate=trial.learning_rate,
                settings=trial.network.settings() | settings,
                data_digest=data_digest,
                outcome=result.outcome,
                epochs=result.epochs,
                chosen=i == self.best,
            )
            for i, (trial, result) in enumerate(zip(self.cohort.trials, self.results, strict=True))
        ]


def _train(workers: pool.Workers, cohorts: Mapping[str, Cohort]) -> dict[str, _Trained]:
    results = workers.train(list(cohorts.values()), f"autoencode {', '.join(cohorts)}")
    trained = {
        arm: _Trained(cohort=cohort, results=tuple(results[cohort.key(t)] for t in cohort.trials))
        for arm, cohort in cohorts.items()
    }
    for arm, of_arm in trained.items():
        if all(result.outcome == "diverged" for result in of_arm.results):
            raise InputError(
                f"autoencode.learning_rates: expected one at which {arm} does not diverge, "
                f"received {[t.learning_rate for t in of_arm.cohort.trials]}; add lower ones"
            )
    return trained


def _write_shown(
    path: Path, learned: Mapping[str, Learned], full: Task, standardization: Standardization
) -> None:
    """A .npz with `originals (SHOWN, features)`, which are raw validation samples, and of each
    method its `METHOD_reconstructions`, alike, if it has any, and `METHOD_filters (units,
    features)` on standardized samples."""
    arrays: dict[str, Any] = {"originals": standardization.undo(full.x_validation[:SHOWN])}
    for method, encoder in learned.items():
        arrays[f"{method}_filters"] = encoder.filters
        if encoder.reconstructions is not None:
            arrays[f"{method}_reconstructions"] = standardization.undo(encoder.reconstructions)
    with replacing(path) as unfinished:
        np.savez(unfinished, **{key: array.astype(np.float32) for key, array in arrays.items()})
