"""The layers of a `.keras` file, read without Keras: stages decide with these what to reuse."""

import json
import zipfile
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from warmstart.errors import InputError
from warmstart.files import check_zip, intact

HEAD = "logits"
"""Name of the last layer of every network that is built here."""
PREPROCESSING = ("Flatten", "Reshape", "Normalization")
"""Layers that a model may begin with to take raw samples. What is trained here has been flattened
and standardized already, so they are left out wherever a model's layers are reused."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Layers of a Sequential model in blocks, inputs first.

    A block is a hidden Dense layer with what follows it up to the next one (activation, batch
    norm); what precedes the first Dense layer belongs to the first block.
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
            InputError: if that is no `.keras` file of a Sequential model with at least one hidden
                Dense layer that ends in a Dense one.
        """
        with intact(path, "a model that Keras saved as .keras", "save the whole model that way"):
            check_zip(path)
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json"))
            kinds = {
                layer["config"]["name"]: layer["class_name"]
                for layer in dropwhile(
                    lambda layer: layer["class_name"] in ("InputLayer", *PREPROCESSING),
                    config["config"]["layers"],
                )
            }
        dense = [name for name, kind in kinds.items() if kind == "Dense"]
        if config["class_name"] != "Sequential" or list(kinds)[-1:] != dense[-1:] or len(dense) < 2:
            raise InputError(
                f"{path}: expected a Sequential model of a Dense layer or more that ends in "
                f"another one, received {config['class_name']} of "
                f"{', '.join(kinds.values()) or 'no layers'}; pretrain such a model"
            )
        blocks: list[list[str]] = [[]]
        for name in list(kinds)[:-1]:
            if name in dense[1:]:
                blocks.append([])
            blocks[-1].append(name)
        return cls(
            blocks=tuple(map(tuple, blocks)),
            head=dense[-1],
            batch_norms=tuple(n for n, kind in kinds.items() if kind == "BatchNormalization"),
        )
