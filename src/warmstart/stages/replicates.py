"""What the replicates of model A, of encoders and of model B see.

Replicate k is one split of all samples (`data.split.resplit`): A sees its classes in it, encoders
the samples without their labels, B its own classes. So what tests B was seen by nobody before.
"""

from pathlib import Path

from warmstart.config.params import Params
from warmstart.data.split import resplit
from warmstart.data.task import Task
from warmstart.data.view import View
from warmstart.training.trials import Split


def of_classes(
    name: str, data: Path, count: int, params: Params, folder: Path
) -> tuple[Task, list[Split]]:
    """The task `name` as `prepare` wrote it into `data`, and what `count` replicates see of it:
    the first one that task, the others parts of the same sizes, standardized by the training
    samples of all classes in their own split.

    Those are written below `folder`, one by one: all of them may not fit into memory.
    """
    file = data / f"{name}.npz"
    task = Task.read(file)
    splits = [Split(file, task.digest)]
    if count > 1:
        whole = View.read(data, "full")
        splits += [
            Split.write(
                resplit(whole, number, params.seed, params.data.drawn)
                .only(name, task.class_names)
                .task,
                folder / str(number),
            )
            for number in range(1, count)
        ]
    return task, splits
