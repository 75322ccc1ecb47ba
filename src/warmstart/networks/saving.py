"""Keras models to files and back: the same bytes for the same model."""

import json
import re
import textwrap
import zipfile
from pathlib import Path

import keras

from warmstart.errors import InputError
from warmstart.files import check_zip, intact, replacing
from warmstart.networks import activations, building
from warmstart.networks.augmentation import Augment

_NO_CLOCK = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can hold


def save(model: keras.Model, path: Path) -> None:
    """Save `model` as a `.keras` file that holds neither a clock nor a memory address.

    Keras writes the time of saving into the archive, and tells shared objects apart by where they
    lie in memory, so that DVC would take every save for a new model: pack the same content again
    without them. Who keeps the file has it last (`files.replacing`).
    """
    with replacing(path, lasting=False) as unfinished:
        model.save(unfinished)
        with zipfile.ZipFile(unfinished) as archive:
            content = {info.filename: archive.read(info) for info in archive.infolist()}
        metadata = json.loads(content["metadata.json"]) | {"date_saved": "1980-01-01@00:00:00"}
        content["metadata.json"] = json.dumps(metadata).encode()
        content["config.json"] = _number_shared_objects(content["config.json"].decode()).encode()
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name, data in content.items():
                archive.writestr(zipfile.ZipInfo(name, _NO_CLOCK), data)


def _number_shared_objects(config: str) -> str:
    """Addresses of objects that occur more than once, replaced by 1, 2 … as they appear."""
    numbers: dict[str, int] = {}
    return re.sub(
        r'("shared_object_id": )(\d+)',
        lambda match: f"{match[1]}{numbers.setdefault(match[2], len(numbers) + 1)}",
        config,
    )


def load(path: Path) -> keras.Model:
    """The network in the `.keras` file `path`, of a compiled model, with a fresh optimizer like
    that of the file, which remembers nothing of its training.

    Raises:
        InputError: as `files.intact`.
    """
    with intact(path):
        check_zip(path)
    model = keras.models.load_model(path, safe_mode=True)
    return _rebuilt(model, model.layers)


def foreign(path: Path) -> keras.Model:
    """The user's network in the `.keras` file `path`, not compiled, in Keras's safe mode.

    Raises:
        InputError: as `files.intact`, and if Keras refuses a layer: code of its own, or unknown.
    """
    with intact(path, "a model that Keras saved as .keras", "save the whole model that way"):
        check_zip(path)
        try:
            return keras.models.load_model(path, compile=False, safe_mode=True)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{path}: expected a model that Keras loads in safe mode, received "
                f"{textwrap.shorten(str(error), 200, placeholder=' …')}; use Keras's own layers, "
                "no Lambda"
            ) from None


def portable(model: keras.Model) -> keras.Model:
    """`model` with the same predictions and none but Keras's own layers, for programs without this
    package: RReLU, which has a fixed slope outside training, as a LeakyReLU of that slope, and
    augmentation, which does nothing outside training, as Identity."""
    return _rebuilt(model, [_portable(layer) for layer in model.layers])


def _portable(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, activations.RReLU):
        slope = (layer.lower + layer.upper) / 2
        return keras.layers.LeakyReLU(negative_slope=slope, name=layer.name)
    return keras.layers.Identity(name=layer.name) if isinstance(layer, Augment) else layer


def _rebuilt(model: keras.Model, layers: list[keras.layers.Layer]) -> keras.Model:
    """`layers` on the input of `model`, compiled with a fresh optimizer like its own."""
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    inputs = keras.Input(model.input_shape[1:], name="raw")
    return building.compile_for_use(building.rebuilt(model, inputs, layers), optimizer)
