"""Encoders that were pretrained without labels, for model B to start on."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.config.params import METHODS, Params
from warmstart.data.view import View
from warmstart.files import replacing
from warmstart.records import times_of, write_records
from warmstart.runtime import pool
from warmstart.runtime.store import UNFINISHED
from warmstart.runtime.timings import Stopwatch, describe, facts
from warmstart.stages import left_out
from warmstart.stages.encoders import train
from warmstart.stages.pretexts import Maker, first_cohorts, samples, suited
from warmstart.training.outcomes import SHOWN, Learned


def autoencode(params: Params, data: Path, models: Path, output: Path) -> None:
    """Pretrain by each of `autoencode.methods`, once for each split that model B sees and each at
    its best learning rate, save the encoders as `models/METHOD/SEED.keras`, and write records,
    timings and what can be seen of those of the prepared split (`shown.npz`) below `output`.
    Folders of these names are replaced or removed, all else in `models` stays.

    - `stacked`: one hidden layer after the other learns to give back the codes of the layers
      below, which stay frozen (Bengio et al. 2007, "Greedy Layer-Wise Training of Deep Networks");
    - `denoising`: all layers at once learn to restore what noise was added to (Vincent et al.
      2008, "Extracting and Composing Robust Features with Denoising Autoencoders");
    - `rotation`: all layers learn by how much an image was turned (Gidaris et al. 2018).

    Convolutional networks learn by rotation alone. Where a seed diverges at every learning rate,
    lower ones are tried.

    They see the training samples of all classes in their own split, no labels and never a test
    sample of it; validation samples choose learning rates. Every model ends in a Dense layer for
    `transfer` to replace.

    Raises:
        InputError: if one of them diverges at all of these, too, or rotation alone is asked for of
            images that are not square.
    """
    written = [output / "records.parquet", output / "shown.npz", times_of(output)]
    if why := left_out.reason(data):
        shutil.rmtree(models, ignore_errors=True)
        left_out.leave_out("autoencode", why, [models, *written])
        return
    whole = View.read(data, "full")
    full, folder = whole.task, UNFINISHED / "autoencode"
    methods = suited(params, full.shape)
    if not methods:
        shutil.rmtree(models, ignore_errors=True)
        why = "none of autoencode.methods suits the network and the images"
        left_out.leave_out("autoencode", why, [models, *written])
        return
    make = Maker(params, full.shape, samples(params, methods, whole, folder), folder)
    cohorts, last = first_cohorts(make, methods)
    source = describe(full, params.data.name, data / "full.npz")
    about = facts({full.digest: source}, params.executor.address)
    with Stopwatch() as stopwatch, pool.start(params.executor, make.folder) as workers:
        trained = train(workers, cohorts)
        for number in range(2, make.depth + 1) if "stacked" in last else ():
            lower = trained[f"stacked_{number - 1}"].to_save(make.folder / f"stacked_{number - 1}")
            workers.export_autoencoders(lower)
            below = [path for _, _, path in lower]
            trained |= train(workers, {f"stacked_{number}": make.layer(number, below)})
        for known in METHODS:  # what an earlier run left would be a start for model B
            shutil.rmtree(models / known, ignore_errors=True)
        encoders = {m: trained[arm].to_save(models / m) for m, arm in last.items()}
        learned = workers.export_encoders([one for every in encoders.values() for one in every])
    stopwatch.write(  # before the records: a publisher that sees them needs it
        times_of(output),
        arms={name: arm.by_seed() for name, arm in trained.items()},
        trained=workers.trained,
        facts=about,
    )
    first = learned[:: params.replicates]
    _write_shown(output / "shown.npz", dict(zip(encoders, first, strict=True)), whole)
    write_records(
        output / "records.parquet",
        [
            record
            for arm in trained.values()
            for record in arm.records(full.digest, params.data.drawn)
        ],
    )
    shutil.rmtree(make.folder, ignore_errors=True)
    for method, arm in last.items():
        losses = [f"{loss:.4f}" for loss in trained[arm].losses]
        print(f"autoencode: {method}, validation loss {', '.join(losses)}")


def _write_shown(path: Path, learned: Mapping[str, Learned], whole: View) -> None:
    """A .npz with `originals (SHOWN, features)`, which are raw validation samples, and of each
    method its `METHOD_reconstructions`, alike, if it has any, and `METHOD_filters (units,
    features)` on standardized samples."""
    undo = whole.standardization.undo
    arrays: dict[str, Any] = {"originals": undo(whole.task.x_validation[:SHOWN])}
    for method, encoder in learned.items():
        arrays[f"{method}_filters"] = encoder.filters
        if encoder.reconstructions is not None:
            arrays[f"{method}_reconstructions"] = undo(encoder.reconstructions)
    with replacing(path) as unfinished:
        np.savez(unfinished, **{key: array.astype(np.float32) for key, array in arrays.items()})
