"""The printed code builds the network that was trained."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from small_task import make_numbers, make_task
from warmstart.config.arm import Arm
from warmstart.networks import building, choices, schedules
from warmstart.networks.printing import keras_code

FEATURES, CLASSES = 6, 3
IMAGE = (4, 5, 1)


def network(**choices: Any) -> Arm:
    return Arm.model_validate({"hidden": (5, 4)} | choices, strict=False).resolve(FEATURES)


def images(kind: Any, **choices: Any) -> Arm:
    return Arm.model_validate({"network": kind} | choices, strict=False).resolve(IMAGE)


def features(made: Arm) -> int:
    return int(np.prod(IMAGE)) if made.network.image else FEATURES


def code_of(made: Arm, task: Path, classes: int = CLASSES) -> str:
    return keras_code(
        made,
        learning_rate=0.05,
        classes=classes,
        task=task,
        features=features(made),
        batch_size=4,
        epochs=2,
    )


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, random = tmp_path_factory.mktemp("task") / "full.npz", np.random.default_rng(0)
    arrays = {}
    for part in ("train", "validation", "test"):
        arrays[f"x_{part}"] = random.normal(size=(8, FEATURES)).astype("float32")
        arrays[f"y_{part}"] = random.integers(0, CLASSES, 8).astype("int32")
    np.savez(path, **arrays)
    return path


def described(model: Any) -> list[tuple[str, Any, Any]]:
    """Each layer's kind, choices and initializer, without names and seeds."""
    found = []
    for layer in model.layers:
        config = {
            key: value
            for key, value in layer.get_config().items()
            if key not in ("name", "seed", "kernel_initializer", "dtype", "build_config")
        }
        start = getattr(layer, "kernel_initializer", None)
        numbers = {k: v for k, v in vars(start).items() if "seed" not in k} if start else None
        found.append((type(layer).__name__, config, numbers))
    return found


@pytest.mark.parametrize(
    "made",
    [
        network(),
        network(activation={"leaky_relu": {"negative_slope": 0.3}}, batch_norm="before"),
        network(activation={"rrelu": {"lower": 0.1, "upper": 0.4}}, batch_norm="input+after"),
        network(activation="prelu", batch_norm={"input": {"momentum": 0.9}}),
        network(activation={"elu": {"alpha": 0.5}}, dropout=0.25, optimizer="adamw"),
        network(activation="selu", alpha_dropout=0.1, optimizer={"nesterov": {"momentum": 0.8}}),
        network(activation="sigmoid", clipping={"value": 0.5}, optimizer="momentum"),
        network(activation="tanh", clipping={"norm": 0.25}, optimizer="rmsprop"),
        network(activation="gelu", clipping={"global_norm": 2.0}, optimizer="nadam"),
        network(activation="silu", initializer={"normal": {"stddev": 0.5}}, optimizer="adam"),
        network(initializer={"truncated_normal": {"stddev": 0.5}}),
        network(initializer={"uniform": {"bound": 0.5}}),
        network(
            initializer={
                "variance_scaling": {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}
            }
        ),
        network(activation="linear", initializer="orthogonal"),
        network(initializer="lecun_uniform", hidden=(5,)),
        network(initializer="zeros"),
        network(skip_connections=True, hidden=(6, 6, 4, 4, 4), batch_norm="input+before"),
        network(skip_connections=True, hidden=(4, 4, 3), activation="selu", alpha_dropout=0.1),
        images({"convolutional": {"filters": [2, 3]}}),
        images("residual", augmentation={"shift": 1, "flip": True}),
        images({"convolutional": {"filters": [2], "convolutions": 2}}, batch_norm="before"),
        images({"convolutional": {"kernel": 2, "pooling": "average"}}, activation="prelu"),
        images("residual"),
        images({"residual": {"blocks": 2}}, batch_norm="input+before", dropout=0.1, hidden=(5,)),
        images({"residual": {"filters": [3, 3, 2]}}, batch_norm="after", activation="rrelu"),
        network(initializer="ones", head_initializer={"uniform": {"bound": 0.5}}),
        network(activation="mish", layer_norm="before", optimizer="lion"),
        network(hidden=(6, 4), group_norm={"after": {"groups": 2}}, optimizer="muon"),
        network(rms_norm="before", initializer="lsuv", head_initializer="lsuv", optimizer="muon"),
    ],
    ids=lambda made: str(list(made.settings().values())),
)
def test_the_code_builds_what_was_trained(made: Arm, task: Path) -> None:
    scope: dict[str, Any] = {}
    exec(code_of(made, task).split("model.fit(")[0], scope)
    model, expected = scope["model"], building.build(made, features(made), CLASSES, seed=0)
    assert described(model) == described(expected)
    assert model.count_params() == expected.count_params()
    ours, theirs = model.optimizer.get_config(), choices.optimizer(made, 0.05).build().get_config()
    assert ours | {"name": ""} == theirs | {"name": ""}
    assert type(model.optimizer) is type(choices.optimizer(made, 0.05).build())


def test_the_code_gives_raw_values_to_whom_they_were_given(task: Path) -> None:
    scope: dict[str, Any] = {}
    mean, scale = np.arange(FEATURES), np.arange(FEATURES) + 2
    np.savez(task.with_name("standardize.npz"), mean=mean, scale=scale)
    exec(code_of(network(standardize=False), task).split("layers =")[0], scope)
    with np.load(task) as standardized:
        for part in ("train", "validation", "test"):
            expected = standardized[f"x_{part}"] * scale + mean
            np.testing.assert_allclose(scope["data"][f"x_{part}"], expected)
            np.testing.assert_array_equal(scope["data"][f"y_{part}"], standardized[f"y_{part}"])


def test_the_code_runs(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {}
    exec(code_of(network(), task), scope)
    assert scope["model"].optimizer.iterations == 2 * 2  # epochs × batches
    assert "val_accuracy" in capsys.readouterr().out
    assert isinstance(scope["model"], keras.Sequential)


def test_the_code_of_a_regression_and_of_balanced_classes_runs(tmp_path: Path) -> None:
    """What `fit` is given, against scikit-learn."""
    task, path = make_numbers(), tmp_path / "full.npz"
    task.write(path)
    scope: dict[str, Any] = {}
    exec(code_of(network(optimizer="adam"), path, classes=0), scope)
    assert isinstance(scope["model"].loss, keras.losses.MeanSquaredError)
    assert described(scope["model"]) == described(building.build(network(), FEATURES, 1, seed=0))
    loss, absolute = scope["model"].evaluate(task.x_test, task.y_test, verbose=0)
    guess = scope["model"].predict(task.x_test, verbose=0)[:, 0]
    assert absolute == pytest.approx(np.abs(guess - task.y_test).mean(), rel=1e-5)
    assert loss == pytest.approx(((guess - task.y_test) ** 2).mean(), rel=1e-5)
    classes = make_task()
    classes.write(path)
    exec(code_of(network(class_weight="balanced"), path), scope)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=classes.y_train)
    assert scope["class_weight"] == pytest.approx(dict(enumerate(expected)))
    assert "    class_weight=class_weight,\n" in code_of(network(class_weight="balanced"), path)
    assert "class_weight" not in code_of(network(), path)


@pytest.mark.parametrize("name", ["warmup", "cosine", "warmup_cosine"])
def test_the_code_has_the_schedule_of_the_training(name: str, task: Path) -> None:
    """Of 8 samples in batches of 4, for two epochs."""
    settings = {} if name == "cosine" else {"share": 0.5}
    made, scope = network(schedule={name: settings}, optimizer="adam"), dict[str, Any]()
    exec(code_of(made, task).split("model.fit(")[0], scope)
    spans = schedules.spans(made.schedule, schedules.steps(2, 8, 4))
    assert sum(spans) == 4
    ours = scope["model"].optimizer.get_config()["learning_rate"]["config"]
    theirs = choices.optimizer(made, 0.05, spans).build().get_config()["learning_rate"]["config"]
    assert ours == theirs


def test_the_code_scales_the_layers_that_lsuv_starts(task: Path) -> None:
    for made, unit in (
        (network(initializer="lsuv"), (True, False)),
        (network(head_initializer="lsuv"), (False, True)),
    ):
        scope: dict[str, Any] = {}
        exec(code_of(made, task).split("model.fit(")[0], scope)
        layers, x = scope["model"].layers, scope["data"]["x_train"]
        inside = keras.Sequential([keras.Input((FEATURES,)), *layers[:-1]])
        first, last = np.std(layers[0](x)), np.std(layers[-1](inside(x)))
        assert [float(value) == pytest.approx(1, rel=1e-5) for value in (first, last)] == [*unit]


def test_printing_needs_no_keras() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from warmstart.config.arm import Arm\n"
        "from warmstart.networks.printing import keras_code\n"
        "keras_code(Arm(hidden=(5,)).resolve(4), learning_rate=0.1, classes=2, "
        "task=Path('full.npz'), features=4, batch_size=8, epochs=1)\n"
        "sys.exit(' '.join({'keras', 'tensorflow', 'jax'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
