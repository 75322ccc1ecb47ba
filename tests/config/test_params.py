"""params.yaml: every problem at once, one line each, before TensorFlow and before any output."""

import copy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

import parameters
from warmstart.config import loading
from warmstart.config.arm import Arm
from warmstart.config.augmentation import Augmentation
from warmstart.config.network import Network
from warmstart.config.parts import (
    Activation,
    BatchNorm,
    Clipping,
    GroupNorm,
    Initializer,
    Optimizer,
    Schedule,
)
from warmstart.config.study import Compare, MetricName, Study
from warmstart.errors import InputError
from warmstart.metrics import METRICS
from warmstart.training.trials import Cohort, Phase, Split, Trial

GOOD = parameters.content()


def problems(changes: dict[str, Any]) -> list[str]:
    """The lines for params.yaml with `changes`, whose keys are dotted paths; None removes."""
    content = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *sections, key = path.split(".")
        place = content
        for section in sections:
            place = place[section]
        if value is None:
            del place[key]
        else:
            place[key] = value
    try:
        loading.parse(content)
    except InputError as error:
        return list(error.problems)
    return []


def test_the_projects_own_parameters_are_good() -> None:
    known = parameters.params()
    assert known.compare.arms("batch_norm")["before"] == Arm(
        hidden="auto",
        activation=Activation(name="elu"),
        initializer=Initializer(name="auto"),
        batch_norm=BatchNorm(name="before"),
        clipping=Clipping(name="none"),
        optimizer=Optimizer(name="sgd"),
    )
    assert known.transfer.seeds >= 5


def test_somebody_elses_parameters_are_good() -> None:
    """The file that stands in for params.yaml where the suite must not care what that says."""
    known = loading.load(parameters.PATH.with_name("other_params.yaml"))
    assert list(known.compare.studies) == ["mine"]
    ours = parameters.params()
    for key in ("seeds", "learning_rates", "epochs", "patience", "batch_size", "base"):
        assert getattr(known.compare, key) != getattr(ours.compare, key), key
    assert known.seed != ours.seed
    assert known.data.splits != ours.data.splits
    assert not set(known.transfer.task_b) & set(ours.transfer.task_b)
    assert not set(known.transfer.label_counts) & set(ours.transfer.label_counts)


def test_every_pair_may_be_task_b() -> None:
    content = copy.deepcopy(GOOD)
    content["transfer"]["task_b"] = "all_pairs"
    assert loading.parse(content).transfer.all_pairs
    assert not loading.parse(GOOD).transfer.all_pairs


def arms(**study: Any) -> dict[str, Arm]:
    """The arms of the only study of params.yaml, `study`, over a plain base."""
    content = copy.deepcopy(GOOD)
    content["compare"] |= {"studies": {"one": study}, "base": {"hidden": [5]}}
    return loading.parse(content).compare.arms("one")


def test_every_choice_has_its_words() -> None:
    found = arms(
        arms={
            "deep": {"hidden": {"depth": 20, "width": 100}},
            "norm": {"batch_norm": {"before": {"momentum": 0.9}}, "dropout": 0.2},
            "scaled": {
                "initializer": {
                    "variance_scaling": {"scale": 2, "mode": "fan_avg", "distribution": "uniform"}
                },
                "activation": {"rrelu": {"lower": 0.1, "upper": 0.2}},
            },
            "plain": {
                "initializer": {"normal": {"stddev": 0.5}},
                "activation": {"elu": {"alpha": 2.0}},
                "clipping": {"global_norm": 3.0},
                "optimizer": {"nesterov": {"momentum": 0.8}},
                "alpha_dropout": 0.1,
            },
        }
    )
    assert found == {
        "deep": Arm(hidden=(100,) * 20),
        "norm": Arm(hidden=(5,), batch_norm=BatchNorm(name="before", momentum=0.9), dropout=0.2),
        "scaled": Arm(
            hidden=(5,),
            initializer=Initializer(
                name="variance_scaling", scale=2.0, mode="fan_avg", distribution="uniform"
            ),
            activation=Activation(name="rrelu", lower=0.1, upper=0.2),
        ),
        "plain": Arm(
            hidden=(5,),
            initializer=Initializer(name="normal", stddev=0.5),
            activation=Activation(name="elu", alpha=2.0),
            clipping=Clipping(name="global_norm", threshold=3.0),
            optimizer=Optimizer(name="nesterov", momentum=0.8),
            alpha_dropout=0.1,
        ),
    }
    assert found["deep"].settings()["hidden"] == "20 × 100"
    assert found["norm"].settings()["batch_norm"] == "before(momentum=0.9)"


def test_networks_and_what_goes_beyond_the_chapter_are_read_from_a_file() -> None:
    filters = {"filters": [8, 16], "kernel": 5, "convolutions": 2, "pooling": "average"}
    found = arms(
        arms={
            "blocks": {"network": {"convolutional": filters}},
            "residual": {"network": {"kind": "residual", "filters": [8], "blocks": 2}},
            "norm": {"group_norm": {"before": {"groups": 5}}, "activation": "mish"},
            "steps": {"schedule": {"warmup_cosine": {"share": 0.2}}, "optimizer": "muon"},
            "images": {"augmentation": {"shift": 2, "flip": True}, "initializer": "lsuv"},
        }
    )
    network = found["blocks"].network
    assert network == Network(
        name="convolutional", filters=(8, 16), kernel=5, convolutions=2, pooling="average"
    )
    assert found["residual"].network == Network(name="residual", filters=(8,), blocks=2)
    assert found["norm"].group_norm == GroupNorm(name="before", groups=5)
    assert found["steps"].schedule == Schedule(name="warmup_cosine", share=0.2)
    assert found["images"].augmentation == Augmentation(shift=2, flip=True)


def test_every_kind_of_network_may_be_the_default() -> None:
    for kind in ("dense", "convolutional", "residual"):
        assert problems({"compare.base.network": kind}) == []


def test_keys_and_settings_without_skip_connections_stay() -> None:
    """The key was calculated by the program that knew none; it must name the same trial."""
    network = Arm(hidden=(5, 5)).resolve(6)
    trial = Trial(arm="a", network=network, seed=0, learning_rate=0.1)
    cohort = Cohort(
        structure=network.structure(),
        phases=(Phase(epochs=2),),
        splits=(Split(Path("task.npz"), "d"),),
        batch_size=16,
        root_seed=1,
        trials=(trial,),
    )
    known = "7194e1131b424f55714f52ccbc15b7e8204a11524c7af6e3f1ec588dca389326"
    assert cohort.key(trial) == known
    assert list(network.settings()) == [
        "hidden", "activation", "initializer", "head_initializer", "batch_norm", "dropout",
        "alpha_dropout", "clipping", "optimizer", "standardize",
    ]  # fmt: skip
    skipping = network.changed_by(Arm(skip_connections=True))
    assert cohort.key(replace(trial, network=skipping)) != known
    assert skipping.settings() == network.settings() | {"skip_connections": "true"}


def test_crossed_factors_give_every_combination() -> None:
    found = arms(
        base={"optimizer": "adam"},
        cross={
            "start": {"he": {"initializer": "he_normal"}, "wide": {"initializer": "normal"}},
            "activation": {name: {"activation": name} for name in ("relu", "tanh", "selu")},
        },
    )
    assert found == {
        f"{start}+{activation}": Arm(
            hidden=(5,),
            initializer=Initializer(name=initializer),
            activation=Activation(name=activation),
            optimizer=Optimizer(name="adam"),
        )
        for start, initializer in (("he", "he_normal"), ("wide", "normal"))
        for activation in ("relu", "tanh", "selu")
    }
    assert list(found)[:3] == ["he+relu", "he+tanh", "he+selu"]


ARM = "compare.studies.activation.arms.relu"
STUDY = "compare.studies.activation"
TWO = {"he": {"initializer": "he_normal"}, "lecun": {"initializer": "lecun_normal"}}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"compare.seedz": 3},
            "compare.seedz: unknown key; did you mean 'seeds'?; expected seeds, "
            "most_seeds, most_trial_epochs, metric, equivalence, learning_rates, epochs, patience, "
            "batch_size, base, studies; rename or remove it",
        ),
        (
            {"transfer.seedz": 3},
            "transfer.seedz: unknown key; did you mean 'seeds'?; expected task_b, ",
        ),
        (
            {"compare.studies.transfer": {"arms": TWO}},
            "compare.studies.transfer: expected a name that no stage or model of the pipeline has, "
            "received 'transfer'; rename it",
        ),
        ({"compre": {}}, "compre: unknown key; did you mean 'compare'?"),
        ({"seed": None}, "seed: expected a value, received nothing; add the key"),
        ({"compare.seeds": "three"}, 'compare.seeds: expected a valid integer, received "three"'),
        ({"compare.seeds": True}, "compare.seeds: expected a valid integer, received true"),
        ({"compare.seeds": 1}, "compare.seeds: expected greater than or equal to 2, received 1"),
        (
            {"data.splits": "folds"},
            "data.splits: expected 'resampled', 'official' or 'fixed', received \"folds\"",
        ),
        ({"seed": -1}, "seed: expected greater than or equal to 0, received -1"),
        ({"data.test_fraction": 1.5}, "data.test_fraction: expected less than 1, received 1.5"),
        (
            {"data.test_fraction": 0.5, "data.validation_fraction": 0.5},
            "data.validation_fraction: expected a sum with test_fraction below 1, received 1",
        ),
        ({"compare.learning_rates": []}, "compare.learning_rates: expected"),
        (
            {f"{STUDY}.profiles": {"relu": {"activation": "relu"}}},
            f"{STUDY}.profiles.relu: expected another name than an arm's, received the same; ",
        ),
        ({f"{STUDY}.epochs": 0}, f"{STUDY}.epochs: expected greater than or equal to 1, received"),
        ({f"{STUDY}.seeds": 1}, f"{STUDY}.seeds: expected greater than or equal to 2, received 1"),
        (
            {"compare.learning_rates": [0.1, -1]},
            "compare.learning_rates.1: expected greater than 0",
        ),
        ({"compare.base.hidden": [10, "a"]}, "compare.base.hidden.1: expected a valid integer"),
        ({ARM: {"activation": "gelo"}}, f"{ARM}.activation.name: expected 'linear', 'sigmoid'"),
        ({ARM: {"activation": "gelo"}}, "received \"gelo\"; did you mean 'gelu'?"),
        (
            {ARM: {"activation": {"leaky_relu": {"negative_slop": 0.1}}}},
            f"{ARM}.activation.negative_slop: unknown key; did you mean 'negative_slope'?",
        ),
        (
            {ARM: {"activation": {"leaky_relu": {"alpha": 0.1}}}},
            f"{ARM}.activation.alpha belongs to elu, not to leaky_relu",
        ),
        ({ARM: {"activation": {"rrelu": {"lower": 0.5}}}}, "lower (0.5) must not exceed upper"),
        ({ARM: {"clipping": {"norm": 0.0}}}, f"{ARM}.clipping.threshold: expected greater than 0"),
        ({ARM: {"batch_norm": "befor"}}, "did you mean 'before'?"),
        ({ARM: {"batch_norm": {"after": {"momentum": 1}}}}, "batch_norm.momentum: expected less"),
        ({ARM: {"dropout": 1}}, f"{ARM}.dropout: expected less than 1, received 1"),
        (
            {ARM: {"hidden": {"depth": 0, "widht": 3}}},
            f"{ARM}.hidden.depth: expected an integer from 1 to 1000, received 0; change it",
        ),
        (
            {ARM: {"hidden": {"depth": 2, "widht": 3}}},
            f"{ARM}.hidden.widht: unknown key; expected depth, width",
        ),
        (
            {f"{STUDY}.cross": {"start": TWO, "other": TWO}},
            f"{STUDY}.arms: expected either arms or cross, received both; give one of them",
        ),
        ({f"{STUDY}.arms": None}, f"{STUDY}.arms: expected either arms or cross, received neither"),
        (
            {f"{STUDY}.arms": {"relu": {}}},
            f"{STUDY}.arms: expected at least 2 to compare, received 1; add some",
        ),
        (
            {STUDY: {"cross": {"start": TWO, "lone": {"x": {}}}}},
            f"{STUDY}.cross.lone: expected at least 2 to compare, received 1",
        ),
        (
            {STUDY: {"cross": {"start": TWO, "other": TWO}}},
            f"{STUDY}.cross: expected factors that change different things, received initializer",
        ),
        (
            {STUDY: {"cross": {"start": TWO, "a": {"x": {"self_normalize": True}, "y": {}}}}},
            f"{STUDY}.cross.he+x.activation: expected selu because self_normalize is true",
        ),
        (
            {STUDY: {"cross": {"start": {"he": {"initialiser": "zeros"}, "b": {}}, "a": TWO}}},
            f"{STUDY}.cross.start.he.initialiser: unknown key; did you mean 'initializer'?",
        ),
        ({ARM: {"batchnorm": "after"}}, "did you mean 'batch_norm'?"),
        (
            {ARM: {"self_normalize": True}},
            "compare.studies.activation.arms.relu.activation: expected selu because "
            "self_normalize is true, received 'relu'",
        ),
        (
            {"pretrain.network.batch_norm": "after"},
            "pretrain.network.batch_norm: expected none because self_normalize is true, "
            "received 'after'; change it, or set self_normalize to false",
        ),
        (
            {"pretrain.network.standardize": False},
            "pretrain.network.standardize: expected true because self_normalize is true, received "
            "'false'",
        ),
        (
            {"pretrain.network.standardize": False, "pretrain.network.self_normalize": False},
            "pretrain.network.standardize: expected true, since B reuses A's layers on "
            "standardized features, received false; remove it",
        ),
        (
            {ARM: {"hidden": [300, 100], "skip_connections": True}},
            f"params.yaml: {ARM}.skip_connections: expected two hidden layers in a row of as many "
            "units, as only such are skipped, received hidden layers 300-100; change hidden, or "
            "set skip_connections to false",
        ),
        (
            {f"{STUDY}.profiles": {"one": {"hidden": [7], "skip_connections": True}}},
            f"params.yaml: {STUDY}.profiles.one.skip_connections: expected two hidden layers in a "
            "row of as many units, as only such are skipped, received hidden layers 7; change "
            "hidden, or set skip_connections to false",
        ),
        (
            {ARM: {"activation": "selu", "self_normalize": True, "skip_connections": True}},
            f"params.yaml: {ARM}.skip_connections: expected false because self_normalize is true, "
            "received 'true'; change it, or set self_normalize to false",
        ),
        (
            {"pretrain.network": {"hidden": "auto", "skip_connections": True}},
            "params.yaml: pretrain.network.skip_connections: expected false, since B reuses A's "
            "layers one after another, received true; remove it",
        ),
        (
            {"transfer.task_b": "all"},
            "two classes or more, as [3, 8], auto or all_pairs, received ['all']",
        ),
        (
            {"transfer.task_b": [3]},
            "two classes or more, as [3, 8], auto or all_pairs, received [3]",
        ),
        ({"transfer.task_b": [3, 12]}, "transfer.task_b: expected a label from 0 to 9"),
        ({"transfer.task_b": [3, 3]}, "transfer.task_b: expected different classes"),
        ({"transfer.task_b": ["3", 3]}, "a label and its name are one class"),
        (
            {"transfer.task_b": list(range(9))},
            "expected to leave at least 2 of 10 classes to task A",
        ),
        (
            {"data.name": "fashion_mnist", "transfer.task_b": ["Sandals", "Shirt"]},
            "received 'Sandals'; did you mean 'Sandal'?",
        ),
        ({"transfer.train_size": 1}, "transfer.train_size: expected at least one label for each"),
        (
            {"transfer.thawed_factor": 1.5},
            "transfer.thawed_factor: expected less than or equal to 1",
        ),
        ({"executor.workers": "many"}, "executor.workers: expected 'auto'"),
        (
            {f"{ARM}.network": {"kind": "residual", "bloks": 2}},
            "network.bloks: unknown key; did you mean 'blocks'?; expected filters, kernel, "
            "convolutions, pooling, blocks; rename or remove it",
        ),
        (
            {f"{ARM}.network": {"residual": {"image": [8, 8, 1]}}},
            "network.image: expected none, since the data say it; remove it",
        ),
    ],
)
def test_each_problem_has_its_line(changes: dict[str, Any], line: str) -> None:
    found = problems(changes)
    assert any(line in problem for problem in found), found
    assert all(problem.startswith("params.yaml: ") for problem in found)


def test_a_misspelt_key_is_named_once_and_one_that_is_left_out_too() -> None:
    (line,) = problems({"transfer.seeds": None, "transfer.seedz": 3})
    assert line.startswith("params.yaml: transfer.seedz: unknown key; did you mean 'seeds'?")
    unlike, missing = sorted(problems({"transfer.seeds": None, "transfer.xyz": 3}), reverse=True)
    assert missing.startswith("params.yaml: transfer.seeds: expected a value, received nothing")
    assert unlike.startswith("params.yaml: transfer.xyz: unknown key; expected task_b, ")


def test_all_problems_at_once() -> None:
    found = problems(
        {
            "seed": "x",
            "data.nam": "digits",
            "pretrain.epochs": 0,
            "transfer.task_b": [3, 77],
            "compare.base.optimizer": "sdg",
        }
    )
    assert [line.split(": ")[1] for line in found] == [
        "seed",
        "data.nam",
        "pretrain.epochs",
        "compare.base.optimizer.name",
        "transfer.task_b",
    ]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "warmstart", *arguments], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "error: params.yaml: expected a project in this folder or one above, found none"),
        ("seed: [1", "error: params.yaml line 1: expected YAML, received"),
        ("seed: 1\nseed: 2\n", "error: params.yaml line 2: expected YAML, received"),
        ("- 1\n", "error: params.yaml: expected sections such as `data:`, received list"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str | None, line: str) -> None:
    if text is not None:
        (tmp_path / "params.yaml").write_text(text)
    done = run(tmp_path, "check")
    assert done.returncode == 2
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_a_stage_with_bad_parameters_writes_nothing(tmp_path: Path) -> None:
    text = parameters.PATH.read_text().replace("name: digits", "name: digits\n  nme: 1")
    (tmp_path / "params.yaml").write_text(text)
    done = run(tmp_path, "prepare", "--output", "data/prepared")
    assert done.returncode == 2
    assert done.stderr.startswith("error: params.yaml: data.nme: unknown key; did you mean 'name'?")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_an_unknown_study_is_the_users_input(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(parameters.PATH.read_text())
    done = run(tmp_path, "compare", "inits", "--data", "d", "--model", "m", "--output", "o")
    assert done.returncode == 2
    assert "study: expected one of compare.studies (initializer, activation" in done.stderr


def test_help_and_errors_do_without_tensorflow() -> None:
    code = (
        "import sys; from warmstart.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "main(['check'])\n"
        "heavy = {'tensorflow', 'jax', 'keras', 'mlflow', 'prefect', 'dvc', 'distributed'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=parameters.PATH.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "compare" in done.stdout


def test_what_makes_no_sense_for_the_task_has_its_line() -> None:
    weighted: Any = {"class_weight": "balanced"}
    study = Study(base=Arm(**weighted), arms={"a": Arm(**weighted), "b": Arm()})
    crossed = Study(
        cross={"w": {"yes": Arm(**weighted), "no": Arm()}, "o": {"x": Arm(), "y": Arm()}}
    )
    given = {"seeds": 2, "learning_rates": (0.1,), "epochs": 1, "batch_size": 8, "base": Arm()}
    made = Compare(**given, metric="roc_auc", studies={"s": study, "c": crossed})
    assert made.misfits("binary") == []
    with pytest.raises(InputError) as caught:
        made.decided_by(())
    assert caught.value.problems == (
        "compare.metric: expected auto or one of rmse, mae, r2, since the task is regression, "
        "received roc_auc; change it",
        *(
            f"compare.studies.{where}.class_weight: expected none, since numbers have no classes, "
            "received balanced; remove it"
            for where in ("s.base", "s.arms.a", "c.cross.w.yes")
        ),
    )
    assert made.decided_by((5, 5)) == "roc_auc"
    automatic = made.model_copy(update={"metric": "auto"})
    assert automatic.decided_by((30, 11)) == "accuracy"
    assert automatic.decided_by((33, 11, 40)) == "balanced_accuracy"
    with pytest.raises(InputError, match="the task is multiclass, received rmse"):
        made.model_copy(update={"metric": "rmse"}).decided_by((5, 5, 5))


def test_a_metric_of_numbers_is_refused_for_known_classes() -> None:
    content = copy.deepcopy(GOOD)
    content["data"]["name"] = "digits"
    content["compare"]["metric"] = "rmse"
    with pytest.raises(InputError) as caught:
        loading.parse(content)
    choices = ", ".join(name for name, metric in METRICS.items() if "multiclass" in metric.kinds)
    assert choices.startswith("accuracy, balanced_accuracy, macro_f1, ")
    assert caught.value.problems == (
        f"params.yaml: compare.metric: expected auto or one of {choices}, "
        "since the task is multiclass, received rmse; change it",
    )


def test_every_metric_can_be_asked_for() -> None:
    assert get_args(MetricName) == ("auto", *METRICS)
