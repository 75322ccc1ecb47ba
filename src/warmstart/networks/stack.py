"""The layers of a `.keras` file, read without Keras: stages decide with these what to reuse."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any

from warmstart.errors import InputError
from warmstart.files import check_zip, intact

HEAD = "logits"
"""Name of the last layer of every network that is built here."""
IMAGE = "image"
"""Name of the layer that makes images of features, in every convolutional network here."""
PREPROCESSING = ("Flatten", "Reshape", "Normalization")
"""Layers that a model may begin with to take raw samples. What is trained here has been flattened
and standardized already, so they are left out wherever a model's layers are reused; ahead of a
convolution IMAGE takes their place."""
LEARNING = ("Dense", "Conv2D")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Layers of a model in blocks, inputs first.

    A block is a hidden Dense or Conv2D layer with what follows it up to the next one (activation,
    batch norm, pooling); what precedes the first one belongs to the first block. Where a model
    branches, a block is all that lies between two tensors that everything passes: of a residual
    network, a residual block.
    """

    blocks: tuple[tuple[str, ...], ...]
    """Names of the layers of each hidden block."""
    head: str
    """The last layer, a Dense one."""
    batch_norms: tuple[str, ...]
    """Names of the layers that normalize batches."""

    @classmethod
    def read(cls, path: Path) -> "Stack":
        """The layers of the model at `path`.

        Raises:
            InputError: if that is no `.keras` file of a model of at least one hidden Dense or
                Conv2D layer that ends in a Dense one: a Sequential one, or one as is built here.
        """
        with intact(path, "a model that Keras saved as .keras", "save the whole model that way"):
            check_zip(path)
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json"))
            listed = config["config"]["layers"]
            layers = list(
                dropwhile(
                    lambda layer: layer["class_name"] in ("InputLayer", *PREPROCESSING), listed
                )
            )
            kinds = {layer["config"]["name"]: layer["class_name"] for layer in layers}
            starts = list(_starts(layers)) if _is_ours(config) else _learning(kinds)
        learning = _learning(kinds)
        is_stack = config["class_name"] == "Sequential" or _is_ours(config)
        ends = list(kinds)[-1:] == learning[-1:] and list(kinds.values())[-1:] == ["Dense"]
        if not is_stack or not ends or len(learning) < 2:
            raise InputError(
                f"{path}: expected a Sequential model of a Dense or Conv2D layer or more that ends "
                f"in a Dense one, received {config['class_name']} of "
                f"{', '.join(kinds.values()) or 'no layers'}; pretrain such a model, or name it as "
                "transfer.a, which takes others too"
            )
        blocks: list[list[str]] = [[IMAGE] if kinds[learning[0]] == "Conv2D" else []]
        for name in list(kinds)[:-1]:
            if name in starts[1:]:
                blocks.append([])
            blocks[-1].append(name)
        return cls(
            blocks=tuple(map(tuple, blocks)),
            head=learning[-1],
            batch_norms=tuple(n for n, kind in kinds.items() if kind == "BatchNormalization"),
        )


def _learning(kinds: dict[str, str]) -> list[str]:
    return [name for name, kind in kinds.items() if kind in LEARNING]


def _is_ours(config: dict[str, Any]) -> bool:
    """Whether a model that is not Sequential takes features as they are here, and ends as here."""
    if config["class_name"] != "Functional":
        return False
    outputs = config["config"]["output_layers"]  # of a single one Keras saves no list of lists
    return [outputs[0] if isinstance(outputs[0], str) else outputs[0][0]] == [HEAD]


def _starts(layers: list[dict[str, Any]]) -> Iterator[str]:
    """Names of those layers with a kernel of a branching model that take in the only tensor which
    is still needed there."""
    taken = {layer["config"]["name"]: _inputs(layer) for layer in layers}
    names = list(taken)
    last = {name: at for at, own in enumerate(taken.values()) for name in own}
    for at, (name, layer) in enumerate(zip(names, layers, strict=True)):
        needed = {other for other in last if last[other] >= at and other not in names[at:]}
        if layer["class_name"] in LEARNING and len(needed) == 1:
            yield name


def _inputs(layer: dict[str, Any]) -> set[str]:
    """Names of the layers whose tensors `layer`, in a functional model's config, takes in."""
    tensors = layer["inbound_nodes"][0]["args"][0]
    tensors = tensors if isinstance(tensors, list) else [tensors]
    return {tensor["config"]["keras_history"][0] for tensor in tensors}
