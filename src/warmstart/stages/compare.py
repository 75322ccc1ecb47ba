"""One study: its arms, each with its learning rate tuned, all on the same seeds."""

from pathlib import Path

from warmstart.arms import Network
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.params import Params
from warmstart.stages.experiment import Arm, Experiment, scratch_arm
from warmstart.training.trials import Phase


def compare(params: Params, study: str, data: Path, output: Path) -> None:
    """Run `study` and write its records, summary, diagnostics and timings below
    `output`.

    Raises:
        InputError: if params.yaml has no such study.
    """
    options, task_file = params.compare, data / "full.npz"
    if study not in options.studies:
        raise InputError(
            f"study: expected one of compare.studies ({', '.join(options.studies)}), "
            f"received {study!r}; add it to params.yaml"
        )
    task = Task.read(task_file)
    chosen = options.studies[study]
    phases = [Phase(epochs=chosen.epochs or options.epochs)]

    def arm(network: Network) -> Arm:
        return scratch_arm(
            network,
            phases,
            task_file,
            task,
            options.batch_size,
            params.seed,
            options.patience,
            probed=True,
        )

    Experiment(
        stage="compare",
        study=study,
        data_name=params.data.name,
        task=task,
        arms={name: arm(network) for name, network in options.arms(study).items()},
        learning_rates=chosen.learning_rates or options.learning_rates,
        seeds=chosen.seeds or options.seeds,
        reference=None,
        profiles={name: arm(network) for name, network in options.profiles(study).items()},
    ).run(output, params.executor)
