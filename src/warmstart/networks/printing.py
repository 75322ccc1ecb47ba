"""The Python that a reader of the advice runs: a network in Keras's words, built and trained."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from warmstart.config.arm import Arm
from warmstart.config.parts import GLOROT_UNIFORM
from warmstart.networks.choices import Call, block, entry, head, optimizer


def keras_code(
    arm: Arm,
    *,
    learning_rate: float,
    classes: int,
    task: Path,
    features: int,
    batch_size: int,
    epochs: int,
) -> str:
    """Python that builds, compiles and trains `arm`, and tests it; it stands on its own.

    Args:
        arm: resolved.
        learning_rate: of its optimizer.
        classes: outputs, which are logits; 0: one output, a standardized number.
        task: the file with the arrays, as the stage `prepare` writes it, beside
            `standardize.npz`.
        features: inputs.
        batch_size: samples.
        epochs: of training.
    """
    layers = block(arm)
    output = str(head(classes or 1, choice=arm.head_initializer))
    if arm.head_initializer == GLOROT_UNIFORM:
        output = str(Call("keras.layers.Dense", classes or 1))  # it is Keras's default
    loss = "SparseCategoricalCrossentropy(from_logits=True)" if classes else "MeanSquaredError()"
    ahead = [str(call) for call in entry(arm, features)]
    connected = _skipping if arm.skips else _sequential
    lines = [
        "import keras",
        "import numpy as np",
        *_imports(layers),
        "",
        *_data(task, arm.standardize),
        *(_WEIGHTS if arm.class_weight == "balanced" else ()),
        "",
        *connected(f"keras.Input(({features},))", ahead, arm.hidden, layers, output),
        "model.compile(",
        f"    optimizer={optimizer(arm, learning_rate)},",
        f"    loss=keras.losses.{loss},",
        f'    metrics=["{"accuracy" if classes else "mae"}"],',
        ")",
        "model.fit(",
        '    data["x_train"],',
        '    data["y_train"],',
        f"    batch_size={batch_size},",
        f"    epochs={epochs},",
        '    validation_data=(data["x_validation"], data["y_validation"]),',
        *(["    class_weight=class_weight,"] if arm.class_weight == "balanced" else ()),
        ")",
        'model.evaluate(data["x_test"], data["y_test"])',
        "",
    ]
    return "\n".join(lines)


_WEIGHTS = (
    'counts = np.bincount(data["y_train"])',
    "class_weight = dict(enumerate(counts.sum() / (len(counts) * counts)))",
)


def _sequential(
    inputs: str, ahead: Sequence[str], hidden: object, layers: Sequence[Call], output: str
) -> list[str]:
    return [
        f"layers = [{', '.join([inputs, *ahead])}]",
        f"for units in {hidden}:",
        "    layers += [",
        *(f"        {layer}," for layer in layers),
        "    ]",
        f"model = keras.Sequential([*layers, {output}])",
    ]


def _skipping(
    inputs: str, ahead: Sequence[str], hidden: object, layers: Sequence[Call], output: str
) -> list[str]:
    return [
        f"inputs = {inputs}",
        f"x, width = {reduce(lambda x, call: f'{call}({x})', ahead, 'inputs')}, None",
        f"for units in {hidden}:",
        "    start = x",
        "    for layer in [",
        *(f"        {layer}," for layer in layers),
        "    ]:",
        "        x = layer(x)",
        "    if units == width:",
        "        x = keras.layers.Add()([x, start])",
        "    width = units",
        f"model = keras.Model(inputs, {output}(x))",
    ]


def _imports(layers: Sequence[Call]) -> list[str]:
    """Imports of layers that are not Keras's."""
    paths = [layer.path.rpartition(".") for layer in layers if not layer.path.startswith("keras.")]
    return [line for module, _, name in paths for line in ("", f"from {module} import {name}")]


def _data(task: Path, standardize: bool) -> list[str]:
    load = f'np.load("{task.as_posix()}")'
    if standardize:
        return [f"data = {load}"]
    return [
        f"data = dict({load})",
        f'standard = np.load("{task.with_name("standardize.npz").as_posix()}")',
        'for part in ("x_train", "x_validation", "x_test"):  # raw values',
        '    data[part] = data[part] * standard["scale"] + standard["mean"]',
    ]
