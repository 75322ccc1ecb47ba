"""The Python that a reader of the advice runs: a network in Keras's words, built and trained."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from warmstart.config.arm import Arm
from warmstart.config.network import LAST_OF_BLOCK, Convolution
from warmstart.config.parts import GLOROT_UNIFORM
from warmstart.networks import schedules
from warmstart.networks.calls import FILTERS, STRIDES, Call
from warmstart.networks.choices import block, entry, flatten, head, optimizer, pooling, projection


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
    kind = arm.network
    last = head(classes or 1, choice=arm.head_initializer)
    if arm.head_initializer == GLOROT_UNIFORM:
        del last.named["kernel_initializer"]  # it is Keras's default
    output = last.code() if arm.optimizer.name == "muon" else str(last)  # which needs its name
    scaled = _scaled(arm)
    steps, spans = schedules.code(arm.schedule, batch_size, epochs)
    loss = "SparseCategoricalCrossentropy(from_logits=True)" if classes else "MeanSquaredError()"
    ahead = [str(call) for call in entry(arm)]
    connected = {"residual": _residual}.get(kind.name, _skipping if arm.skips else _sequential)
    lines = [
        "import keras",
        "import numpy as np",
        *_imports([*entry(arm), *layers]),
        *(["", "from warmstart.networks import lsuv"] if scaled else ()),
        "",
        *_data(task, arm.standardize),
        *(_WEIGHTS if arm.class_weight == "balanced" else ()),
        "",
        *connected(arm, f"keras.Input(({features},))", ahead, layers, output),
        *([f'lsuv.scale(model, {scaled}, data["x_train"])'] if scaled else ()),
        *steps,
        "model.compile(",
        f"    optimizer={optimizer(arm, learning_rate, spans)},",
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


def _scaled(arm: Arm) -> str:
    """Those of the printed model's layers that LSUV scales; empty: none."""
    hidden, last = (c.name == "lsuv" for c in (arm.initializer, arm.head_initializer))
    if hidden:
        return "model.layers" if last else "model.layers[:-1]"
    return "model.layers[-1:]" if last else ""


_WEIGHTS = (
    'counts = np.bincount(data["y_train"])',
    "class_weight = dict(enumerate(counts.sum() / (len(counts) * counts)))",
)


def _sequential(
    arm: Arm, inputs: str, ahead: Sequence[str], layers: Sequence[Call], output: str
) -> list[str]:
    return [
        f"layers = [{', '.join([inputs, *ahead])}]",
        *(_convolutions(arm) if arm.network.is_convolutional else ()),
        *_dense(arm, layers),
        f"model = keras.Sequential([*layers, {output}])",
    ]


def _dense(arm: Arm, layers: Sequence[Call]) -> list[str]:
    if not arm.hidden:
        return []
    return [f"for units in {arm.hidden}:", "    layers += [", *_lines(layers, 8), "    ]"]


def _convolutions(arm: Arm) -> list[str]:
    kind, layers = arm.network, block(arm, FILTERS, convolution=Convolution(filters=0))
    lines = [f"for filters in {kind.filters}:"]
    if kind.convolutions == 1:
        lines += ["    layers += [", *_lines([*layers, pooling(arm)], 8), "    ]"]
    else:
        lines += [
            f"    for _ in range({kind.convolutions}):",
            "        layers += [",
            *_lines(layers, 12),
            "        ]",
            f"    layers.append({pooling(arm)})",
        ]
    return [*lines, f"layers.append({flatten(arm)})"]


def _residual(
    arm: Arm, inputs: str, ahead: Sequence[str], layers: Sequence[Call], output: str
) -> list[str]:
    kind = arm.network
    assert kind.filters != "auto"
    stem = block(arm, kind.filters[0], convolution=kind.layers[0])
    first = block(arm, FILTERS, convolution=Convolution(filters=0), strides=STRIDES)
    last = block(arm, FILTERS, convolution=Convolution(filters=0, place=LAST_OF_BLOCK))
    added = next(place for place, call in enumerate(last) if call.path.endswith(".Add"))
    short = reduce(lambda x, call: f"{call}({x})", projection(arm, FILTERS, STRIDES), "start")
    lines = [
        f"inputs = {inputs}",
        f"x, width = {reduce(lambda x, call: f'{call}({x})', ahead, 'inputs')}, {kind.filters[0]}",
        *_passed(stem, 0),
        f"for filters, strides in {kind.steps}:",
        "    start = x",
        *_passed(first, 4),
        *_passed(last[:added], 4),
        "    if filters != width or strides != 1:",
        f"        start = {short}",
        "    x, width = keras.layers.Add()([x, start]), filters",
        *_passed(last[added + 1 :], 4),
        f"x = {flatten(arm)}(x)",
    ]
    if arm.hidden:
        lines += [f"for units in {arm.hidden}:", *_passed(layers, 4)]
    return [*lines, f"model = keras.Model(inputs, {output}(x))"]


def _skipping(
    arm: Arm, inputs: str, ahead: Sequence[str], layers: Sequence[Call], output: str
) -> list[str]:
    return [
        f"inputs = {inputs}",
        f"x, width = {reduce(lambda x, call: f'{call}({x})', ahead, 'inputs')}, None",
        f"for units in {arm.hidden}:",
        "    start = x",
        *_passed(layers, 4),
        "    if units == width:",
        "        x = keras.layers.Add()([x, start])",
        "    width = units",
        f"model = keras.Model(inputs, {output}(x))",
    ]


def _lines(layers: Sequence[Call], indent: int) -> list[str]:
    return [f"{' ' * indent}{layer}," for layer in layers]


def _passed(layers: Sequence[Call], indent: int) -> list[str]:
    """`x` through `layers`."""
    margin = " " * indent
    lines = [f"{margin}for layer in [", *_lines(layers, indent + 4), f"{margin}]:"]
    return [*lines, f"{margin}    x = layer(x)"]


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
