"""Model A: the network of params.yaml on task A."""

from pathlib import Path

from warmstart.analysis import cards as card
from warmstart.config.params import Params
from warmstart.data.task import View
from warmstart.records import Record
from warmstart.stages.arm import scratch_arm
from warmstart.stages.experiment import Experiment
from warmstart.training.trials import Phase


def pretrain(params: Params, data: Path, model: Path, output: Path) -> tuple[Record, ...]:
    """Train A at every learning rate, save the best on validation as `model` (a `.keras` file)
    with its card beside it (`.json`), and write records, summary and timings below `output`."""
    task_file, options = data / "a.npz", params.pretrain
    view = View.read(data, "a")
    task = view.task
    phases = [Phase(epochs=options.epochs)]
    arm = scratch_arm(options.network, phases, task_file, task, options.batch_size, params.seed)
    records = Experiment(
        stage="pretrain",
        study="",
        data_name=params.data.name,
        task=task,
        file=task_file,
        arms={"a": arm},
        learning_rates=options.learning_rates,
        seeds=1,
        reference="a",
    ).run(output, params.executor, model)
    card.write(model, data_name=params.data.name, view=view, prepared=data, records=records)
    return records
