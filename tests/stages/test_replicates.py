"""Every seed of `transfer` is a replicate of everything: its split, its model A, its encoders. The
stages train in this process, on samples that can be told apart."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import Here

from parameters import params
from warmstart.analysis.cards import view_of
from warmstart.config.arm import Arm
from warmstart.config.data import Splits
from warmstart.config.params import Params
from warmstart.config.parts import Activation, Optimizer
from warmstart.data.dataset import from_arrays
from warmstart.data.split import split_full
from warmstart.data.task import PARTS, Task
from warmstart.data.view import View
from warmstart.errors import InputError
from warmstart.files import write_sealed
from warmstart.networks import transfer as reuse
from warmstart.records import Record, read_records
from warmstart.runtime.pool import Workers
from warmstart.runtime.store import Store
from warmstart.stages.autoencode import autoencode
from warmstart.stages.pretrain import pretrain
from warmstart.stages.transfer import transfer
from warmstart.training.trials import Cohort, Trial

SEEDS, N, N_TEST, CLASSES, B = 3, 150, 30, 5, (1, 3)
X = np.random.default_rng(3).integers(0, 200, (N, 9)).astype(float)
Y = np.random.default_rng(4).permutation(np.arange(N) % CLASSES)
ROWS = {x.astype(np.uint8).tobytes(): row for row, x in enumerate(X)}
"""What a sample is -> its row."""


def seen_by(trial: Record, prepared: Path, root: int) -> View:
    """What its card says of the trial."""
    card = {"stage": trial.stage, "settings": trial.settings, "seed": trial.seed}
    return view_of(card | {"root_seed": root}, prepared)


def known(splits: Splits, methods: tuple[str, ...]) -> Params:
    loaded = params()
    network = Arm(hidden=(6, 4), activation=Activation(name="selu"))
    brief: dict[str, Any] = {"epochs": 1, "learning_rates": (0.03,), "batch_size": 16}
    encoders = {"methods": methods, "optimizer": Optimizer(name="sgd")}
    b = {"task_b": B, "seeds": SEEDS, "learning_rates": (0.03,), "train_size": 10}
    b |= {"frozen_epochs": 1, "thawed_epochs": 1, "batch_size": 10, "label_counts": (20,)}
    b |= {"strategies": ("freeze_then_thaw", "head_only")}
    return loaded.model_copy(
        update={
            "data": loaded.data.model_copy(update={"splits": splits}),
            "pretrain": loaded.pretrain.model_copy(update=brief | {"network": network}),
            "autoencode": loaded.autoencode.model_copy(update=brief | encoders),
            "transfer": loaded.transfer.model_copy(update=b),
        }
    )


@dataclass
class Seen:
    """What the trials of a stage saw, read while its files were there."""

    tasks: dict[tuple[str, int], Task] = field(default_factory=dict)
    """Arm and seed -> samples."""
    sources: dict[tuple[str, int], str] = field(default_factory=dict)
    """Arm and seed -> digest of the model that it started on."""
    weights: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)
    """Arm and seed -> trained weights, of trials with the stage's own number of labels."""

    def train(self, cohort: Cohort, trial: Trial, store: Store) -> None:
        at, split = (trial.arm, trial.seed), cohort.split(trial)
        task = Task.read(split.file)
        assert task.digest == split.digest
        assert self.tasks.setdefault(at, task).digest == task.digest
        if source := cohort.source(trial):
            digest = hashlib.sha256(source.file.read_bytes()).hexdigest()
            assert digest == source.digest
            assert self.sources.setdefault(at, digest) == digest
        if trial.labels in (None, 10):
            self.weights[at] = store.weights(cohort.key(trial))


@contextmanager
def watched(folder: Path) -> Iterator[Seen]:
    """Stages train in this process and in the folder."""
    seen = Seen()

    class Watched(Here):
        def submit(self, work: Any, cohort: Cohort) -> Any:
            done = super().submit(work, cohort)
            if work.args == ("train",):
                for trial in cohort.trials:
                    seen.train(cohort, trial, Store(self._folder))
            return done

    @contextmanager
    def start(options: object, place: Path) -> Iterator[Workers]:
        yield Workers(Watched(place), place)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("warmstart.runtime.pool.start", start)
        monkeypatch.chdir(folder)
        yield seen


@dataclass
class Project:
    """A folder after `prepare`, `pretrain`, `autoencode` and `transfer`."""

    folder: Path
    params: Params
    a: Seen
    encoders: Seen
    b: Seen

    def records(self, stage: str) -> list[Record]:
        return list(read_records(self.folder / f"results/{stage}/records.parquet"))

    def rows(self, seen: Seen, arm: str, seed: int, *parts: str) -> set[int]:
        """The rows of the data in `parts` of what the trials of `arm` and `seed` saw; of turned
        images, of those turned by nothing. Found by the bytes of their raw values."""
        task = seen.tasks[arm, seed]
        record = next(r for r in self.records("transfer") if r.seed == seed)
        undo = seen_by(record, self.folder / "data", self.params.seed).standardization.undo
        x = [getattr(task, f"x_{part}") for part in parts]
        turns = 4 if arm == "rotation" else 1
        raw = np.concatenate([undo(own[: len(own) // turns]) for own in x])
        np.testing.assert_allclose(raw, np.rint(raw), atol=1e-3)
        return {ROWS[np.rint(sample).astype(np.uint8).tobytes()] for sample in raw}


def prepare(folder: Path, options: Params) -> None:
    names = [str(label) for label in range(CLASSES)]
    samples = from_arrays(
        X.reshape(N, 3, 3), Y, names, name="d", where="d", source="s", licence="l", n_test=N_TEST
    )
    view = split_full(samples, options.data, options.seed)
    others = [label for label in range(CLASSES) if label not in B]
    view.write(folder / "data")
    for name, labels in {"a": others, "b": B}.items():
        view.task.only(name, labels).write(folder / f"data/{name}.npz")
    card = {"feature_shape": [3, 3], "transfer": {"left_out": None}}
    write_sealed(folder / "data/card.json", card)


def run(folder: Path, splits: Splits, *methods: str) -> Project:
    options, data, results = known(splits, methods), folder / "data", folder / "results"
    prepare(folder, options)
    with watched(folder) as a:
        pretrain(options, data, folder / "models/a.keras", results / "pretrain")
    with watched(folder) as encoders:
        autoencode(options, data, folder / "models/autoencode", results / "autoencode")
    sources = {"on_a": folder / "models/a"}
    sources |= {f"on_{name}": folder / f"models/autoencode/{name}" for name in methods}
    with watched(folder) as b:
        start(folder, options, sources)
    return Project(folder, options, a, encoders, b)


def start(folder: Path, options: Params, sources: dict[str, Path]) -> None:
    data, results = folder / "data", folder / "results"
    pretrained, model = results / "pretrain", folder / "models/b.keras"
    transfer(options, data, sources, pretrained, model, results / "transfer")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return run(tmp_path_factory.mktemp("resampled"), "resampled", "stacked", "rotation")


ARMS = ("scratch", "on_a", "on_a_head_only", "on_stacked", "on_rotation")


def test_nothing_that_tests_b_was_seen_before(project: Project) -> None:
    """By nobody whom its seed starts on; another seed's encoder did see some of it."""
    elsewhere = 0
    for seed in range(SEEDS):
        tested = {arm: project.rows(project.b, arm, seed, "test") for arm in ARMS}
        assert {frozenset(rows) for rows in tested.values()} == {frozenset(tested["scratch"])}
        rows = tested["scratch"]
        assert {int(Y[row]) for row in rows} == set(B)
        own = project.rows(project.b, "scratch", seed, "train", "validation")
        of_a = project.rows(project.a, "a", seed, *PARTS)
        assert len(rows | own) == len(rows) + len(own) == np.isin(Y, B).sum()
        assert len(of_a) == N - len(rows | own)
        assert not rows & of_a
        for arm in ("stacked_1", "stacked_2", "rotation"):
            learned = project.rows(project.encoders, arm, seed, "train", "validation")
            tested_a = project.rows(project.a, "a", seed, "test")
            assert learned == {*range(N)} - rows - tested_a
            elsewhere += len(
                rows & project.rows(project.encoders, arm, (seed + 1) % SEEDS, "train")
            )
    assert elsewhere > 0
    digests = {project.b.tasks["scratch", seed].digest for seed in range(SEEDS)}
    assert len(digests) == SEEDS


def test_b_is_standardized_as_its_a_and_its_encoders_were(project: Project) -> None:
    """By NumPy, from the training samples of all classes in the seed's split."""
    for seed in range(SEEDS):
        trained = project.rows(project.a, "a", seed, "train")
        trained |= project.rows(project.b, "scratch", seed, "train")
        mean, scale = X[[*trained]].mean(axis=0), X[[*trained]].std(axis=0)
        tasks = [project.a.tasks["a", seed], project.b.tasks["on_a", seed]]
        for task in (*tasks, project.encoders.tasks["stacked_1", seed]):
            raw = task.x_validation * scale + mean
            assert all(np.rint(x).astype(np.uint8).tobytes() in ROWS for x in raw)
            np.testing.assert_allclose(raw, np.rint(raw), atol=1e-3)


def test_each_seed_starts_on_its_own_models(project: Project) -> None:
    models = project.folder / "models"
    places = {"on_a": "a", "on_a_head_only": "a", "on_stacked": "autoencode/stacked"}
    places |= {"on_rotation": "autoencode/rotation"}
    for arm, place in places.items():
        for seed in range(SEEDS):
            file = (models / place / f"{seed}.keras").read_bytes()
            assert project.b.sources[arm, seed] == hashlib.sha256(file).hexdigest()
    assert len(set(project.b.sources.values())) == 3 * SEEDS
    for seed in range(SEEDS):  # frozen for good: there to the bit
        hidden = reuse.load(models / f"a/{seed}.keras").get_weights()[:-2]
        for ours, theirs in zip(project.b.weights["on_a_head_only", seed], hidden, strict=False):
            np.testing.assert_array_equal(ours, theirs)
        # what `pretrain` saved is what it trained
        for ours, theirs in zip(project.a.weights["a", seed], hidden, strict=False):
            np.testing.assert_array_equal(ours, theirs)


def test_what_is_kept_saw_the_prepared_split(project: Project) -> None:
    models = project.folder / "models"
    assert sorted(path.name for path in (models / "a").iterdir()) == [
        f"{seed}.keras" for seed in range(SEEDS)
    ]
    assert (models / "a.keras").read_bytes() == (models / "a/0.keras").read_bytes()


def test_records_lead_back_to_what_their_trials_saw(project: Project) -> None:
    """Models of every seed have the recorded accuracy on the samples that the record names."""
    folder, root = project.folder, project.params.seed
    records = project.records("pretrain")
    assert [record.split for record in records if record.chosen] == [*range(SEEDS)]
    for record in records:
        if record.chosen:
            task = seen_by(record, folder / "data", root).task
            assert task.digest == project.a.tasks["a", record.seed].digest
            model = reuse.load(folder / f"models/a/{record.seed}.keras")
            guessed = np.array(model(task.x_validation)).argmax(axis=1)
            accuracy = np.mean(guessed == task.y_validation)
            assert accuracy == pytest.approx(record.epochs["val_accuracy"][-1], rel=1e-6)
    for record in project.records("transfer"):
        seen = project.b.tasks[record.arm, record.seed].digest
        assert seen_by(record, folder / "data", root).task.digest == seen
    stages = ("pretrain", "autoencode", "transfer", "transfer/labels/20")
    settings = [record.settings for stage in stages for record in project.records(stage)]
    assert {each["splits"] for each in settings} == {"resampled"}
    assert {each.get("start") for each in settings} == {None, "a", "stacked", "rotation"}


def test_with_one_split_there_is_one_of_each(tmp_path: Path) -> None:
    fixed = run(tmp_path, "fixed", "rotation")
    models = sorted(str(p.relative_to(tmp_path / "models")) for p in tmp_path.rglob("*.keras"))
    assert models == ["a.keras", "a/0.keras", "autoencode/rotation/0.keras", "b.keras"]
    assert {task.digest for task in fixed.b.tasks.values()} == {
        Task.read(tmp_path / "data/b.npz").digest
    }
    for arm in ("on_a", "on_a_head_only", "on_rotation"):
        assert len({fixed.b.sources[arm, seed] for seed in range(SEEDS)}) == 1
    assert {record.split for record in fixed.records("transfer")} == {0}


def test_one_model_for_all_seeds_is_held_to_the_prepared_split(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows what it was trained on beyond that."""
    prepare(tmp_path, project.params)
    models = project.folder / "models"
    sources = {"on_a": models / "a.keras", "on_stacked": models / "autoencode/stacked"}
    with watched(tmp_path) as seen:
        start(tmp_path, project.params, sources)
    said = capsys.readouterr().out
    assert "a.keras is one model for all seeds: all see the prepared split" in said
    b = Task.read(tmp_path / "data/b.npz").digest
    assert {task.digest for task in seen.tasks.values()} == {b}
    first = hashlib.sha256((models / "autoencode/stacked/0.keras").read_bytes()).hexdigest()
    assert {seen.sources["on_stacked", seed] for seed in range(SEEDS)} == {first}
    records = read_records(tmp_path / "results/transfer/records.parquet")
    assert {record.settings["splits"] for record in records} == {"fixed"}


def test_a_seed_without_its_model_is_named(project: Project, tmp_path: Path) -> None:
    prepare(tmp_path, project.params)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/0.keras").write_bytes((project.folder / "models/a/0.keras").read_bytes())
    with (
        watched(tmp_path),
        pytest.raises(InputError, match=r"a/1.keras: expected a model for each of 3 seeds, found"),
    ):
        start(tmp_path, project.params, {"on_a": tmp_path / "a"})


def test_nobody_is_trained_or_validated_on_the_official_test_set(tmp_path: Path) -> None:
    """No A, no encoder and no B of any seed."""
    project = run(tmp_path, "official", "stacked", "rotation")
    official = {*range(N - N_TEST, N)}
    of_b = {row for row in official if Y[row] in B}
    trained = []
    for seed in range(SEEDS):
        assert project.rows(project.a, "a", seed, "test") == official - of_b
        for arm in ARMS:
            assert project.rows(project.b, arm, seed, "test") == of_b
        learned = [(project.a, "a"), *((project.b, arm) for arm in ARMS)]
        learned += [(project.encoders, arm) for arm in ("stacked_1", "stacked_2", "rotation")]
        for seen, arm in learned:
            assert not official & project.rows(seen, arm, seed, "train", "validation")
        everything = project.rows(project.encoders, "stacked_1", seed, "train", "validation")
        assert everything == {*range(N)} - official
        trained.append(frozenset(project.rows(project.encoders, "stacked_1", seed, "train")))
        # by NumPy: the standardization is that of what trains in this seed
        x = X[[*trained[-1]]]
        test = X[[row for row in sorted(official) if Y[row] in B]]
        expected = (test - x.mean(axis=0)) / x.std(axis=0)
        np.testing.assert_allclose(project.b.tasks["on_a", seed].x_test, expected, atol=1e-5)
    assert len(set(trained)) == SEEDS
    for record in project.records("transfer"):
        assert (record.split, record.settings["splits"]) == (record.seed, "official")
        seen = project.b.tasks[record.arm, record.seed].digest
        assert seen_by(record, tmp_path / "data", project.params.seed).task.digest == seen
    records = project.records("pretrain") + project.records("autoencode")
    assert {record.settings["splits"] for record in records} == {"official"}
    assert len({*project.b.sources.values()}) == 3 * SEEDS
