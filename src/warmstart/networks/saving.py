"""Keras models to files, with the same bytes for the same model."""

import json
import re
import zipfile
from pathlib import Path

import keras

from warmstart.files import replacing

_NO_CLOCK = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can hold


def save(model: keras.Model, path: Path) -> None:
    """Save `model` as a `.keras` file that holds neither a clock nor a memory address.

    Keras writes the time of saving into the archive, and tells shared objects apart by where they
    lie in memory, so that DVC would take every save for a new model: pack the same content again
    without them.
    """
    with replacing(path) as unfinished:
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
