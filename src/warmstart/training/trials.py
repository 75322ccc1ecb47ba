"""What is to be trained: trials, and cohorts of trials that share one compiled program."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from warmstart.config.arm import Arm
from warmstart.data.task import Task

Fitted = Literal["linear", "knn"]
FITTED: tuple[Fitted, ...] = get_args(Fitted)
"""A head on a network's features that is fitted as a whole and not trained: `training.heads`."""
Progress = Callable[[int], None]
"""Called with the number of epochs that have passed since the last call."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Some epochs with the same layers trainable; each phase starts with a fresh optimizer, as a
    newly compiled Keras model does."""

    epochs: int
    learning_rate_factor: float = 1.0
    """Multiplies the trial's learning rate."""
    layer_factors: tuple[tuple[str, float], ...] = ()
    """(layer, factor) for every layer with weights: multiplies its learning rate once more. 0: the
    layer is frozen. Empty: all layers learn at the same rate."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run. What sets it apart in its cohort is numbers to the cohort's program."""

    arm: str
    network: Arm
    """Resolved."""
    seed: int
    """0, 1, 2 …: the same number gives the same labels and batch orders in every arm."""
    learning_rate: float
    labels: int | None = None
    """Training samples it sees, drawn by its seed (`data.draw`); None: all of the task's."""
    rivals: tuple[float, ...] = ()
    """The learning rates of its race, its own among them: see `training.race`. Empty: it is trained
    to the end."""

    @property
    def race(self) -> tuple[Any, ...]:
        """What the trials of one race have in common."""
        return self.arm, self.network, self.seed, self.labels, self.rivals


@dataclass(frozen=True, kw_only=True)
class Autoencoder:
    """Trials that give back their samples, whatever the labels: `networks.autoencoder.build`."""

    noise: float
    tied: bool
    first: int = 1


@dataclass(frozen=True)
class Split:
    """The training, validation and test samples of some seeds, as a task in a file."""

    file: Path
    digest: str
    """Of the task."""

    @classmethod
    def write(cls, task: Task, folder: Path) -> Self:
        """Write `task` into `folder`, as a file of its name."""
        path = folder / f"{task.name}.npz"
        task.write(path, lasting=False)  # every stage writes its own anew
        return cls(path, task.digest)


@dataclass(frozen=True)
class Pretrained:
    """The network that some seeds start on, in a `.keras` file."""

    file: Path
    digest: str
    """SHA-256 of the file."""

    @classmethod
    def of(cls, path: Path) -> Self:
        return cls(path, hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Trials that differ only in numbers, and what they share."""

    structure: Arm
    """`Arm.structure` of every trial."""
    phases: tuple[Phase, ...]
    splits: tuple[Split, ...]
    """Of the same shapes; trials of seed s see number s modulo their count."""
    batch_size: int
    root_seed: int
    sources: tuple[Pretrained, ...] = ()
    """Of the same layers, which all trials have instead of `network`'s own; trials of seed s start
    on number s modulo their count."""
    copied: tuple[str, ...] = ()
    """Layers whose weights come from the trial's source."""
    not_copied: tuple[str, ...] = ()
    """All other layers of the sources."""
    l2_sp: float = 0.0
    """α of the penalty of `training.pull` on the way from the source's weights; 0: there is none.
    """
    fitted: Fitted | None = None
    """What stands for the head on the source's features, which never learn; None: the network's
    own."""
    on_features: bool = False
    """Whether the sources are backbones, and its samples the features that they gave: its trials
    have layers of their own alone."""
    patience: int | None = None
    """A trial stops after so many epochs without a lower validation loss; None: it never does."""
    autoencoder: Autoencoder | None = None
    """None: a classifier. Else a trial's source, if any, is the unrolled autoencoder whose codes
    are its samples."""
    probed: bool = False
    """Whether layers are probed: of the trial of seed 0 during training, of the others at
    initialization and at the end."""
    metric: str = "accuracy"
    """What its trials are to be chosen by: a name in `metrics.METRICS`."""
    rest: int | None = None
    """Samples in the last, smaller batch of trials with `labels`; None where they have none."""
    trials: tuple[Trial, ...]

    @property
    def epochs(self) -> int:
        """Epochs of one trial, over all phases."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def last_phase(self) -> int:
        """Epochs before the last phase."""
        return self.epochs - self.phases[-1].epochs

    def split(self, trial: Trial) -> Split:
        """What `trial` sees."""
        return self.splits[trial.seed % len(self.splits)]

    def source(self, trial: Trial) -> Pretrained | None:
        """What `trial` starts on."""
        return self.sources[trial.seed % len(self.sources)] if self.sources else None

    def key(self, trial: Trial) -> str:
        """Names the result of `trial`: equal keys, equal bytes. Holds no path."""
        source = self.source(trial)
        content: dict[str, Any] = {
            "network": trial.network.content(),
            "phases": [asdict(phase) for phase in self.phases],
            "task": self.split(trial).digest,
            "batch_size": self.batch_size,
            "root_seed": self.root_seed,
            "source": source.digest if source else "",
            "copied": self.copied,
            "patience": self.patience,
            "autoencoder": asdict(self.autoencoder) if self.autoencoder else None,
            "probed": self.probed,
            "seed": trial.seed,
            "learning_rate": trial.learning_rate,
            "labels": trial.labels,
            "rivals": trial.rivals,
        }
        if self.metric != "accuracy":  # keys from before there were others stay as they are
            content["metric"] = self.metric
        if self.l2_sp:  # so do those from before there were these two
            content["l2_sp"] = self.l2_sp
        if self.fitted:
            content["fitted"] = self.fitted
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def races(trials: Iterable[Trial]) -> list[list[Trial]]:
    """`trials` race by race; one without rivals is alone."""
    found: dict[Any, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.race if trial.rivals else trial, []).append(trial)
    return list(found.values())


def cut(cohorts: Iterable[Cohort], workers: int) -> list[Cohort]:
    """The same trials in pieces that keep `workers` busy: none longer than an equal share, or than
    one race, which stays together; the longest first."""
    cohorts = list(cohorts)
    total = sum(len(cohort.trials) * cohort.epochs for cohort in cohorts)
    pieces = []
    for cohort in cohorts:
        size, piece = max(1, -(-total // (workers * cohort.epochs))), list[Trial]()
        for race in races(cohort.trials):
            if piece and len(piece) + len(race) > size:
                pieces.append(replace(cohort, trials=tuple(piece)))
                piece = []
            piece += race
        pieces += [replace(cohort, trials=tuple(piece))] if piece else []
    return sorted(pieces, key=lambda piece: -len(piece.trials) * piece.epochs)
