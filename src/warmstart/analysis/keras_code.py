"""An arm as Keras code that stands on its own. Writing it needs no Keras."""

from pathlib import Path
from textwrap import indent

from warmstart.config.arm import (
    GLOROT_UNIFORM,
    Activation,
    Clipping,
    Initializer,
    Network,
    Optimizer,
)


def keras_code(
    network: Network,
    *,
    learning_rate: float,
    classes: int,
    task: Path,
    features: int,
    batch_size: int,
    epochs: int,
) -> str:
    """Python that builds, compiles and trains `network`, and tests it.

    Args:
        network: resolved.
        learning_rate: of its optimizer.
        classes: outputs, which are logits.
        task: the file with the arrays, as the stage `prepare` writes it, beside
            `standardize.npz`.
        features: inputs.
        batch_size: samples.
        epochs: of training.
    """
    place = network.batch_norm.name
    norm = f"keras.layers.BatchNormalization(momentum={network.batch_norm.momentum:g})"
    block = [
        f"keras.layers.Dense(units, kernel_initializer={_initializer(network.initializer)}"
        + (", use_bias=False)" if "before" in place else ")"),
        *([norm] if "before" in place else []),
        _activation(network.activation),
        *([norm] if "after" in place else []),
        *([f"keras.layers.Dropout({network.dropout:g})"] if network.dropout else []),
        *(
            [f"keras.layers.AlphaDropout({network.alpha_dropout:g})"]
            if network.alpha_dropout
            else []
        ),
    ]
    head = f"{classes}"
    if network.head_initializer != GLOROT_UNIFORM:
        head += f", kernel_initializer={_initializer(network.head_initializer)}"
    imports = ["import keras", "import numpy as np"]
    if network.activation.name == "rrelu":  # Keras 3 has none
        imports += ["", "from warmstart.networks.activations import RReLU"]
    return "\n".join(
        [
            *imports,
            "",
            *_data(task, network.standardize),
            "",
            f"layers = [keras.Input(({features},)){f', {norm}' if 'input' in place else ''}]",
            f"for units in {network.hidden}:",
            "    layers += [",
            *(indent(layer, " " * 8) + "," for layer in block),
            "    ]",
            f"model = keras.Sequential([*layers, keras.layers.Dense({head})])",
            "model.compile(",
            f"    optimizer={_optimizer(network.optimizer, network.clipping, learning_rate)},",
            "    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),",
            '    metrics=["accuracy"],',
            ")",
            "model.fit(",
            '    data["x_train"],',
            '    data["y_train"],',
            f"    batch_size={batch_size},",
            f"    epochs={epochs},",
            '    validation_data=(data["x_validation"], data["y_validation"]),',
            ")",
            'model.evaluate(data["x_test"], data["y_test"])',
            "",
        ]
    )


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


def _initializer(choice: Initializer) -> str:
    match choice.name:
        case "normal":
            return f"keras.initializers.RandomNormal(stddev={choice.stddev:g})"
        case "truncated_normal":
            return f"keras.initializers.TruncatedNormal(stddev={choice.stddev:g})"
        case "uniform":
            return f"keras.initializers.RandomUniform(-{choice.bound:g}, {choice.bound:g})"
        case "variance_scaling":
            return (
                f"keras.initializers.VarianceScaling({choice.scale:g}, "
                f'"{choice.mode}", "{choice.distribution}")'
            )
        case name:
            return f'"{name}"'


def _activation(choice: Activation) -> str:
    match choice.name:
        case "leaky_relu":
            return f"keras.layers.LeakyReLU(negative_slope={choice.negative_slope:g})"
        case "elu":
            return f"keras.layers.ELU(alpha={choice.alpha:g})"
        case "prelu":
            return "keras.layers.PReLU()"
        case "rrelu":
            return f"RReLU({choice.lower!r}, {choice.upper!r})"
        case name:
            return f'keras.layers.Activation("{name}")'


def _optimizer(choice: Optimizer, clipping: Clipping, learning_rate: float) -> str:
    settings = [f"learning_rate={learning_rate:g}"]
    if choice.name in ("momentum", "nesterov"):
        settings.append(f"momentum={choice.momentum:g}")
    if choice.name == "nesterov":
        settings.append("nesterov=True")
    names = {"value": "clipvalue", "norm": "clipnorm", "global_norm": "global_clipnorm"}
    if clipping.name != "none":
        settings.append(f"{names[clipping.name]}={clipping.threshold:g}")
    kinds = {"adam": "Adam", "adamw": "AdamW", "nadam": "Nadam", "rmsprop": "RMSprop"}
    return f"keras.optimizers.{kinds.get(choice.name, 'SGD')}({', '.join(settings)})"
