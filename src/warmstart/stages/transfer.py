"""Model B with few labels: from scratch, or on copies of a pretrained model's layers, which stand
still while the new head learns and are then thawed and fine-tuned."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from warmstart.data.task import Task
from warmstart.params import Params
from warmstart.stages.experiment import Arm, Experiment, scratch_arm
from warmstart.training.trials import Phase

SCRATCH = "scratch"


def transfer(
    params: Params, data: Path, sources: Mapping[str, Path], model: Path, output: Path
) -> None:
    """Compare B from scratch with B on each of `sources` (arm name -> `.keras` file) over seeds,
    save the best on validation as `model`, and write records, summary and timings below `output`.

    All arms see the same labels and train for the same number of epochs.
    """
    options, task_file = params.transfer, data / "b.npz"
    task = Task.read(task_file)
    from_scratch = scratch_arm(
        params.pretrain.network,
        [Phase(epochs=options.frozen_epochs + options.thawed_epochs)],
        task_file,
        task,
        options.batch_size,
        params.seed,
    )
    phases = (
        Phase(epochs=options.frozen_epochs, frozen=True),
        Phase(epochs=options.thawed_epochs, learning_rate_factor=options.thawed_factor),
    )
    Experiment(
        stage="transfer",
        study="",
        data_name=params.data.name,
        task=task,
        arms={SCRATCH: from_scratch}
        | {name: _on(source, from_scratch, phases) for name, source in sources.items()},
        learning_rates=options.learning_rates,
        seeds=options.seeds,
        reference=SCRATCH,
    ).run(output, params.executor, model)


def _on(source: Path, from_scratch: Arm, phases: tuple[Phase, ...]) -> Arm:
    """The arm that starts on copies of the layers of `source`."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    frozen, thawed = phases
    return replace(
        from_scratch,
        cohort=replace(from_scratch.cohort, phases=phases, source=source, source_digest=digest),
        settings=from_scratch.settings
        | {
            "start": source.name,
            "frozen_epochs": str(frozen.epochs),
            "thawed_epochs": str(thawed.epochs),
            "thawed_factor": f"{thawed.learning_rate_factor:g}",
        },
    )
