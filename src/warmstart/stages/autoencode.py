"""Encoders that were pretrained without labels, for model B to start on."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.config.arm import Network
from warmstart.config.params import METHODS, Params
from warmstart.data import pretext
from warmstart.data.task import Standardization, Task
from warmstart.errors import InputError
from warmstart.files import read_json, replacing, write_json
from warmstart.records import Record, write_records
from warmstart.runtime import pool as executor
from warmstart.runtime.store import SCRATCH
from warmstart.runtime.timings import Stopwatch, describe
from warmstart.training.trials import (
    SHOWN,
    Autoencoder,
    Cohort,
    Effort,
    Learned,
    Phase,
    Result,
    Trial,
)


def autoencode(params: Params, data: Path, models: Path, output: Path) -> None:
    """Pretrain by each of `autoencode.methods`, each at its best learning rate, save the encoders
    as `models/METHOD.keras`, and write records, losses, timings and what can be seen of the
    encoders (`shown.npz`) below `output`. Files of these names are replaced or removed, others in
    `models` stay.

    - `stacked`: one hidden layer after the other learns to give back the codes of the layers
      below, which stand still (Bengio et al. 2007, "Greedy Layer-Wise Training of Deep Networks");
    - `denoising`: all layers at once learn to restore what noise was added to (Vincent et al.
      2008, "Extracting and Composing Robust Features with Denoising Autoencoders");
    - `rotation`: all layers learn by how much an image was turned (Gidaris et al. 2018).

    They see the training samples of all classes, no labels and never a test sample; validation
    samples choose learning rates. Every model ends in a Dense layer for `transfer` to replace.

    Raises:
        InputError: if one of them diverges at every learning rate, or none suits the data.
    """
    options, full = params.autoencode, Task.read(data / "full.npz")
    standardization = Standardization.read(data / "standardize.npz")
    shape = read_json(data / "card.json")["feature_shape"]
    make = _Maker.of(params, full, SCRATCH / "autoencode")
    cohorts, last = {}, {}  # arm -> its cohort, method -> the arm that completes it
    if "stacked" in options.methods:
        cohorts["stacked_1"] = make.layer(1)
        last["stacked"] = f"stacked_{make.depth}"
    if "denoising" in options.methods:
        cohorts["denoising"] = make.denoising()
        last["denoising"] = "denoising"
    if "rotation" in options.methods and pretext.is_square(shape):
        cohorts["rotation"] = make.classifier(pretext.turned(full, shape, standardization))
        last["rotation"] = "rotation"
    elif "rotation" in options.methods:
        print(f"autoencode: rotation takes square images, it is left out for shape {shape}")
    if not cohorts:
        raise InputError(
            f"autoencode.methods: expected stacked or denoising for samples of shape {shape}, "
            f"received {list(options.methods)}; rotation takes square images, add another method"
        )
    with Stopwatch() as stopwatch, executor.start(params.executor, make.folder) as pool:
        trained = _train(pool, cohorts)
        for number in range(2, make.depth + 1) if "stacked" in last else ():
            below = make.folder / f"stacked_{number - 1}.keras"
            pool.export(*trained[f"stacked_{number - 1}"].chosen, below)
            trained |= _train(pool, {f"stacked_{number}": make.layer(number, below)})
        for known in METHODS:  # what an earlier run left would be a start for model B
            (models / f"{known}.keras").unlink(missing_ok=True)
        learned = {
            method: pool.export_encoder(*trained[arm].chosen, models / f"{method}.keras")
            for method, arm in last.items()
        }
    stopwatch.write(  # first: who sees records finds what they were made on
        output / "timings.json",
        seconds_per_epoch={name: {0: arm.seconds_per_epoch} for name, arm in trained.items()},
        spent={name: arm.effort for name, arm in trained.items()},
        trained=pool.trained,
        facts=stopwatch.facts(
            {full.digest: describe(full, params.data.name, data / "full.npz")},
            params.executor.address,
        ),
    )
    write_records(
        output / "records.parquet",
        [record for arm in trained.values() for record in arm.records(full.digest)],
    )
    write_json(output / "losses.json", {name: arm.loss() for name, arm in trained.items()})
    _write_shown(output / "shown.npz", learned, full, standardization)
    shutil.rmtree(make.folder, ignore_errors=True)
    for method, arm in last.items():
        found = trained[arm].loss()
        print(f"autoencode: {method}, validation loss {found['val_loss']:.4f}")


@dataclass(frozen=True, kw_only=True)
class _Maker:
    """What all cohorts of this stage have in common."""

    params: Params
    network: Network
    """Resolved."""
    samples: Task
    """Without labels."""
    folder: Path

    @classmethod
    def of(cls, params: Params, full: Task, folder: Path) -> "_Maker":
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
        network: Network,
        autoencoder: Autoencoder | None = None,
        source: Path | None = None,
    ) -> Cohort:
        options = self.params.autoencode
        return Cohort(
            structure=network.structure(),
            phases=(Phase(epochs=options.epochs),),
            task=self.folder / f"{task.name}.npz",
            task_digest=task.digest,
            batch_size=options.batch_size,
            root_seed=self.params.seed,
            source=source,
            source_digest=hashlib.sha256(source.read_bytes()).hexdigest() if source else "",
            autoencoder=autoencoder,
            samples=len(task.y_train),
            trials=tuple(
                Trial(arm=arm, network=network, seed=0, learning_rate=rate)
                for rate in options.learning_rates
            ),
        )


@dataclass(frozen=True, kw_only=True)
class _Trained:
    """One cohort of this stage with what came of it."""

    cohort: Cohort
    results: tuple[Result, ...]
    """One per trial."""

    @property
    def best(self) -> int:
        """Position of the trial with the lowest validation loss after the last epoch."""
        return min(
            range(len(self.results)),
            key=lambda i: (
                self.results[i].outcome == "diverged",
                self.results[i].epochs["val_loss"][-1],
            ),
        )

    @property
    def chosen(self) -> tuple[Cohort, Trial]:
        return self.cohort, self.cohort.trials[self.best]

    @property
    def seconds_per_epoch(self) -> float:
        """Over all trials; compilation is not counted."""
        return self.effort.seconds / self.effort.trial_epochs

    @property
    def effort(self) -> Effort:
        """Of all trials."""
        each = zip(self.cohort.trials, self.results, strict=True)
        return Effort.of((self.cohort, trial, result) for trial, result in each)

    def loss(self) -> dict[str, Any]:
        """Of the chosen trial after its last epoch; accuracy where there is one."""
        trial, epochs = self.chosen[1], self.results[self.best].epochs
        found = {"learning_rate": trial.learning_rate}
        return found | {m: v[-1] for m, v in epochs.items() if np.isfinite(v[-1])}

    def records(self, data_digest: str) -> list[Record]:
        """Of all trials, without test metrics; accuracies are NaN where there are none."""
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


def _train(pool: executor.Workers, cohorts: Mapping[str, Cohort]) -> dict[str, _Trained]:
    results = pool.train(list(cohorts.values()), f"autoencode {', '.join(cohorts)}")
    trained = {
        arm: _Trained(cohort=cohort, results=tuple(results[cohort.key(t)] for t in cohort.trials))
        for arm, cohort in cohorts.items()
    }
    for arm, found in trained.items():
        if all(result.outcome == "diverged" for result in found.results):
            raise InputError(
                f"autoencode.learning_rates: expected one at which {arm} does not diverge, "
                f"received {[t.learning_rate for t in found.cohort.trials]}; add lower ones"
            )
    return trained


def _write_shown(
    path: Path, learned: Mapping[str, Learned], full: Task, standardization: Standardization
) -> None:
    """A .npz with `originals (SHOWN, features)`, which are raw validation samples, and of each
    method its `METHOD_reconstructions`, alike, if it has any, and `METHOD_filters (units,
    features)` on standardized samples."""
    arrays: dict[str, Any] = {"originals": standardization.undo(full.x_validation[:SHOWN])}
    for method, found in learned.items():
        arrays[f"{method}_filters"] = found.filters
        if found.reconstructions is not None:
            arrays[f"{method}_reconstructions"] = standardization.undo(found.reconstructions)
    with replacing(path) as unfinished:
        np.savez(unfinished, **{key: array.astype(np.float32) for key, array in arrays.items()})
